//! `porthole packages`

mod against;
mod files;

use std::{collections::BTreeMap, ffi::OsString, io, io::Write, os::unix::ffi::OsStrExt};

use clap::{Args, ValueEnum};
use porthole_contents::{
    export::{self, ExportSubject},
    inventory::{Installed, Inventory},
    package::Ecosystem,
    report::PackageReport,
};
use porthole_core::{layer::LayerNumber, path};

use super::{
    gather::{Gathered, Sought},
    stack::choose,
};
use crate::{
    argument::SourceArgument,
    error::Error,
    output::print_json,
    session::Session,
    ui::{Style, safe},
};

/// List the packages of an image, with the layer that brought each
///
/// Packages are read from the databases in the image: dpkg (also of distroless images), apk, rpm (SQLite, ndb and Berkeley DB), npm
/// (node_modules: what is installed; a package-lock.json only declares), Python (dist-info and egg-info), Go programs (since Go 1.18), Java archives, Ruby gems, Composer, .NET (deps.json) and
/// Rust programs built with `cargo auditable`. All layers are downloaded and verified. A database that cannot be read is noted on stderr.
///
/// LAYER is the layer that brought this version; of a file, the one that last wrote it. With --deleted, the list is of packages that a later layer removed or replaced: their
/// files are still in the image.
#[derive(Args)]
#[command(after_help = "\
Examples:
  porthole packages debian:12
  porthole packages --type npm --type pypi registry.example/app:1.2
  porthole packages --deleted --json oci:layout:latest
  porthole packages --owns usr/bin/openssl debian:12
  porthole packages --format cyclonedx debian:12 > bom.json
  porthole packages --json debian:12 | jq -r .purl
  porthole packages --unowned --layer 3 registry.example/app:1.2
  porthole packages --modified registry.example/app:1.2
  porthole packages --against attached registry.example/app:1.2
  porthole packages --against sbom.spdx.json --json debian:12 | jq -r 'select(.change == \"only-bill\").name'

Exit codes: 1 if --against finds a difference, 4 if no package owns the path that --owns names, or no bill of materials is attached.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// List only packages of this type: deb, apk, rpm, npm, pypi, golang, maven, gem, composer, nuget or cargo; may be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = ecosystem)]
    types: Vec<Ecosystem>,
    /// List only packages whose name contains this text
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// List only packages that one layer brought or removed: its number (1 is the bottom), digest or diff_id
    #[arg(long, value_name = "N|DIGEST")]
    layer: Option<String>,
    /// List only packages that own this file or directory: by the list of their database, or as part of the directory, program or archive
    /// of a package of a language
    #[arg(long, value_name = "PATH")]
    owns: Option<OsString>,
    /// List only packages that a later layer removed or replaced
    #[arg(long)]
    deleted: bool,
    /// List instead the files that no package owns, of those in the final tree. Directories of packages in node_modules, of gems and in
    /// Composer's vendor directory, Java archives, and programs of Go and Rust that name their modules belong to those packages
    #[arg(long, conflicts_with_all = ["types", "name", "owns", "deleted", "modified"])]
    unowned: bool,
    /// List instead the files whose content no longer has the digest that dpkg, rpm or apk recorded when it installed them
    #[arg(long, conflicts_with_all = ["owns", "deleted"])]
    modified: bool,
    /// Compare instead with a bill of materials (SPDX or CycloneDX as JSON): the file BILL; with `attached` every one that refers to the
    /// image (referrers, attestations, the tag .sbom); with the digest of one of these, that one
    #[arg(long, value_name = "BILL", conflicts_with_all = ["layer", "owns", "deleted", "unowned", "modified", "format"])]
    against: Option<OsString>,
    /// Print a software bill of materials of all packages in the final tree; the same image gives the same bytes
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["types", "name", "layer", "owns", "deleted", "unowned", "modified"])]
    format: Option<Format>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// SPDX 2.3 as JSON
    Spdx,
    /// CycloneDX 1.6 as JSON
    Cyclonedx,
}

