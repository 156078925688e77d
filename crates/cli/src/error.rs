//! The error of a command, with its exit code and hints.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use porthole_core::{
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
    image,
    layer::NamedLayer,
    media_type::MediaType,
    platform, reference, seek, toc, tree,
};
pub(crate) use porthole_inspect::stack::WrongLayer;
use porthole_inspect::{local, resolve};
use porthole_registry::plan::descent::Nesting;
use porthole_transfer::local::STANDARD_INPUT;

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The arguments are wrong.
    #[error("{0}")]
    Usage(String),
    #[error("{error}: `{text}`")]
    Reference { text: String, error: reference::Error, meant: Option<String> },
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
    #[error(transparent)]
    BuildCache(#[from] resolve::BuildCacheFound),
    #[error(transparent)]
    Nesting(#[from] Nesting),
    /// The store knows which image a name pointed to, but no longer has it.
    #[error("{text}")]
    Gone { text: String, hints: Vec<Hint> },
    /// The image contains nothing with this name.
    #[error("{what} not found: `{name}`")]
    NotFound { what: &'static str, name: String },
    /// The image has no file at this path. `via` is the path that its symbolic links lead to.
    #[error("path not found: `{name}`{}", via.as_ref().map(|via| format!(", which leads to `{via}`")).unwrap_or_default())]
    NoFile { name: String, via: Option<String>, hints: Vec<Hint> },
    /// The path exists, but is not a regular file, so it has no content.
    #[error("no file, but {what}: `{name}`")]
    NotAFile { name: String, what: String, hint: Option<Hint> },
    /// A layer of an artifact that is not an archive, or one whose archive cannot be read.
    #[error("layer {layer} {}: it is {media_type}", media_type.unreadable().unwrap_or("holds no files"))]
    NoFiles { layer: NamedLayer, media_type: MediaType },
    /// Layers that do not match their descriptors, or are malformed.
    #[error("{}", Wrong(.0))]
    Layers(Vec<WrongLayer>),
    /// A part of a layer that differs from the one that was verified when its seek index was made.
    #[error("layer {layer}: {error}")]
    Part { layer: NamedLayer, error: seek::Error },
    /// A table of contents that is malformed, or does not have the digest that the manifest states.
    #[error("layer {layer}: {error}")]
    Toc { layer: NamedLayer, error: toc::Error },
    /// A file that cannot be read through the layer's table of contents.
    #[error("layer {layer}: {error}")]
    Chunk { layer: NamedLayer, error: toc::ChunkError },
    /// An entry at which a runtime stops to unpack.
    #[error("layer {layer} cannot be unpacked: {error}")]
    Unpack { layer: NamedLayer, error: tree::Error },
    #[error("{}: {findings} of {steps} steps", if failure.kind == FailureClass::Limit { "not verified, because of a limit" } else { "verification failed" })]
    Verification { findings: usize, steps: usize, failure: Failure },
    #[error("every digest matches, but there {}", if *doubts == 1 { "is 1 doubt".to_owned() } else { format!("are {doubts} doubts") })]
    Doubts { doubts: u64 },
    /// `diff` or `watch --once` found a difference, which is printed already.
    #[error("the two are not the same")]
    Differ,
    /// `search` found no match.
    #[error("no line matches")]
    NoMatch,
    /// No signature is by a signer that the user named.
    #[error("{}", match strangers {
        0 => format!("there is no {what}"),
        1 => format!("there is {}, but by none of the signers that were named", with_article(what)),
        strangers => format!("there are {strangers} {what}s, but by none of the signers that were named"),
    })]
    Unsigned { what: &'static str, strangers: usize },
    #[error(transparent)]
    Pattern(#[from] porthole_inspect::search::Error),
    /// The image misses thresholds of `analyze --ci`.
    #[error("thresholds missed: {}", .0.join("; "))]
    Thresholds(Vec<String>),
    #[error(transparent)]
    Credentials(#[from] porthole_credentials::Error),
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
    /// A file system operation failed while a layer was unpacked.
    #[error("cannot unpack into `{}`: layer {layer}: {error}", directory.display())]
    Rootfs { directory: PathBuf, layer: NamedLayer, error: porthole_unpack::Error },
    /// Writing an archive of the merged tree failed.
    #[error(transparent)]
    Archive(porthole_unpack::flatten::Error),
    #[error(transparent)]
    Staged(#[from] porthole_unpack::StagedError),
    /// The command of `watch --once` failed.
    #[error("{0}")]
    Command(String),
    #[error("interrupted; incomplete files were not put in place")]
    Interrupted { signal: i32 },
    #[error("cannot write the trace `{}`: {source}", path.display())]
    Trace { path: PathBuf, source: io::Error },
    #[error("cannot start: {0}")]
    Start(String),
    /// The user was asked for confirmation, and refused.
    #[error("{0}")]
    Refused(&'static str),
    /// A failure with a message of the verb's own.
    #[error("{}", .0.message)]
    Told(Box<Told>),
}

/// A failure with a message of the verb's own.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) message: String,
    pub(crate) failure: Failure,
}

impl From<Told> for Error {
    fn from(told: Told) -> Self {
        Self::Told(Box::new(told))
    }
}

/// Puts the indefinite article before a noun: `a signature`, `an attestation`.
pub(crate) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

struct Wrong<'e>(&'e [WrongLayer]);

impl fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for WrongLayer { layer, findings } in self.0 {
            for finding in findings {
                write!(f, "{separator}{}", finding.of_layer(layer.number))?;
                separator = "\n";
            }
        }
        Ok(())
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
            resolve::Error::BuildCache(error) => Self::BuildCache(error),
            resolve::Error::Nesting(error) => Self::Nesting(error),
            resolve::Error::Image(error) => Self::Image(error),
        }
    }
}

