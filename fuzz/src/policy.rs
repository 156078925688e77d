//! The target for rules about signatures.

use porthole_inspect::policy::{parse_policy, policy_text, rule_for};

/// Reads a policy. What is accepted survives the trip through its text, every rule names a signer, and is the one about what it names.
pub fn policy(data: &[u8]) {
    let Ok(rules) = parse_policy(&String::from_utf8_lossy(data)) else { return };
    for rule in &rules {
        assert!(!rule.wish.is_empty(), "a rule without a signer");
        let Some((registry, repository)) = rule.images.split_once('/') else { continue };
        let found = rule_for(&rules, registry, repository);
        assert!(found.is_some(), "a rule that is about nothing: {}", rule.images);
    }
    assert_eq!(parse_policy(&policy_text(&rules)).ok(), Some(rules), "the trip through the text");
}
