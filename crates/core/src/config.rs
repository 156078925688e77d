//! Image configurations (OCI image specification, `config.md`), as data only.

use std::collections::BTreeMap;

use crate::{
    descriptor::read_digest,
    digest::Digest,
    hint::Hint,
    json::{self, Node},
    limits::Limits,
    manifest::Raw,
    platform::Platform,
};

/// What an image says of itself. Nothing here is a path, command or key of ours.
#[derive(Clone, Debug, Default)]
pub struct ImageConfig {
    /// The platform, normalised, if both operating system and architecture are named.
    pub platform: Option<Platform>,
    /// When the image was made, as it is written (RFC 3339).
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// How a container of it would be run.
    pub execution: Execution,
    /// Digests of the unpacked layers, bottom first.
    pub diff_ids: Vec<Digest>,
    /// What made each layer, bottom first.
    pub history: Vec<History>,
}

/// The object `config`.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// `User`.
    pub user: String,
    /// `Env`, as `NAME=value`.
    pub env: Vec<String>,
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `WorkingDir`.
    pub working_dir: String,
    /// `Labels`.
    pub labels: BTreeMap<String, String>,
    /// The keys of `ExposedPorts`, sorted.
    pub exposed_ports: Vec<String>,
    /// The keys of `Volumes`, sorted.
    pub volumes: Vec<String>,
    /// `StopSignal`.
    pub stop_signal: Option<String>,
}

/// One entry of `history`.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// When, as it is written (RFC 3339).
    pub created: Option<String>,
    /// The instruction.
    pub created_by: Option<String>,
    /// Who.
    pub author: Option<String>,
    /// `comment`.
    pub comment: Option<String>,
    /// Whether no layer came of it.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Parses a configuration: types as the schema has them, but `null` and missing properties as Docker leaves them.
    ///
    /// # Errors
    ///
    /// [`Error`], which names the field.
    pub fn parse(raw: &Raw) -> Result<Self, Error> {
        Self::parse_within(raw, &Limits::default())
    }

    /// The same within limits that a user has set: [`Limits::manifest_bytes`] and [`Limits::descriptors`].
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_within(raw: &Raw, limits: &Limits) -> Result<Self, Error> {
        if raw.size() > limits.manifest_bytes {
            return Err(Error::TooLarge { limit: limits.manifest_bytes, got: raw.size() });
        }
        let value = json::parse_strict(raw.bytes())?;
        let top = Node::top("config", &value);
        Ok(Self {
            platform: read_platform(&top)?,
            created: top.optional_text("created")?,
            author: top.optional_text("author")?,
            execution: top.optional("config")?.map(|node| read_execution(&node)).transpose()?.unwrap_or_default(),
            diff_ids: read_diff_ids(&top.required("rootfs")?, limits)?,
            history: read_history(&top)?,
        })
    }
}

fn read_platform(top: &Node<'_>) -> Result<Option<Platform>, Error> {
    let variant = top.optional_text("variant")?;
    let os_version = top.optional_text("os.version")?;
    let os_features = top.optional_strings("os.features")?;
    let named = top.optional_text("os")?.zip(top.optional_text("architecture")?);
    Ok(named.map(|(os, architecture)| Platform { os, architecture, variant, os_version, os_features }.normalized()))
}

fn read_execution(node: &Node<'_>) -> Result<Execution, Error> {
    Ok(Execution {
        user: node.optional_text("User")?.unwrap_or_default(),
        env: read_env(node)?,
        entrypoint: node.optional_strings("Entrypoint")?,
        cmd: node.optional_strings("Cmd")?,
        working_dir: node.optional_text("WorkingDir")?.unwrap_or_default(),
        labels: node.optional_map("Labels")?,
        exposed_ports: read_set(node, "ExposedPorts")?,
        volumes: read_set(node, "Volumes")?,
        stop_signal: node.optional_text("StopSignal")?,
    })
}

fn read_env(node: &Node<'_>) -> Result<Vec<String>, Error> {
    let Some(list) = node.optional("Env")? else { return Ok(Vec::new()) };
    for variable in list.array()? {
        if !variable.string()?.contains('=') {
            return Err(variable.unexpected("a variable as `NAME=value`").into());
        }
    }
    Ok(list.strings()?)
}

/// A set, which Go writes as an object of empty objects.
fn read_set(node: &Node<'_>, key: &str) -> Result<Vec<String>, Error> {
    let Some(set) = node.optional(key)? else { return Ok(Vec::new()) };
    let mut keys: Vec<_> = set.object()?.keys().cloned().collect();
    keys.sort();
    Ok(keys)
}

fn read_diff_ids(rootfs: &Node<'_>, limits: &Limits) -> Result<Vec<Digest>, Error> {
    if let Some(kind) = rootfs.optional("type")?
        && kind.string()? != "layers"
    {
        return Err(kind.unexpected("`layers`").into());
    }
    let Some(list) = rootfs.optional("diff_ids")? else { return Ok(Vec::new()) };
    let (limit, got) = (limits.descriptors, list.length() as u64);
    if got > limit {
        return Err(Error::TooMany { limit, got });
    }
    Ok(list.array()?.iter().map(read_digest).collect::<Result<_, _>>()?)
}

fn read_history(top: &Node<'_>) -> Result<Vec<History>, Error> {
    let Some(list) = top.optional("history")? else { return Ok(Vec::new()) };
    let read = |entry: &Node<'_>| {
        Ok(History {
            created: entry.optional_text("created")?,
            created_by: entry.optional_text("created_by")?,
            author: entry.optional_text("author")?,
            comment: entry.optional_text("comment")?,
            empty_layer: entry.optional("empty_layer")?.map(|flag| flag.boolean()).transpose()?.unwrap_or(false),
        })
    };
    list.array()?.iter().map(read).collect()
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not JSON as it must be, or a field is wrong.
    #[error("malformed image configuration: {0}")]
    Json(#[from] json::Error),
    /// It is larger than any configuration may be.
    #[error("image configuration is too large: expected at most {limit} bytes, got {got}")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// Its size in bytes.
        got: u64,
    },
    /// It speaks of too many layers.
    #[error("image configuration: expected at most {limit} diff_ids, got {got}")]
    TooMany {
        /// The limit.
        limit: u64,
        /// Digests found.
        got: u64,
    },
}

impl Error {
    /// What a person can do about it: raise the limit that was met.
    pub fn hint(&self) -> Option<Hint> {
        match *self {
            Self::TooLarge { limit, got } => Some(Hint::raise("manifest_bytes", limit, got)),
            Self::TooMany { limit, got, .. } => Some(Hint::raise("descriptors", limit, got)),
            Self::Json(_) => None,
        }
    }
}
