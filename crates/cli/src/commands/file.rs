//! `porthole file`

use std::{
    io::{self, Write},
    os::unix::ffi::OsStrExt,
};

use clap::Args;
use porthole_contents::{
    file::{ArchiveMembers, FactValue, FileFacts, KnownBytes, MemberScan},
    report::FactsReport,
};
use porthole_core::path;

use super::opened::{FileArguments, OpenedFile};

use crate::{
    error::Error,
    output::print_json,
    session::Session,
    ui::{safe, size},
};

/// Number of bytes of a file that are read first. They suffice for most kinds of files.
const HEAD: u64 = 64 << 10;

/// Say what one file is: a program, a certificate, a picture, an archive
///
/// Prints the kind of the file and what its headers say: the machine and libraries of a program, the subject and validity of a
/// certificate, the size of a picture. Of an archive (zip, jar, whl, ar, deb, and tar, also packed with gzip or zstd) --list prints the
/// members.
///
/// PATH is looked up as `porthole cat` does. Only the parts of the file that are needed are read, each verified.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole file nginx usr/sbin/nginx
  porthole file --list app:1.2 opt/app.jar
  porthole file --json nginx etc/ssl/certs/ca-certificates.crt

Exit codes: 4 if there is no such file; 2 if it is a directory, a device or, with --no-follow, a symbolic link.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: FileArguments,
    /// Print the members of an archive
    #[arg(long, short)]
    list: bool,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let mut file = OpenedFile::open(&arguments.file, session)?;
    let head = file.read(session, 0..HEAD)?;
    let scan = MemberScan::new(&head);
    let mut known = KnownBytes::new(file.size(), head);
    let mut facts = loop {
        match FileFacts::read(&known) {
            Ok(facts) => break facts,
            Err(range) => {
                let bytes = file.read(session, range.clone())?;
                known.give(range.start, &bytes);
            }
        }
    };
    if let Some(scan) = scan {
        let mut reading = Scanning(scan, true);
        let size = file.size();
        file.copy(session, 0..size, &mut reading).or_else(|error| if reading.1 { Err(error) } else { Ok(()) })?;
        facts.members = reading.0.finish().or(facts.members);
    }
    let mut out = session.ui.out();
    if session.ui.json {
        let name = path::clean(arguments.file.path().as_bytes());
        print_json(&mut out, &FactsReport::of(&name, file.size(), &facts))?;
    } else {
        print(&mut out, &facts, file.size())?;
        match &facts.members {
            Some(members) if arguments.list => list(&mut out, members)?,
            _ if arguments.list => {
                return Err(Error::usage("the members of this file cannot be listed: expected an archive"));
            }
            _ => {}
        }
    }
    session.ui.flush(&mut out)?;
    file.close(session)
}

/// Passes the bytes of a file to a scan of its members until the scan has seen enough. The flag is whether it has.
struct Scanning(MemberScan, bool);

impl Write for Scanning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 &= self.0.push(bytes);
        if self.1 { Ok(bytes.len()) } else { Err(io::ErrorKind::Other.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn print(out: &mut impl Write, facts: &FileFacts, bytes: u64) -> io::Result<()> {
    writeln!(out, "{}, {}", facts.kind, size(bytes))?;
    for fact in &facts.facts {
        let name = fact.name.replace('_', " ");
        match &fact.value {
            FactValue::Text(text) => writeln!(out, "  {name:<16} {}", safe(text))?,
            FactValue::Number(number) => writeln!(out, "  {name:<16} {number}")?,
            FactValue::Flag(flag) => writeln!(out, "  {name:<16} {}", if *flag { "yes" } else { "no" })?,
            FactValue::List(texts) => {
                for (place, text) in texts.iter().enumerate() {
                    writeln!(out, "  {:<16} {}", if place == 0 { &*name } else { "" }, safe(text))?;
                }
            }
        }
    }
    if let Some(members) = &facts.members {
        writeln!(out, "  {:<16} {}", "members", members.count)?;
    }
    if facts.partial {
        writeln!(out, "  {:<16} more than is read of a file", "not read")?;
    }
    Ok(())
}

fn list(out: &mut impl Write, members: &ArchiveMembers) -> io::Result<()> {
    writeln!(out)?;
    let width = members.listed.iter().map(|member| member.size.to_string().len()).max().unwrap_or(0);
    for member in &members.listed {
        let link = if member.link.is_empty() { String::new() } else { format!(" -> {}", path::escape(&member.link)) };
        let written = member.written().unwrap_or_default();
        writeln!(out, "{:>width$}  {written:<19}  {}{link}", member.size, path::escape(&member.path))?;
    }
    match &members.problem {
        Some(problem) => writeln!(out, "There may be more: {}", safe(problem)),
        None => Ok(()),
    }
}
