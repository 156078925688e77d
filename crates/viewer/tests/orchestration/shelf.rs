//! Kept files in memory, which several stages may share as the tabs of a browser do.

use porthole_viewer::session::{GivenFile, KeptError, KeptFile, KeptFiles, KeptLock, Later, OpenFile};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    io,
    ops::Range,
    pin::Pin,
    rc::Rc,
};

#[derive(Clone, Default)]
pub(crate) struct Shelf(Rc<Inner>);

#[derive(Default)]
struct Inner {
    files: RefCell<BTreeMap<String, Rc<Vec<u8>>>>,
    /// What every operation fails with.
    fails: RefCell<Option<KeptError>>,
    locked: Cell<bool>,
    writes: Cell<usize>,
    /// Snapshots cannot be read any more, as after their file was removed.
    gone: Rc<Cell<bool>>,
    /// This file is never opened.
    stuck: RefCell<Option<String>>,
    lists: Cell<usize>,
}

impl Shelf {
    /// Names and contents.
    pub(crate) fn files(&self) -> BTreeMap<String, Rc<Vec<u8>>> {
        self.0.files.borrow().clone()
    }

    /// Indexes that are kept.
    pub(crate) fn indexes(&self) -> Vec<String> {
        self.0.files.borrow().keys().filter(|name| name.starts_with("sha256-")).cloned().collect()
    }

    /// Indexes that were written so far.
    pub(crate) fn writes(&self) -> usize {
        self.0.writes.get()
    }

    pub(crate) fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.0.files.borrow_mut().insert(name.into(), Rc::new(bytes.into()));
    }

    /// Changes every index.
    pub(crate) fn damage(&self, change: impl Fn(&mut Vec<u8>)) {
        for (name, bytes) in self.0.files.borrow_mut().iter_mut() {
            if name.starts_with("sha256-") {
                change(Rc::make_mut(bytes));
            }
        }
    }

    /// Every operation fails from now on.
    pub(crate) fn fail(&self, error: KeptError) {
        *self.0.fails.borrow_mut() = Some(error);
    }

    /// Snapshots that were taken cannot be read any more.
    pub(crate) fn vanish(&self) {
        self.0.gone.set(true);
    }

    /// Opening this file takes for ever.
    pub(crate) fn stick(&self, name: &str) {
        *self.0.stuck.borrow_mut() = Some(name.into());
    }

    /// How often the files were listed.
    pub(crate) fn lists(&self) -> usize {
        self.0.lists.get()
    }

    fn fails(&self) -> Result<(), KeptError> {
        self.0.fails.borrow().clone().map_or(Ok(()), Err)
    }
}

impl KeptFiles for Shelf {
    fn open<'f>(&'f self, name: &'f str) -> Later<'f, Option<GivenFile>> {
        Box::pin(async move {
            self.fails()?;
            if self.0.stuck.borrow().as_deref() == Some(name) {
                std::future::pending::<()>().await;
            }
            let bytes = self.0.files.borrow().get(name).cloned();
            Ok(bytes.map(|bytes| GivenFile::new(Snapshot(bytes, Rc::clone(&self.0.gone)))))
        })
    }

    fn write<'f>(&'f self, name: &'f str, parts: &'f [&'f [u8]]) -> Later<'f, ()> {
        Box::pin(async move {
            self.fails()?;
            self.0.writes.set(self.0.writes.get() + usize::from(name.starts_with("sha256-")));
            self.put(name, parts.concat());
            Ok(())
        })
    }

    fn remove<'f>(&'f self, name: &'f str) -> Later<'f, ()> {
        Box::pin(async move {
            self.0.files.borrow_mut().remove(name);
            Ok(())
        })
    }

    fn list(&self) -> Later<'_, Vec<KeptFile>> {
        Box::pin(async move {
            self.fails()?;
            self.0.lists.set(self.0.lists.get() + 1);
            let files = self.0.files.borrow();
            let file = |(name, bytes): (&String, &Rc<Vec<u8>>)| KeptFile {
                name: name.clone(),
                size: bytes.len() as u64,
                written: 0,
            };
            Ok(files.iter().map(file).collect())
        })
    }

    fn lock(&self) -> Later<'_, KeptLock> {
        Box::pin(async move {
            self.fails()?;
            assert!(!self.0.locked.replace(true), "one at a time");
            let inner = Rc::clone(&self.0);
            Ok(KeptLock::new(move || inner.locked.set(false)))
        })
    }
}

struct Snapshot(Rc<Vec<u8>>, Rc<Cell<bool>>);

impl OpenFile for Snapshot {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        Box::pin(async move {
            match self.0.get(range.start as usize..range.end as usize) {
                Some(bytes) if !self.1.get() => Ok(bytes.to_vec()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        })
    }

    fn address(&self, _range: Range<u64>) -> Option<String> {
        None
    }
}
