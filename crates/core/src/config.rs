//! Image configurations (OCI image specification, `config.md`), as plain data.

use std::collections::BTreeMap;

use crate::{
    descriptor::read_digest,
    deviation::Deviation,
    digest::Digest,
    failure::{Classify, Failure},
    json::{self, Node},
    limits::Limits,
    manifest::Raw,
    platform::Platform,
};

/// An image configuration. Its strings come from the image: this program never uses them as its own paths, commands or keys.
#[derive(Clone, Debug, Default)]
pub struct ImageConfig {
    /// The platform, normalised. Present if the document names both operating system and architecture.
    pub platform: Option<Platform>,
    /// Creation time as written in the document (RFC 3339).
    pub created: Option<String>,
    /// `author`: the person or organisation that built the image.
    pub author: Option<String>,
    /// `config`: how a runtime starts a container from the image.
    pub execution: Execution,
    /// Digests of the unpacked layers (`rootfs.diff_ids`), bottom first.
    pub diff_ids: Vec<Digest>,
    /// Build history, bottom first. Entries with `empty_layer` have no layer.
    pub history: Vec<History>,
    /// Deviations from the specification. Empty for a configuration that conforms.
    pub deviations: Vec<Deviation>,
}

/// Execution parameters, the object `config`.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// `User`, as `user[:group]` in names or numbers.
    pub user: String,
    /// `Env`, each as `NAME=value`.
    pub env: Vec<String>,
    /// `Entrypoint`: the command, to which `Cmd` is appended.
    pub entrypoint: Vec<String>,
    /// `Cmd`: default arguments, or the command if there is no `Entrypoint`.
    pub cmd: Vec<String>,
    /// `WorkingDir` of the entry point.
    pub working_dir: String,
    /// `Labels` by name.
    pub labels: BTreeMap<String, String>,
    /// The keys of `ExposedPorts`, sorted.
    pub exposed_ports: Vec<String>,
    /// The keys of `Volumes`, sorted.
    pub volumes: Vec<String>,
    /// `StopSignal`, by name or number.
    pub stop_signal: Option<String>,
}

