//! Signature policies: rules about whose signature an image must have. A front end stores them; the command line reads
//! them from a file.
//!
//! ```json
//! {"rules": [
//!   {"images": "registry.example/team", "keys": ["-----BEGIN PUBLIC KEY-----\n…"]},
//!   {"images": "notation.example", "certificates": ["-----BEGIN CERTIFICATE-----\n…"], "subjects": ["O=Example, CN=signer"]},
//!   {"images": "*", "identities": [{"identity": "me@example.org", "issuer": "https://accounts.example.org"}]}
//! ]}
//! ```
//!
//! A rule is about a registry, or about the repositories whose names begin with a path. The rule with the longest name
//! applies; `*` is about all images that no other rule is about. The signature of any signer in the rule is enough.
//! Names of a registry that lead to the same images count as one name: they are compared without case and without port
//! 443, and the names of `docker.io` are one.

use porthole_core::reference::{DEFAULT_REGISTRY, Reference};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Signers of whom one must have signed an image. An empty field names none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerWish {
    /// Public keys, as PEM.
    pub keys: Vec<String>,
    /// Identities in certificates.
    pub identities: Vec<SignerIdentity>,
    /// A trust root as JSON, in place of that of Sigstore's public instance; empty = that instance.
    pub root: String,
    /// Certificates that vouch for signers of Notation.
    pub certificates: SignerCertificates,
}

/// Certificates that vouch for signers of Notation, and for the times at which they signed. Files of certificates are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerCertificates {
    /// Certificates of authorities that vouch for signers, or of signers.
    pub signers: Vec<String>,
    /// Certificates of services that sign for others, and state the time of signing.
    pub signing_authorities: Vec<String>,
    /// Certificates of authorities that sign timestamps.
    pub timestamp_authorities: Vec<String>,
    /// Subjects of signers, as RFC 4514 writes names. Any of them is enough; none = any subject.
    pub subjects: Vec<String>,
    /// The time at which signatures without a signed time are judged, as RFC 3339 writes it. Rules have none: a fixed
    /// time would become outdated.
    pub at: Option<String>,
}

/// An identity in a certificate, and who attested it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerIdentity {
    /// An address, or the URI of a workflow.
    pub identity: SignerText,
    /// The URL of the provider.
    pub issuer: SignerText,
}

/// An exact text, or a regular expression that must match a part of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerText {
    /// The text, or the expression.
    pub text: String,
    /// Whether `text` is a regular expression.
    pub is_expression: bool,
}

impl SignerWish {
    /// Whether no signer is named.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.identities.is_empty() && self.certificates.is_empty()
    }
}

impl SignerCertificates {
    /// Whether no certificate vouches for a signer.
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty() && self.signing_authorities.is_empty()
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

/// Why a text is not a policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerPolicyError {
    /// It is not JSON of this form.
    #[error("expected a policy as JSON, got something else: {0}")]
    Json(#[from] serde_json::Error),
    /// A rule is about something that is neither a registry with an optional path nor `*`.
    #[error(
        "expected a registry, a registry with a path, or `*` as `images` of a rule, without a tag or a digest, got `{0}`"
    )]
    Images(String),
    /// A rule names no signer.
    #[error("the rule about `{0}` names neither a key nor an identity nor a certificate")]
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
#[serde(deny_unknown_fields, expecting = "an object with `rules`")]
struct Document {
    rules: Vec<RuleText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a rule, an object with `images`")]
struct RuleText {
    images: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    identities: Vec<IdentityText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signing_authorities: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timestamp_authorities: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subjects: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trusted_root: Option<Value>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an identity, an object with `issuer`")]
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
    // Editors on Windows put a byte order mark before the text.
    let document: Document = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
    let mut rules: Vec<SignerRule> = Vec::new();
    for rule in document.rules {
        let certificates = SignerCertificates {
            signers: rule.certificates,
            signing_authorities: rule.signing_authorities,
            timestamp_authorities: rule.timestamp_authorities,
            subjects: rule.subjects,
            at: None,
        };
        let (images, keys, identities) = (rule.images, rule.keys, rule.identities);
        let images = pattern(&images).ok_or(SignerPolicyError::Images(images))?;
        if keys.is_empty() && identities.is_empty() && certificates.is_empty() {
            return Err(SignerPolicyError::NoSigner(images));
        }
        if rules.iter().any(|rule| rule.images == images) {
            return Err(SignerPolicyError::Twice(images));
        }
        let identities: Option<Vec<SignerIdentity>> = identities.into_iter().map(identity).collect();
        let identities = identities.ok_or_else(|| SignerPolicyError::Identity(images.clone()))?;
        let root = rule.trusted_root.map(|root| root.to_string()).unwrap_or_default();
        rules.push(SignerRule { images, wish: SignerWish { keys, identities, root, certificates } });
    }
    Ok(rules)
}

/// Writes rules as the text that [`parse_policy`] reads, indented.
pub fn policy_text(rules: &[SignerRule]) -> String {
    let rule = |SignerRule { images, wish }: &SignerRule| RuleText {
        images: images.clone(),
        keys: wish.keys.clone(),
        identities: wish.identities.iter().map(identity_text).collect(),
        certificates: wish.certificates.signers.clone(),
        signing_authorities: wish.certificates.signing_authorities.clone(),
        timestamp_authorities: wish.certificates.timestamp_authorities.clone(),
        subjects: wish.certificates.subjects.clone(),
        trusted_root: serde_json::from_str(&wish.root).ok(),
    };
    let document = Document { rules: rules.iter().map(rule).collect() };
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// Returns the rule about an image: the one with the longest name that the name of the image begins with.
pub fn rule_for<'r>(rules: &'r [SignerRule], registry: &str, repository: &str) -> Option<&'r SignerRule> {
    let name = format!("{}/{repository}", one_name(registry));
    rules
        .iter()
        .filter_map(|rule| Some((weight(&rule.images, &name)?, rule)))
        .max_by_key(|(weight, _)| *weight)
        .map(|(_, rule)| rule)
}

