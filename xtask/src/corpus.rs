//! `cargo xtask corpus`: compares this project's tar listings with those of other readers.
//!
//! Names are compared in order, without trailing slashes. For each archive on which a reader differs, one line is
//! printed, with the reason if one of our entries is marked ambiguous. The task fails only if all other readers agree,
//! we differ, and no entry is marked.

use crate::{
    Result,
    process::{cargo, run as execute},
    tools,
    workspace::Workspace,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Listing by one reader: the names before its end or first error, and whether there was an error.
#[derive(Debug, PartialEq, Eq)]
struct Listing {
    names: Vec<Vec<u8>>,
    whole: bool,
}

/// Python script that prints each name as hexadecimal digits on a line.
const PYTHON: &str = "
import sys, tarfile
with tarfile.open(sys.argv[1], 'r:') as archive:
    for member in archive:
        print(member.name.encode('utf-8', 'surrogateescape').hex())
";

/// Name of a reader, and its listing function.
type Reader = (&'static str, fn(&Path) -> Result<Listing>);

const READERS: [Reader; 3] = [("bsdtar", by_bsdtar), ("GNU tar", by_gnu_tar), ("Python", by_python)];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    tools::readers()?;
    execute(cargo(&workspace.root).args(["build", "--quiet", "--package", "porthole-cli"]))?;
    let files = if arguments.is_empty() { vectors(workspace)? } else { arguments.iter().map(PathBuf::from).collect() };
    let porthole = workspace.debug("porthole");
    let mut summary = Summary::default();
    for file in &files {
        summary.add(file, &porthole)?;
    }
    summary.print(files.len())
}

/// Writes the archives of the test vectors to files.
fn vectors(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let folder = workspace.target.join("corpus");
    let mut write = cargo(&workspace.root);
    write.args(["run", "--quiet", "--package", "porthole-fuzz", "--bin", "corpus", "--", "archives"]);
    execute(write.arg(&folder))?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

#[derive(Default)]
struct Summary {
    agreed: usize,
    flagged: usize,
    refused: usize,
    unmarked: usize,
    alone: Vec<String>,
}

impl Summary {
    fn add(&mut self, file: &Path, porthole: &Path) -> Result {
        let (ours, reason) = by_porthole(file, porthole)?;
        let mut theirs = Vec::new();
        for (name, read) in READERS {
            theirs.push((name, read(file).map_err(|error| format!("{name} on {}: {error}", file.display()))?));
        }
        let differing: Vec<_> = theirs.iter().filter(|(_, listing)| *listing != ours).collect();
        if differing.is_empty() {
            self.agreed += 1;
            return Ok(());
        }
        let verdict = match (&reason, ours.whole) {
            (Some(reason), _) => format!("marked: {reason}"),
            (None, false) => "refused".to_owned(),
            (None, true) => "not marked".to_owned(),
        };
        let others: Vec<_> = differing.iter().map(|(name, listing)| format!("{name} {}", words(listing))).collect();
        println!("{}: we {}; {}; {verdict}", file.display(), words(&ours), others.join(", "));
        match (&reason, ours.whole) {
            (Some(_), _) => self.flagged += 1,
            (None, false) => self.refused += 1,
            (None, true) => {
                self.unmarked += 1;
                if stands_alone(&theirs) && differing.len() == theirs.len() {
                    self.alone.push(file.display().to_string());
                }
            }
        }
        Ok(())
    }

    fn print(&self, files: usize) -> Result {
        let Self { agreed, flagged, refused, unmarked, alone } = self;
        println!(
            "{files} archives: all agree on {agreed}; of the others {flagged} are marked ambiguous, {refused} are \
             rejected, {unmarked} are neither"
        );
        if alone.is_empty() {
            return Ok(());
        }
        Err(format!("all other readers agree, we differ and mark no entry as ambiguous: {}", alone.join(", ")).into())
    }
}

/// Whether all other readers succeed and agree with one another.
fn stands_alone(theirs: &[(&str, Listing)]) -> bool {
    theirs.iter().all(|(_, listing)| listing.whole) && theirs.windows(2).all(|pair| pair[0].1 == pair[1].1)
}

fn words(listing: &Listing) -> String {
    let complaint = if listing.whole { "" } else { ", then an error" };
    match &listing.names[..] {
        [name] => format!("1 name ({}){complaint}", name.escape_ascii()),
        names => format!("{} names{complaint}", names.len()),
    }
}

/// Our listing, and the reason why readers may differ if an entry has one. Global headers are left out: only Go lists
/// them.
fn by_porthole(file: &Path, porthole: &Path) -> Result<(Listing, Option<String>)> {
    let mut source = std::ffi::OsString::from("layer:");
    source.push(file);
    let (stdout, whole) =
        stdout(Command::new(porthole).args(["ls", "--raw", "--json", "--no-cache", "--quiet"]).arg(source))?;
    let mut names = Vec::new();
    let mut reason = None;
    for line in stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let row: Value = serde_json::from_slice(line)?;
        reason = reason.or_else(|| row["ambiguous"].as_str().map(str::to_owned));
        if row["typeflag"] != u64::from(b'g') {
            names.push(row["path"].as_str().unwrap_or_default().as_bytes().to_vec());
        }
    }
    Ok((listing(names.iter().map(|name| unescaped(name)), whole), reason))
}

fn by_bsdtar(file: &Path) -> Result<Listing> {
    let (stdout, whole) = stdout(Command::new("bsdtar").arg("-tf").arg(file).env("LC_ALL", "C"))?;
    Ok(listing(lines(&stdout).map(unescaped), whole))
}

fn by_gnu_tar(file: &Path) -> Result<Listing> {
    let mut tar = Command::new("tar");
    let (stdout, whole) = stdout(tar.args(["-tP", "--quoting-style=escape", "-f"]).arg(file).env("LC_ALL", "C"))?;
    Ok(listing(lines(&stdout).map(unescaped), whole))
}

fn by_python(file: &Path) -> Result<Listing> {
    let (stdout, whole) = stdout(Command::new("python3").args(["-c", PYTHON]).arg(file))?;
    let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap_or(b'?');
    Ok(listing(lines(&stdout).map(|line| line.chunks(2).map(byte).collect()), whole))
}

fn listing(names: impl Iterator<Item = Vec<u8>>, whole: bool) -> Listing {
    let bare = |mut name: Vec<u8>| {
        while name.len() > 1 && name.ends_with(b"/") {
            name.pop();
        }
        name
    };
    Listing { names: names.map(bare).collect(), whole }
}

/// Stdout of a program, and whether it succeeded. Its stderr is discarded.
fn stdout(command: &mut Command) -> Result<(Vec<u8>, bool)> {
    let done = command.stdin(Stdio::null()).output()?;
    Ok((done.stdout, done.status.success()))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_suffix(b"\n").unwrap_or(text).split(|&byte| byte == b'\n').take(if text.is_empty() {
        0
    } else {
        usize::MAX
    })
}

/// Unescapes `\\`, `\n` and similar, `\NNN` in octal and `\xNN`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let number = |digits: &[u8], radix| u8::from_str_radix(&String::from_utf8_lossy(digits), radix).ok();
        let (byte, used) = match (first, tail) {
            (b'\\', [b'x', high, low, ..]) => (number(&[*high, *low], 16).unwrap_or(b'?'), 3),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                (number(&[*a, *b, *c], 8).unwrap_or(b'?'), 3)
            }
            (b'\\', [letter, ..]) => (named(*letter), 1),
            _ => (first, 0),
        };
        bytes.push(byte);
        rest = tail.get(used..).unwrap_or_default();
    }
    bytes
}

