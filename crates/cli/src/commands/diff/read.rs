//! Reads the trees of two images, and reads no layer more often than necessary.

use std::collections::{HashMap, HashSet};

use porthole_contents::{collect::Collected, inventory::Inventory};
use porthole_core::{digest::Digest, layer::LayerReport, tree::FileTree};
use porthole_inspect::{
    compare::{ComparePlan, ImageSide, LayerRun},
    stack::{LayerStack, unpackable},
};

use crate::{
    commands::{
        gather::{Sink, Sought, note_unlisted},
        stack::end,
    },
    error::Error,
    layers::{Event, Job, Known, Listed, Reading, Want},
    progress::Meter,
    session::Session,
    source::Source,
};

/// One of the two images, with its layers.
pub(super) struct Side<'s> {
    pub(super) source: &'s Source,
    pub(super) jobs: Vec<Job>,
    /// The source as typed on the command line.
    pub(super) name: &'s str,
}

/// The stacked layers of both.
pub(super) struct Trees {
    pub(super) before: FileTree,
    pub(super) after: FileTree,
    /// Databases of packages in the layers of each image. Empty unless packages are compared.
    databases: [Vec<Collected>; 2],
}

/// What is compared.
#[derive(Clone, Copy)]
pub(super) struct Compared {
    /// Contents of files, by their digests.
    pub(super) contents: bool,
    pub(super) packages: bool,
}

impl Trees {
    /// Checks that a runtime can unpack both images. The error names the entry at which it would stop.
    pub(super) fn unpackable(&self, sides: [&Side<'_>; 2]) -> Result<(), Error> {
        for (tree, side) in [&self.before, &self.after].into_iter().zip(sides) {
            unpackable(tree, &side.jobs).map_err(|(layer, error)| Error::Unpack { layer, error })?;
        }
        Ok(())
    }

    /// The packages of both.
    pub(super) fn inventories(&self) -> [Inventory; 2] {
        let [before, after] = &self.databases;
        [Inventory::of(&self.before, before), Inventory::of(&self.after, after)]
    }
}

/// Reads the layers of both images, and each layer that both have only once: the lowest `shared` ones and any other. A layer that
/// one side has on this machine is not fetched for the other. For packages, layers are read even if their indexes are in the
/// cache.
pub(super) fn trees(
    session: &Session<'_>,
    before: &Side<'_>,
    after: &Side<'_>,
    shared: u32,
    compared: Compared,
) -> Result<Trees, Error> {
    let near = match (before.source, after.source) {
        (far, near) if far.is_remote() && !near.is_remote() && !near.is_bare() => Some(ImageSide::After),
        (near, far) if far.is_remote() && !near.is_remote() && !near.is_bare() => Some(ImageSide::Before),
        _ => None,
    };
    let plan = ComparePlan::new(&before.jobs, &after.jobs, shared as usize, near);
    let mut reader = Reader { session, compared, sides: [before, after], wanted: &plan.kept, kept: HashMap::new() };
    let mut base = Stack { tree: FileTree::new(session.limits.tree_nodes), databases: Vec::new() };
    reader.stack(&mut base, &plan.shared)?;
    note_unlisted(session, 0, &base.databases);
    let mut other = base.clone();
    let shared = base.databases.len();
    for (stack, runs) in [(&mut base, &plan.before), (&mut other, &plan.after)] {
        reader.stack(stack, runs)?;
        note_unlisted(session, shared, &stack.databases[shared..]);
    }
    Ok(Trees { before: base.tree, after: other.tree, databases: [base.databases, other.databases] })
}

struct Reader<'s> {
    session: &'s Session<'s>,
    compared: Compared,
    sides: [&'s Side<'s>; 2],
    /// Layers that are stacked a second time.
    wanted: &'s HashSet<Digest>,
    /// Contents of these layers by diff_id.
    kept: HashMap<Digest, Kept>,
}

/// The contents of a layer that is stacked a second time, and the index of the layer from which they were read: an image may have
/// a layer twice.
struct Kept {
    layer: u32,
    entries: Vec<Listed>,
    databases: Collected,
}

/// The layers of one image that were read so far.
#[derive(Clone)]
struct Stack {
    tree: FileTree,
    databases: Vec<Collected>,
}

impl Reader<'_> {
    fn stack(&mut self, stack: &mut Stack, runs: &[LayerRun]) -> Result<(), Error> {
        for run in runs {
            match run {
                LayerRun::Read { from, jobs } => self.read(stack, self.sides[*from as usize], jobs)?,
                LayerRun::Kept { layer, diff_id } => {
                    stack.tree.begin(*layer);
                    let mut databases = Collected::default();
                    if let Some(kept) = self.kept.get(diff_id) {
                        for Listed { entry, digest } in &kept.entries {
                            let _ = stack.tree.apply_hashed(entry, *digest);
                        }
                        databases = kept.databases.clone();
                    }
                    stack.tree.commit();
                    stack.databases.extend(self.compared.packages.then_some(databases));
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, stack: &mut Stack, side: &Side<'_>, jobs: &[Job]) -> Result<(), Error> {
        let ui = self.session.ui;
        let meter = Meter::new(ui, jobs);
        let Compared { contents, packages } = self.compared;
        let want = if contents { Want::Digests } else { Want::Entries };
        let reading = Reading::new(self.session, side.source, &meter, want);
        let Stack { tree, databases } = stack;
        let mut layers = LayerStack::new(tree);
        if packages {
            let sought = Sought { packages, digests: contents, ..Sought::default() };
            let sink = || Sink::new(sought);
            reading.collect(jobs, sink, Sink::finish, |job, held, report: LayerReport| {
                held.entries.iter().for_each(|listed| layers.entry(job, &listed.entry, listed.digest));
                end(self.session, &mut layers, job, &Known::Read(Box::new(report), None))?;
                if let Some(kept) = self.keep(job) {
                    (kept.entries, kept.databases) = (held.entries, held.databases.clone());
                }
                databases.push(held.databases);
                Ok(())
            })?;
        } else {
            reading.remembering().run(jobs, |job, event| {
                let entries = match event {
                    Event::Entries(entries) => entries,
                    Event::End(known) => return end(self.session, &mut layers, job, &known),
                };
                entries.iter().for_each(|listed| layers.entry(job, &listed.entry, listed.digest));
                if let Some(kept) = self.keep(job) {
                    kept.entries.extend(entries);
                }
                Ok(())
            })?;
        }
        let Err(wrong) = layers.finish() else { return Ok(()) };
        drop(meter);
        ui.note(format_args!("`{}` has layers with errors", side.name));
        Err(Error::Layers(wrong))
    }

    /// Returns where to keep the contents of a layer, if it is stacked a second time.
    fn keep(&mut self, job: &Job) -> Option<&mut Kept> {
        let diff_id = job.diff_id.filter(|diff_id| self.wanted.contains(diff_id))?;
        let new = Kept { layer: job.layer, entries: Vec::new(), databases: Collected::default() };
        Some(self.kept.entry(diff_id).or_insert(new)).filter(|kept| kept.layer == job.layer)
    }
}
