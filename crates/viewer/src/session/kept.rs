//! Layers that need not be fetched again: their seek indexes are kept from one visit to the next.

use super::{Errand, Front, Session, Work};
use crate::{
    given::GivenFile,
    index::OpenIndex,
    kept::{Housekeeping, KEPT_BYTES, KeptError, KeptFiles, KeptLock, KeptRecord, VERSION},
    layer::LayerFindings,
    look::{Access, KeptLayer},
    pool::Pool,
    protocol::{Event, KeptFacts},
};
use porthole_core::{image::Layer, seek::index_file};
use porthole_registry::transport::{Environment, Transport};
use porthole_source::ReadAt as _;
use std::{collections::VecDeque, rc::Rc, time::Duration};

/// What is kept, and what is to be.
#[derive(Default)]
pub(super) struct Keeping {
    files: Option<Rc<dyn KeptFiles>>,
    /// Why nothing is kept, if a front end has a place for it and cannot use it.
    lack: Option<String>,
    waiting: VecDeque<NewFile>,
    /// Files that were used since their use was noted last.
    used: Vec<String>,
    /// No file was used for a while: it is time to note the uses.
    quiet: bool,
    busy: bool,
}

/// An index that is to be kept.
struct NewFile {
    look: u32,
    layer: u32,
    name: String,
    record: Vec<u8>,
    index: Rc<OpenIndex>,
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Keeps what is found out about layers in these files, and uses what is there.
    pub fn set_kept(&self, files: Rc<dyn KeptFiles>) {
        self.desk.borrow_mut().keeping.files = Some(files);
    }

    /// Looks for what is kept of a layer of a look. Returns whether something is.
    pub(super) async fn recall(&self, number: u32, index: u32) -> bool {
        let layer = {
            let desk = self.desk.borrow();
            let body = desk.body_of(number);
            body.and_then(|body| body.resolved.image.layers.get(index as usize)).cloned()
        };
        // What is kept does not know the name of an artifact's blob.
        let Some(layer) = layer.filter(|layer| layer.file.is_none()) else { return false };
        let Some(kept) = self.find_kept(&layer).await else { return false };
        self.note_use(kept.name.clone());
        self.of_look(number, |look, _| look.recall(index, kept));
        true
    }

    /// Schedules the note of a use for when no file was used for a while.
    fn note_use(&self, name: String) {
        let keeping = &mut self.desk.borrow_mut().keeping;
        keeping.used.push(name);
        keeping.quiet = false;
        self.errands.begin(Errand::Quiet, Work::WaitForQuiet);
    }

    pub(super) async fn wait_for_quiet(&self) {
        self.registry.transport().sleep(QUIET).await;
        self.desk.borrow_mut().keeping.quiet = true;
        self.keep_on();
    }

    /// What is kept of a layer, if it is whole as far as its beginning shows.
    async fn find_kept(&self, layer: &Layer) -> Option<KeptLayer> {
        let files = self.kept_files()?;
        let name = index_file(&layer.descriptor.digest, VERSION);
        let file = match files.open(&name).await {
            Ok(file) => file?,
            Err(error) => {
                self.cannot_keep(error);
                return None;
            }
        };
        let kept = self.read_kept(layer, name.clone(), file).await;
        if kept.is_none() {
            let _ = files.remove(&name).await;
        }
        kept
    }

    async fn read_kept(&self, layer: &Layer, name: String, file: GivenFile) -> Option<KeptLayer> {
        let mut start = file.bytes(0..RECORD).await.ok()?;
        let length = KeptRecord::length(&start)? as u64;
        if length > RECORD {
            start = file.bytes(0..length).await.ok()?;
        }
        let record = KeptRecord::parse(&start)?;
        let file = file.from(length);
        let index = OpenIndex::open(file.clone()).await.ok()?;
        let (facts, descriptor) = (index.facts(), &layer.descriptor);
        let same = facts.verified()
            && (facts.digest(), facts.size()) == (descriptor.digest, descriptor.size)
            && layer.diff_id.is_none_or(|diff_id| facts.diff_id() == diff_id)
            && record.is_of(layer, &self.options.limits);
        if !same {
            return None;
        }
        let bytes = match file.address(0..file.size()) {
            Some(_) => None,
            None => Some(file.bytes(0..file.size()).await.ok()?),
        };
        Some(KeptLayer { name, record, file, bytes, index: Rc::new(index) })
    }

    /// What is kept of a layer is damaged or gone: a worker reads its blob.
    pub(super) fn forget_kept(&self, number: u32, layer: u32) {
        let mut name = None;
        self.of_look(number, |look, _| name = look.restart(layer));
        if let Some(name) = name {
            self.errands.begin(Errand::Forget(layer), Work::ForgetKept(name));
        }
    }

    pub(super) async fn remove_kept(&self, name: String) {
        if let Some(files) = self.kept_files() {
            let _ = files.remove(&name).await;
        }
    }