fn named(letter: u8) -> u8 {
    const NAMED: &[(u8, u8)] =
        &[(b'a', 7), (b'b', 8), (b't', b'\t'), (b'n', b'\n'), (b'v', 11), (b'f', 12), (b'r', b'\r'), (b'e', 27)];
    NAMED.iter().find(|(name, _)| *name == letter).map_or(letter, |(_, byte)| *byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_each_reader_writes_them() {
        assert_eq!(unescaped(br"a\\b\nc\303\251\xff\ d"), b"a\\b\nc\xc3\xa9\xff d");
        assert_eq!(lines(b"").count(), 0);
        assert_eq!(lines(b"a\n\nb\n").collect::<Vec<_>>(), [b"a".as_slice(), b"", b"b"]);
        assert_eq!(listing([b"d//".to_vec(), b"/".to_vec()].into_iter(), true).names, [b"d".to_vec(), b"/".to_vec()]);
    }

    #[test]
    fn a_crowd_is_all_of_them_without_complaint() {
        let listing = |name: &str, whole| Listing { names: vec![name.into()], whole };
        assert!(stands_alone(&[("a", listing("x", true)), ("b", listing("x", true))]));
        assert!(!stands_alone(&[("a", listing("x", true)), ("b", listing("y", true))]));
        assert!(!stands_alone(&[("a", listing("x", true)), ("b", listing("x", false))]));
    }
}
