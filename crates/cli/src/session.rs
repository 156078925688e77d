//! The session of a verb: its options, and a registry client that is created on first use.

use std::{
    collections::HashMap,
    env,
    ffi::{OsStr, OsString},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use porthole_core::{
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
    layout::LAYOUT_FILE,
    limits::Limits,
    platform::Platform,
    reference::Reference,
};
use porthole_credentials::{Found, Places, Warning};
use porthole_native::{Hosts, Native, Options as Transport, Proxies, Timeouts};
use porthole_registry::{
    auth::Credentials,
    client::{Options, Registry},
    policy::{Authority, Scheme},
    retry,
    trace::Recorder,
};
use porthole_store::{IndexCache, Store};
use porthole_transfer::{pull, push, source};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    args::{ForHost, Global},
    error::{Error, Told},
    interrupt::Interrupt,
    limits::Setting,
    near,
    ui::{Ui, safe},
    wire::Wire,
};

/// The registry client of this program.
pub(crate) type Client = Registry<Native>;

/// Options, output and connections of one run of the program.
pub(crate) struct Session<'a> {
    pub(crate) ui: &'a Ui,
    pub(crate) limits: Limits,
    global: &'a Global,
    places: Places,
    /// By registry, the file that its credentials came from.
    sources: Mutex<HashMap<String, PathBuf>>,
    /// Warnings about files of credentials that were printed, so that none is printed twice.
    warned: Mutex<Vec<Warning>>,
    runtime: Runtime,
    interrupt: Interrupt,
    client: OnceLock<Arc<Client>>,
    /// Registries whose scheme is known, and whether credentials may be sent to each.
    reached: Mutex<HashMap<String, bool>>,
    /// Hosts that a command's own options reach by plain HTTP.
    plain: Mutex<Hosts>,
    /// Credentials that a command's own options give for a registry.
    given: Mutex<HashMap<String, Credentials>>,
    cache: OnceLock<Option<IndexCache>>,
    /// Dropped last: dropping the runtime aborts exchanges, and those must still be recorded.
    wire: Closing,
}