/// One entry of `history`.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Creation time as written in the document (RFC 3339).
    pub created: Option<String>,
    /// The instruction that made this entry, as the builder wrote it.
    pub created_by: Option<String>,
    /// `author` of the instruction.
    pub author: Option<String>,
    /// `comment`: free text of the builder.
    pub comment: Option<String>,
    /// Whether the instruction produced no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Parses a configuration. A field that is missing, `null` or malformed counts as absent. If the document is not a JSON
    /// object, all fields are absent. [`deviations`](Self::deviations) lists what is wrong.
    ///
    /// # Errors
    ///
    /// [`Error`] for ambiguous JSON, and for a document or list over its limit.
    pub fn parse(raw: &Raw) -> Result<Self, Error> {
        Self::parse_with_limits(raw, &Limits::default())
    }

    /// Parses a configuration within [`Limits::manifest_bytes`] and [`Limits::descriptors`].
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with_limits(raw: &Raw, limits: &Limits) -> Result<Self, Error> {
        if raw.size() > limits.manifest_bytes {
            return Err(Error::TooLarge { limit: limits.manifest_bytes, got: raw.size() });
        }
        let value = match json::parse_strict(raw.bytes()) {
            Err(error @ (json::Error::Syntax(_) | json::Error::ByteOrderMark)) => return Ok(Self::unreadable(error)),
            value => value?,
        };
        let top = Node::top("config", &value);
        if let Err(error) = top.object() {
            return Ok(Self::unreadable(error));
        }
        let mut fields = Fields::default();
        let platform = read_platform(&top, &mut fields);
        let created = fields.take(top.optional_text("created"));
        let author = fields.take(top.optional_text("author"));
        let execution = fields.take(top.optional("config"));
        let execution = execution.map(|node| read_execution(&node, &mut fields)).unwrap_or_default();
        let history = read_history(&top, &mut fields);
        let mut deviations: Vec<_> = fields.deviations.into_iter().map(Deviation::Field).collect();
        let diff_ids = match read_diff_ids(&top, limits) {
            Ok(diff_ids) => diff_ids,
            Err(Error::Json(error)) => {
                deviations.push(Deviation::Rootfs(error));
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        Ok(Self { platform, created, author, execution, diff_ids, history, deviations })
    }

    /// The empty configuration for bytes that are not a JSON object. The layers can be read without a configuration.
    fn unreadable(error: json::Error) -> Self {
        Self { deviations: vec![Deviation::Config(error)], ..Self::default() }
    }
}

/// Collects the errors of malformed fields, and reads each such field as its default.
#[derive(Default)]
struct Fields {
    deviations: Vec<json::Error>,
}

impl Fields {
    fn take<T: Default>(&mut self, field: Result<T, json::Error>) -> T {
        field.unwrap_or_else(|error| {
            self.deviations.push(error);
            T::default()
        })
    }
}

fn read_platform(top: &Node<'_>, fields: &mut Fields) -> Option<Platform> {
    let variant = fields.take(top.optional_text("variant"));
    let os_version = fields.take(top.optional_text("os.version"));
    let os_features = fields.take(top.optional_strings("os.features"));
    let os = fields.take(top.optional_text("os"));
    let architecture = fields.take(top.optional_text("architecture"));
    let (os, architecture) = os.zip(architecture)?;
    Some(Platform { os, architecture, variant, os_version, os_features }.normalized())
}

fn read_execution(node: &Node<'_>, fields: &mut Fields) -> Execution {
    if let Err(error) = node.object() {
        fields.deviations.push(error);
        return Execution::default();
    }
    Execution {
        user: fields.take(node.optional_text("User")).unwrap_or_default(),
        env: read_env(node, fields),
        entrypoint: read_command(node, "Entrypoint", fields),
        cmd: read_command(node, "Cmd", fields),
        working_dir: fields.take(node.optional_text("WorkingDir")).unwrap_or_default(),
        labels: fields.take(node.optional_map("Labels")),
        exposed_ports: fields.take(read_set(node, "ExposedPorts")),
        volumes: fields.take(read_set(node, "Volumes")),
        stop_signal: fields.take(node.optional_text("StopSignal")),
    }
}

/// Reads `Env`. A variable without `=` is a deviation but stays in the list, because engines pass it on.
fn read_env(node: &Node<'_>, fields: &mut Fields) -> Vec<String> {
    let Some(list) = fields.take(node.optional("Env")) else { return Vec::new() };
    // `strings` below reports an `Env` that is not a list.
    for variable in list.array().unwrap_or_default() {
        if variable.string().is_ok_and(|text| !text.contains('=')) {
            fields.deviations.push(variable.unexpected("a variable as `NAME=value`"));
        }
    }
    fields.take(list.strings())
}

/// The arguments of a command. One string in place of a list, as old builders wrote it, is one argument.
fn read_command(node: &Node<'_>, key: &str, fields: &mut Fields) -> Vec<String> {
    let Some(command) = fields.take(node.optional(key)) else { return Vec::new() };
    match (command.strings(), command.string()) {
        (Ok(arguments), _) => arguments,
        (Err(error), Ok(text)) => {
            fields.deviations.push(error);
            vec![text.to_owned()]
        }
        (Err(error), Err(_)) => fields.take(Err(error)),
    }
}

/// Reads the keys of a set, which Go writes as an object of empty objects. Returns them sorted.
fn read_set(node: &Node<'_>, key: &str) -> Result<Vec<String>, json::Error> {
    let Some(set) = node.optional(key)? else { return Ok(Vec::new()) };
    let mut keys: Vec<_> = set.object()?.keys().cloned().collect();
    keys.sort();
    Ok(keys)
}

fn read_diff_ids(top: &Node<'_>, limits: &Limits) -> Result<Vec<Digest>, Error> {
    let rootfs = top.required("rootfs")?;
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

fn read_history(top: &Node<'_>, fields: &mut Fields) -> Vec<History> {
    let Some(list) = fields.take(top.optional("history")) else { return Vec::new() };
    let entries = fields.take(list.array());
    let read = |entry: &Node<'_>| History {
        created: fields.take(entry.optional_text("created")),
        created_by: fields.take(entry.optional_text("created_by")),
        author: fields.take(entry.optional_text("author")),
        comment: fields.take(entry.optional_text("comment")),
        empty_layer: fields
            .take(entry.optional("empty_layer").and_then(|flag| flag.map(|flag| flag.boolean()).transpose()))
            .unwrap_or(false),
    };
    entries.iter().map(read).collect()
}

/// Why a configuration is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The JSON is ambiguous or nested too deeply. Other faults are [deviations](ImageConfig::deviations).
    #[error("malformed image configuration: {0}")]
    Json(#[from] json::Error),
    /// The document is larger than [`Limits::manifest_bytes`].
    #[error("image configuration is too large: expected at most {limit} bytes (limit manifest_bytes), got {got}")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// Size of the document in bytes.
        got: u64,
    },
    /// `rootfs.diff_ids` is longer than [`Limits::descriptors`].
    #[error("image configuration: expected at most {limit} diff_ids (limit descriptors), got {got}")]
    TooMany {
        /// Entries that the list may have.
        limit: u64,
        /// `diff_ids` in the document.
        got: u64,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match *self {
            Self::TooLarge { limit, got } => Failure::named_limit("manifest_bytes", limit, got),
            Self::TooMany { limit, got } => Failure::named_limit("descriptors", limit, got),
            Self::Json(ref error) => error.failure(),
        }
    }
}
