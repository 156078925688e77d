//! Certificates that a user trusts. The Notary Project calls them trust stores.

use crate::{
    chain::{ChainError, ChainedCertificate, Moment},
    key::KeyError,
};
use porthole_inspect::policy::SignerCertificates;
use sigstore_verify::types::DerCertificate;
use std::str::FromStr as _;
use x509_cert::{
    attr::AttributeTypeAndValue,
    der::{Tag, Tagged as _},
    name::Name,
};

/// Trusted certificates of signers and of time stamp authorities, and the subjects that a signer must have.
#[derive(Clone, Debug, Default)]
pub struct TrustedCertificates {
    signers: Vec<ChainedCertificate>,
    signing_authorities: Vec<ChainedCertificate>,
    times: Vec<ChainedCertificate>,
    subjects: Vec<SubjectPattern>,
    at: Option<i64>,
}

/// What a certificate is trusted to vouch for (Notary Project, trust store and trust policy, "Trust Store").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateTrust {
    /// Signers: the store `ca`.
    Signers,
    /// Services that sign for others and state the time: the store `signingAuthority`.
    SigningAuthorities,
    /// Time stamp authorities: the store `tsa`.
    Times,
}

/// Attributes that the subject of a signer's certificate must have; it may have more.
#[derive(Clone, Debug)]
struct SubjectPattern(Vec<AttributeTypeAndValue>);

/// Why a certificate, a subject or a time cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedCertificateError {
    /// A private key, which is never needed.
    #[error(transparent)]
    Private(KeyError),
    /// Neither PEM nor DER of certificates.
    #[error("expected certificates as PEM (BEGIN CERTIFICATE), or one as DER, got something else")]
    Format,
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] ChainError),
    /// A subject is not a distinguished name.
    #[error("expected a subject such as `C=US, O=Example, CN=signer`, got `{0}`")]
    Subject(String),
    /// A time is not one of RFC 3339.
    #[error("expected a time such as `2026-01-31T12:00:00Z`, got `{0}`")]
    Time(String),
}

impl TrustedCertificates {
    /// Reads the certificates, subjects and time of a request.
    ///
    /// # Errors
    ///
    /// [`TrustedCertificateError`].
    pub fn of(wish: &SignerCertificates) -> Result<Self, TrustedCertificateError> {
        let mut trusted = Self::default();
        for (trust, files) in [
            (CertificateTrust::Signers, &wish.signers),
            (CertificateTrust::SigningAuthorities, &wish.signing_authorities),
            (CertificateTrust::Times, &wish.timestamp_authorities),
        ] {
            files.iter().try_for_each(|file| trusted.add(trust, file.as_bytes()))?;
        }
        wish.subjects.iter().try_for_each(|subject| trusted.ask_for_subject(subject))?;
        wish.at.iter().try_for_each(|time| trusted.judge_at(time))?;
        Ok(trusted)
    }

    /// Adds the certificates of a file: one as DER, or any number as PEM.
    ///
    /// # Errors
    ///
    /// [`TrustedCertificateError`].
    pub fn add(&mut self, trust: CertificateTrust, file: &[u8]) -> Result<(), TrustedCertificateError> {
        let found = read(file)?;
        match trust {
            CertificateTrust::Signers => &mut self.signers,
            CertificateTrust::SigningAuthorities => &mut self.signing_authorities,
            CertificateTrust::Times => &mut self.times,
        }
        .extend(found);
        Ok(())
    }

    /// Asks for a signer whose subject has these attributes, in the notation of RFC 4514. If several subjects are asked for, any of them suffices.
    ///
    /// # Errors
    ///
    /// [`TrustedCertificateError::Subject`].
    pub fn ask_for_subject(&mut self, text: &str) -> Result<(), TrustedCertificateError> {
        let wrong = || TrustedCertificateError::Subject(text.to_owned());
        let parts: Result<Vec<_>, _> =
            parts(text).into_iter().map(|part| AttributeTypeAndValue::from_str(part.trim())).collect();
        let parts = parts.ok().filter(|parts| parts.iter().all(|part| !part.value.value().is_empty()));
        self.subjects.push(SubjectPattern(parts.ok_or_else(wrong)?));
        Ok(())
    }

    /// Sets the time (RFC 3339) at which certificates must be valid if no authority signed a time, and at which a signature must not
    /// have expired.
    ///
    /// # Errors
    ///
    /// [`TrustedCertificateError::Time`].
    pub fn judge_at(&mut self, text: &str) -> Result<(), TrustedCertificateError> {
        let time = text.parse::<jiff::Timestamp>().map_err(|_| TrustedCertificateError::Time(text.to_owned()))?;
        self.at = Some(time.as_second());
        Ok(())
    }

