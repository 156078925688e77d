//! Registry credentials as Docker and podman keep them: in `config.json` and `auth.json`, and in the credential helpers
//! (`docker-credential-…`) that those files name.
//!
//! The crate does not look up environment variables or the home directory: the caller passes both to [`Places::new`]. It prints
//! nothing. A file that cannot be used gives a [`Warning`] and not an error, because most images need no credentials. Helpers are
//! programs: the system looks them up in `PATH`, and they inherit the environment.
//!
//! ```
//! use porthole_credentials::Places;
//!
//! let folder = std::path::Path::new("/nonexistent");
//! let places = Places::new(None, |_| None, Some(folder));
//! let found = places.find(&"ghcr.io/a/b:1".parse()?)?;
//! assert!(found.credentials.is_none() && found.warnings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod file;
mod key;
mod keychain;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use porthole_core::reference::Reference;
use porthole_registry::auth;

pub use self::{
    error::{Error, Warning},
    keychain::{Error as HelperError, TOKEN},
};
use self::{
    file::{File, Opened},
    key::server,
};

/// The files to search for credentials, and the file in which a sign-in is stored.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The file that the user named. It must be readable.
    named: Option<PathBuf>,
    /// The content of `$DOCKER_AUTH_CONFIG`.
    text: Option<OsString>,
    /// The usual files, in the order in which they are read.
    usual: Vec<PathBuf>,
    /// The file in which a sign-in is stored.
    kept_in: Option<PathBuf>,
}

/// The result of a search for the credentials of a registry.
#[derive(Debug, Default)]
pub struct Found {
    /// The credentials; `None` if no file and no helper has any for the registry.
    pub credentials: Option<auth::Credentials>,
    /// The file that holds the credentials, or that names the helper which does.
    pub place: PathBuf,
    /// Why the registry's helper failed. The search ends there, because credentials in another place could be those of another
    /// user.
    pub failure: Option<HelperError>,
    /// The file names a helper for this registry (`credHelpers`), and not only one for all (`credsStore`). If it fails, the
    /// caller should send no request without credentials.
    pub is_own_helper: bool,
    /// The files that could not be used.
    pub warnings: Vec<Warning>,
}

/// Where a sign-in was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// By the credential helper of this name.
    Helper(String),
    /// In this file, unencrypted.
    File(PathBuf),
}

