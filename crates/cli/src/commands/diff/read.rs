//! The trees of two images, with as little reading as they need.

use std::collections::{HashMap, HashSet};

use porthole_core::{digest::Digest, tree::FileTree};
use porthole_inspect::{
    compare::{ComparePlan, ImageSide, LayerRun},
    stack::{LayerStack, unpackable},
};

use crate::{
    commands::stack::end,
    error::Error,
    layers::{Event, Job, Listed, Reading, Want},
    progress::Meter,
    session::Session,
    source::Source,
};

/// An image, and its layers.
pub(super) struct Side<'s> {
    pub(super) source: &'s Source,
    pub(super) jobs: Vec<Job>,
    /// As it was typed.
    pub(super) name: &'s str,
}

/// The stacked layers of both.
pub(super) struct Trees {
    pub(super) before: FileTree,
    pub(super) after: FileTree,
}

impl Trees {
    /// Where a runtime would stop.
    pub(super) fn unpackable(&self, sides: [&Side<'_>; 2]) -> Result<(), Error> {
        for (tree, side) in [&self.before, &self.after].into_iter().zip(sides) {
            unpackable(tree, &side.jobs).map_err(|(layer, error)| Error::Unpack { layer, error })?;
        }
        Ok(())
    }
}

/// Reads the lowest `shared` layers once for both, and every other layer that both have once too. A layer that one side
/// has on this machine is not fetched for the other.
pub(super) fn trees(
    session: &Session<'_>,
    before: &Side<'_>,
    after: &Side<'_>,
    shared: u32,
    hashed: bool,
) -> Result<Trees, Error> {
    let near = match (before.source, after.source) {
        (far, near) if far.is_remote() && !near.is_remote() && !near.is_bare() => Some(ImageSide::After),
        (near, far) if far.is_remote() && !near.is_remote() && !near.is_bare() => Some(ImageSide::Before),
        _ => None,
    };
    let plan = ComparePlan::new(&before.jobs, &after.jobs, shared as usize, near);
    let want = if hashed { Want::Digests } else { Want::Entries };
    let mut reader = Reader { session, want, sides: [before, after], wanted: &plan.kept, kept: HashMap::new() };
    let mut base = FileTree::new(session.limits.tree_nodes);
    reader.stack(&mut base, &plan.shared)?;
    let mut other = base.clone();
    reader.stack(&mut base, &plan.before)?;
    reader.stack(&mut other, &plan.after)?;
    Ok(Trees { before: base, after: other })
}

struct Reader<'s> {
    session: &'s Session<'s>,
    want: Want,
    sides: [&'s Side<'s>; 2],
    /// Layers that are stacked a second time.
    wanted: &'s HashSet<Digest>,
    /// What they hold, and the layer it was read from: an image may have one twice.
    kept: HashMap<Digest, (u32, Vec<Listed>)>,
}

impl Reader<'_> {
    fn stack(&mut self, tree: &mut FileTree, runs: &[LayerRun]) -> Result<(), Error> {
        for run in runs {
            match run {
                LayerRun::Read { from, jobs } => self.read(tree, self.sides[*from as usize], jobs)?,
                LayerRun::Kept { layer, diff_id } => {
                    let listed = self.kept.get(diff_id).map_or(&[][..], |(_, listed)| listed);
                    tree.begin(*layer);
                    for Listed { entry, digest } in listed {
                        let _ = tree.apply_hashed(entry, *digest);
                    }
                    tree.commit();
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, tree: &mut FileTree, side: &Side<'_>, jobs: &[Job]) -> Result<(), Error> {
        let ui = self.session.ui;
        let meter = Meter::new(ui, jobs);
        let reading = Reading::new(self.session, side.source, &meter, self.want).remembering();
        let mut stack = LayerStack::new(tree);
        reading.run(jobs, |job, event| {
            let entries = match event {
                Event::Entries(entries) => entries,
                Event::End(known) => return end(self.session, &mut stack, job, &known),
            };
            entries.iter().for_each(|listed| stack.entry(job, &listed.entry, listed.digest));
            if let Some(diff_id) = job.diff_id.filter(|diff_id| self.wanted.contains(diff_id)) {
                let (layer, kept) = self.kept.entry(diff_id).or_insert((job.layer, Vec::new()));
                if *layer == job.layer {
                    kept.extend(entries);
                }
            }
            Ok(())
        })?;
        let Err(wrong) = stack.finish() else { return Ok(()) };
        drop(meter);
        ui.note(format_args!("`{}` is not what it should be", side.name));
        Err(Error::Layers(wrong))
    }
}
