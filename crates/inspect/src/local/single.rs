//! The blob of a single layer as an image of one layer, for front ends that show only images.

use super::{Archive, Error, Images, LocalFormat, docker::hash};
use porthole_core::{
    archive, decode::Format, descriptor::Descriptor, layout::NamedImage, limits::Limits, manifest::Raw,
    media_type::MediaType,
};
use porthole_source::{Files, Place, ReadAt};
use serde_json::json;
use std::collections::HashMap;

impl<D: Files, F: ReadAt> Images<D, F> {
    /// Makes an image whose only layer is `file`. Its manifest and configuration are generated here and prove nothing;
    /// the same file gives the same bytes. `tar` is the unpacked file, if `file` is compressed. Both are read once, for
    /// their digests; `hashed` gets the number of bytes read so far.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] if the file cannot be read.
    pub async fn of_layer(
        file: F,
        tar: Option<&F>,
        name: &str,
        limits: Limits,
        mut hashed: impl FnMut(u64),
    ) -> Result<Self, Error> {
        let unreadable = |error| Error::read(name)(error);
        let mut head = [0; Format::PREFIX];
        let length = usize::try_from(file.size()).unwrap_or(usize::MAX).min(head.len());
        file.read_exact_at(0, &mut head[..length]).await.map_err(unreadable)?;
        let media_type = match Format::sniff(&head[..length]) {
            Some(Format::Gzip) => MediaType::OCI_LAYER_GZIP,
            Some(Format::Zstd) => MediaType::OCI_LAYER_ZSTD,
            _ => MediaType::OCI_LAYER,
        };
        let digest = hash(&file, &mut hashed).await.map_err(unreadable)?;
        let diff_id = match tar {
            Some(tar) => hash(tar, |bytes| hashed(file.size() + bytes)).await.map_err(unreadable)?,
            None => digest,
        };
        let config = Raw::trust_on_first_use(
            json!({
                "rootfs": { "type": "layers", "diff_ids": [diff_id.to_string()] },
                "history": [{ "comment": MADE }],
            })
            .to_string()
            .into_bytes(),
        );
        let layer = Descriptor::new(media_type, digest, file.size());
        let manifest = Raw::trust_on_first_use(archive::make_manifest(&config, &[layer]));
        let root = Descriptor::new(MediaType::OCI_MANIFEST, *manifest.digest(), manifest.size());
        Ok(Self {
            files: Place::File(Archive::whole(file, LAYER)),
            format: LocalFormat::Layer,
            images: vec![NamedImage { names: Vec::new(), root }],
            whole: None,
            made: [&manifest, &config].map(|raw| (*raw.digest(), raw.bytes().into())).into(),
            paths: HashMap::from([(digest, LAYER.to_owned())]),
            limits,
        })
    }
}

/// Comment in the generated configuration that states its origin.
const MADE: &str = "the file is a single layer: porthole made this configuration and the manifest";
/// Name of the blob in the archive that stands for the file.
const LAYER: &str = "layer";
