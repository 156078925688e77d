//! Credentials as Docker and its relatives keep them: in files, and with the helpers that those files name. Never shown.

mod file;
pub(crate) mod keychain;

use std::{
    env,
    path::{Path, PathBuf},
};

use porthole_core::reference::{DEFAULT_REGISTRY, Reference};
use porthole_registry::auth;

use self::file::File;
use crate::error::Error;

/// What was found for a reference.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) credentials: Option<auth::Credentials>,
    /// The file that has them, or names the helper that has.
    pub(crate) place: PathBuf,
    /// Why a helper could not be asked. Nothing else was asked in its place.
    pub(crate) failure: Option<keychain::Error>,
}

/// Credentials for a reference: from `authfile` if it is given, which then must be readable; else from the first of the usual
/// places that has some.
pub(crate) fn find(authfile: Option<&Path>, reference: &Reference) -> Result<Found, Error> {
    if let Some(path) = authfile {
        let missing = || Error::Credentials { path: path.to_owned(), reason: "no such file".to_owned() };
        return in_file(path, &File::open(path)?.ok_or_else(missing)?, reference);
    }
    if let Some(text) = env::var_os("DOCKER_AUTH_CONFIG").filter(|text| !text.is_empty()) {
        let path = Path::new("$DOCKER_AUTH_CONFIG");
        let found = in_file(path, &File::parse(path, text.as_encoded_bytes())?, reference)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    for path in usual_files() {
        if let Some(file) = File::open(&path)? {
            let found = in_file(&path, &file, reference)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(Found::default())
}

impl Found {
    fn is_empty(&self) -> bool {
        self.credentials.is_none() && self.failure.is_none()
    }
}

/// The helper for the registry first, as Docker does it, then what stands in the file itself.
fn in_file(path: &Path, file: &File, reference: &Reference) -> Result<Found, Error> {
    let found = |credentials, failure| Ok(Found { credentials, failure, place: path.to_owned() });
    if let Some(helper) = file.helper(reference.registry()) {
        for server in servers(file, reference.registry()) {
            match keychain::get(helper, &server) {
                Ok(None) => {}
                Ok(credentials) => return found(credentials, None),
                Err(failure) => return found(None, Some(failure)),
            }
        }
    }
    found(file.lookup(path, reference)?, None)
}

/// The keys under which a helper may have a registry: as the file has written it down, then as this program would.
fn servers(file: &File, registry: &str) -> Vec<String> {
    let mut servers: Vec<String> = file.keys(registry).map(str::to_owned).collect();
    if !servers.iter().any(|known| known == server(registry)) {
        servers.push(server(registry).to_owned());
    }
    servers
}

/// Where credentials were kept.
pub(crate) enum Kept {
    Helper(String),
    File(PathBuf),
}

/// Keeps credentials of a registry: with the helper that the file names, else in the file itself. What the file had of it before is gone
/// in either case.
pub(crate) fn keep(authfile: Option<&Path>, registry: &str, credentials: &auth::Credentials) -> Result<Kept, Error> {
    let path = file_to_change(authfile)?;
    let file = File::open(&path)?.unwrap_or_default();
    let Some(name) = file.helper(registry) else {
        file::change(&path, server(registry), Some(credentials))?;
        return Ok(Kept::File(path));
    };
    keychain::store(name, server(registry), credentials)?;
    if file.has_secret(registry) {
        file::change(&path, server(registry), None)?;
    }
    Ok(Kept::Helper(name.to_owned()))
}

/// Forgets what is kept for a registry, with the helper and in the file; says whether there was something.
pub(crate) fn forget(authfile: Option<&Path>, registry: &str) -> Result<bool, Error> {
    let path = file_to_change(authfile)?;
    let Some(file) = File::open(&path)? else { return Ok(false) };
    let mut known = false;
    if let Some(name) = file.helper(registry) {
        for server in servers(&file, registry) {
            if keychain::get(name, &server)?.is_some() {
                keychain::erase(name, &server)?;
                known = true;
            }
        }
    }
    Ok(file::change(&path, server(registry), None)? || known)
}

/// The key of a registry, as helpers and files have it.
fn server(registry: &str) -> &str {
    if registry == DEFAULT_REGISTRY { "https://index.docker.io/v1/" } else { registry }
}

/// The registry, or part of one, that a key means: keys are with or without scheme, port 443 and API version, in any case, and Docker
/// Hub has several names.
fn registry_of(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    let plain = lower.starts_with("http://");
    let key = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).unwrap_or(&lower);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    let (host, path) = key.split_at(key.find('/').unwrap_or(key.len()));
    let host = if plain { host } else { host.strip_suffix(":443").unwrap_or(host) };
    let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") { DEFAULT_REGISTRY } else { host };
    format!("{host}{path}")
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn docker_config() -> Option<PathBuf> {
    let folder = variable("DOCKER_CONFIG").or_else(|| env::home_dir().map(|home| home.join(".docker")))?;
    Some(folder.join("config.json"))
}

/// Files to look into, in this order: podman's for this session, podman's own, Docker's, and Docker's of old.
fn usual_files() -> Vec<PathBuf> {
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let legacy = env::home_dir().map(|home| home.join(file::LEGACY));
    let containers = "containers/auth.json";
    let session = variable("XDG_RUNTIME_DIR").map(|folder| folder.join(containers));
    let config = variable("XDG_CONFIG_HOME").or_else(|| env::home_dir().map(|home| home.join(".config")));
    session
        .into_iter()
        .chain(config.map(|folder| folder.join(containers)))
        .chain(docker_config())
        .chain(legacy)
        .collect()
}

/// The file that a sign-in is kept in: the one that was named, else Docker's.
fn file_to_change(authfile: Option<&Path>) -> Result<PathBuf, Error> {
    let named = authfile.map(Path::to_owned).or_else(|| variable("REGISTRY_AUTH_FILE"));
    let none = || Error::usage("no home directory to keep credentials in: give --authfile FILE");
    named.or_else(docker_config).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_all_forms() {
        for (key, expected) in [
            ("quay.io", "quay.io"),
            ("https://quay.io", "quay.io"),
            ("https://quay.io/", "quay.io"),
            ("https://quay.io/v1/", "quay.io"),
            ("https://quay.io/v2/", "quay.io"),
            ("quay.io:443", "quay.io"),
            ("https://QUAY.io:443/v2", "quay.io"),
            ("http://quay.io:443", "quay.io:443"),
            ("localhost:5000", "localhost:5000"),
            ("quay.io:443/a/b", "quay.io/a/b"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("index.docker.io", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
            ("docker.io", "docker.io"),
            ("index.docker.io/me", "docker.io/me"),
            ("", ""),
        ] {
            assert_eq!(registry_of(key), expected, "{key}");
        }
    }

    #[test]
    fn a_helper_is_asked_for_what_was_written_down() {
        let path = Path::new("config.json");
        let text = br#"{"auths": {"https://quay.io": {}, "https://index.docker.io/v1/": {}}, "credsStore": "x"}"#;
        let file = File::parse(path, text).unwrap();
        assert_eq!(servers(&file, "quay.io"), ["https://quay.io", "quay.io"]);
        assert_eq!(servers(&file, "ghcr.io"), ["ghcr.io"]);
        assert_eq!(servers(&file, "docker.io"), ["https://index.docker.io/v1/"]);
    }
}
