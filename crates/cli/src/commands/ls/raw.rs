//! Lists the entries of an archive, for `--raw`.

use std::io::Write;

use porthole_core::path;

use porthole_inspect::report::EntryReport;

use super::{Arguments, long};
use crate::{
    commands::stack::judge,
    error::Error,
    layers::{Event, Job, Reading, Want},
    output::print_json,
    progress::Meter,
    session::Session,
    source::Source,
};

/// Lists the entries of one layer while they arrive. The layer is verified at the end, and the exit code has the result.
pub(super) fn list(arguments: &Arguments, session: &Session<'_>, source: &Source, jobs: &[Job]) -> Result<(), Error> {
    let wanted = arguments.path.as_ref().map(|text| path::meant(text.as_encoded_bytes()));
    let want = if arguments.digest { Want::Digests } else { Want::Entries };
    let meter = Meter::beside_output(session.ui, jobs);
    let mut out = session.ui.out();
    let mut wrong = Vec::new();
    Reading::new(session, source, &meter, want).remembering().run(jobs, |job, event| {
        match event {
            Event::Entries(entries) => {
                for listed in entries {
                    if wanted.as_deref().is_some_and(|wanted| !is_at_or_below(&listed.entry.path, wanted)) {
                        continue;
                    }
                    let digest = listed.digest.map(|digest| digest.to_string());
                    if session.ui.json {
                        print_json(&mut out, &EntryReport::of(&listed.entry, digest))?;
                    } else if arguments.long {
                        writeln!(out, "{}", long::raw_line(&listed.entry, digest))?;
                    } else {
                        writeln!(out, "{}", path::escape(&listed.entry.path))?;
                    }
                }
            }
            Event::End(known) => wrong.extend(judge(session, job, &known)?),
        }
        Ok(())
    })?;
    out.flush()?;
    if wrong.is_empty() { Ok(()) } else { Err(Error::Layers(wrong)) }
}

/// Whether a stored path is at or below any of the paths that the argument may mean. Entries are listed while they arrive, before
/// it is known which of these paths exists.
fn is_at_or_below(stored: &[u8], meant: &[Vec<u8>]) -> bool {
    let cleaned = path::clean(stored);
    let is_below = |rest: &[u8]| rest.is_empty() || rest.starts_with(b"/");
    meant.iter().any(|wanted| wanted.is_empty() || cleaned.strip_prefix(&wanted[..]).is_some_and(is_below))
}
