//! Whose signature images must have: rules that a person makes. A front end keeps them; the command line reads them from a file.
//!
//! ```json
//! {"rules": [
//!   {"images": "registry.example/team", "keys": ["-----BEGIN PUBLIC KEY-----\n…"]},
//!   {"images": "*", "identities": [{"identity": "me@example.org", "issuer": "https://accounts.example.org"}]}
//! ]}
//! ```
//!
//! A rule is about a registry, or about repositories whose names begin with a path; the longest one counts, and `*` is about all that no
//! other rule is about. Any signer that a rule names is enough.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whose signature a person asks for. What is empty is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerWish {
    /// Public keys, as PEM.
    pub keys: Vec<String>,
    /// Identities in certificates.
    pub identities: Vec<SignerIdentity>,
    /// A trust root as JSON, in place of that of Sigstore's public instance.
    pub root: String,
}

/// An identity in a certificate, and who attested it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerIdentity {
    /// An address, or the URI of a workflow.
    pub identity: SignerText,
    /// The URL of the provider.
    pub issuer: SignerText,
}

/// A text, or a regular expression that matches a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerText {
    /// The text, or the expression.
    pub text: String,
    /// It is an expression.
    pub is_expression: bool,
}

impl SignerWish {
    /// Whether no signer is named.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.identities.is_empty()
    }
}

/// Whose signature some images must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerRule {
    /// A registry, with or without the start of the names of its repositories, or `*`.
    pub images: String,
    /// The signers whom these images must have.
    pub wish: SignerWish,
}

/// Every image that no other rule is about.
const ALL: &str = "*";

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerPolicyError {
    /// It is not JSON of this form.
    #[error("expected a policy as JSON, got something else: {0}")]
    Json(#[from] serde_json::Error),
    /// A rule is about something that is neither a registry with an optional path nor `*`.
    #[error("expected a registry, a registry with a path, or `*` as `images` of a rule, got `{0}`")]
    Images(String),
    /// A rule names no signer.
    #[error("the rule about `{0}` names neither a key nor an identity")]
    NoSigner(String),
    /// An identity without its issuer, or one that is written in two ways.
    #[error(
        "the rule about `{0}` needs one of `identity` and `identity_regexp`, and one of `issuer` and `issuer_regexp`"
    )]
    Identity(String),
    /// Two rules are about the same images.
    #[error("two rules are about `{0}`")]
    Twice(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<RuleText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    images: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    identities: Vec<IdentityText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trusted_root: Option<Value>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct IdentityText {
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_regexp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_regexp: Option<String>,
}

/// Reads the rules of a policy. A field that is not known is refused: it could be a misspelt one.
///
/// # Errors
///
/// [`SignerPolicyError`].
pub fn parse_policy(text: &str) -> Result<Vec<SignerRule>, SignerPolicyError> {
    let document: Document = serde_json::from_str(text)?;
    let mut rules: Vec<SignerRule> = Vec::new();
    for RuleText { images, keys, identities, trusted_root } in document.rules {
        if !is_pattern(&images) {
            return Err(SignerPolicyError::Images(images));
        }
        if keys.is_empty() && identities.is_empty() {
            return Err(SignerPolicyError::NoSigner(images));
        }
        if rules.iter().any(|rule| rule.images == images) {
            return Err(SignerPolicyError::Twice(images));
        }
        let identities: Option<Vec<SignerIdentity>> = identities.into_iter().map(identity).collect();
        let identities = identities.ok_or_else(|| SignerPolicyError::Identity(images.clone()))?;
        let root = trusted_root.map(|root| root.to_string()).unwrap_or_default();
        rules.push(SignerRule { images, wish: SignerWish { keys, identities, root } });
    }
    Ok(rules)
}

/// The rules as such a text, indented.
pub fn policy_text(rules: &[SignerRule]) -> String {
    let rule = |SignerRule { images, wish }: &SignerRule| RuleText {
        images: images.clone(),
        keys: wish.keys.clone(),
        identities: wish.identities.iter().map(identity_text).collect(),
        trusted_root: serde_json::from_str(&wish.root).ok(),
    };
    let document = Document { rules: rules.iter().map(rule).collect() };
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// The rule about an image: that with the longest name that the image's begins with.
pub fn rule_for<'r>(rules: &'r [SignerRule], registry: &str, repository: &str) -> Option<&'r SignerRule> {
    let name = format!("{registry}/{repository}");
    let is_about = |rule: &&SignerRule| {
        let rest = name.strip_prefix(rule.images.as_str());
        rule.images == ALL || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    rules.iter().filter(is_about).max_by_key(|rule| if rule.images == ALL { 0 } else { rule.images.len() })
}

/// A registry, with or without the start of the names of its repositories.
fn is_pattern(images: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_:/[]".contains(&byte);
    images == ALL
        || images.bytes().all(plain)
            && !images.split('/').any(str::is_empty)
            && images.split('/').next().is_some_and(is_host)
}

/// As a reference is read: what has neither a dot nor a colon is no registry.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':'])
}

