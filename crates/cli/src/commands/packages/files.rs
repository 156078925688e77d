//! Lists files by their packages: those that no package owns, and those that differ from the files that their package brought.

use std::io::Write;

use porthole_contents::{
    inventory::Inventory,
    ownership::{ModifiedFile, Ownership},
};
use porthole_core::{layer::LayerNumber, tree::Row as Listed};
use porthole_inspect::report::{ReportedMeta, ReportedPath};
use serde::Serialize;

use super::Arguments;
use crate::{
    commands::{gather::Gathered, stack::choose},
    error::Error,
    output::print_json,
    session::Session,
    ui::{Style, Ui, safe, size},
};

/// A file that no package owns.
#[derive(Serialize)]
struct Unowned<'f> {
    #[serde(flatten)]
    name: ReportedPath<'f>,
    #[serde(flatten)]
    meta: ReportedMeta<'f>,
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'f str>,
}

/// A file that differs from the one that its package brought.
#[derive(Serialize)]
struct Modified<'f> {
    #[serde(flatten)]
    name: ReportedPath<'f>,
    /// Type of the package.
    #[serde(rename = "type")]
    ecosystem: &'static str,
    package: &'f str,
    version: &'f str,
    /// Whether the package declares the file as configuration, which users may change.
    configuration: bool,
    algorithm: &'static str,
    recorded: String,
    /// Digest of the present content. `None` if the path is no longer a regular file.
    found: Option<String>,
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'f str>,
}

impl<'f> Unowned<'f> {
    fn of(row: &'f Listed, gathered: &'f Gathered) -> Self {
        Self {
            name: ReportedPath::of(&row.path),
            meta: ReportedMeta::of(row),
            layer: LayerNumber::of_index(row.layer),
            layer_digest: gathered.digests.find(row.layer),
            created_by: gathered.created_by(row.layer),
        }
    }
}

impl<'f> Modified<'f> {
    fn of(file: &ModifiedFile<'f>, gathered: &'f Gathered) -> Self {
        let ModifiedFile { row, installed, recorded, found } = file;
        Self {
            name: ReportedPath::of(&row.path),
            ecosystem: installed.package.ecosystem.name(),
            package: &installed.package.name,
            version: &installed.package.version,
            configuration: recorded.configuration,
            algorithm: recorded.digest.algorithm(),
            recorded: recorded.digest.hex(),
            found: found.map(|digest| digest.hex()),
            layer: LayerNumber::of_index(row.layer),
            layer_digest: gathered.digests.find(row.layer),
            created_by: gathered.created_by(row.layer),
        }
    }
}

/// Lists the files that no package owns, or the modified ones.
pub(super) fn list(
    arguments: &Arguments,
    session: &Session<'_>,
    gathered: &Gathered,
    inventory: &Inventory,
) -> Result<(), Error> {
    let layer = arguments.layer.as_deref().map(|text| choose(&gathered.jobs, text)).transpose()?;
    let of_layer = |row: &Listed| layer.is_none_or(|layer| row.layer as usize == layer);
    let ownership = Ownership::of(&gathered.tree, inventory);
    if !ownership.is_known() {
        session.ui.note("no database of dpkg, apk or rpm in the image lists its files");
    }
    let mut out = session.ui.out();
    let (ui, mut count) = (session.ui, 0_u64);
    if arguments.unowned {
        for row in ownership.unowned().filter(|row| of_layer(row)) {
            count += 1;
            match ui.json {
                true => print_json(&mut out, &Unowned::of(row, gathered))?,
                false => unowned(&mut out, ui, row)?,
            }
        }
    } else {
        let wanted = |file: &&ModifiedFile<'_>| {
            let package = &file.installed.package;
            of_layer(file.row)
                && (arguments.types.is_empty() || arguments.types.contains(&package.ecosystem))
                && arguments.name.as_ref().is_none_or(|text| package.name.contains(text))
        };
        for file in ownership.modified(&gathered.hashes).iter().filter(wanted) {
            count += 1;
            match ui.json {
                true => print_json(&mut out, &Modified::of(file, gathered))?,
                false => modified(&mut out, ui, file)?,
            }
        }
    }
    ui.flush(&mut out)?;
    if !ui.json {
        let what = if arguments.unowned { "that no package owns" } else { "modified after installation" };
        ui.note(format_args!("{count} {} {what}", if count == 1 { "file" } else { "files" }));
    }
    Ok(())
}

fn unowned(out: &mut impl Write, ui: &Ui, row: &Listed) -> Result<(), Error> {
    let layer = ui.paint(Style::Faint, &format!("{:>5}", LayerNumber::of_index(row.layer).get()));
    Ok(writeln!(out, "{layer}  {:>9}  {}", size(row.size), ReportedPath::of(&row.path).path)?)
}

fn modified(out: &mut impl Write, ui: &Ui, file: &ModifiedFile<'_>) -> Result<(), Error> {
    let ModifiedFile { row, installed, recorded, found } = file;
    let layer = ui.paint(Style::Faint, &format!("{:>5}", LayerNumber::of_index(row.layer).get()));
    let package = &installed.package;
    let what = match (found, recorded.configuration) {
        (None, _) => "  is no file any more",
        (_, true) => "  configuration",
        _ => "",
    };
    let path = ReportedPath::of(&row.path).path;
    Ok(writeln!(out, "{layer}  {:<8}  {}  {path}{what}", package.ecosystem, safe(&package.name))?)
}