/// Weighs a rule about an image: the longer its name, the more. `None` if it is not about the image.
fn weight(images: &str, name: &str) -> Option<usize> {
    let begins = |name: &str| name.strip_prefix(images).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // `docker.io/nginx` is how people name `docker.io/library/nginx`.
    let familiar = name.strip_prefix(OFFICIAL).map(|rest| format!("{DEFAULT_REGISTRY}/{rest}"));
    match images {
        ALL => Some(0),
        _ if begins(name) => Some(images.len()),
        _ if familiar.as_deref().is_some_and(begins) => Some(images.len() + OFFICIAL.len()),
        _ => None,
    }
}

/// Normalises the `images` of a rule to the one name of the registry; `None` if no name of an image can begin with
/// them.
fn pattern(images: &str) -> Option<String> {
    if images == ALL {
        return Some(images.to_owned());
    }
    let (registry, path) = images.split_once('/').map_or((images, None), |(registry, path)| (registry, Some(path)));
    let registry = one_name(registry);
    // A rule with a name that no reference has, or with a tag, would never be about an image.
    let reference = Reference::parse_bytes(format!("{registry}/{}", path.unwrap_or("a")).as_bytes()).ok()?;
    let is_whole = path.is_none_or(|path| !path.contains([':', '@']));
    (is_whole && reference.registry() == registry)
        .then(|| path.map_or_else(|| registry.clone(), |path| format!("{registry}/{path}")))
}

/// Returns the one name that stands for all names of a registry.
fn one_name(registry: &str) -> String {
    let lower = registry.to_ascii_lowercase();
    let name = lower.strip_suffix(":443").unwrap_or(&lower);
    match name {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY.to_owned(),
        name => name.to_owned(),
    }
}

const OFFICIAL: &str = "docker.io/library/";

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
    fn no_other_name_of_a_registry_passes_by_its_rule() {
        let rules = ["*", "r.example", "docker.io", "docker.io/nginx", "docker.io/team", "[::1]:5000"].map(rule);
        let about =
            |registry: &str, repository: &str| rule_for(&rules, registry, repository).map(|rule| rule.images.as_str());
        for registry in ["r.example", "R.Example", "r.example:443"] {
            assert_eq!(about(registry, "app"), Some("r.example"), "{registry}");
        }
        assert_eq!(about("r.example:5000", "app"), Some("*"), "another registry on the same host");
        for registry in ["docker.io", "index.docker.io", "registry-1.docker.io", "Docker.io:443"] {
            assert_eq!(about(registry, "library/nginx"), Some("docker.io/nginx"), "{registry}");
            assert_eq!(about(registry, "team/app"), Some("docker.io/team"), "{registry}");
            assert_eq!(about(registry, "library/nginxy"), Some("docker.io"), "{registry}");
        }
        assert_eq!(about("[::1]:5000", "a/b"), Some("[::1]:5000"));
        let read = |images: &str| parse_policy(&policy_text(&[rule(images)])).map(|rules| rules[0].images.clone());
        assert_eq!(read("Index.Docker.io/team").unwrap(), "docker.io/team");
        assert_eq!(read("r.example:443").unwrap(), "r.example");
        assert_eq!(read("localhost/a").unwrap(), "localhost/a");
    }

    #[test]
    fn a_policy_survives_the_trip() {
        let text = r#"{"rules": [
            {"images": "r.example:5000/team", "keys": ["-----BEGIN PUBLIC KEY-----\n"], "trusted_root": {"mediaType": "x"}},
            {"images": "*", "identities": [{"identity_regexp": "^https://github.com/a/", "issuer": "https://i.example"}]},
            {"images": "n.example", "certificates": ["a"], "timestamp_authorities": ["b"], "signing_authorities": ["c"], "subjects": ["CN=d"]}
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
            (r#"{"images": "r.example"}"#, "names neither a key nor an identity nor a certificate"),
            (r#"{"images": "r.example", "subjects": ["CN=a"]}"#, "names neither a key"),
            (r#"{"images": "r.example", "key": ["a"]}"#, "unknown field `key`"),
            (r#"{"images": "nginx", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "r.example/", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "https://r.example", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "r.example/app:1", "keys": ["a"]}"#, "without a tag"),
            (r#"{"images": "r.example/App", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "r.example/a/../b", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "r.example:/a", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "r.example/*", "keys": ["a"]}"#, "expected a registry"),
            (r#"{"images": "**", "keys": ["a"]}"#, "expected a registry"),
            (
                r#"{"images": "docker.io", "keys": ["a"]}, {"images": "index.docker.io", "keys": ["b"]}"#,
                "two rules are about `docker.io`",
            ),
            (r#"{"images": "r.example", "identities": [{"identity": "a"}]}"#, "one of `issuer`"),
            (r#"{"images": "r.example", "identities": [{"identity": "", "issuer": "b"}]}"#, "one of `identity`"),
            (r#"{"images": "a.b", "keys": ["a"]}, {"images": "a.b", "keys": ["b"]}"#, "two rules are about `a.b`"),
        ] {
            assert!(with(rule).contains(expected), "{rule}: {}", with(rule));
        }
        assert!(parse_policy("").unwrap_err().to_string().starts_with("expected a policy as JSON"));
        for (text, expected) in
            [("null", "an object with `rules`"), (r#"{"rules":[1]}"#, "a rule, an object with `images`")]
        {
            let error = parse_policy(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(parse_policy("\u{feff}{\"rules\":[]}").is_ok());
    }
}
