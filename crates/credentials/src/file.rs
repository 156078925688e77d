//! The files in which Docker and podman keep credentials: `config.json`, `auth.json` and the older `.dockercfg`.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use porthole_core::reference::Reference;
use porthole_registry::auth;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{Error, key::registry_of};

/// The parts of the file that this crate reads.
#[derive(Default, Deserialize)]
pub(crate) struct File {
    /// Entries are parsed one at a time on look-up, so that a malformed one does not hide the others.
    #[serde(default)]
    auths: Option<BTreeMap<String, Value>>,
    #[serde(default, rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

/// A parsed file, with a warning if it can be read but is unusual, such as empty.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) oddity: Option<String>,
}

/// The credentials of a registry, or of the repositories below a path of it.
#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    /// Docker writes the key in lower case. Other programs write camel case, which Go's decoder accepts as well.
    #[serde(rename = "identitytoken", alias = "identityToken")]
    identity_token: Option<String>,
    #[serde(rename = "registrytoken", alias = "registryToken")]
    registry_token: Option<String>,
}

impl File {
    /// Reads a file. `None` if it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Option<Opened>, Error> {
        match fs::read(path) {
            Ok(text) if path.file_name().is_some_and(|name| name == LEGACY) => {
                Self::parse_legacy(path, &text).map(Some)
            }
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Error::file(path, error.to_string())),
        }
    }

    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Opened, Error> {
        let (text, mark) = without_mark(text);
        if text.trim_ascii().is_empty() {
            return Ok(Opened { file: Self::default(), oddity: Some("the file is empty".to_owned()) });
        }
        let file: Self = serde_json::from_slice(text).map_err(|error| unreadable(path, &error))?;
        let says_nothing = file.auths.is_none() && file.helpers.is_none() && file.store.is_none();
        let null = says_nothing
            && serde_json::from_slice::<Map<String, Value>>(text).is_ok_and(|file| file.contains_key("auths"));
        Ok(Opened { oddity: mark.or_else(|| null.then(|| "`auths` is null".to_owned())), file })
    }

    /// Parses `.dockercfg`, whose top level is the map that `config.json` has in `auths`.
    fn parse_legacy(path: &Path, text: &[u8]) -> Result<Opened, Error> {
        let (text, oddity) = without_mark(text);
        let auths = serde_json::from_slice(text).map_err(|error| unreadable(path, &error))?;
        Ok(Opened { file: Self { auths, ..Self::default() }, oddity })
    }

    /// The keys in `auths` that name a whole registry.
    pub(crate) fn keys(&self, registry: &str) -> impl Iterator<Item = &str> {
        let registry = registry_of(registry);
        self.entries().map(|(key, _)| key).filter(move |key| registry_of(key) == registry)
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.auths.iter().flatten().map(|(key, entry)| (key.as_str(), entry))
    }

    /// Whether the file itself holds a secret of a registry.
    pub(crate) fn has_secret(&self, registry: &str) -> bool {
        let registry = registry_of(registry);
        let own = self.entries().filter(|(key, _)| registry_of(key) == registry);
        let mut entries = own.filter_map(|(_, entry)| Entry::deserialize(entry).ok());
        entries.any(|entry| {
            [entry.auth, entry.password, entry.identity_token, entry.registry_token].iter().any(Option::is_some)
        })
    }

    /// The helper for a registry: its own (`credHelpers`), else the one for all registries (`credsStore`).
    pub(crate) fn helper(&self, registry: &str) -> Option<&str> {
        let own = self.own_helper(registry);
        own.or(self.store.as_deref()).filter(|helper| !helper.is_empty())
    }

    /// The helper that the file names for this registry (`credHelpers`).
    pub(crate) fn own_helper(&self, registry: &str) -> Option<&str> {
        let registry = registry_of(registry);
        let mut helpers = self.helpers.iter().flatten();
        helpers.find(|(key, _)| registry_of(key) == registry).map(|(_, helper)| helper.as_str())
    }

    /// Returns the credentials for the repository, else for the nearest path above it, else for the whole registry. The error
    /// says what is wrong with the entry.
    pub(crate) fn lookup(&self, reference: &Reference) -> Result<Option<auth::Credentials>, String> {
        let mut name = format!("{}/{}", registry_of(reference.registry()), reference.repository());
        loop {
            for (key, entry) in self.entries() {
                if registry_of(key) == name
                    && let Some(credentials) = Entry::read(key, entry)?
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
    fn read(key: &str, entry: &Value) -> Result<Option<auth::Credentials>, String> {
        let entry = Option::<Self>::deserialize(entry);
        let entry = entry.map_err(|_| format!("expected an object of strings in `auths` for `{key}`"))?;
        let Some(entry) = entry else { return Ok(None) };
        let token = |token: Option<String>| token.filter(|token| !token.is_empty());
        let (identity_token, registry_token) = (token(entry.identity_token), token(entry.registry_token));
        let pair = match entry.auth.as_deref().filter(|auth| !auth.is_empty()) {
            Some(auth) => {
                Some(decode(auth).ok_or_else(|| format!("expected base64 of `user:password` in `auth` of `{key}`"))?)
            }
            None => entry.username.zip(entry.password),
        };
        if pair.is_none() && identity_token.is_none() && registry_token.is_none() {
            return Ok(None);
        }
        let (username, password) = pair.unwrap_or_default();
        Ok(Some(auth::Credentials { username, password, identity_token, registry_token }))
    }
}

/// Whether the error means that the file does not exist: the name is missing, or its parent is not a directory.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Strips the byte order mark that editors on Windows write. RFC 8259 (section 8.1) permits readers to ignore it. Also returns
/// a warning if there was one.
fn without_mark(text: &[u8]) -> (&[u8], Option<String>) {
    match text.strip_prefix(b"\xef\xbb\xbf") {
        Some(text) => (text, Some("the file starts with a byte order mark, which Docker does not read".to_owned())),
        None => (text, None),
    }
}

/// The error for a file that cannot be parsed. It names only the line, because the parser's message could quote a secret.
fn unreadable(path: &Path, error: &serde_json::Error) -> Error {
    Error::file(path, format!("expected Docker's config.json, got something else at line {}", error.line()))
}

/// Name of the file that Docker used before `config.json`.
pub(crate) const LEGACY: &str = ".dockercfg";

/// Decodes the `auth` of an entry: base64 of `user:password`. Accepts line breaks, which the program `base64` inserts, and
/// missing padding, which some programs omit.
fn decode(auth: &str) -> Option<(String, String)> {
    let auth: String = auth.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let text = String::from_utf8(BASE64.decode(auth).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    // Some programs pad the password with NUL.
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Writes the credentials of a registry to the file, or removes them if `credentials` is `None`. Returns whether the file had
/// any before. The rest of the file is unchanged, and only its owner may read it afterwards.
pub(crate) fn change(path: &Path, key: &str, credentials: Option<&auth::Credentials>) -> Result<bool, Error> {
    let failed = |reason: String| Error::file(path, reason);
    let io = |error: io::Error| failed(error.to_string());
    let mut file: Map<String, Value> = match fs::read(path) {
        Ok(text) if without_mark(&text).0.trim_ascii().is_empty() => Map::new(),
        Ok(text) => serde_json::from_slice(without_mark(&text).0)
            .map_err(|error| failed(format!("expected a JSON object, got something else at line {}", error.line())))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(io(error)),
    };
    let auths = file.entry("auths").or_insert(Value::Null);
    if auths.is_null() {
        *auths = json!({});
    }
    let auths = auths.as_object_mut().ok_or_else(|| failed("expected an object in `auths`".to_owned()))?;
    let before = auths.len();
    auths.retain(|known, _| registry_of(known) != registry_of(key));
    let was_there = auths.len() < before;
    match credentials {
        Some(auth::Credentials { identity_token: Some(token), .. }) => {
            auths.insert(key.to_owned(), json!({ "identitytoken": token }));
        }
        Some(auth::Credentials { username, password, .. }) => {
            auths.insert(key.to_owned(), json!({ "auth": BASE64.encode(format!("{username}:{password}")) }));
        }
        None if !was_there => return Ok(false),
        None => {}
    }
    // If the path is a symlink, replace the file that it points to and keep the link.
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

    fn lookup(reference: &str) -> Result<Option<auth::Credentials>, String> {
        parse(FILE).file.lookup(&reference.parse().unwrap())
    }

    fn parse(text: &str) -> Opened {
        File::parse(Path::new("config.json"), text.as_bytes()).unwrap()
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
    fn dockercfg_is_the_entries_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LEGACY);
        fs::write(&path, r#"{"https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA==", "email": "a@b"}}"#).unwrap();
        let Opened { file, .. } = File::open(&path).unwrap().unwrap();
        let found = file.lookup(&"nginx".parse().unwrap()).unwrap().unwrap();
        assert_eq!((found.username.as_str(), found.password.as_str()), ("hub", "secret"));
    }

    #[test]
    fn other_content_stays_and_symlinks_stay_symlinks() {
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
        assert_eq!(fs::read_dir(folder.path().join("real")).unwrap().count(), 1, "no temporary file is left");
        let token = auth::Credentials { identity_token: Some("t".into()), ..auth::Credentials::basic("", "") };
        change(&link, "port.example", Some(&token)).unwrap();
        let Opened { file, .. } = File::open(&path).unwrap().unwrap();
        let found = file.lookup(&"port.example/x".parse().unwrap()).unwrap().unwrap();
        assert!(found == token && file.has_secret("port.example") && !file.has_secret("absent.example"));
        assert!(change(&link, "port.example:443", None).unwrap() && !change(&link, "port.example", None).unwrap());
    }

    #[test]
    fn entries_as_other_programs_write_them() {
        let text = r#"{"auths": {
            "wrapped.example": { "auth": "aHViOnNl\nY3JldA==\n" },
            "unpadded.example": { "auth": "aHViOnNlY3JldA" },
            "camel.example": { "identityToken": "t", "registryToken": "r" },
            "null.example": null,
            "number.example": { "auth": 5 }
        }, "credHelpers": null}"#;
        let lookup = |name: &str| parse(text).file.lookup(&format!("{name}.example/x").parse().unwrap());
        for name in ["wrapped", "unpadded"] {
            let found = lookup(name).unwrap().unwrap();
            assert_eq!((found.username.as_str(), found.password.as_str()), ("hub", "secret"), "{name}");
        }
        let found = lookup("camel").unwrap().unwrap();
        assert_eq!((found.identity_token.as_deref(), found.registry_token.as_deref()), (Some("t"), Some("r")));
        assert!(lookup("null").unwrap().is_none());
        assert_eq!(
            lookup("number").unwrap_err(),
            "expected an object of strings in `auths` for `number.example`",
            "and the others are still found"
        );
    }

    #[test]
    fn a_file_that_says_nothing_is_odd_and_a_sign_in_replaces_it() {
        for (text, oddity) in [
            ("", Some("the file is empty")),
            (" \n", Some("the file is empty")),
            (r#"{"auths": null}"#, Some("`auths` is null")),
            (r#"{"auths": null, "credsStore": "x"}"#, None),
            ("{}", None),
            ("\u{feff}{}", Some("the file starts with a byte order mark, which Docker does not read")),
        ] {
            assert_eq!(parse(text).oddity.as_deref(), oddity, "{text:?}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.json");
            fs::write(&path, text).unwrap();
            change(&path, "a.example", Some(&auth::Credentials::basic("u", "p"))).unwrap();
            assert!(File::open(&path).unwrap().unwrap().file.has_secret("a.example"), "{text:?}");
        }
    }

    #[test]
    fn errors_contain_no_secret() {
        let error = lookup("broken.example/x").unwrap_err();
        assert_eq!(error, "expected base64 of `user:password` in `auth` of `broken.example`");
        let error = File::parse(Path::new("x"), br#"{"auths": "c2VjcmV0"}"#).err().unwrap().to_string();
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}
