//! The command line.

use crate::{
    cors::{self, Origins},
    layout::Layouts,
    metrics::Metrics,
    policy::Policy,
    route,
    server::Relay,
    token::Realms,
    upstream::Upstream,
};
use clap::Parser;
use porthole_native::{Addresses, Native, Options};
use porthole_registry::policy::Url;
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

/// The way from a browser tab to registries that do not speak to browsers. Serves the page, too.
///
/// A relay reads registries on behalf of a page or of any OCI client, and streams what they answer. It keeps no
/// credentials, and what it serves is verified by whoever asked.
///
/// A client that cannot send `?ns=` writes the registry in front of the name, its port behind an underscore:
/// `skopeo inspect docker://127.0.0.1:8090/registry.example.com_5000/app`.
#[derive(Clone, Debug, Parser)]
#[command(name = "relay", version)]
pub(crate) struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,
    /// Where people reach this relay, when that is not the address it listens on.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Relay only to this registry (may be given more than once); without it: to any with a public address.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) allow: Vec<String>,
    /// This host may have a private or a loopback address, and any port.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) allow_private: Vec<String>,
    /// Speak to this host without TLS; loopback addresses never need it.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) plain_http: Vec<String>,
    /// Trust the certificate authorities of this PEM file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// A registry of another domain may have its users sign in at this host.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) trust_realm: Vec<String>,
    /// Pages of this origin may use the relay, beside its own.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// The registry of requests that name none.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) default_registry: Option<String>,
    /// Serve an OCI layout or a docker-archive from disk, as a repository of the registry `layout.localhost`.
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) layout: Vec<PathBuf>,
}

impl Relay {
    /// A relay by these arguments, that listens at `local`.
    ///
    /// # Errors
    /// Names the argument that cannot be used, and why.
    pub(crate) fn new(args: Args, local: SocketAddr) -> Result<Self, String> {
        for (flag, hosts) in [
            ("--allow", &args.allow),
            ("--allow-private", &args.allow_private),
            ("--plain-http", &args.plain_http),
            ("--trust-realm", &args.trust_realm),
            ("--default-registry", &args.default_registry.iter().cloned().collect()),
        ] {
            if let Some(host) = hosts.iter().find(|host| !route::is_canonical(host)) {
                return Err(format!("{flag}: expected a lower-case host[:port], got `{host}`"));
            }
        }
        let listed = args.allow_origin.iter().map(|origin| {
            cors::parse_origin(origin)
                .ok_or_else(|| format!("--allow-origin: expected an origin like https://example.com, got `{origin}`"))
        });
        let public = args.public_url.as_deref().map(parse_public).transpose()?;
        let mut own = Vec::new();
        if local.ip().is_loopback() || local.ip().is_unspecified() {
            own.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{}", local.port())));
        }
        own.extend(public.iter().map(|(origin, _)| origin.clone()));
        let origins = Origins { own, listed: listed.collect::<Result<_, _>>()?, loopback: local.ip().is_loopback() };

        let native = Native::new(Options {
            addresses: Addresses::Public { allow: args.allow_private.clone() },
            never: vec![local],
            ca: args.ca.into_iter().map(Into::into).collect(),
            ..Options::default()
        })
        .map_err(|error| format!("--ca: {}", error.message))?;
        let policy = Policy {
            only: args.allow,
            private: args.allow_private,
            plain: args.plain_http,
            realms: args.trust_realm,
            own: public.iter().map(|(_, authority)| authority.clone()).collect(),
        };
        Ok(Self {
            upstream: Upstream { native, policy },
            realms: Realms::default(),
            metrics: Arc::new(Metrics::default()),
            origins,
            layouts: Layouts::open(&args.layout).map_err(|error| format!("--layout: {error}"))?,
            public,
            default_registry: args.default_registry,
            stopping: AtomicBool::new(false),
            // A log that nobody reads any more must not stop the relay.
            log: |line| drop(writeln!(io::stderr(), "{line}")),
        })
    }
}

/// Origin and `host[:port]` of a public URL.
fn parse_public(text: &str) -> Result<(String, String), String> {
    let invalid = |reason: &str| format!("--public-url: {reason}, got `{text}`");
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if url.split_target() != ("/", None) {
        return Err(invalid("expected a URL without a path"));
    }
    Ok((url.origin().to_string(), url.origin().authority()))
}
