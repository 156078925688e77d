//! The file that Docker and its relatives keep credentials in: `config.json`, `auth.json`.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::reference::Reference;
use porthole_registry::auth;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::registry_of;
use crate::error::Error;

/// What this program understands of the file.
#[derive(Default, Deserialize)]
pub(super) struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

/// What is kept for a registry, or for a part of it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl File {
    /// Reads a file; `None` if there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Error> {
        match fs::read(path) {
            Ok(text) if path.file_name().is_some_and(|name| name == LEGACY) => {
                Self::parse_legacy(path, &text).map(Some)
            }
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::Credentials { path: path.to_owned(), reason: error.to_string() }),
        }
    }

    pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(text).map_err(|error| unreadable(path, &error))
    }

    /// The file of old is nothing but the entries.
    fn parse_legacy(path: &Path, text: &[u8]) -> Result<Self, Error> {
        let auths = serde_json::from_slice(text).map_err(|error| unreadable(path, &error))?;
        Ok(Self { auths, ..Self::default() })
    }

    /// The keys that mean a registry as a whole.
    pub(super) fn keys(&self, registry: &str) -> impl Iterator<Item = &str> {
        let registry = registry_of(registry);
        self.auths.keys().map(String::as_str).filter(move |key| registry_of(key) == registry)
    }

    /// Whether the file itself has something for a registry that nobody should read.
    pub(super) fn has_secret(&self, registry: &str) -> bool {
        let registry = registry_of(registry);
        let own = self.auths.iter().filter(|(key, _)| registry_of(key) == registry).map(|(_, entry)| entry);
        let mut secrets = own
            .into_iter()
            .flat_map(|entry| [&entry.auth, &entry.password, &entry.identitytoken, &entry.registrytoken]);
        secrets.any(Option::is_some)
    }

    /// The helper for a registry: its own, else the one for all.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let registry = registry_of(registry);
        let own = self.helpers.iter().find(|(key, _)| registry_of(key) == registry).map(|(_, helper)| helper);
        own.or(self.store.as_ref()).map(String::as_str).filter(|helper| !helper.is_empty())
    }

    /// The entry for the repository, for a path above it, or for the whole registry.
    pub(super) fn lookup(&self, path: &Path, reference: &Reference) -> Result<Option<auth::Credentials>, Error> {
        let mut name = format!("{}/{}", registry_of(reference.registry()), reference.repository());
        loop {
            for (key, entry) in &self.auths {
                if registry_of(key) == name
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
        let token = |token: &Option<String>| token.clone().filter(|token| !token.is_empty());
        let (identity_token, registry_token) = (token(&self.identitytoken), token(&self.registrytoken));
        let pair = match self.auth.as_deref().filter(|auth| !auth.is_empty()) {
            Some(auth) => Some(decode(auth).ok_or_else(|| Error::Credentials {
                path: path.to_owned(),
                reason: format!("expected base64 of `user:password` in `auth` of `{key}`"),
            })?),
            None => self.username.clone().zip(self.password.clone()),
        };
        if pair.is_none() && identity_token.is_none() && registry_token.is_none() {
            return Ok(None);
        }
        let (username, password) = pair.unwrap_or_default();
        Ok(Some(auth::Credentials { username, password, identity_token, registry_token }))
    }
}

/// The parser's own words could quote a secret.
fn unreadable(path: &Path, error: &serde_json::Error) -> Error {
    let reason = format!("expected Docker's config.json, got something else at line {}", error.line());
    Error::Credentials { path: path.to_owned(), reason }
}

/// Docker's file before there was `config.json`.
pub(super) const LEGACY: &str = ".dockercfg";

fn decode(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    // Some programs pad the password with NUL.
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Writes, or with `None` removes, what the file itself has for a registry; says whether there was something. Everything else in
/// the file stays as it is, and nobody but its owner may read it.
pub(super) fn change(path: &Path, key: &str, credentials: Option<&auth::Credentials>) -> Result<bool, Error> {
    let failed = |reason: String| Error::Credentials { path: path.to_owned(), reason };
    let io = |error: io::Error| failed(error.to_string());
    let mut file: Map<String, Value> = match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|error| failed(format!("expected a JSON object, got something else at line {}", error.line())))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(io(error)),
    };
    let auths = file.entry("auths").or_insert_with(|| json!({}));
    let auths = auths.as_object_mut().ok_or_else(|| failed("expected an object in `auths`".to_owned()))?;
    let before = auths.len();
    auths.retain(|known, _| registry_of(known) != registry_of(key));
    let was_there = auths.len() < before;
    match credentials {
        Some(auth::Credentials { identity_token: Some(token), .. }) => {
            auths.insert(key.to_owned(), json!({ "identitytoken": token }));
        }
        Some(auth::Credentials { username, password, .. }) => {
            auths.insert(key.to_owned(), json!({ "auth": STANDARD.encode(format!("{username}:{password}")) }));
        }
        None if !was_there => return Ok(false),
        None => {}
    }
    // A link stays a link: what it leads to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder).map_err(io)?;
    let owner = Permissions::from_mode(0o600);
    let next = tempfile::Builder::new().prefix(".config-").permissions(owner).tempfile_in(folder).map_err(io)?;
    serde_json::to_writer_pretty(next.as_file(), &file).map_err(|error| io(error.into()))?;
    next.as_file().sync_all().map_err(io)?;
    next.persist(&target).map_err(|error| io(error.error))?;
    Ok(was_there)
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
            "signed.example": { "registrytoken": "r" },
            "nul.example": { "auth": "dTpzZWNyZXQAAAA=" },
            "https://Port.example:443/v2/": { "auth": "cDpx" },
            "port.example/deep/er": { "auth": "ZDpl" },
            "empty.example": {},
            "broken.example": { "auth": "!" }
        },
        "credsStore": "desktop"
    }"#;

    fn lookup(reference: &str) -> Result<Option<auth::Credentials>, Error> {
        let path = Path::new("config.json");
        File::parse(path, FILE.as_bytes())?.lookup(path, &reference.parse().unwrap())
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
        assert_eq!(pair("nul.example/x"), some("u", "secret"), "some programs pad with NUL");
        assert_eq!(pair("port.example/x"), some("p", "q"));
        assert_eq!(pair("port.example:443/x"), some("p", "q"));
        assert_eq!(pair("port.example:443/deep/er/x"), some("d", "e"));
        assert_eq!(pair("port.example:5000/x"), None);
        let token = lookup("registry.example/x").unwrap().unwrap();
        assert_eq!(token.identity_token.as_deref(), Some("t"));
        let token = lookup("signed.example/x").unwrap().unwrap();
        assert_eq!(token.registry_token.as_deref(), Some("r"));
    }

    #[test]
    fn the_file_of_old_has_nothing_but_entries() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LEGACY);
        fs::write(&path, r#"{"https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA==", "email": "a@b"}}"#).unwrap();
        let file = File::open(&path).unwrap().unwrap();
        let found = file.lookup(&path, &"nginx".parse().unwrap()).unwrap().unwrap();
        assert_eq!((found.username.as_str(), found.password.as_str()), ("hub", "secret"));
    }

    #[test]
    fn what_others_wrote_stays_and_links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real/config.json"), folder.path().join("link.json"));
        fs::create_dir(folder.path().join("real")).unwrap();
        let before = r#"{"HttpHeaders":{"X":"y"},"auths":{"https://Port.example:443/v1/":{"auth":"b2xk"},"other.example":{"auth":"YTpi","email":"a@b"}},"plugins":{"p":{"q":"r"}}}"#;
        fs::write(&path, before).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        change(&link, "port.example", Some(&auth::Credentials::basic("u", "p"))).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let after: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let mut expected: Value = serde_json::from_str(before).unwrap();
        let auths = expected["auths"].as_object_mut().unwrap();
        auths.remove("https://Port.example:443/v1/");
        auths.insert("port.example".to_owned(), json!({ "auth": "dTpw" }));
        assert_eq!(after, expected);
        assert_eq!(fs::read_dir(folder.path().join("real")).unwrap().count(), 1, "nothing is left lying about");
        let token = auth::Credentials { identity_token: Some("t".into()), ..auth::Credentials::basic("", "") };
        change(&link, "port.example", Some(&token)).unwrap();
        let file = File::open(&path).unwrap().unwrap();
        let found = file.lookup(&path, &"port.example/x".parse().unwrap()).unwrap().unwrap();
        assert!(found == token && file.has_secret("port.example") && !file.has_secret("absent.example"));
        assert!(change(&link, "port.example:443", None).unwrap() && !change(&link, "port.example", None).unwrap());
    }

    #[test]
    fn errors_do_not_tell_secrets() {
        let error = lookup("broken.example/x").unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot use credentials: `config.json`: expected base64 of `user:password` in `auth` of `broken.example`"
        );
        let error = File::parse(Path::new("x"), br#"{"auths": "c2VjcmV0"}"#).err().unwrap().to_string();
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}
