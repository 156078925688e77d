//! Upload URLs of registries, sealed in URLs of this relay.
//!
//! An upload continues where the registry says, and the next request of a client names that place. So the place goes through the
//! client, encrypted and authenticated together with the repository that it was given for: a client can send bytes to no place that
//! a registry did not give it, and no state is kept here. Replicas with the same key open each other's URLs.

use crate::route::Call;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use porthole_core::digest::{Algorithm, Hasher};
use porthole_registry::policy::Url;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The key to places of uploads.
pub(crate) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Seal {
    /// A key of this process.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn random() -> Result<Self, String> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
        Self::new(&bytes)
    }

    /// The key in a file.
    ///
    /// # Errors
    /// The file cannot be read, or is too short to be a secret.
    pub(crate) fn from_file(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let secret = bytes.trim_ascii();
        if secret.len() < SECRET_BYTES {
            let got = secret.len();
            return Err(format!("`{}`: expected at least {SECRET_BYTES} random bytes, got {got}", path.display()));
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"porthole upload key");
        hasher.update(secret);
        Self::new(hasher.finish().as_bytes())
    }

    fn new(bytes: &[u8]) -> Result<Self, String> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).map_err(|_| "the key has the wrong length".to_owned())?;
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// One component of a path for a place that the registry of `call` named; `None` for a URL too long to pass on.
    pub(crate) fn close(&self, call: &Call, place: &Url) -> Option<String> {
        self.close_at(call, place, now())
    }

    fn close_at(&self, call: &Call, place: &Url, now: u64) -> Option<String> {
        let place = place.to_string();
        if place.len() > PLACE_BYTES {
            return None;
        }
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut sealed = now.to_le_bytes().to_vec();
        sealed.extend_from_slice(place.as_bytes());
        let bound = Aad::from(bound_to(call));
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The place in such a component, if it was closed for the repository of `call` and not too long ago.
    pub(crate) fn open(&self, call: &Call, sealed: &str) -> Option<Url> {
        self.open_at(call, sealed, now())
    }

    fn open_at(&self, call: &Call, sealed: &str, now: u64) -> Option<Url> {
        if sealed.len() > 2 * PLACE_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(bound_to(call)), &mut sealed).ok()?;
        let (closed, place) = opened.split_first_chunk()?;
        // Clocks of replicas differ a little.
        let age = now.saturating_sub(u64::from_le_bytes(*closed));
        let place = (age <= FRESH.as_secs()).then(|| str::from_utf8(place).ok())??;
        Url::parse(place).ok()
    }
}

/// What a place is good for.
fn bound_to(call: &Call) -> Vec<u8> {
    format!("{}\0{}", call.registry, call.repository).into_bytes()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

const SECRET_BYTES: usize = 32;
/// Longest URL of an upload. Storage services sign theirs in some 2 KiB.
const PLACE_BYTES: usize = 6 << 10;
/// For the next request of an upload. Registries forget an upload after hours or days.
const FRESH: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Endpoint, Route};
    use http::Method;

    fn call(target: &str) -> Call {
        match Route::parse(&Method::POST, &target.parse().unwrap(), None, true).unwrap() {
            Route::Registry(call) => call,
            route => panic!("{route:?}"),
        }
    }

    #[test]
    fn a_place_is_opened_for_its_repository_alone() {
        let seal = Seal::random().unwrap();
        let place = Url::parse("https://storage.example/u/1?_state=x%3D").unwrap();
        let own = call("/v2/a/b/blobs/uploads/?ns=r.example");
        assert_eq!(own.endpoint, Endpoint::Uploads);
        let sealed = seal.close(&own, &place).unwrap();
        assert!(!sealed.contains(['/', '?', '=', '+', '%']), "{sealed}");
        assert_eq!(seal.open(&own, &sealed), Some(place.clone()));
        for other in ["/v2/a/c/blobs/uploads/?ns=r.example", "/v2/a/b/blobs/uploads/?ns=other.example"] {
            assert_eq!(seal.open(&call(other), &sealed), None, "{other}");
        }
        assert_eq!(Seal::random().unwrap().open(&own, &sealed), None, "another key");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(seal.open(&own, &changed).is_none_or(|opened| opened == place && at == sealed.len() - 1));
        }
        for nonsense in ["", "AAAA", "https://evil.example/", &"A".repeat(20_000)] {
            assert_eq!(seal.open(&own, nonsense), None);
        }
    }

    #[test]
    fn a_place_is_good_for_a_day() {
        let (seal, own) = (Seal::random().unwrap(), call("/v2/a/b/blobs/uploads/?ns=r.example"));
        let place = Url::parse("https://r.example/u/1").unwrap();
        let sealed = seal.close_at(&own, &place, 1_000_000).unwrap();
        let day = FRESH.as_secs();
        for (now, opens) in [(1_000_000, true), (999_000, true), (1_000_000 + day, true), (1_000_001 + day, false)] {
            assert_eq!(seal.open_at(&own, &sealed, now).is_some(), opens, "{now}");
        }
        let long = Url::parse(&format!("https://r.example/{}", "x".repeat(PLACE_BYTES))).unwrap();
        assert_eq!(seal.close(&own, &long), None);
    }

    #[test]
    fn replicas_share_the_key_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, format!("{}\n", "k".repeat(32))).unwrap();
        let [one, two] = [Seal::from_file(&path).unwrap(), Seal::from_file(&path).unwrap()];
        let own = call("/v2/a/b/blobs/uploads/?ns=r.example");
        let place = Url::parse("https://r.example/u/1").unwrap();
        assert_eq!(two.open(&own, &one.close(&own, &place).unwrap()), Some(place));
        fs::write(&path, format!("{}\n", "k".repeat(31))).unwrap();
        assert!(Seal::from_file(&path).err().unwrap().contains("expected at least 32 random bytes, got 31"));
        assert!(Seal::from_file(Path::new("/nonexistent")).is_err());
    }
}
