//! The command line, the environment and the configuration file: one definition for all three.

use crate::{
    cache::{
        Bucket, Cache,
        place::{BucketOptions, Place},
    },
    clients::Clients,
    connections::is_exposed,
    cors::{self, Origins},
    identity::Identity,
    layout::Layouts,
    limits::Limits,
    log::{self, Log},
    metrics::Metrics,
    policy::Policy,
    registries::{Rule, Rules},
    route,
    seal::Seal,
    server::Relay,
    token::Realms,
    upstream::Upstream,
    workers,
};
use clap::Parser;
use http::HeaderValue;
use porthole_core::quantity::parse_bytes;
use porthole_native::{Addresses, LookupLimits, Native, Options, PieceSize, Resolver, Timeouts};
use porthole_registry::policy::Url;
use std::{
    env,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

/// Connect browser tabs to registries without CORS; serve the page too.
///
/// A relay reads registries on behalf of a page or of any OCI client, and streams what they answer. It keeps no credentials, and its
/// clients verify what it serves.
///
/// A client that cannot send `?ns=` writes the registry in front of the name, its port behind an underscore:
/// `skopeo inspect docker://127.0.0.1:8090/registry.example.com_5000/app`.
///
/// Every option is also a variable of the environment (`--max-connections` is PORTHOLE_RELAY_MAX_CONNECTIONS; lists have commas) and a
/// line of the file that --config names (`max-connections = 100`). The command line wins over the environment, and that over the file.
#[derive(Clone, Debug, Parser)]
#[command(name = "relay", version)]
pub(crate) struct Args {
    /// Read options from this file: lines of `name = value`, where a value is a "string", a number, true, or a ["list"]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Check the options and files, print what would be served, and exit
    #[arg(long)]
    pub(crate) check: bool,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,
    /// Where people reach this relay, when that is not the address it listens on
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Speak TLS with the certificates in this PEM file, which is read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Relay only to this registry (may be repeated); without it: to any with a public address
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// Rules for one registry: `HOST [allow|deny] [realm=HOST] [rate=REQUESTS-A-SECOND]` (may be repeated); in the file, a table
    /// `[registry."HOST"]` with `allow`, `realms` and `rate`
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(crate) registry: Vec<Rule>,
    /// This host may have a private or a loopback address, and any port
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(crate) allow_private: Vec<String>,
    /// Connect to this host without TLS; loopback addresses never need it
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(crate) plain_http: Vec<String>,
    /// Also trust the certificate authorities of this PEM file
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(crate) ca: Vec<PathBuf>,
    /// A registry of another domain may have its users sign in at this host
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(crate) trust_realm: Vec<String>,
    /// Pages of this origin may use the relay, beside its own
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) allow_origin: Vec<String>,
    /// Pages of this origin may show the page in a frame
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) frame_ancestors: Vec<String>,
    /// The registry of requests that name none
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) default_registry: Option<String>,
    /// Serve an OCI layout or a docker-archive from disk, as a repository of the registry `layout.localhost`, named like the file where no name is given
    #[arg(long, value_name = "[NAME=]DIR|FILE", value_delimiter = ',')]
    pub(crate) layout: Vec<PathBuf>,
    /// Also write to registries: uploads, manifests and deletions, with the credentials of each client
    #[arg(long)]
    pub(crate) allow_push: bool,
    /// Seal the URLs of uploads with the secret in this file (32 random bytes or more), which replicas share; without it, with a key of
    /// this process
    #[arg(long, value_name = "FILE")]
    pub(crate) upload_key: Option<PathBuf>,
    /// Keep blobs and manifests by digest in this directory, and serve them from there to callers whom their registry lets read them. A
    /// bucket beside it keeps them for other relays too
    #[arg(long, value_name = "DIR|s3://BUCKET[/PREFIX]", value_delimiter = ',')]
    pub(crate) cache: Vec<Place>,
    /// Size of the directory; the blobs that were not used for the longest time are removed
    #[arg(long, value_name = "SIZE", default_value = "10GiB", value_parser = parse_bytes)]
    pub(crate) cache_size: u64,
    /// Format of the log on stderr
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log: log::Format,
    /// Log the paths of requests too, which name repositories
    #[arg(long)]
    pub(crate) log_targets: bool,
    #[command(flatten)]
    pub(crate) bucket: BucketOptions,
    #[command(flatten)]
    pub(crate) limits: Limits,
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
        let public = args.public_url.as_deref().map(parse_public).transpose()?;
        let identity = match (args.tls_cert, args.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(Identity::load(certificate, key).map_err(|error| format!("--tls-cert: {error}"))?)
            }
            (None, None) => None,
            _ => return Err("--tls-cert: expected --tls-key with it".to_owned()),
        };
        let scheme = if identity.is_some() { "https" } else { "http" };
        let mut own = Vec::new();
        if local.ip().is_loopback() || local.ip().is_unspecified() {
            own.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{scheme}://{host}:{}", local.port())));
        }
        own.extend(public.iter().map(|(origin, _)| origin.clone()));
        let listed = parse_origins("--allow-origin", &args.allow_origin)?;
        let origins = Origins { own, listed, loopback: local.ip().is_loopback() };
        let mut frames = parse_origins("--frame-ancestors", &args.frame_ancestors)?.join(" ");
        if frames.is_empty() {
            "'none'".clone_into(&mut frames);
        }

        let limits = args.limits;
        let resolver = Resolver::pooled(LookupLimits {
            threads: limits.lookups as usize,
            deadline: limits.lookup_time,
            ..LookupLimits::default()
        });
        let piece = PieceSize::default();
        let (ca, lookups, size) = (args.ca, resolver.clone(), piece.clone());
        let transport = |allow: Vec<String>, timeouts: Timeouts| {
            let options = Options {
                addresses: Addresses::Public { allow },
                never: vec![local],
                ca: ca.iter().cloned().map(Into::into).collect(),
                timeouts,
                resolver: lookups.clone(),
                piece: size.clone(),
                connects_at_once: true,
                idle_per_host: Some(IDLE_PER_HOST.div_ceil(workers::count())),
                ..Options::default()
            };
            Native::new(options).map_err(|error| format!("--ca: {}", error.message))
        };
        let native = transport(args.allow_private.clone(), limits.timeouts())?;
        let rules = Rules::new(args.registry).map_err(|error| format!("--registry: {error}"))?;
        // A rule that allows a registry closes the relay to others, as --allow does.
        let only = args.allow.into_iter().chain(rules.allowed().map(str::to_owned)).collect();
        let policy = Policy {
            only,
            rules: Arc::new(rules),
            private: args.allow_private,
            plain: args.plain_http,
            realms: args.trust_realm,
            own: public.iter().map(|(_, authority)| authority.clone()).collect(),
        };
        let seal = match (args.allow_push, args.upload_key) {
            (true, Some(file)) => Some(Seal::from_file(&file)),
            (true, None) => Some(Seal::random()),
            (false, Some(_)) => return Err("--upload-key: expected --allow-push with it".to_owned()),
            (false, None) => None,
        };
        let metrics = Arc::new(Metrics::default());
        let log = log::to_stderr(args.log, args.log_targets);
        let cache = open_cache(args.cache, args.cache_size, args.bucket, transport, &log)?;
        Ok(Self {
            clients: Clients::new(&limits, local.ip(), piece, Arc::clone(&metrics)),
            upstream: Arc::new(Upstream {
                native,
                policy,
                first_byte: limits.upstream_first_byte,
                metrics: Arc::clone(&metrics),
                judged: Mutex::default(),
            }),
            cache,
            pushes: seal.transpose().map_err(|error| format!("--upload-key: {error}"))?,
            resolver,
            realms: Realms::default(),
            metrics,
            origins,
            layouts: Layouts::open(&args.layout).map_err(|error| format!("--layout: {error}"))?,
            public,
            default_registry: args.default_registry,
            frames: HeaderValue::from_str(&format!("frame-ancestors {frames}"))
                .map_err(|error| format!("--frame-ancestors: {error}"))?,
            identity,
            stopping: AtomicBool::new(false),
            log,
            limits,
        })
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self, local: SocketAddr) -> String {
        format!("{}://{local}", if self.identity.is_some() { "https" } else { "http" })
    }

    /// What the operator should know before others can connect to `local`.
    pub(crate) fn warnings(&self, local: &SocketAddr) -> Vec<String> {
        let mut warnings = Vec::new();
        if !is_exposed(local) {
            return warnings;
        }
        if self.upstream.policy.only.is_empty() {
            warnings.push(format!(
                "other machines can connect to {local} and reach every public registry through it: --allow names those that they may"
            ));
        } else {
            warnings.push(format!("other machines can connect to {local}"));
        }
        if self.identity.is_none() {
            warnings.push(
                "passwords and tokens cross the network without TLS: add --tls-cert and --tls-key, or put a proxy in front that has TLS"
                    .to_owned(),
            );
        }
        if self.public.is_none() {
            warnings
                .push("only requests by IP address are served: --public-url sets the name of this relay".to_owned());
        }
        warnings
    }
}