fn identity(text: IdentityText) -> Option<SignerIdentity> {
    let one = |exact: Option<String>, expression: Option<String>| match (exact, expression) {
        (Some(text), None) | (None, Some(text)) if text.is_empty() => None,
        (Some(text), None) => Some(SignerText { text, is_expression: false }),
        (None, Some(text)) => Some(SignerText { text, is_expression: true }),
        _ => None,
    };
    let IdentityText { identity, identity_regexp, issuer, issuer_regexp } = text;
    Some(SignerIdentity { identity: one(identity, identity_regexp)?, issuer: one(issuer, issuer_regexp)? })
}

fn identity_text(SignerIdentity { identity, issuer }: &SignerIdentity) -> IdentityText {
    let text = |of: &SignerText, wanted: bool| Some(of.text.clone()).filter(|_| of.is_expression == wanted);
    IdentityText {
        identity: text(identity, false),
        identity_regexp: text(identity, true),
        issuer: text(issuer, false),
        issuer_regexp: text(issuer, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(images: &str) -> SignerRule {
        SignerRule { images: images.into(), wish: SignerWish { keys: vec!["k".into()], ..SignerWish::default() } }
    }

    #[test]
    fn the_longest_name_counts_and_ends_at_a_part() {
        let rules = ["*", "r.example", "r.example/team", "r.example/team/app"].map(rule);
        let about =
            |registry: &str, repository: &str| rule_for(&rules, registry, repository).map(|rule| rule.images.as_str());
        assert_eq!(about("r.example", "team/app"), Some("r.example/team/app"));
        assert_eq!(about("r.example", "team/application"), Some("r.example/team"));
        assert_eq!(about("r.example", "teams/app"), Some("r.example"));
        assert_eq!(about("r.example.org", "team/app"), Some("*"));
        assert_eq!(rule_for(&rules[1..], "r.example.org", "team/app"), None);
    }

    #[test]
    fn a_policy_survives_the_trip() {
        let text = r#"{"rules": [
            {"images": "r.example:5000/team", "keys": ["-----BEGIN PUBLIC KEY-----\n"], "trusted_root": {"mediaType": "x"}},
            {"images": "*", "identities": [{"identity_regexp": "^https://github.com/a/", "issuer": "https://i.example"}]}
        ]}"#;
        let rules = parse_policy(text).unwrap();
        assert_eq!(rules[0].wish.root, r#"{"mediaType":"x"}"#);
        assert!(
            rules[1].wish.identities[0].identity.is_expression && !rules[1].wish.identities[0].issuer.is_expression
        );
        assert_eq!(parse_policy(&policy_text(&rules)).unwrap(), rules);
        assert_eq!(parse_policy(&policy_text(&[])).unwrap(), []);
    }

    #[test]
    fn what_could_let_an_image_pass_by_mistake_is_refused() {
        let with = |rule: &str| parse_policy(&format!(r#"{{"rules": [{rule}]}}"#)).unwrap_err().to_string();
        for (rule, expected) in [
            (r#"{"images": "r.example"}"#, "names neither a key nor an identity"),
            (r#"{"images": "r.example", "key": ["a"]}"#, "unknown field `key`"),
            (r#"{"images": "nginx", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "r.example/", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "https://r.example", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "r.example", "identities": [{"identity": "a"}]}"#, "one of `issuer`"),
            (r#"{"images": "r.example", "identities": [{"identity": "", "issuer": "b"}]}"#, "one of `identity`"),
            (r#"{"images": "a.b", "keys": ["a"]}, {"images": "a.b", "keys": ["b"]}"#, "two rules are about `a.b`"),
        ] {
            assert!(with(rule).contains(expected), "{rule}: {}", with(rule));
        }
        assert!(parse_policy("").unwrap_err().to_string().starts_with("expected a policy as JSON"));
    }
}