impl Places {
    /// Selects the places to search. If `named` is given, only that file. Otherwise first `$DOCKER_AUTH_CONFIG` (the text of a
    /// file), then the file `$REGISTRY_AUTH_FILE` if that is set, else podman's file in `$XDG_RUNTIME_DIR`, podman's file in the
    /// user's configuration, Docker's `config.json` and `.dockercfg`, in this order.
    ///
    /// `variable` returns the value of an environment variable, `home` is the user's home directory.
    pub fn new(named: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let docker = path("DOCKER_CONFIG").or_else(|| home.map(|home| home.join(".docker")));
        let docker = docker.map(|folder| folder.join("config.json"));
        let registry_auth_file = path("REGISTRY_AUTH_FILE");
        let usual = match &registry_auth_file {
            Some(file) => vec![file.clone()],
            None => {
                let config = path("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
                let podman = path("XDG_RUNTIME_DIR").into_iter().chain(config).map(|folder| folder.join(PODMAN));
                podman.chain(docker.clone()).chain(home.map(|home| home.join(file::LEGACY))).collect()
            }
        };
        Self {
            named: named.map(Path::to_owned),
            text: variable("DOCKER_AUTH_CONFIG"),
            usual,
            kept_in: named.map(Path::to_owned).or(registry_auth_file).or(docker),
        }
    }

    /// Searches the places for credentials of the reference's repository, of a path above it, or of its registry.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file that the user named cannot be used. Other files become [`Found::warnings`].
    pub fn find(&self, reference: &Reference) -> Result<Found, Error> {
        let mut warnings = Vec::new();
        if let Some(path) = &self.named {
            let opened = File::open(path)?.ok_or_else(|| Error::file(path, "no such file"))?;
            let found = in_file(path, opened, reference, &mut warnings);
            return Ok(Found { warnings, ..found });
        }
        let text = self.text.as_ref().map(|text| {
            let path = PathBuf::from("$DOCKER_AUTH_CONFIG");
            let opened = File::parse(&path, text.as_encoded_bytes()).map(Some);
            (path, opened)
        });
        let usual = self.usual.iter().map(|path| (path.clone(), File::open(path)));
        for (path, opened) in text.into_iter().chain(usual) {
            let found = match opened {
                Ok(Some(opened)) => in_file(&path, opened, reference, &mut warnings),
                Ok(None) => continue,
                Err(Error::File { path, reason }) => {
                    warnings.push(Warning { file: path, reason });
                    continue;
                }
                Err(error) => return Err(error),
            };
            if found.credentials.is_some() || found.failure.is_some() {
                return Ok(Found { warnings, ..found });
            }
        }
        Ok(Found { warnings, ..Found::default() })
    }

    /// Stores credentials of a registry with the helper that the file names, else in the file itself. In both cases, removes
    /// earlier credentials of the registry from the file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file cannot be read or written, [`Error::Helper`] if its helper fails, [`Error::NoHome`] without a file.
    pub fn keep(&self, registry: &str, credentials: &auth::Credentials) -> Result<Kept, Error> {
        let path = self.kept_in.as_ref().ok_or(Error::NoHome)?;
        let file = File::open(path)?.map(|opened| opened.file).unwrap_or_default();
        let Some(name) = file.helper(registry) else {
            file::change(path, server(registry), Some(credentials))?;
            return Ok(Kept::File(path.clone()));
        };
        keychain::store(name, server(registry), credentials)?;
        if file.has_secret(registry) {
            file::change(path, server(registry), None)?;
        }
        Ok(Kept::Helper(name.to_owned()))
    }

    /// Removes the credentials of a registry from the helper and from the file. Returns whether there were any.
    ///
    /// # Errors
    ///
    /// As [`keep`](Self::keep).
    pub fn forget(&self, registry: &str) -> Result<bool, Error> {
        let path = self.kept_in.as_ref().ok_or(Error::NoHome)?;
        let Some(Opened { file, .. }) = File::open(path)? else { return Ok(false) };
        let mut known = false;
        if let Some(name) = file.helper(registry) {
            for server in servers(&file, registry) {
                if keychain::get(name, &server)?.is_some() {
                    keychain::erase(name, &server)?;
                    known = true;
                }
            }
        }
        Ok(file::change(path, server(registry), None)? || known)
    }
}

/// Makes credentials of a typed user name and password. If the user name is [`TOKEN`], the password is an identity token.
///
/// # Errors
///
/// [`Error::UserName`] if the user name contains a colon, which ends it in HTTP's Basic scheme (RFC 7617, section 2).
pub fn typed(username: &str, password: &str) -> Result<auth::Credentials, Error> {
    match username {
        TOKEN => {
            Ok(auth::Credentials { identity_token: Some(password.to_owned()), ..auth::Credentials::basic("", "") })
        }
        _ if username.contains(':') => Err(Error::UserName),
        _ => Ok(auth::Credentials::basic(username, password)),
    }
}

/// Asks the registry's helper first, as Docker does, then the file itself.
fn in_file(path: &Path, opened: Opened, reference: &Reference, warnings: &mut Vec<Warning>) -> Found {
    let Opened { file, oddity } = opened;
    let warn = |reason| Warning { file: path.to_owned(), reason };
    warnings.extend(oddity.map(warn));
    let is_own_helper = file.own_helper(reference.registry()).is_some();
    let found = |credentials, failure| Found {
        credentials,
        failure,
        is_own_helper,
        place: path.to_owned(),
        warnings: Vec::new(),
    };
    if let Some(helper) = file.helper(reference.registry()) {
        for server in servers(&file, reference.registry()) {
            match keychain::get(helper, &server) {
                Ok(None) => {}
                Ok(credentials) => return found(credentials, None),
                Err(failure) => return found(None, Some(failure)),
            }
        }
    }
    match file.lookup(reference) {
        Ok(credentials) => found(credentials, None),
        Err(reason) => {
            warnings.push(warn(reason));
            found(None, None)
        }
    }
}

/// The keys under which a helper may have a registry: those that the file lists, then the one that Docker uses.
fn servers(file: &File, registry: &str) -> Vec<String> {
    let mut servers: Vec<String> = file.keys(registry).map(str::to_owned).collect();
    if !servers.iter().any(|known| known == server(registry)) {
        servers.push(server(registry).to_owned());
    }
    servers
}

/// Path of podman's file below `$XDG_RUNTIME_DIR` or the directory of configuration.
const PODMAN: &str = "containers/auth.json";

#[cfg(test)]
mod tests;