/// The directory and the bucket of the cache. The bucket is reached by `transport`, to which hosts with private addresses are named: its
/// own alone.
fn open_cache(
    places: Vec<Place>,
    size: u64,
    options: BucketOptions,
    transport: impl FnOnce(Vec<String>, Timeouts) -> Result<Native, String>,
    log: &Log,
) -> Result<Option<Arc<Cache>>, String> {
    let (mut folder, mut bucket) = (None, None);
    for place in places {
        let known = match place {
            Place::Folder(path) => folder.replace(path).is_some(),
            Place::Bucket { bucket: name, prefix } => bucket.replace((name, prefix)).is_some(),
        };
        if known {
            return Err("--cache: expected one directory, and at most one bucket".to_owned());
        }
    }
    if bucket.is_none() && options != BucketOptions::default() {
        return Err(
            "--cache-endpoint, --cache-region, --cache-credentials: expected --cache s3://BUCKET with them".to_owned()
        );
    }
    let Some(folder) = folder else {
        let alone =
            "--cache: expected a directory beside the bucket, for blobs on their way (--cache DIR --cache s3://BUCKET)";
        return if bucket.is_some() { Err(alone.to_owned()) } else { Ok(None) };
    };
    let bucket = match bucket {
        Some((name, prefix)) => {
            let environment = |name: &str| env::var(name).ok();
            let reached = options.reach(&name, &prefix, &environment)?;
            let native = transport(vec![reached.host()], Bucket::timeouts())?;
            let opened = Bucket::open(reached, options.cache_credentials, &environment, native, log.clone());
            Some(opened.map_err(|error| format!("--cache: {error}"))?)
        }
        None => None,
    };
    let opened = Cache::open(&folder, size, bucket);
    opened.map(Some).map_err(|error| format!("--cache: `{}`: {error}", folder.display()))
}

/// Connections to one registry that wait for the next request, those of all workers together. With fewer than there are clients at once,
/// every second small request opens one.
const IDLE_PER_HOST: usize = 128;

fn parse_origins(flag: &str, origins: &[String]) -> Result<Vec<String>, String> {
    let parse = |origin: &String| {
        cors::parse_origin(origin)
            .ok_or_else(|| format!("{flag}: expected an origin like https://example.com, got `{origin}`"))
    };
    origins.iter().map(parse).collect()
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
