//! The signers that a user asks for.

use crate::{authorities::TrustedCertificates, key::PublicKey};
use regex_lite::Regex;

/// The signers that a user named. Any of them suffices. No signature satisfies an empty demand.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    /// Keys, any of which may sign.
    pub keys: Vec<PublicKey>,
    /// Identities in certificates.
    pub identities: Vec<DemandedIdentity>,
    /// Certificates of Notation's signers, or of authorities that vouch for them.
    pub certificates: TrustedCertificates,
}

/// An identity in a certificate, and who attested it. Neither suffices alone, because every issuer may attest any identity.
#[derive(Clone, Debug)]
pub struct DemandedIdentity {
    /// The subject: an address, or the URI of a workflow.
    pub identity: TextPattern,
    /// The URL of the OpenID Connect provider.
    pub issuer: TextPattern,
}

/// A text, or a regular expression that must match a part of it, as with cosign.
#[derive(Clone, Debug)]
pub enum TextPattern {
    /// The text must be equal.
    Exact(String),
    /// A regular expression; `^` and `$` anchor it.
    Matching(Regex),
}

impl Demand {
    /// Whether no signer is named.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.identities.is_empty() && self.certificates.is_empty()
    }

    /// Whether the identity of a verified certificate was named.
    pub(crate) fn names(&self, identity: &str, issuer: &str) -> bool {
        self.identities.iter().any(|wanted| wanted.identity.matches(identity) && wanted.issuer.matches(issuer))
    }
}

impl TextPattern {
    /// A regular expression that must match a part of the text.
    ///
    /// # Errors
    ///
    /// The error of a malformed expression.
    pub fn expression(text: &str) -> Result<Self, regex_lite::Error> {
        Regex::new(text).map(Self::Matching)
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == text,
            Self::Matching(pattern) => pattern.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_issuer_must_both_match() {
        let exact = |text: &str| TextPattern::Exact(text.to_owned());
        let wanted = DemandedIdentity { identity: exact("me@example.org"), issuer: exact("https://login.example.org") };
        let demand = Demand { identities: vec![wanted], ..Demand::default() };
        assert!(demand.names("me@example.org", "https://login.example.org"));
        assert!(!demand.names("me@example.org", "https://evil.example.org"));
        assert!(!demand.names("you@example.org", "https://login.example.org"));
        assert!(!Demand::default().names("", ""));
    }

    #[test]
    fn an_expression_matches_a_part_unless_it_is_anchored() {
        let pattern = |text| TextPattern::Matching(Regex::new(text).expect("an expression"));
        assert!(pattern("github.com/a/").matches("https://github.com/a/b/.github/workflows/release.yml@refs/tags/v1"));
        assert!(!pattern("^github.com/a/").matches("https://github.com/a/b"));
    }
}
