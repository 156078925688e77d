//! Images in files that a person gave: archives, which may be compressed as a whole, folders of layouts, and single layers.

use super::{
    Front, ScratchFile, Session,
    page::{self, PageImages},
};
use crate::{
    failure,
    given::{GivenFile, GivenPlace},
    pace::Pace,
    pool::Pool,
    protocol::{Event, FailureNotice, FileReading},
};
use porthole_core::{media_type::Compression, reference::Reference};
use porthole_inspect::{
    local::{self, Images, NO_DESCRIPTION},
    resolve,
};
use porthole_registry::transport::{Environment, Transport};
use porthole_source::{Place, ReadAt as _};
use std::{cell::RefCell, sync::Arc, time::Duration};

/// A file that was unpacked.
pub(super) struct UnpackedFile {
    /// What distinguishes the file from others: its reference, its size and its stamp.
    of: (String, u64, Option<u64>),
    unpacked: GivenFile,
}

/// Files that stay unpacked: the one that is looked at, and the one that it is compared with.
const UNPACKED: usize = 2;
/// Between two reports.
const PULSE: Duration = Duration::from_millis(100);

/// Why a file is not unpacked.
enum Unspooled {
    /// It cannot be read, or is broken.
    Local(Box<local::Error>),
    /// The front end has no room for it.
    Storage(String),
}

impl From<local::Error> for Unspooled {
    fn from(error: local::Error) -> Self {
        Self::Local(Box::new(error))
    }
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Opens the images in what a person gave. `name` is that of the file, as the command line names it.
    pub(super) async fn open_given(
        &self,
        look: u32,
        reference: &Reference,
        name: &str,
        place: GivenPlace,
    ) -> Result<Arc<PageImages>, Box<FailureNotice>> {
        let broken = |error| Box::new(failure::of_page(reference.registry(), name, &resolve::Error::Source(error)));
        let limits = self.options.limits;
        let Place::File(file) = place else { return page::open(place, name, limits).await.map_err(broken) };
        let compression = local::whole_compression(&file, name).await.map_err(broken)?;
        let unpacked = match compression {
            Some(compression) => Some(self.unpacked(look, reference, name, &file, compression).await?),
            None => None,
        };
        let plain = unpacked.clone().unwrap_or_else(|| file.clone());
        match page::open(Place::File(plain), name, limits).await {
            Err(local::Error::NotAnImage { got: NO_DESCRIPTION, .. }) if file.size() > 0 => {
                let tell = self.file_progress(look, None, &file, unpacked.as_ref());
                let hashed = |bytes| tell(bytes, 0);
                let images = Images::of_layer(file.clone(), unpacked.as_ref(), name, limits, hashed).await;
                Ok(page::share(images.map_err(broken)?))
            }
            opened => opened.map_err(broken),
        }
    }

    /// What a file unpacks to, read once from its start. A file that was unpacked before is not unpacked again.
    async fn unpacked(
        &self,
        look: u32,
        reference: &Reference,
        name: &str,
        file: &GivenFile,
        compression: Compression,
    ) -> Result<GivenFile, Box<FailureNotice>> {
        let of = (reference.repository().to_owned(), file.size(), file.stamp());
        let known = self.desk.borrow().unpacked.iter().find(|known| known.of == of).map(|known| known.unpacked.clone());
        if let Some(unpacked) = known {
            return Ok(unpacked);
        }
        let outcome = self.unpack(look, name, file, compression).await;
        let unpacked = outcome.map_err(|error| match error {
            Unspooled::Local(error) => {
                Box::new(failure::of_page(reference.registry(), name, &resolve::Error::Source(*error)))
            }
            Unspooled::Storage(why) => Box::new(failure::of_no_room(name, compression, &why)),
        })?;
        let mut desk = self.desk.borrow_mut();
        desk.unpacked.retain(|known| known.of.0 != of.0);
        if desk.unpacked.len() >= UNPACKED {
            desk.unpacked.remove(0);
        }
        desk.unpacked.push(UnpackedFile { of, unpacked: unpacked.clone() });
        Ok(unpacked)
    }

    async fn unpack(
        &self,
        look: u32,
        name: &str,
        file: &GivenFile,
        compression: Compression,
    ) -> Result<GivenFile, Unspooled> {
        let tell = self.file_progress(look, Some(compression), file, None);
        tell(0, 0);
        let mut scratch = self.front.scratch(file.size()).await.map_err(Unspooled::Storage)?;
        let mut written = 0;
        let write = async |bytes: &[u8], read| {
            scratch.write(bytes).await.map_err(Unspooled::Storage)?;
            written += bytes.len() as u64;
            tell(read, written);
            Ok::<(), Unspooled>(())
        };
        local::unpack(file, name, compression, &self.options.limits, write).await?;
        scratch.finish().await.map_err(Unspooled::Storage)
    }

    /// Reports how far a file is read, a few times a second. It takes bytes read and bytes written.
    fn file_progress<'s>(
        &'s self,
        look: u32,
        compression: Option<Compression>,
        file: &GivenFile,
        tar: Option<&GivenFile>,
    ) -> impl Fn(u64, u64) + 's {
        let total = file.size() + tar.map_or(0, GivenFile::size);
        let pace = RefCell::new(Pace::default());
        move |read, written| {
            let now = self.now();
            if pace.borrow().is_due(now) || read == total {
                pace.borrow_mut().rest(now, PULSE);
                let compression = compression.map(|compression| compression.to_string());
                let reading = FileReading { compression, read, total, written };
                self.tell(vec![Event::FileReading { look, reading }]);
            }
        }
    }

    /// The file that a reference stands for, with its name.
    pub(super) fn given(&self, reference: &Reference) -> Option<(String, GivenPlace)> {
        let repository = Some(reference.repository()).filter(|_| reference.registry() == crate::router::GIVEN)?;
        self.front.given(&format!("{}/{repository}", crate::router::GIVEN))
    }
}
