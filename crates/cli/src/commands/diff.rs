//! `porthole diff`

mod packages;
mod read;
mod text;

use std::{ffi::OsString, io::Write};

use clap::{Args, ValueEnum};
use porthole_contents::{changes::changes, secrets::SecretMask};
use porthole_core::{
    image::Image,
    path,
    tree::{Aspect, Aspects, Mode},
};
use porthole_inspect::{
    compare,
    report::{DifferenceRow, SeenFile},
};
use serde::Serialize;

use self::{
    packages::PackageRow,
    read::{Compared, Side, Trees},
};
use crate::{
    argument::SOURCES,
    error::Error,
    layers::Job,
    output::print_json,
    session::Session,
    source::{Source, Spec},
};

/// Compare two images: manifest, configuration, history, layers, files and packages
///
/// Exits with 0 if they are the same and 1 if they differ. Files are compared by content, mode, owner, time, extended attributes, type and
/// hard links. Layers that both images share are read at most once, from the local image if one is local. Everything that is read is
/// verified.
///
/// Packages are compared by the versions that their databases record, in the order of dpkg, rpm, apk or the package's language. They are
/// left out unless asked for: layers are then downloaded also if their lists of files are in the cache.
#[derive(Args)]
#[command(after_help = "\
With --json each difference is an object on a line, with its `kind` and its `change`: added,
removed, changed; of layers also same, and recompressed (other bytes, the same archive).
  manifest, config  key, name (of a variable, label, port, volume, annotation), before, after
  history           before, after: place, created_by, created, author, comment, empty_layer;
                    fields: which of them differ
  layers            first of them: shared (how many, from the bottom), download (bytes that B has
                    and A lacks)
  layer             before, after: layer, digest, diff_id, size
  package           change is also upgraded or downgraded; type, name; before, after: version,
                    architecture, purl, layer, recorded_in
  file              path, path_b64, before, after: as in ls --json; aspects: what differs

Examples:
  porthole diff nginx:1.27 nginx:1.28
  porthole diff --only files --ignore time oci:a:latest oci:b:latest
  porthole diff --only packages registry.example/app:1 registry.example/app:2
  porthole diff registry.example/app:1 ./app.tar etc/app
  porthole diff --json nginx:1.27 nginx:1.28 | jq -r 'select(.kind == \"file\").path'")]
pub(crate) struct Arguments {
    #[arg(value_name = "A", help = SOURCES)]
    before: OsString,
    /// The image to compare it with; as A
    #[arg(value_name = "B")]
    after: OsString,
    /// Compare only this file, or this directory and everything below it
    #[arg(value_name = "PATH", conflicts_with = "only")]
    path: Option<OsString>,
    /// Compare only these [default: all but packages]
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<Level>,
    /// Compare packages as well
    #[arg(long, conflicts_with = "path")]
    packages: bool,
    /// Ignore these differences of files; `time` also ignores the times in the configuration and the history
    #[arg(long, value_name = "ASPECT", value_delimiter = ',')]
    ignore: Vec<Ignored>,
}

/// A part of the images that can be compared.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    Manifest,
    Config,
    History,
    Layers,
    Files,
    Packages,
}

impl Level {
    /// The level that a row belongs to.
    fn of(row: &DifferenceRow<'_>) -> Self {
        match row.kind() {
            "manifest" => Self::Manifest,
            "config" => Self::Config,
            "history" => Self::History,
            "file" => Self::Files,
            _ => Self::Layers,
        }
    }
}

/// Aspects of files that `--ignore` can name.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ignored {
    Content,
    Mode,
    Owner,
    Time,
    Xattr,
    Links,
}

impl Ignored {
    fn aspects(self) -> Aspects {
        let name = match self {
            Self::Content => "content",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Time => "time",
            Self::Xattr => "xattr",
            Self::Links => "links",
        };
        compare::ignored(name).unwrap_or_default()
    }
}

impl Arguments {
    fn wants(&self, level: Level) -> bool {
        match self.path {
            Some(_) => level == Level::Files,
            None if level == Level::Packages => self.packages || self.only.contains(&level),
            None => self.only.is_empty() || self.only.contains(&level),
        }
    }

    /// Whether the layers are read: always if `--packages`, `--only` or PATH demands it, otherwise only if all are archives.
    fn reads(&self, archives: bool) -> bool {
        let asked = self.path.is_some() || self.only.contains(&Level::Files) || self.wants(Level::Packages);
        asked || archives && self.wants(Level::Files)
    }

