//! Saving the image of the look as an archive: streamed, and verified on the way.
//!
//! The bytes are those of `porthole save`, because the same code lays them out. A blob whose bytes are not those of its digest ends the
//! archive, and the front end keeps no file.

use super::{ArchiveFile, Errand, Front, Session, Work};
use crate::{
    pace::Pace,
    pool::Pool,
    protocol::{ArchiveFormat, ArchiveSaving, Event, LayerState},
    shell,
};
use porthole_core::{
    archive::write::{DockerPacker, OciPacker, PackedBlob},
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    image::Layer,
    layer::LayerNumber,
    limits::Limits,
    manifest::Document,
    reference::Reference,
};
use porthole_inspect::{
    resolve::ResolvedImage,
    save::{self, DockerLayer, LayerUnpacker},
};
use porthole_registry::{
    client::RemoteImage,
    plan::push::{Planner, PushPlan},
    transport::{Environment, Transport},
};
use porthole_source::{BlobStream, ImageSource};
use std::{cell::RefCell, time::Duration};

/// What an archive is made of.
struct Parts {
    reference: Reference,
    resolved: ResolvedImage,
    /// Bytes of each layer when it is unpacked, where that is verified.
    unpacked: Vec<Option<u64>>,
}

/// An archive that is being written.
struct Writing<'s, A> {
    file: A,
    progress: &'s RefCell<ArchiveSaving>,
    told: &'s dyn Fn(),
}

impl<A: ArchiveFile> Writing<'_, A> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.file.write(bytes).await?;
        self.progress.borrow_mut().written += bytes.len() as u64;
        (self.told)();
        Ok(())
    }

    /// Writes a blob as it is.
    async fn blob<S: ImageSource>(
        &mut self,
        source: &S,
        descriptor: &Descriptor,
        mut packed: PackedBlob,
    ) -> Result<(), String> {
        self.write(packed.head()).await?;
        let mut stream = source.open_blob(descriptor, 0..descriptor.size).await.map_err(words)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = stream.read(&mut buffer).await.map_err(|error| words(&error))?;
            if read == 0 {
                break;
            }
            packed.push(&buffer[..read]).map_err(|mismatch| wrong(descriptor, mismatch))?;
            self.write(&buffer[..read]).await?;
        }
        let padding = packed.finish().map_err(|mismatch| wrong(descriptor, mismatch))?;
        self.write(padding).await
    }

    /// Writes a layer with zstd as the archive that it unpacks to.
    async fn unpacked<S: ImageSource>(
        &mut self,
        source: &S,
        layer: &Layer,
        limits: &Limits,
        mut packed: PackedBlob,
    ) -> Result<(), String> {
        let descriptor = &layer.descriptor;
        self.write(packed.head()).await?;
        let mut stream = source.open_blob(descriptor, 0..descriptor.size).await.map_err(words)?;
        let mut unpacker = LayerUnpacker::new(layer, limits);
        let mut input = vec![0; BUFFER];
        loop {
            let read = stream.read(&mut input).await.map_err(|error| words(&error))?;
            if read == 0 {
                break;
            }
            let mut rest = &input[..read];
            unpacker.verify(rest).map_err(words)?;
            while let Some(unpacked) = unpacker.next(&mut rest) {
                let refuted = packed.push(unpacked).err();
                self.write(unpacked).await?;
                if let Some(mismatch) = refuted {
                    unpacker.refute(mismatch);
                }
            }
        }
        let padding = packed.finish();
        if let Err(mismatch) = &padding {
            unpacker.refute(mismatch.clone());
        }
        unpacker.finish().map_err(words)?;
        self.write(padding.unwrap_or_default()).await
    }

    /// Writes an OCI layout.
    async fn oci<S: ImageSource>(&mut self, source: &S, parts: &Parts) -> Result<(), String> {
        let PushPlan { root, blobs, foreign, documents } = plan(&parts.resolved, source.limits())?;
        let mut packer = OciPacker::default();
        self.write(&packer.begin()).await?;
        for document in &documents {
            self.write(&packer.document(document.raw())).await?;
        }
        for descriptor in blobs.iter().chain(&foreign) {
            if let Some(packed) = packer.blob(descriptor) {
                self.blob(source, descriptor, packed).await?;
            }
        }
        let name = parts.reference.tag().map(|_| parts.reference.to_string());
        self.write(&packer.finish(&[(root, name)])).await
    }

    /// Writes a docker-archive.
    async fn docker<S: ImageSource>(&mut self, source: &S, parts: &Parts) -> Result<(), String> {
        let image = &parts.resolved.image;
        let limits = source.limits();
        let layers = save::docker_layers(image).map_err(words)?;
        let mut packer = DockerPacker::default();
        let tags: Vec<_> = parts.reference.tag().map(|_| parts.reference.familiar()).into_iter().collect();
        let begin = packer.image(&image.config_raw, &tags).unwrap_or_default();
        self.write(&begin).await?;
        for ((layer, held), unpacked) in layers.into_iter().zip(&parts.unpacked) {
            let Descriptor { digest, size, .. } = layer.descriptor;
            match held {
                DockerLayer::Unpacked => {
                    let (digest, size) = unpacked_to(layer, *unpacked)?;
                    if let Some(packed) = packer.layer(&digest, size, false) {
                        self.unpacked(source, layer, limits, packed).await?;
                    }
                }
                DockerLayer::Kept { gzip } => {
                    if let Some(packed) = packer.layer(&digest, size, gzip) {
                        self.blob(source, &layer.descriptor, packed).await?;
                    }
                }
            }
        }
        self.write(&packer.finish()).await
    }
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Begins to save the image, in place of the archive that is being saved.
    pub(super) fn begin_archive(&self, format: ArchiveFormat) {
        let look = self.desk.borrow().look.as_ref().map(|look| look.number);
        match look {
            Some(look) => self.errands.begin(Errand::Archive, Work::Archive { look, format }),
            None => drop(self.front.archive()),
        }
    }

    pub(super) async fn save_archive(&self, look: u32, format: ArchiveFormat) {
        let saving = RefCell::new(ArchiveSaving { format, written: 0, total: 0, outcome: None });
        let outcome = self.write_archive(look, format, &saving).await;
        let outcome = outcome.map_err(|why| match self.save_command(look, format) {
            Some(line) => format!("{why}. No file is left. The command line saves the image, too: {line}"),
            None => format!("{why}. No file is left."),
        });
        let mut saving = saving.into_inner();
        saving.outcome = Some(outcome);
        self.tell(vec![Event::Archive { look, saving }]);
    }

    /// The command that saves the image.
    fn save_command(&self, look: u32, format: ArchiveFormat) -> Option<String> {
        let desk = self.desk.borrow();
        let body = desk.body_of(look).filter(|body| body.page.is_none())?;
        let platform = body.resolved.chosen.as_ref().and_then(|chosen| Some(chosen.platform.as_ref()?.to_string()));
        let verb = format!("save -o image.tar --format {}", format.name());
        Some(shell::command(&verb, &body.reference.familiar(), platform.as_deref()))
    }

    /// Returns where the archive can be fetched, if it is not yet where the person wants it.
    async fn write_archive(
        &self,
        look: u32,
        format: ArchiveFormat,
        saving: &RefCell<ArchiveSaving>,
    ) -> Result<Option<String>, String> {
        let mut file = self.front.archive();
        let (parts, page) = {
            let desk = self.desk.borrow();
            let body = desk.body_of(look);
            let body = body.ok_or("there is no image to save yet")?;
            let unpacked =
                body.layers.iter().map(|layer| (layer.state == LayerState::Verified).then_some(layer.uncompressed));
            let (reference, resolved) = (body.reference.clone(), body.resolved.clone());
            (
                Parts { reference, resolved, unpacked: unpacked.collect() },
                body.page.as_ref().map(|page| page.image.clone()),
            )
        };
        let total = parts.total(format)?;
        saving.borrow_mut().total = total;
        let pace = RefCell::new(Pace::default());
        let told = || {
            let now = self.now();
            if pace.borrow().is_due(now) {
                pace.borrow_mut().rest(now, PULSE);
                self.tell(vec![Event::Archive { look, saving: saving.borrow().clone() }]);
            }
        };
        file.begin(total).await?;
        let mut writing = Writing { file, progress: saving, told: &told };
        match (page, format) {
            (Some(page), ArchiveFormat::Oci) => writing.oci(&page, &parts).await?,
            (Some(page), ArchiveFormat::Docker) => writing.docker(&page, &parts).await?,
            (None, format) => {
                let source = RemoteImage::new(&self.registry, parts.reference.clone());
                match format {
                    ArchiveFormat::Oci => writing.oci(&source, &parts).await?,
                    ArchiveFormat::Docker => writing.docker(&source, &parts).await?,
                }
            }
        }
        writing.file.finish().await
    }
}

