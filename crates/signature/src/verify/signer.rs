//! The signer of a signature.

use crate::{
    chain::ChainedCertificate,
    key::{KeyAlgorithm, PublicKey},
};
use porthole_core::digest::Digest;
use sigstore_verify::{crypto::parse_certificate_info, types::DerCertificate};
use std::fmt;

/// The signer: the holder of a key, or an identity that an authority attested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The holder of a key.
    Key {
        /// SHA-256 of the public key.
        fingerprint: Digest,
        /// Algorithm of the key.
        algorithm: KeyAlgorithm,
    },
    /// An identity that an OpenID Connect provider attested to an authority.
    Certificate {
        /// An address, or the URI of a workflow.
        identity: String,
        /// The URL of the provider; private authorities may leave it out.
        issuer: Option<String>,
        /// What else the certificate states.
        claims: Box<CertificateClaims>,
    },
    /// A signer whose chain leads to a certificate that was named.
    Subject {
        /// The subject of the signer's certificate, as RFC 4514 writes names.
        subject: String,
        /// The subject of the root to which its certificates lead.
        root: String,
        /// SHA-256 of the signer's certificate.
        fingerprint: Digest,
    },
}

/// What a certificate for a workflow says beside its identity, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateClaims {
    /// The repository that was built.
    pub source: Option<String>,
    /// Commit that was built.
    pub commit: Option<String>,
    /// Its branch or tag.
    pub reference: Option<String>,
    /// The URL of the run.
    pub run: Option<String>,
}

impl Signer {
    pub(super) fn of_key(key: &PublicKey) -> Self {
        Self::Key { fingerprint: key.fingerprint(), algorithm: key.algorithm() }
    }

    pub(super) fn of_chain(chain: &[ChainedCertificate]) -> Option<Self> {
        let (leaf, root) = (chain.first()?, chain.last()?);
        Some(Self::Subject { subject: leaf.subject(), root: root.subject(), fingerprint: leaf.fingerprint() })
    }
}

/// The holder of a certificate; `None` if it states no identity.
pub(super) fn of_certificate(certificate: &DerCertificate) -> Option<Signer> {
    let info = parse_certificate_info(certificate).ok()?;
    let claims = CertificateClaims {
        source: info.ci_claims.source_repository_uri,
        commit: info.ci_claims.source_repository_digest,
        reference: info.ci_claims.source_repository_ref,
        run: info.ci_claims.run_invocation_uri,
    };
    Some(Signer::Certificate {
        identity: info.identity?.as_str().to_owned(),
        issuer: info.issuer,
        claims: Box::new(claims),
    })
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { fingerprint, algorithm } => write!(f, "{algorithm} key {fingerprint}"),
            Self::Certificate { identity, issuer: Some(issuer), .. } => write!(f, "{identity}, attested by {issuer}"),
            Self::Certificate { identity, issuer: None, .. } => f.write_str(identity),
            Self::Subject { subject, root, .. } => write!(f, "{subject}, for whom {root} vouches"),
        }
    }
}
