//! What a front end offers for each hint of an error.

use crate::{protocol::Remedy, shell};
use porthole_core::hint::Hint;

/// The remedy for a hint. `relay` is the base URL of the relay that is or could be used.
///
/// A front end of this crate has no options. Where only an option of the command line helps, the remedy names it.
pub(super) fn of_hint(hint: Hint, relay: Option<&str>) -> Remedy {
    match hint {
        Hint::UseRelay { registry } => Remedy::UseRelay { registry, available: relay.is_some() },
        Hint::SignIn { registry } => Remedy::SignIn { registry, refused: false },
        Hint::CheckCredentials { registry } => Remedy::SignIn { registry, refused: true },
        Hint::RetryAfter { seconds } => Remedy::Retry { after: Some(seconds) },
        Hint::ChoosePlatform { available } if !available.is_empty() => Remedy::ChoosePlatform { available },
        Hint::RaiseLimit { name, value } => {
            words(&format!("this page does not raise limits; the command line does, with --limit {name}={value}"))
        }
        Hint::TrustRealm { realm } => words(&format!(
            "this page sends no credentials there; if you trust {realm} with them, use the command line with --trust-realm {realm}"
        )),
        Hint::Foreign { hosts } => Remedy::AllowForeign { hosts },
        hint @ (Hint::CheckRelay { .. }
        | Hint::CheckProxy { .. }
        | Hint::ChoosePlatform { .. }
        | Hint::ChooseImage { .. }
        | Hint::UseDigest
        | Hint::PlainHttp { .. }
        | Hint::TrustAuthority { .. }
        | Hint::CheckClock { .. }
        | Hint::Decompress { .. }
        | Hint::WithoutSeekIndex
        | Hint::WithoutToc
        | Hint::Text(_)) => words(&hint.to_string()),
    }
}

/// The command that fetches the foreign layers of an image from hosts that let no page read them.
pub(crate) fn pull_foreign(reference: &str, platform: Option<&str>) -> Remedy {
    words(&format!("the command line fetches it from there: {}", shell::command("pull --foreign", reference, platform)))
}

/// A hint as a sentence.
fn words(hint: &str) -> Remedy {
    let mut letters = hint.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let end = if hint.ends_with(['.', '?', '!']) { "" } else { "." };
    Remedy::Text { text: format!("{}{}{end}", first.map(String::from).unwrap_or_default(), letters.as_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(hint: Hint) -> String {
        match of_hint(hint, None) {
            Remedy::Text { text } => text,
            remedy => panic!("expected words, got {remedy:?}"),
        }
    }

    #[test]
    fn hints_that_a_page_can_follow_are_buttons() {
        let registry = || "r.example".to_owned();
        let relay = Some("http://127.0.0.1:8090");
        assert_eq!(
            of_hint(Hint::UseRelay { registry: registry() }, relay),
            Remedy::UseRelay { registry: registry(), available: true }
        );
        assert_eq!(
            of_hint(Hint::CheckCredentials { registry: registry() }, None),
            Remedy::SignIn { registry: registry(), refused: true }
        );
        assert_eq!(of_hint(Hint::RetryAfter { seconds: 9 }, None), Remedy::Retry { after: Some(9) });
    }

    #[test]
    fn the_other_hints_are_sentences() {
        assert_eq!(text(Hint::UseDigest), "Use the digest in place of the name.");
        assert_eq!(
            text(Hint::ChoosePlatform { available: Vec::new() }),
            "No entry of the index is an image for a platform."
        );
        assert_eq!(text(Hint::Text("did you mean a/b?".into())), "Did you mean a/b?");
        assert_eq!(text(Hint::Text("`A` is a registry".into())), "`A` is a registry.");
        let limit = text(Hint::RaiseLimit { name: "entries", value: 20 });
        assert!(limit.ends_with("with --limit entries=20."), "{limit}");
    }
}