impl Parts {
    /// Bytes of the blobs that the archive will hold.
    fn total(&self, format: ArchiveFormat) -> Result<u64, String> {
        let image = &self.resolved.image;
        let mut total = image.config_raw.size();
        for (layer, unpacked) in image.layers.iter().zip(&self.unpacked) {
            let is_unpacked =
                format == ArchiveFormat::Docker && matches!(DockerLayer::of(layer), Ok(DockerLayer::Unpacked));
            total += if is_unpacked { unpacked_to(layer, *unpacked)?.1 } else { layer.descriptor.size };
        }
        Ok(total)
    }
}

/// Digest and size of what a layer unpacks to.
fn unpacked_to(layer: &Layer, unpacked: Option<u64>) -> Result<(Digest, u64), String> {
    let number = LayerNumber::of_index(layer.index);
    let unread = || {
        format!("layer {number} has zstd, which a Docker archive holds unpacked, and it is not read and verified yet")
    };
    let size = unpacked.ok_or_else(unread)?;
    Ok((layer.diff_id.ok_or_else(unread)?, size))
}

/// The documents and blobs of the image, in the order of `porthole save`.
fn plan(resolved: &ResolvedImage, limits: &Limits) -> Result<PushPlan, String> {
    let manifest = Document::Manifest(resolved.image.manifest.clone());
    let (media_type, raw) = (manifest.media_type().clone(), manifest.raw());
    let root = Descriptor::new(media_type, *raw.digest(), raw.size());
    let root = match &resolved.chosen {
        // An entry of an index says more about the image than its manifest does.
        Some(chosen) if chosen.digest == root.digest => chosen.clone(),
        _ => root,
    };
    let mut planner = Planner::new(root, None, *limits);
    planner.document(manifest).map_err(words)?;
    planner.finish().ok_or_else(|| "the image has no manifest".to_owned())
}

fn wrong(descriptor: &Descriptor, mismatch: Mismatch) -> String {
    save::Error::Blob { digest: descriptor.digest, mismatch }.to_string()
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

const BUFFER: usize = 256 << 10;
/// Between two reports.
const PULSE: Duration = Duration::from_millis(100);
