//! `porthole push`

use std::{
    ffi::OsString,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use clap::Args;
use porthole_core::{quantity::parse_bytes, reference::Reference};
use porthole_registry::client::Destination;
use porthole_transfer::{
    Source as Origin,
    pull::Platforms,
    push::{self, Amount, Options, Pushed},
};
use serde_json::{Value, json};

use super::history;
use crate::{
    error::Error,
    output::print_json,
    progress::{Heading, watch},
    quantity::duration_within,
    reference,
    session::Session,
    source::{Source, Spec},
    ui::{safe, size},
};

/// Upload an image to a registry, unchanged
///
/// Blobs that the registry has are neither read nor sent. Blobs that the store also has from another repository of the registry are
/// mounted from there. An interrupted upload continues at the offset that the registry reports. The tag is written last, and its digest
/// is read back. All images of an index are pushed, unless --platform names one.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole push oci:layout:1.0 ghcr.io/me/app:1.0
  porthole push docker-archive:image.tar localhost:5000/app
  porthole push ghcr.io/me/app:1.0                            store:ghcr.io/me/app:1.0, to where its name says
  porthole push --chunk-size 32MiB ./image.tar example.com/app   in pieces, for a proxy that limits requests")]
pub(crate) struct Arguments {
    /// Image: `store:NAME`, `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]` or ./PATH;
    /// without REF, the name of an image in the store, which is pushed to the reference of that name
    #[arg(value_name = "SRC")]
    source: OsString,
    /// Reference of the destination
    #[arg(value_name = "REF")]
    reference: Option<OsString>,
    #[command(flatten)]
    way: Way,
}

/// Options of every upload.
#[derive(Args)]
pub(super) struct Way {
    /// Copy every image of an index (the default)
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
    /// Also copy the referrers of the image: signatures, attestations
    #[arg(long)]
    referrers: bool,
    /// Upload blobs in chunks of this size, such as 8MiB [default: whole blobs; chunks if the registry or the connection requires them]
    #[arg(long, value_name = "SIZE", value_parser = chunk_size)]
    chunk_size: Option<u64>,
    /// Number of concurrent uploads
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Mount blobs from this repository of the same registry; may be repeated
    #[arg(long, value_name = "REPO")]
    mount_from: Vec<String>,
    /// Wait up to this long for the registry to show the pushed image
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = |text: &str| duration_within(text, ["0s", "1h"]))]
    wait: Duration,
    /// Also write this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    also: Vec<String>,
    /// Also copy foreign layers, which their license allows to be downloaded from their own URLs only
    #[arg(long)]
    foreign_layers: bool,
}

impl Way {
    /// Refuses the options that need a registry as destination. Returns the number of concurrent blobs.
    pub(super) fn check_local(&self) -> Result<usize, Error> {
        let sent = self.chunk_size.is_some() || !self.mount_from.is_empty();
        if self.referrers || sent || !self.also.is_empty() || self.foreign_layers {
            return Err(Error::usage(
                "--referrers, --chunk-size, --mount-from, --also and --foreign-layers are for copies to a registry",
            ));
        }
        Ok(usize::from(self.jobs))
    }
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let (spec, to) = match &arguments.reference {
        Some(to) => (Spec::parse(&arguments.source, Path::exists)?, reference::parse(to)?),
        None => match Spec::parse(&arguments.source, |_| false)? {
            Spec::Registry(to) => (Spec::Store { name: to.to_string() }, to),
            Spec::Store { name } => (Spec::Store { name: name.clone() }, reference::parse(name.as_ref())?),
            _ => {
                return Err(Error::usage(
                    "expected a REF to push to: only an image in the store can be pushed without one",
                ));
            }
        },
    };
    if matches!(spec, Spec::Registry(_)) {
        return Err(Error::usage("expected an image on this machine, got a registry reference: use `porthole copy`"));
    }
    send(&spec, to, &arguments.way, session)
}