fn ecosystem(text: &str) -> Result<Ecosystem, String> {
    Ecosystem::named(text).ok_or_else(|| {
        let names: Vec<_> = Ecosystem::ALL.iter().map(|ecosystem| ecosystem.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let bills = arguments.against.as_deref().map(|named| against::bills(named, &source, session)).transpose()?;
    let sought = Sought { packages: true, modified: arguments.modified, ..Sought::default() };
    let gathered = Gathered::read(session, &source, sought)?;
    let inventory = gathered.inventory();
    if let Some(bills) = bills {
        gathered.unpackable()?;
        return against::compare(&bills, arguments, session, &inventory, &gathered.digests);
    }
    match arguments.format {
        Some(format) => bill(format, arguments, session, &gathered, &inventory)?,
        None if arguments.unowned || arguments.modified => files::list(arguments, session, &gathered, &inventory)?,
        None => list(arguments, session, &gathered, &inventory)?,
    }
    gathered.unpackable()
}

/// Prints a bill of materials.
fn bill(
    format: Format,
    arguments: &Arguments,
    session: &Session<'_>,
    gathered: &Gathered,
    inventory: &Inventory,
) -> Result<(), Error> {
    let name = path::escape(arguments.source.source.as_bytes());
    let digest = gathered.image.as_ref().map(|image| image.manifest.raw.digest().to_string());
    let created = gathered.image.as_ref().and_then(|image| image.config.created.as_deref());
    let subject = ExportSubject { name: &name, digest: digest.as_deref(), created };
    let document = match format {
        Format::Spdx => export::spdx(inventory, subject),
        Format::Cyclonedx => export::cyclonedx(inventory, subject),
    };
    let mut out = session.ui.out();
    serde_json::to_writer_pretty(&mut out, &document).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(session.ui.flush(&mut out)?)
}

fn list(arguments: &Arguments, session: &Session<'_>, gathered: &Gathered, inventory: &Inventory) -> Result<(), Error> {
    let layer = arguments.layer.as_deref().map(|text| choose(&gathered.jobs, text)).transpose()?;
    let owned = arguments.owns.as_ref().map(|path| path::clean(path.as_bytes()));
    let wanted = |installed: &&Installed| {
        let Installed { package, layer: brought_by, removed_by, .. } = *installed;
        let of_layer = |layer: usize| {
            let is = |of: u32| of as usize == layer;
            is(*brought_by) || removed_by.is_some_and(is)
        };
        // The list of one layer has both the packages that it brought and those that it removed.
        let gone = removed_by.is_some();
        (if arguments.deleted { gone } else { !gone || layer.is_some() })
            && (arguments.types.is_empty() || arguments.types.contains(&package.ecosystem))
            && arguments.name.as_ref().is_none_or(|text| package.name.contains(text))
            && owned.as_ref().is_none_or(|path| installed.owns(path))
            && layer.is_none_or(of_layer)
    };
    let packages: Vec<_> = inventory.packages.iter().filter(wanted).collect();
    if let Some(path) = owned.filter(|_| packages.is_empty()) {
        return Err(Error::NotFound { what: "package that owns the path", name: path::escape(&path).into_owned() });
    }
    let mut out = session.ui.out();
    if session.ui.json {
        for installed in &packages {
            let created_by = gathered.created_by(installed.layer);
            print_json(&mut out, &PackageReport::of(installed, inventory, &gathered.digests, created_by))?;
        }
    } else {
        print(&mut out, session, &packages)?;
    }
    session.ui.flush(&mut out)?;
    if !session.ui.json {
        session.ui.note(summary(&packages));
    }
    Ok(())
}

/// A line of totals, such as `120 packages: deb 100, pypi 20`.
fn summary(packages: &[&Installed]) -> String {
    let mut counts: BTreeMap<Ecosystem, usize> = BTreeMap::new();
    packages.iter().for_each(|installed| *counts.entry(installed.package.ecosystem).or_default() += 1);
    let counts: Vec<_> = counts.iter().map(|(ecosystem, count)| format!("{ecosystem} {count}")).collect();
    match packages.len() {
        0 => "no packages".to_owned(),
        1 => format!("1 package: {}", counts.join(", ")),
        count => format!("{count} packages: {}", counts.join(", ")),
    }
}

fn print(out: &mut impl Write, session: &Session<'_>, packages: &[&Installed]) -> Result<(), Error> {
    let width = |text: fn(&Installed) -> &str, least: usize, most: usize| {
        packages.iter().map(|installed| text(installed).chars().count()).max().unwrap_or(0).clamp(least, most)
    };
    let name = width(|installed| &installed.package.name, 4, 50);
    let version = width(|installed| &installed.package.version, 7, 30);
    let head = format!("{:<8}  {:<name$}  {:<version$}  {:>5}  LICENSE", "TYPE", "NAME", "VERSION", "LAYER");
    writeln!(out, "{}", session.ui.paint(Style::Faint, &head))?;
    for installed in packages {
        let Installed { package, layer, removed_by, replaced_by, .. } = *installed;
        let layer = LayerNumber::of_index(*layer).get();
        write!(out, "{:<8}  {:<name$}  ", package.ecosystem, safe(&package.name))?;
        write!(out, "{:<version$}  {layer:>5}  ", safe(&package.version))?;
        write!(out, "{}", package.licence.as_deref().map(safe).unwrap_or_else(|| "-".into()))?;
        if let Some(removed_by) = removed_by.map(LayerNumber::of_index) {
            let what = match replaced_by {
                Some(version) => format!("replaced by {} in layer {removed_by}", safe(version)),
                None => format!("removed by layer {removed_by}"),
            };
            write!(out, "  {}", session.ui.paint(Style::Changed, &what))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
