//! The certificate of the relay, read again when its files change.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// A certificate with its key, from two PEM files.
pub(crate) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    files: Files,
    config: Arc<ServerConfig>,
    looked: Instant,
}

/// The content of both files.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// What a look at the files found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    Same,
    /// New connections get the new certificate.
    Changed,
    /// New connections get the old one.
    Unusable(String),
}

impl Identity {
    /// # Errors
    /// Names the file that cannot be used, and why.
    pub(crate) fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, String> {
        let files = read(&certificate, &key)?;
        let config = configure(&files)?;
        let current = Current { files, config, looked: Instant::now() };
        Ok(Self { certificate, key, current: Mutex::new(current) })
    }

    /// Takes new connections. Looks at the files if the last look is a while ago; `report` is called if they have changed.
    pub(crate) fn acceptor(&self, report: impl FnOnce(Looked)) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK {
            match self.look(&mut current) {
                Looked::Same => {}
                found => report(found),
            }
        }
        TlsAcceptor::from(Arc::clone(&current.config))
    }

    fn look(&self, current: &mut Current) -> Looked {
        current.looked = Instant::now();
        let files = match read(&self.certificate, &self.key) {
            Ok(files) if files == current.files => return Looked::Same,
            Ok(files) => files,
            Err(reason) => return Looked::Unusable(reason),
        };
        match configure(&files) {
            Ok(config) => {
                (current.files, current.config) = (files, config);
                Looked::Changed
            }
            // A certificate that was replaced before its key does not fit it for a moment.
            Err(reason) => Looked::Unusable(reason),
        }
    }
}

/// The name of HTTP/2 in a handshake (RFC 9113, section 3.1).
pub(crate) const H2: &[u8] = b"h2";

fn read(certificate: &PathBuf, key: &PathBuf) -> Result<Files, String> {
    let read = |path: &PathBuf| fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()));
    Ok(Files { certificate: read(certificate)?, key: read(key)? })
}

fn configure(files: &Files) -> Result<Arc<ServerConfig>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&files.certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate is no PEM file: {error}"))?;
    if chain.is_empty() {
        return Err("the file of the certificate holds none".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|error| format!("the key is no PEM file: {error}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("the certificate cannot be used: {error}"))?;
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

const LOOK: Duration = Duration::from_secs(5);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::Path;

    /// Writes a self-signed certificate for `localhost` and its key.
    pub(crate) fn write(folder: &Path) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn a_renewed_certificate_is_used_and_a_half_written_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = write(folder.path());
        let identity = Identity::load(certificate.clone(), key.clone()).unwrap();
        let look = || identity.look(&mut identity.current.lock().unwrap());
        let config = || Arc::clone(&identity.current.lock().unwrap().config);
        let first = config();
        assert_eq!(look(), Looked::Same);
        fs::write(&certificate, "").unwrap();
        assert!(matches!(look(), Looked::Unusable(_)));
        assert!(Arc::ptr_eq(&first, &config()));
        write(folder.path());
        assert_eq!(look(), Looked::Changed);
        assert!(!Arc::ptr_eq(&first, &config()));
        fs::remove_file(&key).unwrap();
        assert!(matches!(look(), Looked::Unusable(_)));
    }

    #[test]
    fn files_that_cannot_be_used_are_named_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = write(folder.path());
        let load = |certificate: &Path, key: &Path| Identity::load(certificate.into(), key.into()).err().unwrap();
        assert!(load(&key, &key).contains("holds none"));
        assert!(load(&certificate, &certificate).contains("the key is no PEM file"));
        assert!(load(Path::new("/nonexistent"), &key).contains("/nonexistent"));
    }
}
