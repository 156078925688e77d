//! Credentials as Docker and its relatives keep them in files. Never shown, never written.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::reference::{DEFAULT_REGISTRY, Reference};
use porthole_registry::auth;
use serde::Deserialize;

use crate::error::Error;

/// A file of credentials, in the form of Docker's `config.json`.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

/// What is kept for a registry, or for a part of it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    /// Credentials for a reference: from `authfile` if it is given, which then must be readable; else from the first of
    /// the usual files that has some.
    pub(crate) fn find(authfile: Option<&Path>, reference: &Reference) -> Result<Option<auth::Credentials>, Error> {
        if let Some(path) = authfile {
            let unreadable = |error: io::Error| Error::Credentials { path: path.to_owned(), reason: error.to_string() };
            let text = fs::read(path).map_err(unreadable)?;
            return Self::read(path, &text)?.lookup(path, reference);
        }
        for path in usual_files() {
            let text = match fs::read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::Credentials { path, reason: error.to_string() }),
            };
            if let Some(found) = Self::read(&path, &text)?.lookup(&path, reference)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn read(path: &Path, text: &[u8]) -> Result<Self, Error> {
        // The parser's own words could quote a secret.
        serde_json::from_slice(text).map_err(|error| Error::Credentials {
            path: path.to_owned(),
            reason: format!("expected Docker's config.json, got something else at line {}", error.line()),
        })
    }

    /// The entry for the repository, for a path above it, or for the whole registry.
    fn lookup(&self, path: &Path, reference: &Reference) -> Result<Option<auth::Credentials>, Error> {
        let mut name = format!("{}/{}", reference.registry(), reference.repository());
        loop {
            for (key, entry) in &self.auths {
                if normalized(key) == name
                    && let Some(credentials) = entry.credentials(path, key)?
                {
                    return Ok(Some(credentials));
                }
            }
            match name.rfind('/') {
                Some(slash) => name.truncate(slash),
                None => return Ok(None),
            }
        }
    }
}

impl Entry {
    fn credentials(&self, path: &Path, key: &str) -> Result<Option<auth::Credentials>, Error> {
        let identity_token = self.identitytoken.clone().filter(|token| !token.is_empty());
        let pair = match self.auth.as_deref().filter(|auth| !auth.is_empty()) {
            Some(auth) => Some(decode(auth).ok_or_else(|| Error::Credentials {
                path: path.to_owned(),
                reason: format!("expected base64 of `user:password` in `auth` of `{key}`"),
            })?),
            None => self.username.clone().zip(self.password.clone()),
        };
        if pair.is_none() && identity_token.is_none() {
            return Ok(None);
        }
        let (username, password) = pair.unwrap_or_default();
        Ok(Some(auth::Credentials { username, password, identity_token }))
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    // Some programs pad the password with NUL.
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Keys are registries with or without scheme and API version; Docker Hub has several names.
fn normalized(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    if matches!(key, "index.docker.io" | "registry-1.docker.io") { DEFAULT_REGISTRY } else { key }
}

fn usual_files() -> Vec<PathBuf> {
    let path = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = path("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let docker = path("DOCKER_CONFIG").or_else(|| env::home_dir().map(|home| home.join(".docker")));
    let containers = path("XDG_RUNTIME_DIR").map(|directory| directory.join("containers/auth.json"));
    containers.into_iter().chain(docker.map(|directory| directory.join("config.json"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "auths": {
            "https://index.docker.io/v1/": { "auth": "aHViOnNlY3JldA==" },
            "ghcr.io": { "auth": "YTpiOmM=" },
            "quay.io/org": { "username": "u", "password": "p" },
            "registry.example": { "identitytoken": "t" },
            "empty.example": {},
            "broken.example": { "auth": "!" }
        },
        "credsStore": "desktop"
    }"#;

    fn lookup(reference: &str) -> Result<Option<auth::Credentials>, Error> {
        let path = Path::new("config.json");
        Credentials::read(path, FILE.as_bytes())?.lookup(path, &reference.parse().unwrap())
    }

    #[test]
    fn entries_are_found_by_registry_and_by_path() {
        let pair = |reference: &str| lookup(reference).unwrap().map(|found| (found.username, found.password));
        let some = |username: &str, password: &str| Some((username.to_owned(), password.to_owned()));
        assert_eq!(pair("nginx"), some("hub", "secret"));
        assert_eq!(pair("ghcr.io/a/b"), some("a", "b:c"));
        assert_eq!(pair("quay.io/org/x"), some("u", "p"));
        assert_eq!(pair("quay.io/other/x"), None);
        assert_eq!(pair("quay.io/organisation/x"), None);
        assert_eq!(pair("empty.example/x"), None);
        let token = lookup("registry.example/x").unwrap().unwrap();
        assert_eq!(token.identity_token.as_deref(), Some("t"));
    }

    #[test]
    fn errors_do_not_tell_secrets() {
        let error = lookup("broken.example/x").unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot read credentials: `config.json`: expected base64 of `user:password` in `auth` of `broken.example`"
        );
        let error = Credentials::read(Path::new("x"), br#"{"auths": "c2VjcmV0"}"#).err().unwrap().to_string();
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}