impl Error {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Returns a function that makes an error of a failed write to this file, or inside this folder.
    pub(crate) fn cannot_write(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Store(porthole_store::Error::Write { path: path.to_owned(), source })
    }

    /// An error of a failed read of standard input.
    pub(crate) fn stdin(source: io::Error) -> Self {
        Self::Read { path: STANDARD_INPUT.into(), source }
    }

    pub(crate) fn trace(path: Option<&Path>, source: io::Error) -> Self {
        Self::Trace { path: path.map(Path::to_owned).unwrap_or_default(), source }
    }

    /// Converts an error of unpacking. Distinguishes errors of the image from those of the disk.
    pub(crate) fn of_unpacking(directory: &Path, layer: NamedLayer, error: porthole_unpack::Error) -> Self {
        match error {
            porthole_unpack::Error::Image(error) => Self::Unpack { layer, error },
            error => Self::Rootfs { directory: directory.to_owned(), layer, error },
        }
    }

    /// Whether the reader of stdout closed the pipe. That is not a failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Differ | Self::NoMatch | Self::Unsigned { .. } | Self::Thresholds(_) | Self::Refused(_) => NO,
            Self::Interrupted { signal } => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            error => exit_code(error.kind()),
        }
    }
}

impl Error {
    /// Whether the error is about a document that was fetched, but is malformed or of an unsupported kind.
    pub(crate) fn is_of_document(&self) -> bool {
        matches!(
            self,
            Self::Registry(porthole_registry::Error::Document { .. })
                | Self::Local(local::Error::Source(porthole_source::Error::Document { .. }))
        )
    }
}

/// Exit code of a question whose answer is no, such as a `diff` that finds a difference.
const NO: u8 = 1;

/// The exit code of a command that fails.
pub(crate) const fn exit_code(kind: FailureClass) -> u8 {
    match kind {
        FailureClass::Input => 2,
        FailureClass::Authentication => 3,
        FailureClass::NotFound => 4,
        FailureClass::Platform => 5,
        FailureClass::RateLimit => 6,
        FailureClass::Malformed => 7,
        FailureClass::Network => 8,
        FailureClass::Limit | FailureClass::Protocol | FailureClass::Other => 9,
    }
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        let of_layer = |layer: &NamedLayer, error: &dyn Classify| error.failure().in_layer(*layer);
        match self {
            Self::Usage(_) | Self::Refused(_) => Failure::input(),
            Self::Reference { meant: Some(meant), .. } => Failure::input().hint(Hint::Text(format!("write `{meant}`"))),
            Self::Reference { error, .. } => error.failure(),
            Self::Registry(error) => error.failure(),
            Self::Local(error @ local::Error::NotAnImage { name, got }) if *got == local::NO_DESCRIPTION => {
                let name = if name == STANDARD_INPUT { "/dev/stdin" } else { name };
                error.failure().hint(Hint::Text(format!("to list a tar archive as a layer, write `layer:{name}`")))
            }
            Self::Local(error) => error.failure(),
            Self::Store(error) => error.failure(),
            Self::Pull(error) => error.failure(),
            Self::Push(error) => error.failure(),
            Self::Copy(error) => error.failure(),
            Self::Save(error) => error.failure(),
            Self::Image(error) => error.failure(),
            Self::Platform(error) => error.failure(),
            Self::BuildCache(error) => {
                error.failure().hint(Hint::Text("to see what it lists, run porthole manifest".to_owned()))
            }
            Self::Nesting(error) => error.failure(),
            Self::Gone { hints, .. } | Self::NoFile { hints, .. } => {
                Failure::new(FailureClass::NotFound, Blame::Input).hints(hints.iter().cloned())
            }
            Self::NotFound { .. } => Failure::new(FailureClass::NotFound, Blame::Input),
            Self::NotAFile { hint, .. } => Failure::input().hints(hint.iter().cloned()),
            Self::NoFiles { layer, .. } => Failure::new(FailureClass::Other, Blame::Image).in_layer(*layer),
            Self::Layers(layers) => Failure::worst(
                layers.iter().flat_map(|wrong| wrong.findings.iter().map(|finding| of_layer(&wrong.layer, finding))),
            )
            .unwrap_or_else(Failure::malformed),
            Self::Part { layer, error } => of_layer(layer, error).hint(Hint::WithoutSeekIndex),
            Self::Toc { layer, error } => of_layer(layer, error).hint(Hint::WithoutToc),
            Self::Chunk { layer, error } => of_layer(layer, error).hint(Hint::WithoutToc),
            Self::Unpack { layer, error } => of_layer(layer, error),
            Self::Rootfs { layer, error, .. } => of_layer(layer, error),
            Self::Verification { failure, .. } => failure.clone(),
            Self::Doubts { .. } => Failure::malformed(),
            Self::Pattern(error) => error.failure(),
            Self::Differ | Self::NoMatch | Self::Unsigned { .. } | Self::Thresholds(_) => {
                Failure::new(FailureClass::Other, Blame::Image)
            }
            Self::Credentials(porthole_credentials::Error::NoHome) => {
                Failure::input().hint(Hint::Text("name a file with --authfile FILE".to_owned()))
            }
            Self::Credentials(error) => error.failure(),
            Self::Read { source, .. } => source.failure(),
            Self::Archive(error) => error.failure(),
            Self::Staged(error) => error.failure(),
            Self::Write(_) | Self::Trace { .. } | Self::Start(_) => Failure::machine(),
            Self::Command(_) => Failure::machine(),
            Self::Interrupted { .. } => Failure::new(FailureClass::Other, Blame::Input),
            Self::Told(told) => told.failure.clone(),
        }
    }
}