impl<'a> Session<'a> {
    pub(crate) fn new(global: &'a Global, ui: &'a Ui) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(IO_THREADS).enable_all().build();
        let runtime = runtime.map_err(|error| Error::Start(error.to_string()))?;
        let trace = global.trace.as_deref();
        let wire = Wire::new(Arc::clone(&ui.stderr), global.debug, trace);
        let wire = Arc::new(wire.map_err(|source| Error::trace(trace, source))?);
        Ok(Self {
            ui,
            limits: Setting::all(&global.limit),
            global,
            places: Places::new(global.authfile.as_deref(), |name| env::var_os(name), env::home_dir().as_deref()),
            sources: Mutex::default(),
            warned: Mutex::default(),
            interrupt: Interrupt::listen(runtime.handle(), &ui.stderr, &wire),
            runtime,
            client: OnceLock::new(),
            reached: Mutex::default(),
            plain: Mutex::new(global.plain_http.iter().map(|ForHost(host)| host.clone()).collect()),
            given: Mutex::default(),
            cache: OnceLock::new(),
            wire: Closing(wire),
        })
    }

    /// The platform of --platform.
    pub(crate) fn wanted_platform(&self) -> Option<&Platform> {
        self.global.platform.as_ref()
    }

    /// The platform to choose in an index. The default is Linux on every system, because images are.
    pub(crate) fn platform(&self) -> Platform {
        self.global.platform.clone().unwrap_or_else(|| Platform::new("linux", env::consts::ARCH, None))
    }

    /// The local store.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        let path = match &self.global.store {
            Some(path) => path.clone(),
            None => default_store().ok_or_else(|| Error::usage("no home directory for the store: give --store DIR"))?,
        };
        Ok(Store::open(&path)?.with_limits(self.limits))
    }

    /// The local store, if it exists already.
    pub(crate) fn existing_store(&self) -> Option<Store> {
        let path = self.global.store.clone().or_else(default_store)?;
        let store = path.join(LAYOUT_FILE).is_file().then(|| Store::open(&path).ok()).flatten()?;
        Some(store.with_limits(self.limits))
    }

    /// The cache of seek indexes, unless it is turned off or cannot be used.
    pub(crate) fn cache(&self) -> Option<&IndexCache> {
        self.cache.get_or_init(|| self.open_cache()).as_ref()
    }

    fn open_cache(&self) -> Option<IndexCache> {
        if self.global.no_cache {
            return None;
        }
        let folder = self.cache_folder()?;
        match IndexCache::open(&folder.join("indexes"), IndexCache::DEFAULT_BYTES) {
            Ok(cache) => Some(cache),
            Err(error) if self.global.cache.is_some() => {
                self.ui.note(format_args!("continues without a cache: {error}"));
                None
            }
            // The default cache is optional.
            Err(error) => {
                self.debug(&format!("continues without a cache: {error}"));
                None
            }
        }
    }

    /// The folder of the cache.
    pub(crate) fn cache_folder(&self) -> Option<PathBuf> {
        self.global.cache.clone().or_else(default_cache)
    }

    /// Writes a line to stderr if `--debug` is given.
    pub(crate) fn debug(&self, text: &str) {
        if self.global.debug {
            self.ui.stderr.debug(&format!("debug: {}", safe(text)));
        }
    }

    /// Starts to record HTTP exchanges.
    pub(crate) fn record(&self) -> &Recorder {
        self.wire.0.record()
    }

    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// The handling of signals.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// The files in which credentials are searched and stored.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// The client, with the credentials of the reference's registry if there are any.
    pub(crate) fn client(&self, reference: &Reference) -> Result<Arc<Client>, Error> {
        let (client, found) = self.introduced(reference)?;
        if let Some(failure) = found.failure.as_ref().filter(|_| found.is_own_helper) {
            let message = format!("cannot read the credentials for {}: {failure}", reference.registry());
            let failure = Failure::new(FailureClass::Authentication, Blame::Machine);
            let hint = Hint::Text("--anonymous sends no credentials".to_owned());
            return Err(Told { message, failure: failure.hint(hint) }.into());
        }
        if let Some(failure) = found.failure {
            self.ui.note(format_args!("continues without credentials for {}: {failure}", reference.registry()));
        }
        Ok(client)
    }

    /// As [`client`](Self::client), with the result of the search for credentials.
    pub(crate) fn introduced(&self, reference: &Reference) -> Result<(Arc<Client>, Found), Error> {
        let (client, trusted) = self.reach(reference)?;
        if self.global.anonymous {
            return Ok((client, Found::default()));
        }
        if let Some(credentials) = lock(&self.given).get(reference.registry()).cloned() {
            if !trusted {
                return Err(Error::usage(without_tls(reference.registry())));
            }
            client.set_credentials(reference.registry(), Some(credentials.clone()));
            return Ok((client, Found { credentials: Some(credentials), ..Found::default() }));
        }
        let found = self.places.find(reference)?;
        self.warn(&found.warnings);
        if let (Some(_), false) = (&found.credentials, trusted) {
            self.ui.note(without_tls(reference.registry()));
            return Ok((client, Found { credentials: None, ..found }));
        }
        if let Some(credentials) = &found.credentials {
            client.set_credentials(reference.registry(), Some(credentials.clone()));
            lock(&self.sources).insert(reference.registry().to_owned(), found.place.clone());
        }
        Ok((client, found))
    }

    /// Adds hints that need further look-ups: the file that refused credentials came from, a local file with the name of an image
    /// that was not found, and tags similar to one that does not exist.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let mut failure = error.failure();
        let is_absent =
            matches!(failure.kind, FailureClass::Authentication | FailureClass::NotFound | FailureClass::Network);
        let message = error.to_string();
        let is_named = |word: &OsString| is_file_named_in(&message, word);
        if let Some(file) = is_absent.then(|| env::args_os().skip(1).find(is_named)).flatten() {
            failure.hints.insert(0, Hint::Text(format!("did you mean the local file ./{}?", file.to_string_lossy())));
            return Told { message, failure }.into();
        }
        let refused = failure.hints.iter().find_map(|hint| match hint {
            Hint::CheckCredentials { registry } => lock(&self.sources).get(registry).cloned(),
            _ => None,
        });
        let Some(file) = refused else {
            return match lost_tag(&error).and_then(|reference| self.near_tags(&reference)) {
                Some(hint) => Told { message, failure: failure.hint(hint) }.into(),
                None => error,
            };
        };
        let file = file.to_string_lossy();
        let origin = Hint::Text(format!("the credentials come from {file}; if the image is public, add --anonymous"));
        Told { message, failure: failure.hint(origin) }.into()
    }

    /// Lists the tags of the repository, for a hint about a tag that has no manifest: similar tags, or that the tag is listed
    /// although it has none. `None` if that fails, because a second error would only hide the first one.
    fn near_tags(&self, reference: &Reference) -> Option<Hint> {
        let (client, typed) = (self.client.get()?, reference.tag()?);
        let mut tags = Vec::new();
        let listed = client.fetch_tag_pages(reference, |page| {
            tags.extend_from_slice(&page);
            if tags.len() < TAGS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let listed = self.runtime.block_on(async { tokio::time::timeout(LOOK_AROUND, listed).await });
        listed.ok()?.ok()?;
        if tags.iter().any(|tag| tag == typed) {
            return Some(Hint::Text(format!(
                "{} lists the tag `{typed}`, but has no manifest for it: it may be damaged there, or just being deleted",
                reference.registry()
            )));
        }
        let near: Vec<_> = near::tags(typed, &tags).into_iter().map(|tag| format!("`{}`", safe(tag))).collect();
        near::hint(&near)
    }

    fn warn(&self, warnings: &[Warning]) {
        let mut warned = lock(&self.warned);
        for warning in warnings {
            if !warned.contains(warning) {
                let Warning { file, reason } = warning;
                let file = file.to_string_lossy();
                self.ui.note(safe(&format!("cannot use the credentials in {file}: {reason}")));
                warned.push(warning.clone());
            }
        }
    }

    /// Token realms to which credentials of any registry may be sent.
    pub(crate) fn trusted_realms(&self) -> &[String] {
        &self.global.trust_realm
    }

    /// Whether verification of the registry's certificate is skipped.
    pub(crate) fn accepts_any_certificate(&self, reference: &Reference) -> bool {
        let Ok(host) = Authority::parse(reference.api_host()) else { return false };
        let insecure: Hosts = self.global.insecure.iter().map(|ForHost(host)| host.clone()).collect();
        insecure.include(&host.host, host.port.unwrap_or_else(|| Scheme::Https.port()))
    }

    /// Permits plain HTTP for the reference's registry. For options of a verb that apply to only one of its registries.
    pub(crate) fn allow_plain(&self, reference: &Reference) {
        if let Ok(host) = Authority::parse(reference.api_host()) {
            lock(&self.plain).add(Some(host));
        }
    }

    /// Uses these credentials for the reference's registry, and no stored ones.
    ///
    /// # Errors
    ///
    /// Other credentials were given for the same registry.
    pub(crate) fn give_credentials(&self, reference: &Reference, credentials: Credentials) -> Result<(), Error> {
        let registry = reference.registry();
        match lock(&self.given).insert(registry.to_owned(), credentials.clone()) {
            Some(others) if others != credentials => {
                Err(Error::usage(format!("expected one user for {registry}, which is the source and the destination")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the client, with the scheme of the reference's registry set, and whether credentials may be sent to the registry.
    ///
    /// A host of this machine is probed for TLS before anything is sent to it. If an option permits plain HTTP for all hosts, every
    /// host is probed. Such an option does not permit credentials without TLS, because it does not name the host.
    pub(crate) fn reach(&self, reference: &Reference) -> Result<(Arc<Client>, bool), Error> {
        let client = self.connection()?;
        let registry = reference.registry();
        if let Some(trusted) = lock(&self.reached).get(registry) {
            return Ok((client, *trusted));
        }
        // An invalid host is refused by the first request.
        let Ok(host) = Authority::parse(reference.api_host()) else { return Ok((client, true)) };
        let (named, all) = {
            let plain = lock(&self.plain);
            let port = host.port.unwrap_or_else(|| Scheme::Http.port());
            (plain.names(&host.host, port), plain.is_all())
        };
        let native = client.transport();
        let (scheme, trusted) = if named {
            (Some(Scheme::Http), true)
        } else if all {
            let scheme = self.wait(native.settle(&host));
            (scheme, scheme == Some(Scheme::Https) || host.host.is_loopback_literal())
        } else {
            (self.wait(native.settle_local(&host)), true)
        };
        if let Some(scheme) = scheme {
            client.set_scheme(registry, scheme);
        }
        lock(&self.reached).insert(registry.to_owned(), trusted);
        Ok((client, trusted))
    }

    /// Waits for a short operation. Also works inside the runtime, because `watch` reaches registries there.
    fn wait<F: Future>(&self, future: F) -> F::Output {
        if Handle::try_current().is_ok() {
            tokio::task::block_in_place(|| self.runtime().block_on(future))
        } else {
            self.runtime().block_on(future)
        }
    }

    /// The client, with the credentials that were set before.
    pub(crate) fn connection(&self) -> Result<Arc<Client>, Error> {
        if let Some(client) = self.client.get() {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(self.connect()?);
        if self.global.foreign {
            client.allow_foreign();
        }
        Ok(Arc::clone(self.client.get_or_init(|| client)))
    }

    fn connect(&self) -> Result<Client, Error> {
        let global = self.global;
        let proxies = Proxies::from_environment(|name| env::var(name).ok());
        let patience = global.stall.unwrap_or(retry::PATIENCE);
        let timeouts = Timeouts::within(patience);
        let transport = Transport {
            ca: global.ca.clone(),
            certs_d: certs_d(),
            insecure: global.insecure.iter().map(|ForHost(host)| host.clone()).collect(),
            timeouts,
            proxies,
            ..Transport::default()
        };
        let transport = Native::new(transport).map_err(|error| Error::Start(error.to_string()))?;
        let options = Options {
            trust_realm: global.trust_realm.clone(),
            limits: self.limits,
            observer: self.wire.0.observer(),
            patience: Some(patience),
            rate: global.min_rate.unwrap_or_default(),
            commit: global.commit_wait,
            ..Options::default()
        };
        Ok(Registry::new(transport, options))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the reference if the error is that a registry has no manifest under its tag.
fn lost_tag(error: &Error) -> Option<Reference> {
    let (Error::Registry(error)
    | Error::Pull(pull::Error::Registry(error))
    | Error::Push(push::Error::Source(source::Error::Registry(error)))) = error
    else {
        return None;
    };
    match error {
        porthole_registry::Error::NotFound { what, .. } if what.step == "manifest" => {
            what.name.parse::<Reference>().ok().filter(|reference| reference.digest().is_none())
        }
        _ => None,
    }
}

/// Whether an argument is a file in the working directory, and was parsed as the reference that `message` names.
fn is_file_named_in(message: &str, word: &OsStr) -> bool {
    !word.as_encoded_bytes().contains(&b'/')
        && Path::new(word).is_file()
        && word
            .to_str()
            .and_then(|word| word.parse::<Reference>().ok())
            .is_some_and(|name| message.contains(&name.to_string()))
}

/// Ends the trace on drop.
struct Closing(Arc<Wire>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The folders in which Docker and Podman keep the certificates of registries.
fn certs_d() -> Vec<PathBuf> {
    let docker = env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker/certs.d"));
    let podman = base_directory("XDG_CONFIG_HOME", ".config").map(|config| config.join("containers/certs.d"));
    let system = ["/etc/docker/certs.d", "/etc/containers/certs.d"].map(PathBuf::from);
    system.into_iter().chain(docker).chain(podman).collect()
}

fn default_store() -> Option<PathBuf> {
    Some(base_directory("XDG_DATA_HOME", ".local/share")?.join("porthole/store"))
}

fn default_cache() -> Option<PathBuf> {
    Some(base_directory("XDG_CACHE_HOME", ".cache")?.join("porthole"))
}

/// Returns a base directory by the XDG Base Directory Specification, which requires that relative paths are ignored.
fn base_directory(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))
}

/// Maximum number of tags that are compared with one that does not exist, and maximum time to list them.
const TAGS: usize = 20_000;
const LOOK_AROUND: Duration = Duration::from_secs(5);
/// Threads of the runtime. Two suffice for sockets, because layers are read on threads of their own.
const IO_THREADS: usize = 2;

/// Message that credentials are not sent, because plain HTTP is allowed for every registry and this one has no TLS.
pub(crate) fn without_tls(registry: &str) -> String {
    format!("credentials for {registry} are not sent without TLS: allow it with --plain-http={registry}")
}
