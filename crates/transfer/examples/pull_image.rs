//! Pulls an image from a registry into an OCI image layout: `pull_image REFERENCE DIRECTORY`.
//!
//! A pull that is interrupted is resumed by the next one. Other tools read the directory: `skopeo inspect oci:DIRECTORY`.

#![allow(clippy::print_stdout, reason = "an example prints what it did")]

use porthole_core::{platform::Platform, reference::Reference};
use porthole_native::Native;
use porthole_registry::Registry;
use porthole_store::Store;
use porthole_transfer::{
    TransferEvent, TransferObserver,
    pull::{Follow, Options, Platforms, pull},
};
use std::{error::Error, path::Path, sync::Arc};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(reference), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("expected a reference and a directory".into());
    };
    let reference: Reference = reference.parse()?;
    let store = Store::open(Path::new(&directory))?;
    let client = Registry::new(Native::new(porthole_native::Options::default())?, Default::default());
    let options = Options {
        platforms: Platforms::One(Platform::new("linux", "amd64", None)),
        jobs: 4,
        name: Some(reference.to_string()),
        follow: Follow::default(),
    };
    let observer = TransferObserver::new(|event| {
        if let TransferEvent::Plan { blobs } = event {
            let bytes: u64 = blobs.iter().map(|(_, size)| size).sum();
            println!("{} blobs, {bytes} bytes", blobs.len());
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let pulled = runtime.block_on(async {
        // A pull blocks its thread to write, so it runs on a worker thread.
        tokio::spawn(async move { pull(&Arc::new(client), &store, &reference, &options, &observer).await }).await
    })??;
    println!("{} ({} bytes fetched, {} were there)", pulled.root.digest, pulled.fetched, pulled.saved);
    Ok(())
}
