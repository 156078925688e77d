//! Verifies an image of a registry, whole, without keeping it: `verify_image REFERENCE`, for instance
//! `verify_image alpine:3.22`. Only registries that need no password are read.

use porthole_core::{
    platform::Platform,
    reference::Reference,
    tar::{Entry, EntrySink, Flow},
};
use porthole_inspect::{
    layer::{self, LayerJob},
    resolve::{PlatformChoice, resolve},
};
use porthole_native::Native;
use porthole_registry::{Options, Registry, client::RemoteImage};
use porthole_source::ImageSource;
use std::{
    error::Error,
    io::{self, Write},
    ops::ControlFlow,
    sync::Arc,
};

fn main() -> Result<(), Box<dyn Error>> {
    let reference = std::env::args().nth(1).ok_or("expected a reference, such as alpine:3.22")?;
    let reference: Reference = reference.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let registry = Registry::new(Native::new(porthole_native::Options::default())?, Options::default());
        verify(&RemoteImage::new(Arc::new(registry), reference), &mut io::stdout()).await
    })
}

/// Writes a line for the manifest, the configuration and each layer. Any source of images will do.
pub(crate) async fn verify<S: ImageSource>(source: &S, out: &mut impl Write) -> Result<(), Box<dyn Error>>
where
    S::Error: Error + 'static,
{
    let choice = PlatformChoice::fallback(Platform::new("linux", "amd64", None));
    // Each document is verified against the digest that the one before it states.
    let image = resolve(source, &choice, &mut |_| {}).await?.image;
    writeln!(out, "manifest {}", image.manifest.raw.digest())?;
    writeln!(out, "config   {}", image.config_raw.digest())?;
    for job in LayerJob::of(&image.layers) {
        let report = layer::read(source, &job, &mut Ignore, |_| ControlFlow::Continue(())).await?;
        if let Some(finding) = job.findings(&report).first() {
            return Err(format!("layer {}: {finding}", job.number()).into());
        }
        writeln!(out, "layer {}  {} {} entries", job.number(), report.digest, report.entries)?;
    }
    Ok(())
}

/// The entries are not needed: the reader checks the archive by itself.
struct Ignore;

impl EntrySink for Ignore {
    fn entry(&mut self, _: Entry) -> Flow {
        Flow::Continue
    }
}
