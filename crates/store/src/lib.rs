//! A content store on disk in the form of an OCI image layout, writers of image archives, and local files and directories
//! for code that reads images from them.
//!
//! A [`StoredImage`] is one image of a store as an [`ImageSource`](porthole_source::ImageSource).
//!
//! A [`Store`] never shows a blob that was not verified, and survives a crash at any point. Its [`journal`] records the
//! digests that each name pointed to. An [`IndexCache`] keeps seek indexes of layers. [`disk`] opens files and directories;
//! it follows no link that leads out of a directory.
//!
//! ```
//! use porthole_core::{descriptor::Descriptor, manifest::Raw, media_type::MediaType};
//! use porthole_store::{Ingest, Store};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("store");
//! let store = Store::open(&path)?;
//! // While `addition` lives, no sweep removes blobs that have no name yet.
//! let addition = store.add()?;
//! let config = Raw::trust_on_first_use(b"{}".to_vec());
//! if let Ingest::Open(mut blob) = store.ingest(&addition, config.digest(), config.size())? {
//!     blob.write(config.bytes())?;
//!     blob.commit()?; // Refused if the bytes do not have the digest.
//! }
//! let manifest = format!(
//!     r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],
//!         "config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}}}}"#,
//!     config.digest(),
//! );
//! let manifest = Raw::trust_on_first_use(manifest.into_bytes());
//! store.insert(&addition, &manifest)?;
//! let root = Descriptor::new(MediaType::OCI_MANIFEST, *manifest.digest(), manifest.size());
//! store.tag("example.com/a:1", &root)?;
//! assert_eq!(store.local()?.find(Some("example.com/a:1"))?.digest, root.digest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod check;
pub mod disk;
mod error;
mod held;
mod ingest;
pub mod journal;
mod layout;
mod lock;
mod references;
mod save;
mod store;
mod sweep;
mod unfinished;

pub use self::{
    cache::{IndexCache, NewIndex},
    check::{Checked, Damage, Damaged},
    error::Error,
    ingest::{Claim, Gaps, Ingest, Partial, Seal},
    journal::Journal,
    layout::{Layout, StoredImage},
    save::{DockerArchive, OciArchive},
    store::{Addition, Store, Swept},
    unfinished::Unfinished,
};