/// Uploads an image to a registry and prints a summary.
pub(super) fn send(spec: &Spec, to: Reference, way: &Way, session: &Session<'_>) -> Result<(), Error> {
    let mut options = Options {
        platforms: session.wanted_platform().map_or(Platforms::All, |platform| Platforms::One(platform.clone())),
        jobs: usize::from(way.jobs),
        chunk: way.chunk_size,
        referrers: way.referrers,
        tags: way.also.clone(),
        foreign: way.foreign_layers,
        wait: way.wait,
        likely: Vec::new(),
    };
    for tag in &way.also {
        let name = format!("{}/{}:{tag}", to.registry(), to.repository());
        if !name.parse::<Reference>().is_ok_and(|named| named.tag() == Some(tag) && named.digest().is_none()) {
            return Err(Error::usage(format!("expected a tag, got `{tag}`")));
        }
    }
    let mut mount_from = way.mount_from.clone();
    if let Spec::Registry(from) = spec
        && from.registry() == to.registry()
        && from.repository() != to.repository()
    {
        mount_from.push(from.repository().to_owned());
    }
    for from in &mount_from {
        // The text must be a repository without tag or digest. It becomes a parameter of a URL.
        let name = format!("{}/{from}", to.registry());
        if !name.parse::<Reference>().is_ok_and(|named| named.repository() == from && !from.contains(['@', ':'])) {
            return Err(Error::usage(format!(
                "expected a repository of {} to mount from, got `{from}`",
                to.registry()
            )));
        }
    }
    let source = open(spec, session)?;
    let client = session.client(&to)?;
    if let (Spec::Store { .. }, Origin::Local { local, root }) = (spec, &source) {
        options.likely = push::likely(local, root, &to);
        options.likely.retain(|likely| !mount_from.contains(&likely.repository));
        mount_from.extend(options.likely.iter().map(|likely| likely.repository.clone()));
    }
    let destination = Destination { reference: to.clone(), mount_from };
    let started = Instant::now();
    session.ui.stderr.keeps("the registry keeps the blobs that are complete, and the same command sends the others");
    let pushed = watch(session.ui, Heading::There, |observer| {
        session.runtime().block_on(push::push(&source, &client, &destination, &options, observer))
    })?;
    if pushed.tagged {
        history::pushed(session, &to, &way.also, pushed.root.digest);
    }
    tell(&to, &pushed, started.elapsed().as_secs_f64(), session)
}

fn open(spec: &Spec, session: &Session<'_>) -> Result<Origin, Error> {
    if matches!(spec, Spec::Layer(_)) {
        return Err(Error::usage("expected an image, got a bare layer, which has no manifest"));
    }
    Ok(Source::open(spec, session)?.origin)
}

fn tell(to: &Reference, pushed: &Pushed, seconds: f64, session: &Session<'_>) -> Result<(), Error> {
    if !pushed.visible {
        session.ui.note(format_args!("{to}: accepted, not visible yet"));
    }
    let Pushed { root, uploaded, mounted, present, foreign, .. } = pushed;
    let mut out = session.ui.out();
    if session.ui.json {
        let amount = |amount: &Amount| -> Value { json!({ "blobs": amount.blobs, "bytes": amount.bytes }) };
        print_json(
            &mut out,
            &json!({
                "reference": to.to_string(),
                "digest": root.digest.to_string(),
                "media_type": root.media_type.as_str(),
                "uploaded": amount(uploaded),
                "mounted": amount(mounted),
                "present": amount(present),
                "foreign": amount(foreign),
                "documents": pushed.documents,
                "sent": pushed.sent,
                "tagged": pushed.tagged,
                "visible": pushed.visible,
                "seconds": (seconds * 1000.0).round() / 1000.0,
            }),
        )?;
    } else {
        writeln!(out, "{}", safe(&to.to_string()))?;
        writeln!(out, "digest    {}", root.digest)?;
        let mut parts = Vec::new();
        for (word, amount) in [("uploaded", uploaded), ("mounted", mounted), ("already there", present)] {
            if amount.blobs > 0 {
                let s = if amount.blobs == 1 { "" } else { "s" };
                parts.push(format!("{word} {} blob{s} of {}", amount.blobs, size(amount.bytes)));
            }
        }
        if parts.is_empty() {
            parts.push(if pushed.tagged { "only the name was new" } else { "nothing was missing" }.to_owned());
        }
        writeln!(out, "{}, {seconds:.1} s", parts.join(", "))?;
        if foreign.blobs > 0 {
            session.ui.note(format_args!("{} nondistributable layers were not pushed", foreign.blobs));
        }
    }
    Ok(out.flush()?)
}

fn chunk_size(text: &str) -> Result<u64, String> {
    match parse_bytes(text) {
        Ok(0) => Err("expected a size of at least one byte".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_a_byte() {
        for (text, expected) in [
            ("5000000", Some(5_000_000)),
            ("64k", Some(64_000)),
            ("8 MiB", Some(8 << 20)),
            ("0", None),
            ("0MiB", None),
            ("MiB", None),
        ] {
            assert_eq!(chunk_size(text).ok(), expected, "{text}");
        }
    }
}
