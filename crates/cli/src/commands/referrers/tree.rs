//! Prints the referrers of an image, and their own referrers, as a tree.

use std::io::Write;

use porthole_core::{digest::Digest, manifest::Document};
use porthole_inspect::{
    referrers::{REFERRERS, Referrer, referrer_tree},
    report::{ReferrerReport, Via},
    resolve::ResolvedImage,
};

use super::cells::cells;
use crate::{error::Error, output::print_json, session::Session, source::Source, ui::Style};

/// Prints the tree. BuildKit's attestations of an image are in the index that lists the image. That index is read if `--platform`
/// is given.
pub(super) fn run(source: &Source, subject: &Digest, is_index: bool, session: &Session<'_>) -> Result<(), Error> {
    let resolved = match session.wanted_platform() {
        Some(_) => Some(source.image(session, &mut |_| {})?),
        None => None,
    };
    let index = match &resolved {
        Some(ResolvedImage { index: Some(Document::Index(index)), .. }) => Some(&index.value),
        _ => None,
    };
    let referrers = source.wait(referrer_tree(&source.origin, subject, index))?;
    let via = if source.is_remote() { Via::Subject } else { Via::Layout };
    let found = |referrer| ReferrerReport::found(referrer, via.clone());
    let mut out = session.ui.out();
    if session.ui.json {
        for referrer in &referrers.found {
            print_json(&mut out, &ReferrerReport::in_tree(referrer, via.clone()))?;
        }
    } else if !referrers.found.is_empty() {
        writeln!(out, "{subject}")?;
        for (at, referrer) in referrers.found.iter().enumerate() {
            let [digest, kind, size, created, title] = cells(&found(referrer));
            let branch = branches(&referrers.found, at);
            let rest = [size, created, title].into_iter().filter(|text| text != "-").collect::<Vec<_>>().join("  ");
            writeln!(out, "{}{kind}  {digest}  {}", session.ui.paint(Style::Faint, &branch), rest.trim_end())?;
        }
    }
    out.flush()?;
    for missing in &referrers.missing {
        session.ui.note(format_args!("{} is listed, but missing", missing.digest));
    }
    if referrers.is_cut {
        session.ui.note(format_args!("only the first {REFERRERS} were read"));
    }
    if referrers.found.is_empty() {
        session.ui.note(format_args!("nothing refers to {subject}"));
        if is_index {
            session.ui.note("it is an index: --platform asks for what refers to one of its images");
        }
    }
    Ok(())
}

/// The branches of the tree to the left of a referrer: for each depth above it, a line if another referrer follows at that depth.
fn branches(found: &[Referrer], at: usize) -> String {
    let depth = found[at].depth;
    let has_later = |level: u32| {
        let below = found[at + 1..].iter().take_while(|next| next.depth >= level);
        below.into_iter().any(|next| next.depth == level)
    };
    let mut text: String = (1..depth).map(|level| if has_later(level) { "│  " } else { "   " }).collect();
    text.push_str(if has_later(depth) { "├─ " } else { "└─ " });
    text
}