    fn ignored(&self) -> Aspects {
        self.ignore.iter().flat_map(|ignored| ignored.aspects().iter()).collect()
    }
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let mut before = Input::open(&arguments.before, session)?;
    let mut after = Input::open(&arguments.after, session)?;
    let mut mask = SecretMask::default();
    [&mut before.image, &mut after.image].into_iter().flatten().for_each(|image| mask.image(image));
    let mut rows = Vec::new();
    let mut shared = 0;
    let mut same_files = false;
    match (&before.image, &after.image) {
        (Some(a), Some(b)) => {
            let Some(diff) = compare::documents(a, b, !arguments.ignore.contains(&Ignored::Time)) else {
                session.ui.note("both have the same manifest: nothing was downloaded");
                return Ok(());
            };
            (shared, same_files) = (diff.layers.shared, diff.layers.same_files);
            rows = DifferenceRow::of_documents(&diff, a, b);
            rows.retain(|row| arguments.wants(Level::of(row)));
        }
        _ if arguments.only.iter().any(|level| !matches!(level, Level::Files | Level::Packages)) => {
            return Err(Error::usage("a bare layer has only files and packages to compare"));
        }
        _ => {}
    }
    let mut out = session.ui.out();
    let mut writer = Writer { out: &mut out, session, differences: 0, heading: None };
    for row in rows {
        writer.write(&Row::Difference(row))?;
    }
    if !same_files && arguments.reads(before.is_archives() && after.is_archives()) {
        // Print the known differences before anything is downloaded.
        session.ui.flush(writer.out)?;
        layers(arguments, session, [&before, &after], shared, &mut writer)?;
    }
    let differences = writer.differences;
    session.ui.flush(&mut out)?;
    if differences == 0 { Ok(()) } else { Err(Error::Differ) }
}

/// One of the two images, opened.
struct Input {
    source: Source,
    image: Option<Image>,
    /// The source as typed on the command line.
    name: String,
}

impl Input {
    fn open(text: &OsString, session: &Session<'_>) -> Result<Self, Error> {
        let source = Source::open(&Spec::parse(text, std::path::Path::exists)?, session)?;
        let image = match source.is_bare() {
            true => None,
            false => Some(source.image(session, &mut |_| {})?.image),
        };
        Ok(Self { source, image, name: text.to_string_lossy().into_owned() })
    }

    fn jobs(&self) -> Vec<Job> {
        self.image.as_ref().map_or_else(Job::bare, |image| Job::of(&image.layers))
    }

    fn is_archives(&self) -> bool {
        self.jobs().iter().all(Job::is_archive)
    }
}

/// One line of the output.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'r> {
    Difference(DifferenceRow<'r>),
    Package(Box<PackageRow<'r>>),
}

impl Row<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Difference(row) => row.kind(),
            Self::Package(row) => row.kind,
        }
    }

    fn is_difference(&self) -> bool {
        match self {
            Self::Difference(row) => row.is_difference(),
            Self::Package(_) => true,
        }
    }
}

/// Compares what can only be read from the layers: files and packages.
fn layers(
    arguments: &Arguments,
    session: &Session<'_>,
    inputs: [&Input; 2],
    shared: u32,
    writer: &mut Writer<'_, '_, impl Write>,
) -> Result<(), Error> {
    let [before, after] = inputs.map(|input| Side { source: &input.source, jobs: input.jobs(), name: &input.name });
    let contents = arguments.wants(Level::Files) && !arguments.ignored().contains(Aspect::Content);
    let compared = Compared { contents, packages: arguments.wants(Level::Packages) };
    let trees = read::trees(session, &before, &after, shared, compared)?;
    if compared.packages {
        let inventories = &trees.inventories();
        let digests = [&before, &after].map(|side| Job::digests(&side.jobs));
        for change in &changes(&inventories[0], &inventories[1]) {
            let row = PackageRow::of(change, inventories.each_ref(), digests.each_ref());
            writer.write(&Row::Package(Box::new(row)))?;
        }
    }
    if arguments.wants(Level::Files) {
        files(arguments, [&before, &after], &trees, shared, writer)?;
    }
    trees.unpackable([&before, &after])
}

fn files(
    arguments: &Arguments,
    [before, after]: [&Side<'_>; 2],
    trees: &Trees,
    shared: u32,
    writer: &mut Writer<'_, '_, impl Write>,
) -> Result<(), Error> {
    let ignored = arguments.ignored();
    let Trees { before: a, after: b, .. } = trees;
    let mut wanted = None;
    if let Some(text) = &arguments.path {
        wanted = path::meant(text.as_encoded_bytes()).into_iter().find(|path| compare::have([a, b], path));
        if wanted.is_none() {
            let name = path::escape(&path::clean(text.as_encoded_bytes())).into_owned();
            return Err(Error::NotFound { what: "path", name });
        }
    }
    let compared = compare::files(a, b, shared, ignored, wanted.as_deref());
    let digests = [before, after].map(|side| Job::digests(&side.jobs));
    let digests = digests.each_ref();
    let views = (a.view(Mode::Merged), b.view(Mode::Merged));
    for found in &compared.differences {
        let seen = (
            found.before.and_then(|node| SeenFile::of(&views.0, node, true)),
            found.after.and_then(|node| SeenFile::of(&views.1, node, true)),
        );
        writer.write(&Row::Difference(DifferenceRow::file(found, &seen, digests)))?;
    }
    Ok(())
}

/// Prints rows, and counts the differences among them.
struct Writer<'w, 's, W> {
    out: &'w mut W,
    session: &'s Session<'s>,
    differences: u64,
    heading: Option<&'static str>,
}

impl<W: Write> Writer<'_, '_, W> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Error> {
        self.differences += u64::from(row.is_difference());
        if self.session.ui.json {
            return print_json(self.out, row);
        }
        if self.heading.replace(row.kind()) != Some(row.kind()) {
            text::heading(self.out, self.session.ui, row)?;
        }
        text::line(self.out, self.session.ui, row)
    }
}
