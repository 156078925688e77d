//! The trees of two images, with as little reading as they need.

use std::collections::{HashMap, HashSet};

use porthole_core::{digest::Digest, tree::FileTree};
use porthole_inspect::stack::{LayerStack, unpackable};

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
    let shared = shared as usize;
    let mut reader = Reader {
        session,
        want: if hashed { Want::Digests } else { Want::Entries },
        wanted: after.jobs.iter().skip(shared).filter_map(|job| job.diff_id).collect(),
        kept: HashMap::new(),
    };
    let mut base = FileTree::new(session.limits.tree_nodes);
    let mut left = before.jobs.iter();
    reader.stack(&mut base, left.by_ref().take(shared), before, after)?;
    let mut other = base.clone();
    reader.stack(&mut base, left, before, after)?;
    reader.wanted.clear();
    reader.stack(&mut other, after.jobs.iter().skip(shared), after, before)?;
    Ok(Trees { before: base, after: other })
}

struct Reader<'s> {
    session: &'s Session<'s>,
    want: Want,
    /// Layers that the other image has too, though not at the same place.
    wanted: HashSet<Digest>,
    /// What they hold, and the layer it was read from: an image may have one twice.
    kept: HashMap<Digest, (u32, Vec<Listed>)>,
}

impl Reader<'_> {
    /// Stacks layers of one side, read from wherever they are near.
    fn stack<'j>(
        &mut self,
        tree: &mut FileTree,
        jobs: impl Iterator<Item = &'j Job>,
        side: &Side<'_>,
        other: &Side<'_>,
    ) -> Result<(), Error> {
        let mut jobs = jobs.peekable();
        while let Some(first) = jobs.next() {
            if let Some((_, listed)) = first.diff_id.and_then(|diff_id| self.kept.get(&diff_id)) {
                tree.begin(first.layer);
                for Listed { entry, digest } in listed {
                    let _ = tree.apply_hashed(entry, *digest);
                }
                tree.commit();
                continue;
            }
            let (at, job) = nearest(first, side, other);
            let mut run = vec![job];
            while let Some(next) = jobs.next_if(|next| {
                let kept = next.diff_id.is_some_and(|diff_id| self.kept.contains_key(&diff_id));
                !kept && std::ptr::eq(nearest(next, side, other).0, at)
            }) {
                run.push(nearest(next, side, other).1);
            }
            self.read(tree, at, &run)?;
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

/// Where a layer is read: from its own image, or from the other one if that is on this machine and has it too.
fn nearest<'s, 'j>(job: &Job, side: &'j Side<'s>, other: &'j Side<'s>) -> (&'j Side<'s>, Job) {
    let twin = || other.jobs.iter().find(|twin| twin.diff_id.is_some() && twin.diff_id == job.diff_id);
    let (at, from) = match side.source.is_remote() && !other.source.is_remote() && !other.source.is_bare() {
        true => twin().map_or((side, job), |twin| (other, twin)),
        false => (side, job),
    };
    // The tree knows it by its place in its own image.
    (at, Job { layer: job.layer, ..from.clone() })
}
