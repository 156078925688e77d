//! TLS: whom to trust.

use crate::error;
use porthole_registry::transport::{Error, ErrorKind};
use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    },
};

pub(crate) type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Trust, made ready when the first connection needs it: reading the system's certificates takes a while.
#[derive(Debug)]
pub(crate) struct Tls {
    private: Vec<CertificateDer<'static>>,
    insecure: bool,
    ready: OnceLock<Result<Arc<ClientConfig>, Error>>,
}

impl Tls {
    pub(crate) fn new(ca: &[PathBuf], insecure: bool) -> Result<Self, Error> {
        let mut private = Vec::new();
        for path in ca {
            let unreadable = |reason: String| error(ErrorKind::Tls, format!("{reason}: `{}`", path.display()));
            let found: Vec<_> = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect)
                .map_err(|failure| unreadable(format!("cannot read certificates: {failure}")))?;
            if found.is_empty() {
                return Err(unreadable("expected a certificate in PEM, got none".to_owned()));
            }
            private.extend(found);
        }
        Ok(Self { private, insecure, ready: OnceLock::new() })
    }

    pub(crate) async fn handshake(&self, host: &str, tcp: TcpStream) -> Result<TlsStream, Error> {
        let config = self.ready.get_or_init(|| self.config().map(Arc::new)).clone()?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| error(ErrorKind::Tls, format!("{host} cannot be the name in a certificate")))?;
        TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|failure| error(ErrorKind::Tls, format!("no secure connection to {host}: {failure}")))
    }

    fn config(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|failure| error(ErrorKind::Tls, failure.to_string()))?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        // A system store may hold certificates that rustls cannot use: they are passed over, as everywhere.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in &self.private {
            roots
                .add(certificate.clone())
                .map_err(|failure| error(ErrorKind::Tls, format!("unusable certificate authority: {failure}")))?;
        }
        if roots.is_empty() {
            return Err(error(ErrorKind::Tls, "this system has no certificate authorities (package ca-certificates)"));
        }
        Ok(roots)
    }
}

/// Accepts every certificate; the handshake's own signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
