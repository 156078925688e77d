//! Reports that need the contents of an image, as the command line prints them.

use super::{Front, SavedFile, Session, compare::KeptComparison, lines::Lines};
use crate::{look::LookBody, pool::Pool, protocol::ExportWish, summary};
use porthole_core::{
    image::Image,
    reference::Reference,
    tree::{Aspect, FileTree, Mode},
};
use porthole_inspect::{
    compare as engine,
    overview::Overview,
    report::{AnalysisReport, ComparedBase, DifferenceRow, OverviewReport, SeenFile, WASTED_PATHS},
};
use porthole_registry::transport::{Environment, Transport};
use std::io;

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Reads the contents that a report needs, unless they are known.
    pub(super) async fn know_for(&self, look: u32, wish: &ExportWish) -> Result<(), String> {
        let (own, other) = {
            let desk = self.desk.borrow();
            let body = desk.body_of(look);
            match wish {
                // The blobs of an artifact are not unpacked.
                ExportWish::Overview => (body.is_some_and(is_archives), false),
                ExportWish::Waste => (true, false),
                ExportWish::Comparison => {
                    let contents = desk.compared.as_ref().is_some_and(compares_contents);
                    (contents, contents)
                }
                _ => (false, false),
            }
        };
        if own { self.know_contents(other).await } else { Ok(()) }
    }
}

/// Whether files are compared, and by their contents.
fn compares_contents(kept: &KeptComparison) -> bool {
    kept.fetched.is_some() && !kept.wish.ignored.contains(Aspect::Content)
}

fn is_archives(body: &LookBody) -> bool {
    body.resolved.image.layers.iter().all(|layer| layer.archive)
}

pub(super) fn write_overview<F: SavedFile>(
    body: &LookBody,
    base: Option<&ComparedBase>,
    out: &mut Lines<F>,
) -> io::Result<()> {
    let mut overview = Overview::of(&body.resolved);
    if is_archives(body) {
        overview.add_layers(body.stack.tree(), &body.blobs(), &body.waste());
    } else {
        overview.add_facts(body.artifact_facts());
    }
    let pinned: Option<Reference> = match &body.page {
        None => summary::summarize(&body.reference, &body.resolved).pinned.parse().ok(),
        Some(_) => None,
    };
    let mut report = OverviewReport::of(pinned.as_ref(), &body.resolved, overview);
    if let Some(base) = base {
        report.compare_with(base.clone());
    }
    out.line(&report)
}

pub(super) fn write_waste<F: SavedFile>(body: &LookBody, out: &mut Lines<F>) -> io::Result<()> {
    let waste = body.waste();
    let ways = body.what_if(&waste);
    out.line(&AnalysisReport::of(body.stack.tree(), waste, &ways, WASTED_PATHS, None))
}

/// Writes how the second image differs from the first.
pub(super) fn write_comparison<F: SavedFile>(
    bodies: [&LookBody; 2],
    kept: &KeptComparison,
    out: &mut Lines<F>,
) -> io::Result<()> {
    let [before, after] = bodies.map(|body| &body.resolved.image);
    let ignored = kept.wish.ignored;
    let Some(diff) = engine::documents(before, after, !ignored.contains(Aspect::Time)) else { return Ok(()) };
    DifferenceRow::of_documents(&diff, before, after).iter().try_for_each(|row| out.line(row))?;
    if kept.fetched.is_none() {
        return Ok(());
    }
    let trees: [&FileTree; 2] = bodies.map(|body| body.stack.tree());
    let views = trees.map(|tree| tree.view(Mode::Merged));
    let digests = [before, after].map(Image::blob_digests);
    let contents = compares_contents(kept);
    for found in &engine::files(trees[0], trees[1], diff.layers.shared, ignored, None).differences {
        let seen = (
            found.before.and_then(|node| SeenFile::of(&views[0], node, contents)),
            found.after.and_then(|node| SeenFile::of(&views[1], node, contents)),
        );
        out.line(&DifferenceRow::file(found, &seen, digests.each_ref()))?;
    }
    Ok(())
}