    /// Whether there is no certificate that vouches for a signer.
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty() && self.signing_authorities.is_empty()
    }

    pub(crate) fn trusted(&self, trust: CertificateTrust) -> &[ChainedCertificate] {
        match trust {
            CertificateTrust::Signers => &self.signers,
            CertificateTrust::SigningAuthorities => &self.signing_authorities,
            CertificateTrust::Times => &self.times,
        }
    }

    pub(crate) fn time(&self) -> Option<Moment> {
        self.at.map(Moment)
    }

    /// Whether a subject is one that was asked for.
    pub(crate) fn asks_for(&self, subject: &Name) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|wanted| wanted.matches(subject))
    }
}

impl SubjectPattern {
    fn matches(&self, subject: &Name) -> bool {
        let has = |wanted: &AttributeTypeAndValue| {
            let mut all = subject.0.iter().flat_map(|part| part.0.iter()).filter(|found| found.oid == wanted.oid);
            all.any(|found| is_text(found.value.tag()) && found.value.value() == wanted.value.value())
        };
        self.0.iter().all(has)
    }
}

/// The kinds of strings that have the bytes of UTF-8, or of ASCII.
fn is_text(tag: Tag) -> bool {
    matches!(tag, Tag::Utf8String | Tag::PrintableString | Tag::Ia5String)
}

/// The text between commas that no backslash escapes.
fn parts(text: &str) -> Vec<&str> {
    let mut is_escaped = false;
    text.split(|letter| {
        let is_comma = letter == ',' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_comma
    })
    .collect()
}

fn read(file: &[u8]) -> Result<Vec<ChainedCertificate>, TrustedCertificateError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = std::str::from_utf8(file).unwrap_or_default();
    if text.contains("PRIVATE KEY-----") {
        return Err(TrustedCertificateError::Private(KeyError::Private));
    }
    if !text.contains(BEGIN) {
        let certificate = ChainedCertificate::parse(file);
        return certificate.map(|one| vec![one]).map_err(|error| match error {
            ChainError::Malformed(_) => TrustedCertificateError::Format,
            error => error.into(),
        });
    }
    let blocks = text.split(BEGIN).skip(1).map(|block| {
        let (body, _) = block.split_once(END).ok_or(TrustedCertificateError::Format)?;
        let der = DerCertificate::from_pem(&format!("{BEGIN}{body}{END}\n"));
        Ok(ChainedCertificate::parse(der.map_err(|_| TrustedCertificateError::Format)?.as_bytes())?)
    });
    blocks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(wanted: &str, subject: &str) -> bool {
        let mut trusted = TrustedCertificates::default();
        trusted.ask_for_subject(wanted).expect("a subject");
        trusted.asks_for(&Name::from_str(subject).expect("a name"))
    }

    #[test]
    fn a_subject_has_all_attributes_that_were_asked_for_and_may_have_more() {
        let subject = r"CN=signer,OU=a\,b,O=Example,C=US";
        assert!(asks("C=US, O=Example", subject));
        assert!(asks(r"O=Example,OU=a\,b", subject));
        assert!(!asks("C=US, O=Example, CN=another", subject));
        assert!(!asks("O=Exam", subject));
        // A value with a comma is not two attributes.
        assert!(!asks("O=Example", r"CN=signer\,O=Example"));
    }

    #[test]
    fn a_text_that_is_no_subject_no_time_and_no_certificate_is_refused() {
        let mut trusted = TrustedCertificates::default();
        for text in ["", "signer", "CN=", "X=1"] {
            assert!(trusted.ask_for_subject(text).is_err(), "{text}");
        }
        for text in ["", "now", "2026-01-31", "1767268800"] {
            assert!(trusted.judge_at(text).is_err(), "{text}");
        }
        let add = |bytes: &[u8]| TrustedCertificates::default().add(CertificateTrust::Signers, bytes);
        assert_eq!(add(b"no certificate"), Err(TrustedCertificateError::Format));
        assert_eq!(add(b"-----BEGIN CERTIFICATE-----\nAAAA\n"), Err(TrustedCertificateError::Format));
        let private = add(b"-----BEGIN PRIVATE KEY-----");
        assert_eq!(private, Err(TrustedCertificateError::Private(KeyError::Private)));
        assert!(trusted.is_empty());
    }
}
