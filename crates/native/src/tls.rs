//! TLS: which certificates are trusted for which host, and what a failed handshake means.

use crate::{
    Options, error,
    hosts::{Hosts, is_for},
    verify::{AnyCertificate, Trusted},
};
use porthole_registry::{
    policy::{Authority, Host},
    transport::{Error, ErrorKind},
};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, CertificateError, ClientConfig, RootCertStore,
        client::danger::ServerCertVerifier,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

/// Trusted certificates and TLS configurations. They are made when the first connection needs them: reading the
/// system's certificates takes a while.
#[derive(Debug)]
pub(crate) struct Tls {
    /// Certificates from files, with the host that they are for.
    files: Vec<(Option<Authority>, Vec<CertificateDer<'static>>)>,
    insecure: Hosts,
    /// Directories in the form of Docker's `certs.d`.
    folders: Vec<PathBuf>,
    system: OnceLock<Vec<CertificateDer<'static>>>,
    /// For hosts without settings of their own.
    general: OnceLock<Result<Arc<ClientConfig>, Error>>,
    /// For hosts with settings of their own.
    special: Mutex<HashMap<(Host, u16), Arc<ClientConfig>>>,
}

impl Tls {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let mut files = Vec::new();
        for file in &options.ca {
            files.push((file.host.clone(), read_certificates(&file.path)?));
        }
        Ok(Self {
            files,
            insecure: options.insecure.clone(),
            folders: options.certs_d.clone(),
            system: OnceLock::new(),
            general: OnceLock::new(),
            special: Mutex::default(),
        })
    }

    /// Speaks TLS with `host`.
    ///
    /// # Errors
    /// [`ErrorKind::NotTls`] if the answer is not TLS, [`ErrorKind::Expired`] and [`ErrorKind::WrongName`] for such certificates,
    /// [`ErrorKind::Tls`] for anything else.
    pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        port: u16,
        stream: S,
    ) -> Result<TlsStream<S>, Error> {
        let config = self.config(host, port)?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| error(ErrorKind::Tls, format!("{host} cannot be the name in a certificate")))?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|failure| refused(host, &failure))
    }

    fn config(&self, host: &str, port: u16) -> Result<Arc<ClientConfig>, Error> {
        let Ok(host) = Host::parse(host) else { return self.general() };
        let key = (host, port);
        let known = self.special.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(config) = known {
            return Ok(config);
        }
        let own = self.own(&key.0, port)?;
        if own.is_none() {
            return self.general();
        }
        let config = Arc::new(own.config(self)?);
        self.special.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn general(&self) -> Result<Arc<ClientConfig>, Error> {
        let own = Own { insecure: self.insecure.is_all(), ..Own::default() };
        self.general.get_or_init(|| own.config(self).map(Arc::new)).clone()
    }

    /// Collects the settings that are for this host alone.
    fn own(&self, host: &Host, port: u16) -> Result<Own, Error> {
        let files =
            self.files.iter().filter(|(named, _)| named.as_ref().is_some_and(|named| is_for(named, host, port)));
        let certificates = files.flat_map(|(_, certificates)| certificates).cloned().collect();
        let mut own = Own { certificates, identity: None, insecure: self.insecure.names(host, port) };
        // Docker leaves out the port of HTTPS.
        let names = [Some(format!("{host}:{port}")), (port == 443).then(|| host.to_string())];
        for folder in &self.folders {
            for name in names.iter().flatten() {
                own.read_folder(&folder.join(name))?;
            }
        }
        Ok(own)
    }

    fn system(&self) -> &[CertificateDer<'static>] {
        self.system.get_or_init(|| rustls_native_certs::load_native_certs().certs)
    }
}

/// The settings of one host.
#[derive(Default)]
struct Own {
    certificates: Vec<CertificateDer<'static>>,
    /// Certificates and key with which this client identifies itself.
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    insecure: bool,
}

impl Own {
    fn is_none(&self) -> bool {
        self.certificates.is_empty() && self.identity.is_none() && !self.insecure
    }