    /// Keeps the index of a layer that was read and verified.
    pub(super) fn keep_layer(&self, number: u32, layer: u32, findings: &LayerFindings) {
        if !findings.verified || findings.no_files {
            return;
        }
        {
            let mut desk = self.desk.borrow_mut();
            let new = desk.keeping.files.as_ref().and_then(|_| {
                let look = desk.look_of(number).filter(|look| look.kept(layer).is_none())?;
                let body = look.body.as_ref().filter(|body| body.page.is_none())?;
                let Access::Index(index) = body.access(layer)? else { return None };
                let of = body.resolved.image.layers.get(layer as usize).filter(|of| of.file.is_none())?;
                let record = KeptRecord::of(of, findings, &self.options.limits, self.now().as_secs()).to_bytes()?;
                let name = index_file(&of.descriptor.digest, VERSION);
                index.held().map(|_| NewFile { look: number, layer, name, record, index: Rc::clone(index) })
            });
            let Some(new) = new else { return };
            desk.keeping.waiting.push_back(new);
        }
        self.keep_on();
    }

    /// Begins to keep what waits, unless that has begun.
    fn keep_on(&self) {
        if !std::mem::replace(&mut self.desk.borrow_mut().keeping.busy, true) {
            self.errands.begin(Errand::Keep, Work::Keep);
        }
    }

    pub(super) async fn keep(&self) {
        loop {
            let next = self.desk.borrow_mut().keeping.waiting.pop_front();
            match next {
                Some(new) => self.keep_file(new).await,
                None if std::mem::take(&mut self.desk.borrow_mut().keeping.quiet) => {
                    let _ = self.housekeep(KEPT_BYTES).await;
                }
                None => break,
            }
        }
        self.desk.borrow_mut().keeping.busy = false;
    }

    async fn keep_file(&self, new: NewFile) {
        let (Some(files), Some(held)) = (self.kept_files(), new.index.held()) else { return };
        let parts: [&[u8]; 2] = [&new.record, held];
        let mut outcome = files.write(&new.name, &parts).await;
        if outcome == Err(KeptError::NoRoom) {
            // What the browser grants may be less than what is asked for.
            let _ = self.housekeep(held.len() as u64 * 2).await;
            outcome = files.write(&new.name, &parts).await;
        }
        if let Err(error) = outcome {
            return self.cannot_keep(error);
        }
        self.note_use(new.name.clone());
        let layer = {
            let desk = self.desk.borrow();
            let body = desk.body_of(new.look);
            body.and_then(|body| body.resolved.image.layers.get(new.layer as usize)).cloned()
        };
        if let Some(layer) = layer
            && let Some(kept) = self.find_kept(&layer).await
        {
            self.of_look(new.look, |look, _| look.kept_now(new.layer, kept));
        }
    }

    /// Removes files beyond the limit, and notes uses.
    async fn housekeep(&self, limit: u64) -> Result<(), KeptError> {
        let Some(files) = self.kept_files() else { return Ok(()) };
        let used = std::mem::take(&mut self.desk.borrow_mut().keeping.used);
        let _lock = files.lock().await?;
        let noted = match files.open(Housekeeping::USES).await? {
            Some(file) => file.bytes(0..USES).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let plan = Housekeeping::plan(
            files.list().await?,
            &String::from_utf8_lossy(&noted),
            &used,
            limit.min(KEPT_BYTES),
            self.now().as_secs(),
        );
        for name in &plan.remove {
            let _ = files.remove(name).await;
        }
        files.write(Housekeeping::USES, &[plan.uses.as_bytes()]).await
    }

    /// Counts what is kept.
    pub(super) async fn tell_kept(&self) {
        let mut facts = KeptFacts { bytes: 0, layers: 0, most: KEPT_BYTES, lack: None };
        if let Some(files) = self.kept_files() {
            match files.list().await {
                Ok(list) => {
                    let plan = Housekeeping::plan(list, "", &[], u64::MAX, self.now().as_secs());
                    (facts.bytes, facts.layers) = (plan.bytes, plan.files as u64);
                }
                Err(error) => self.cannot_keep(error),
            }
        }
        facts.lack.clone_from(&self.desk.borrow().keeping.lack);
        self.tell(vec![Event::Kept { facts }]);
    }

    /// Removes everything that is kept.
    pub(super) async fn wipe_kept(&self) {
        if let Some(files) = self.kept_files() {
            let lock: Result<KeptLock, _> = files.lock().await;
            for file in files.list().await.unwrap_or_default() {
                let _ = files.remove(&file.name).await;
            }
            drop(lock);
        }
        self.tell_kept().await;
    }

    fn kept_files(&self) -> Option<Rc<dyn KeptFiles>> {
        self.desk.borrow().keeping.files.clone()
    }

    fn cannot_keep(&self, error: KeptError) {
        let keeping = &mut self.desk.borrow_mut().keeping;
        match error {
            KeptError::Unusable(why) => {
                (keeping.files, keeping.lack) = (None, Some(why));
                keeping.waiting.clear();
                keeping.used.clear();
            }
            KeptError::NoRoom => keeping.lack = Some("this browser gives this page no more room".into()),
            KeptError::Failed => {}
        }
    }
}

/// Time without a use after which uses are noted: writing to the files of an origin is slow, and would delay layers.
const QUIET: Duration = Duration::from_secs(1);
/// Bytes that most records do not exceed.
const RECORD: u64 = 4 << 10;
/// Bytes of the note about uses that are read.
const USES: u64 = 4 << 20;
