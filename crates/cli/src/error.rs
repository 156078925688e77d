//! What can go wrong, with its exit code and what to do about it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use porthole_core::{
    hint::Hint, image, layer::Finding, layout::ChoiceError, media_type::MediaType, platform, reference, seek, toc, tree,
};
use porthole_inspect::{local, resolve};
use porthole_registry::plan::descent::Nesting;

use crate::commands;

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was typed makes no sense.
    #[error("{0}")]
    Usage(String),
    #[error("{error}: `{text}`")]
    Reference { text: String, error: reference::Error },
    #[error(transparent)]
    Registry(#[from] porthole_registry::Error),
    #[error(transparent)]
    Local(#[from] local::Error),
    #[error(transparent)]
    Store(#[from] porthole_store::Error),
    #[error(transparent)]
    Pull(#[from] porthole_transfer::pull::Error),
    #[error(transparent)]
    Push(#[from] porthole_transfer::push::Error),
    #[error(transparent)]
    Copy(#[from] porthole_transfer::copy::Error),
    #[error(transparent)]
    Save(#[from] porthole_transfer::archive::Error),
    #[error(transparent)]
    Image(#[from] image::Error),
    #[error(transparent)]
    Platform(#[from] platform::NoMatch),
    #[error("indexes within indexes: expected at most {limit}, each listed once")]
    Nesting { limit: u64 },
    /// What a name stood for is known, but not to be had any more.
    #[error("{text}")]
    Gone { text: String, hints: Vec<Hint> },
    /// Nothing by that name inside the image.
    #[error("{what} not found: `{name}`")]
    NotFound { what: &'static str, name: String },
    /// No file by that name; `via` is where its links lead.
    #[error("path not found: `{name}`{}", via.as_ref().map(|via| format!(", which leads to `{via}`")).unwrap_or_default())]
    NoFile { name: String, via: Option<String>, hints: Vec<Hint> },
    /// Something by that name which has no content.
    #[error("no file, but {what}: `{name}`")]
    NotAFile { name: String, what: String, hint: Option<Hint> },
    /// A layer of an artifact that is no archive.
    #[error("layer {layer} holds no files: it is {media_type}")]
    NoFiles { layer: u32, media_type: MediaType },
    /// Layers that are not what they should be.
    #[error("{}", Wrong(.0))]
    Layers(Vec<WrongLayer>),
    /// A part of a layer that is not what it was when the layer was verified.
    #[error("layer {layer}: {error}")]
    Part { layer: u32, error: seek::Error },
    /// A table of contents that is not the one that was promised, or not well-formed.
    #[error("layer {layer}: {error}")]
    Toc { layer: u32, error: toc::Error },
    /// A file that cannot be read by its table of contents.
    #[error("layer {layer}: {error}")]
    Chunk { layer: u32, error: toc::ChunkError },
    /// Paths that a runtime would stop at, as the tree says.
    #[error("layer {layer} cannot be unpacked: {error}")]
    Unpack { layer: u32, error: tree::Error },
    #[error("verification failed: {findings} of {steps} steps")]
    Verification { findings: usize, steps: usize, hints: Vec<Hint> },
    #[error("everything is as promised, but there {}", if *doubts == 1 { "is 1 doubt".to_owned() } else { format!("are {doubts} doubts") })]
    Doubts { doubts: u64 },
    /// What `diff` found, or `watch --once`, is told already.
    #[error("the two are not the same")]
    Differ,
    /// The image misses what `analyze --ci` asks for.
    #[error("thresholds missed: {}", .0.join("; "))]
    Thresholds(Vec<String>),
    #[error(transparent)]
    Credentials(#[from] porthole_credentials::Error),
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// The disk, or the rights on it, while files are written.
    #[error("layer {layer}: {error}")]
    Rootfs { layer: u32, error: porthole_unpack::Error },
    /// An archive of the merged tree.
    #[error(transparent)]
    Archive(porthole_unpack::flatten::Error),
    #[error("cannot use directory `{}`: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// What `watch --once` ran.
    #[error("{0}")]
    Command(String),
    #[error("interrupted; what was not complete is not there")]
    Interrupted { signal: i32 },
    #[error("cannot write the trace `{}`: {source}", path.display())]
    Trace { path: PathBuf, source: io::Error },
    #[error("cannot start: {0}")]
    Start(String),
    /// What a verb says of a failure in its own words.
    #[error("{}", .0.message)]
    Told(Box<Told>),
}

/// A failure in a verb's own words.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) message: String,
    /// The exit code of what it stands for.
    pub(crate) code: u8,
    pub(crate) hints: Vec<Hint>,
}

impl From<Told> for Error {
    fn from(told: Told) -> Self {
        Self::Told(Box::new(told))
    }
}

/// A layer and what is wrong with it.
#[derive(Debug)]
pub(crate) struct WrongLayer {
    pub(crate) layer: u32,
    pub(crate) findings: Vec<Finding>,
}

struct Wrong<'e>(&'e [WrongLayer]);

impl fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for WrongLayer { layer, findings } in self.0 {
            for finding in findings {
                write!(f, "{separator}{}", of_layer(*layer, finding))?;
                separator = "\n";
            }
        }
        Ok(())
    }
}

/// A finding in words, with the number of its layer.
pub(crate) fn of_layer(layer: u32, finding: &Finding) -> String {
    let text = finding.to_string();
    match text.strip_prefix("layer ") {
        Some(rest) => format!("layer {layer} {rest}"),
        None => format!("layer {layer}: {text}"),
    }
}

impl From<porthole_unpack::flatten::Error> for Error {
    fn from(error: porthole_unpack::flatten::Error) -> Self {
        match error {
            porthole_unpack::flatten::Error::Write(error) => Self::Write(error),
            error => Self::Archive(error),
        }
    }
}

impl From<porthole_transfer::source::Error> for Error {
    fn from(error: porthole_transfer::source::Error) -> Self {
        use porthole_transfer::source::Error as Origin;
        match error {
            Origin::Registry(error) => Self::Registry(error),
            Origin::Local(error) => Self::Local(error),
            error => Self::Push(error.into()),
        }
    }
}

impl<E> From<resolve::Error<E>> for Error
where
    Self: From<E>,
{
    fn from(error: resolve::Error<E>) -> Self {
        match error {
            resolve::Error::Source(error) => error.into(),
            resolve::Error::Platform(error) => Self::Platform(error),
            resolve::Error::Nesting(Nesting { limit }) => Self::Nesting { limit },
            resolve::Error::Image(error) => Self::Image(error),
        }
    }
}

impl Error {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn trace(path: Option<&Path>, source: io::Error) -> Self {
        Self::Trace { path: path.map(Path::to_owned).unwrap_or_default(), source }
    }

    /// The image is at fault, or the disk.
    pub(crate) fn of_unpacking(layer: u32, error: porthole_unpack::Error) -> Self {
        match error {
            porthole_unpack::Error::Image(error) => Self::Unpack { layer, error },
            error => Self::Rootfs { layer, error },
        }
    }

    /// Nobody reads on: no failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Credentials(porthole_credentials::Error::NoHome | porthole_credentials::Error::UserName) => USAGE,
            Self::Usage(_) | Self::Reference { .. } | Self::NotAFile { .. } => USAGE,
            Self::Differ | Self::Thresholds(_) => NO,
            Self::Interrupted { signal } => u8::try_from(128 + signal).unwrap_or(OTHER),
            Self::Told(told) => told.code,
            Self::Registry(error) => error.exit_code(),
            Self::Local(error) => local_exit_code(error),
            Self::Store(error) => store_exit_code(error),
            Self::Pull(error) => pull_exit_code(error),
            Self::Push(error) => commands::push::exit_code(error),
            Self::Copy(error) => copy_exit_code(error),
            Self::Save(error) => save_exit_code(error),
            Self::NotFound { .. } | Self::Gone { .. } | Self::NoFile { .. } => NOT_FOUND,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::Platform(_) => PLATFORM,
            Self::Image(_)
            | Self::Nesting { .. }
            | Self::Layers(_)
            | Self::Part { .. }
            | Self::Toc { .. }
            | Self::Chunk { .. }
            | Self::Unpack { .. }
            | Self::Verification { .. }
            | Self::Doubts { .. } => MALFORMED,
            Self::NoFiles { .. }
            | Self::Credentials(_)
            | Self::Read { .. }
            | Self::Write(_)
            | Self::Rootfs { .. }
            | Self::Directory { .. }
            | Self::Archive(_)
            | Self::Command(_)
            | Self::Trace { .. }
            | Self::Start(_) => OTHER,
        }
    }

    pub(crate) fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Reference { error, .. } => error.hint().into_iter().collect(),
            Self::Told(told) => told.hints.clone(),
            Self::Registry(error) => error.hints(),
            Self::Local(error) => error.hint().into_iter().collect(),
            Self::Store(error) => error.hint().into_iter().collect(),
            Self::NoFile { hints, .. } | Self::Gone { hints, .. } => hints.clone(),
            Self::Part { .. } => vec![Hint::Text("to read the whole layer instead, add --no-cache".to_owned())],
            Self::Toc { error, .. } => error.hint().into_iter().chain([without_toc()]).collect(),
            Self::Chunk { error, .. } => error.hint().into_iter().chain([without_toc()]).collect(),
            Self::NotAFile { hint, .. } => hint.iter().cloned().collect(),
            Self::Pull(porthole_transfer::pull::Error::Registry(error)) => error.hints(),
            Self::Pull(porthole_transfer::pull::Error::Platform(error)) => vec![choose(error)],
            Self::Pull(porthole_transfer::pull::Error::Nesting(error)) => {
                vec![Hint::raise("index_depth", error.limit, 0)]
            }
            Self::Pull(porthole_transfer::pull::Error::TooMany { limit }) => {
                vec![Hint::raise("descriptors", *limit, 0)]
            }
            Self::Push(error) => commands::push::hints(error),
            Self::Copy(error) | Self::Save(porthole_transfer::archive::Error::Copy(error)) => copy_hints(error),
            Self::Save(porthole_transfer::archive::Error::Image(error)) => error.hint().into_iter().collect(),
            Self::Save(porthole_transfer::archive::Error::Decode { error, .. }) => error.hint().into_iter().collect(),
            Self::Platform(error) => vec![choose(error)],
            Self::Image(error) => error.hint().into_iter().collect(),
            Self::Credentials(porthole_credentials::Error::NoHome) => {
                vec![Hint::Text("name a file with --authfile FILE".to_owned())]
            }
            Self::Nesting { limit } => vec![Hint::raise("index_depth", *limit, 0)],
            Self::Unpack { error: tree::Error::TooManyNodes { limit }, .. } => {
                vec![Hint::raise("tree_nodes", *limit, 0)]
            }
            Self::Verification { hints, .. } => hints.clone(),
            Self::Layers(layers) => layers.iter().flat_map(|layer| &layer.findings).filter_map(Finding::hint).collect(),
            _ => Vec::new(),
        }
    }
}

fn without_toc() -> Hint {
    Hint::Text("to read the whole layer instead, leave --toc out".to_owned())
}

/// The answer is no.
pub(crate) const NO: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const NOT_FOUND: u8 = 4;
pub(crate) const PLATFORM: u8 = 5;
pub(crate) const MALFORMED: u8 = 7;
pub(crate) const OTHER: u8 = 9;

fn choose(error: &platform::NoMatch) -> Hint {
    Hint::ChoosePlatform { available: error.available.iter().map(ToString::to_string).collect() }
}

pub(crate) fn origin_exit_code(error: &porthole_transfer::source::Error) -> u8 {
    use porthole_transfer::source::Error as Origin;
    match error {
        Origin::Registry(error) => error.exit_code(),
        Origin::Local(error) => local_exit_code(error),
        _ => MALFORMED,
    }
}

fn pull_exit_code(error: &porthole_transfer::pull::Error) -> u8 {
    use porthole_transfer::pull::Error as Pull;
    match error {
        Pull::Registry(error) => error.exit_code(),
        Pull::Store(error) => store_exit_code(error),
        Pull::Platform(_) => PLATFORM,
        Pull::Nesting(_) | Pull::TooMany { .. } | Pull::Wrong(_) => MALFORMED,
        _ => OTHER,
    }
}

fn copy_exit_code(error: &porthole_transfer::copy::Error) -> u8 {
    use porthole_transfer::copy::Error as Copy;
    match error {
        Copy::Local(error) => local_exit_code(error),
        Copy::Store(error) => store_exit_code(error),
        Copy::Plan(porthole_registry::plan::push::Error::Platform(_)) => PLATFORM,
        Copy::Plan(_) => MALFORMED,
        _ => OTHER,
    }
}

fn copy_hints(error: &porthole_transfer::copy::Error) -> Vec<Hint> {
    use porthole_transfer::copy::Error as Copy;
    match error {
        Copy::Local(error) => error.hint().into_iter().collect(),
        Copy::Store(error) => error.hint().into_iter().collect(),
        Copy::Plan(error) => error.hint().into_iter().collect(),
        _ => Vec::new(),
    }
}

fn save_exit_code(error: &porthole_transfer::archive::Error) -> u8 {
    use porthole_transfer::archive::Error as Save;
    match error {
        Save::Copy(error) => copy_exit_code(error),
        Save::Artifact => USAGE,
        Save::Image(_) | Save::Decode { .. } | Save::DiffId { .. } => MALFORMED,
        _ => OTHER,
    }
}

pub(crate) fn local_exit_code(error: &local::Error) -> u8 {
    use local::Error as Local;
    use porthole_source::Error as Source;
    match error {
        Local::Source(Source::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => NOT_FOUND,
        Local::Source(Source::Read { .. }) => OTHER,
        Local::Source(Source::Unsupported(_)) => USAGE,
        Local::Choice(error) => choice_exit_code(error),
        _ => MALFORMED,
    }
}

fn choice_exit_code(error: &ChoiceError) -> u8 {
    match error {
        ChoiceError::NoSuchName { .. } | ChoiceError::Empty => NOT_FOUND,
        _ => USAGE,
    }
}

pub(crate) fn store_exit_code(error: &porthole_store::Error) -> u8 {
    use porthole_store::Error as Store;
    match error {
        Store::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_FOUND,
        Store::Io { .. } | Store::Write { .. } | Store::Save(_) => OTHER,
        Store::Choice(error) => choice_exit_code(error),
        _ => MALFORMED,
    }
}