    /// Reads a directory of Docker's `certs.d`: `*.crt` are certificates to trust, `NAME.cert` and `NAME.key` are those of this client.
    fn read_folder(&mut self, folder: &Path) -> Result<(), Error> {
        // A directory that cannot be read, such as that of another user, is skipped.
        let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => self.certificates.extend(read_certificates(&path)?),
                Some("cert") => {
                    let chain = read_certificates(&path)?;
                    let key = path.with_extension("key");
                    let private = PrivateKeyDer::from_pem_file(&key)
                        .map_err(|failure| unreadable(&key, &format!("cannot read the private key: {failure}")))?;
                    self.identity = Some((chain, private));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn config(self, tls: &Tls) -> Result<ClientConfig, Error> {
        let failed = |message: String| error(ErrorKind::Tls, message);
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|failure| failed(failure.to_string()))?;
        let verifier: Arc<dyn ServerCertVerifier> = if self.insecure {
            Arc::new(AnyCertificate(provider))
        } else {
            // Certificates for one host replace those for every host.
            let mut private = self.certificates;
            if private.is_empty() {
                let general = tls.files.iter().filter(|(host, _)| host.is_none());
                private = general.flat_map(|(_, certificates)| certificates).cloned().collect();
            }
            let mut roots = RootCertStore::empty();
            // A system store may hold certificates that rustls cannot use: they are skipped, as other clients do.
            roots.add_parsable_certificates(tls.system().iter().cloned());
            for certificate in &private {
                let added = roots.add(certificate.clone());
                added.map_err(|failure| failed(format!("unusable certificate authority: {failure}")))?;
            }
            if roots.is_empty() {
                return Err(failed("this system has no certificate authorities (package ca-certificates)".into()));
            }
            private.extend_from_slice(tls.system());
            Arc::new(Trusted::new(private, roots, provider).map_err(failed)?)
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match self.identity {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|failure| failed(format!("unusable client certificate: {failure}")))?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|failure| unreadable(path, &format!("cannot read certificates: {failure}")))?;
    if found.is_empty() {
        return Err(unreadable(path, "expected a certificate in PEM, got none"));
    }
    Ok(found)
}

fn unreadable(path: &Path, reason: &str) -> Error {
    error(ErrorKind::Tls, format!("{reason}: `{}`", path.display()))
}

/// Explains a failed handshake with a host.
fn refused(host: &str, failure: &io::Error) -> Error {
    use rustls::Error as Tls;
    let no_tls = |what: &str| error(ErrorKind::NotTls, format!("{host} {what}"));
    let Some(inner) = failure.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) else {
        return match failure.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                no_tls("closed the connection instead of answering in TLS")
            }
            _ => error(ErrorKind::Tls, format!("no secure connection to {host}: {failure}")),
        };
    };
    let Tls::InvalidCertificate(certificate) = inner else {
        return match inner {
            Tls::InvalidMessage(_) => no_tls("does not answer in TLS"),
            _ => error(ErrorKind::Tls, format!("no secure connection to {host}: {inner}")),
        };
    };
    let days = |from: u64, to: u64| format!("{} days", to.saturating_sub(from) / (24 * 60 * 60));
    match certificate {
        CertificateError::ExpiredContext { time, not_after } => error(
            ErrorKind::Expired,
            format!("the certificate of {host} expired {} ago", days(not_after.as_secs(), time.as_secs())),
        ),
        CertificateError::NotValidYetContext { time, not_before } => error(
            ErrorKind::Expired,
            format!(
                "the certificate of {host} is not valid before {} from now",
                days(time.as_secs(), not_before.as_secs())
            ),
        ),
        CertificateError::Expired | CertificateError::NotValidYet => {
            error(ErrorKind::Expired, format!("the certificate of {host} is not valid at this time"))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            error(ErrorKind::WrongName, format!("no secure connection to {host}: {inner}"))
        }
        _ => error(ErrorKind::Tls, format!("no secure connection to {host}: {inner}")),
    }
}
