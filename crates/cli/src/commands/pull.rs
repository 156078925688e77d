//! `porthole pull`

use std::{ffi::OsString, io::Write, sync::mpsc::channel, thread, time::Instant};

use clap::Args;
use porthole_store::Store;
use porthole_transfer::{
    Observer,
    pull::{self, Follow, Options, Platforms},
};
use serde_json::json;

use super::{print_json, reference};
use crate::{
    error::Error,
    session::Session,
    source::Spec,
    transfers::Show,
    ui::{safe, size},
};

/// Download an image into the store, or into an OCI layout
///
/// Every byte is verified as it arrives. What the store holds already is not fetched again, and a pull that was cut off, even
/// by force, is taken up where it ended. The image gets its name only when all of it is there.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole pull nginx                         into the store, as docker.io/library/nginx:latest
  porthole pull nginx:1.27 oci:layout:1.27    into an OCI layout
  porthole pull --all-platforms alpine        every image of the index
  porthole ls store:nginx                     then look at it")]
pub(crate) struct Arguments {
    /// Reference
    #[arg(value_name = "REF")]
    reference: OsString,
    /// Where to: `store:NAME`, or `oci:DIR[:NAME]` [default: the store, by the reference's own name]
    #[arg(value_name = "DEST")]
    destination: Option<OsString>,
    /// Every image of an index, not only the one for a platform
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
    /// Blobs fetched at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let reference = reference::parse(&arguments.reference)?;
    let (store, name) = destination(arguments.destination.as_ref(), session)?;
    let name = name.unwrap_or_else(|| reference.to_string());
    let options = Options {
        platforms: if arguments.all_platforms { Platforms::All } else { Platforms::One(session.platform()) },
        jobs: usize::from(arguments.jobs),
        name: Some(name.clone()),
        follow: Follow::default(),
    };
    let client = session.client(&reference)?;
    let started = Instant::now();
    let show = Show::new(session.ui);
    let (sender, events) = channel();
    let observer = Observer::new(move |event| {
        // Nobody listens any more when the pull has ended.
        let _ = sender.send(event);
    });
    let pulled = thread::scope(|scope| {
        scope.spawn(|| events.into_iter().for_each(|event| show.event(&event)));
        // The last of it ends the listener.
        let observer = observer;
        session.runtime().block_on(pull::pull(&client, &store, &reference, &options, &observer))
    })?;
    drop(show);
    let seconds = started.elapsed().as_secs_f64();
    if let Some(before) = pulled.replaced {
        session.ui.note(format_args!("{} was {before}", safe(&name)));
    }
    let mut out = session.ui.out();
    if session.ui.json {
        let manifests: Vec<_> = pulled
            .manifests
            .iter()
            .map(|(descriptor, manifest)| {
                json!({
                    "digest": descriptor.digest.to_string(),
                    "platform": descriptor.platform.as_ref().map(ToString::to_string),
                    "config": manifest.value.config.digest.to_string(),
                    "layers": manifest.value.layers.len(),
                })
            })
            .collect();
        print_json(
            &mut out,
            &json!({
                "reference": reference.to_string(),
                "name": name,
                "digest": pulled.root.digest.to_string(),
                "media_type": pulled.root.media_type.as_str(),
                "manifests": manifests,
                "fetched": pulled.fetched,
                "saved": pulled.saved,
                "seconds": (seconds * 1000.0).round() / 1000.0,
            }),
        )?;
    } else {
        writeln!(out, "{}", safe(&name))?;
        for (descriptor, manifest) in &pulled.manifests {
            if descriptor.digest == pulled.root.digest {
                writeln!(out, "manifest  {}", descriptor.digest)?;
            } else {
                writeln!(out, "index     {}", pulled.root.digest)?;
                let platform = descriptor.platform.as_ref().map(|platform| format!("  {platform}")).unwrap_or_default();
                writeln!(out, "manifest  {}{}", descriptor.digest, safe(&platform))?;
            }
            writeln!(out, "config    {}", manifest.value.config.digest)?;
        }
        writeln!(out, "fetched {}, {} were here already, {seconds:.1} s", size(pulled.fetched), size(pulled.saved))?;
    }
    Ok(out.flush()?)
}

/// The store or layout, and the name in it that was asked for.
fn destination(text: Option<&OsString>, session: &Session<'_>) -> Result<(Store, Option<String>), Error> {
    let Some(text) = text else { return Ok((session.store()?, None)) };
    match Spec::parse(text, |path| path.is_dir())? {
        Spec::Store { name } => Ok((session.store()?, Some(name))),
        Spec::Local { path, format: Some(porthole_store::Format::OciLayout), name } => Ok((Store::open(&path)?, name)),
        _ => Err(Error::usage("expected `store:NAME` or `oci:DIR[:NAME]` as the destination")),
    }
}
