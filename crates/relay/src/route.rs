//! Which request is which: pure, and the only door. What does not parse here reaches no registry.

use crate::refusal::Refusal;
use http::{HeaderValue, Method, StatusCode, Uri};
use porthole_core::{digest::Digest, reference::Reference};
use porthole_registry::policy::Authority;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A file of the web app, by its path.
    Page(String),
    /// `/relay.json`
    About,
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/v2/` of no registry: the version check.
    Version,
    /// Something of a registry.
    Registry(Call),
    /// `/token`
    Token(TokenCall),
}

/// A request to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The logical registry: `docker.io`.
    pub(crate) registry: String,
    /// `host[:port]` that serves its API: `registry-1.docker.io`.
    pub(crate) host: String,
    /// `library/nginx`; empty where the endpoint has no repository.
    pub(crate) repository: String,
    pub(crate) endpoint: Endpoint,
    /// Query parameters other than `ns`, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// The path as it was asked for, and whether `?ns=` came with it: links lead back the same way.
    pub(crate) path: String,
    pub(crate) by_query: bool,
}

/// Endpoints of the distribution specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Version,
    Catalog,
    Tags,
    Referrers(Digest),
    Manifest(String),
    Blob(Digest),
    /// Where uploads begin.
    Uploads,
    /// A place that a registry gave an upload, sealed.
    Session(String),
}

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenCall {
    /// Registry and host; `None` if only the scope names them.
    pub(crate) place: Option<(String, String)>,
    /// Query parameters other than `ns`, decoded.
    pub(crate) query: Vec<(String, String)>,
}

impl Route {
    /// Reads a request. `default` is the registry of requests that name none; `pushes` says whether this relay writes to registries.
    pub(crate) fn parse(method: &Method, uri: &Uri, default: Option<&str>, pushes: bool) -> Result<Self, Refusal> {
        let route = Self::read(uri, default)?;
        route.admit(method, pushes)?;
        Ok(route)
    }

    /// Reads the target of a request, whatever its method. `default` is the registry of requests that name none.
    pub(crate) fn read(uri: &Uri, default: Option<&str>) -> Result<Self, Refusal> {
        // CONNECT has no other form of target.
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(Refusal::bad_request("REQUEST_INVALID", "this is no general proxy"));
        }
        let path = uri.path();
        let raw = uri.query().unwrap_or_default();
        match path {
            "/relay.json" => Ok(Self::About),
            "/healthz" => Ok(Self::Health),
            "/readyz" => Ok(Self::Ready),
            "/metrics" => Ok(Self::Metrics),
            "/token" => {
                let (ns, query) = parameters(raw)?;
                let place = match ns {
                    Some(registry) => Some((registry.clone(), api_host(&registry)?)),
                    None => None,
                };
                Ok(Self::Token(TokenCall { place, query }))
            }
            _ => match path.strip_prefix("/v2").map(|rest| rest.strip_prefix('/').unwrap_or(rest)) {
                Some(rest) if path == "/v2" || path.starts_with("/v2/") => api(path, rest, raw, default),
                _ => Ok(Self::Page(path.to_owned())),
            },
        }
    }

    /// Refuses a method that it does not take. `pushes` says whether this relay writes to registries.
    pub(crate) fn admit(&self, method: &Method, pushes: bool) -> Result<(), Refusal> {
        if self.methods(pushes).contains(method) {
            return Ok(());
        }
        let written = matches!(self, Self::Registry(call) if call.endpoint.methods(true).contains(method));
        Err(if written { only_reads() } else { unsupported(method) })
    }

    /// The methods that it takes.
    pub(crate) fn methods(&self, pushes: bool) -> &'static [Method] {
        match self {
            Self::Token(_) => &[Method::GET, Method::POST],
            Self::Registry(call) => call.endpoint.methods(pushes),
            _ => READS,
        }
    }

    /// The shape of the path, without the names in it: for logs and counters.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Page(_) => "/{file}",
            Self::About => "/relay.json",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::Token(_) => "/token",
            Self::Version => "/v2/",
            Self::Registry(call) => match call.endpoint {
                Endpoint::Version => "/v2/",
                Endpoint::Catalog => "/v2/_catalog",
                Endpoint::Tags => "/v2/{name}/tags/list",
                Endpoint::Referrers(_) => "/v2/{name}/referrers/{digest}",
                Endpoint::Manifest(_) => "/v2/{name}/manifests/{reference}",
                Endpoint::Blob(_) => "/v2/{name}/blobs/{digest}",
                Endpoint::Uploads => "/v2/{name}/blobs/uploads/",
                Endpoint::Session(_) => "/v2/{name}/blobs/uploads/{session}",
            },
        }
    }
}

impl Endpoint {
    /// Whether a digest names the content, which then never changes, or a tag does; `None` for lists.
    pub(crate) fn is_by_digest(&self) -> Option<bool> {
        match self {
            Self::Blob(_) => Some(true),
            Self::Manifest(target) => Some(target.contains(':')),
            Self::Version | Self::Catalog | Self::Tags | Self::Referrers(_) | Self::Uploads | Self::Session(_) => None,
        }
    }

    /// Whether it belongs to the upload of a blob.
    pub(crate) fn is_upload(&self) -> bool {
        matches!(self, Self::Uploads | Self::Session(_))
    }

    /// Whether a request with this method writes, or belongs to something that does.
    pub(crate) fn is_write(&self, method: &Method) -> bool {
        self.is_upload() || !reads(method)
    }

    fn methods(&self, pushes: bool) -> &'static [Method] {
        match self {
            Self::Uploads | Self::Session(_) if !pushes => &[],
            Self::Uploads => &[Method::POST],
            Self::Session(_) => &[Method::GET, Method::PATCH, Method::PUT, Method::DELETE],
            Self::Manifest(_) if pushes => &[Method::GET, Method::HEAD, Method::PUT, Method::DELETE],
            Self::Blob(_) if pushes => &[Method::GET, Method::HEAD, Method::DELETE],
            _ => READS,
        }
    }

    /// What is wanted, in the words of an error.
    pub(crate) fn step(&self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Catalog => "catalog",
            Self::Tags => "tags",
            Self::Referrers(_) => "referrers",
            Self::Manifest(_) => "manifest",
            Self::Blob(_) => "blob",
            Self::Uploads | Self::Session(_) => "upload",
        }
    }
}

impl Call {
    /// The path of the same thing at the registry itself.
    pub(crate) fn upstream_path(&self) -> String {
        let name = &self.repository;
        match &self.endpoint {
            Endpoint::Version => "/v2/".to_owned(),
            Endpoint::Catalog => "/v2/_catalog".to_owned(),
            Endpoint::Tags => format!("/v2/{name}/tags/list"),
            Endpoint::Referrers(digest) => format!("/v2/{name}/referrers/{digest}"),
            Endpoint::Manifest(reference) => format!("/v2/{name}/manifests/{reference}"),
            Endpoint::Blob(digest) => format!("/v2/{name}/blobs/{digest}"),
            Endpoint::Uploads | Endpoint::Session(_) => format!("/v2/{name}/blobs/uploads/"),
        }
    }
}

fn reads(method: &Method) -> bool {
    READS.contains(method)
}

pub(crate) fn only_reads() -> Refusal {
    let message = "this relay only reads from registries (--allow-push)";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
}

/// Methods as `Allow` lists them.
pub(crate) fn list(methods: &[Method]) -> HeaderValue {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

fn unsupported(method: &Method) -> Refusal {
    let message = format!("{method} is not supported here");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
}

pub(crate) fn no_namespace() -> Refusal {
    Refusal::bad_request(
        "NAMESPACE_REQUIRED",
        "expected a registry: ?ns=HOST, or its host as the first part of the name",
    )
}

fn api(path: &str, rest: &str, raw: &str, default: Option<&str>) -> Result<Route, Refusal> {
    let (ns, query) = parameters(raw)?;
    let by_query = ns.is_some();
    let bare = match rest {
        "" => Some(Endpoint::Version),
        "_catalog" => Some(Endpoint::Catalog),
        _ => None,
    };
    // The same with the registry in the path, as clients send it that put the whole of a name behind a prefix.
    let in_path = |rest: &str, endpoint| {
        let (registry, "") = split_registry(rest, None).ok().filter(|_| ns.is_none())? else { return None };
        Some((registry, endpoint))
    };
    let named = rest.strip_suffix("_catalog").and_then(|rest| in_path(rest, Endpoint::Catalog));
    let named = named.or_else(|| in_path(rest, Endpoint::Version));
    if let Some((registry, endpoint)) = named {
        let host = api_host(&registry)?;
        let (repository, path) = (String::new(), path.to_owned());
        return Ok(Route::Registry(Call { registry, host, repository, endpoint, query, path, by_query }));
    }
    if let Some(endpoint) = bare {
        if endpoint == Endpoint::Version && !by_query {
            return Ok(Route::Version);
        }
        let registry = ns.or_else(|| default.map(str::to_owned)).ok_or_else(no_namespace)?;
        let host = api_host(&registry)?;
        let repository = String::new();
        let path = path.to_owned();
        return Ok(Route::Registry(Call { registry, host, repository, endpoint, query, path, by_query }));
    }

    let (head, last) = rest.rsplit_once('/').ok_or_else(unknown)?;
    let (name, kind) = head.rsplit_once('/').ok_or_else(unknown)?;
    let (name, endpoint) = match (kind, last) {
        ("uploads", last) if name.ends_with("/blobs") => {
            let name = name.strip_suffix("/blobs").unwrap_or(name);
            (name, if last.is_empty() { Endpoint::Uploads } else { Endpoint::Session(last.to_owned()) })
        }
        ("blobs", "uploads") => (name, Endpoint::Uploads),
        _ => (name, read_endpoint(kind, last)?),
    };
    let (registry, name) = match ns {
        Some(registry) => (registry, name),
        None => split_registry(name, default)?,
    };
    let reference = read_name(&registry, name)?;
    if let Endpoint::Manifest(target) = &endpoint {
        if target.contains(':') {
            parse_digest(target)?;
        } else {
            format!("{registry}/{name}:{target}")
                .parse::<Reference>()
                .map_err(|_| Refusal::bad_request("TAG_INVALID", "expected a tag or a digest"))?;
        }
    }
    Ok(Route::Registry(Call {
        host: reference.api_host().to_owned(),
        repository: reference.repository().to_owned(),
        registry,
        endpoint,
        query,
        path: path.to_owned(),
        by_query,
    }))
}

fn unknown() -> Refusal {
    Refusal::not_found("NOT_FOUND", "no such endpoint")
}

fn read_endpoint(kind: &str, last: &str) -> Result<Endpoint, Refusal> {
    match (kind, last) {
        ("tags", "list") => Ok(Endpoint::Tags),
        ("manifests", reference) => Ok(Endpoint::Manifest(reference.to_owned())),
        ("blobs", digest) => Ok(Endpoint::Blob(parse_digest(digest)?)),
        ("referrers", digest) => Ok(Endpoint::Referrers(parse_digest(digest)?)),
        _ => Err(unknown()),
    }
}

/// The registry in front of a name, by Docker's rule, and the rest of the name.
///
/// Most clients take no colon in a name, so a port may also stand behind an underscore: `127.0.0.1_5000/a/b`.
pub(crate) fn split_registry<'n>(name: &'n str, default: Option<&str>) -> Result<(String, &'n str), Refusal> {
    if let Some((first, rest)) = name.split_once('/') {
        let host = |host: &str| host == "localhost" || host.contains(['.', ':']);
        match first.rsplit_once('_') {
            Some((name, port)) if host(name) && port.bytes().all(|b| b.is_ascii_digit()) => {
                return Ok((format!("{name}:{port}"), rest));
            }
            _ if host(first) || first.bytes().any(|b| b.is_ascii_uppercase()) => return Ok((first.to_owned(), rest)),
            _ => {}
        }
    }
    Ok((default.ok_or_else(no_namespace)?.to_owned(), name))
}

fn api_host(registry: &str) -> Result<String, Refusal> {
    Ok(read_name(registry, "name")?.api_host().to_owned())
}

pub(crate) fn read_name(registry: &str, name: &str) -> Result<Reference, Refusal> {
    if !is_canonical(registry) {
        let message = "expected a registry in canonical form: lower-case ASCII host[:port]";
        return Err(Refusal::bad_request("NAMESPACE_INVALID", message));
    }
    let invalid = |message: String| Refusal::bad_request("NAME_INVALID", message);
    if name.contains([':', '@']) {
        return Err(invalid("expected the name of a repository".to_owned()));
    }
    let reference: Reference = format!("{registry}/{name}").parse().map_err(|error| invalid(format!("{error}")))?;
    if reference.registry() != registry {
        // `index.docker.io` has another name, `registry` would be no host.
        let message = "expected a registry in canonical form: a host with a dot or a port, docker.io for Docker Hub";
        return Err(Refusal::bad_request("NAMESPACE_INVALID", message));
    }
    Ok(reference)
}

fn parse_digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error| Refusal::bad_request("DIGEST_INVALID", format!("{error}")))
}

/// Whether text is `host[:port]` in the one way to write it: lower case, no final dot, no leading
/// zeros in the port, an IPv6 address in its shortest form and in brackets.
pub(crate) fn is_canonical(text: &str) -> bool {
    Authority::parse(text).is_ok_and(|authority| match authority.port {
        Some(port) => text == format!("{}:{port}", authority.host),
        None => text == authority.host.to_string(),
    })
}

/// The parameters of a query, decoded: the registry, and the others.
#[expect(clippy::type_complexity)]
fn parameters(raw: &str) -> Result<(Option<String>, Vec<(String, String)>), Refusal> {
    let invalid = |message: &str| Refusal::bad_request("REQUEST_INVALID", message);
    if raw.len() > QUERY_BYTES {
        return Err(invalid("the query is too long"));
    }
    let mut ns = None;
    let mut others = Vec::new();
    for (key, value) in form_urlencoded::parse(raw.as_bytes()) {
        if key.chars().chain(value.chars()).any(char::is_control) {
            return Err(invalid("expected a query without control characters"));
        }
        if key != "ns" {
            others.push((key.into_owned(), value.into_owned()));
        } else if ns.replace(value.into_owned()).is_some() {
            return Err(invalid("expected one ns"));
        }
    }
    Ok((ns, others))
}

pub(crate) const READS: &[Method] = &[Method::GET, Method::HEAD];
/// Paging tokens of registries are opaque and may be long.
const QUERY_BYTES: usize = 4 << 10;

#[cfg(test)]
mod tests;
