//! The link *signed by* of the chain of proof.

use crate::protocol::{EvidenceCard, EvidenceState, ShownSigner, SignatureVerdict};

/// What is known of the signatures of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedLink {
    /// Their combined verdict.
    pub state: SignedState,
    /// Who signed, where that is proved.
    pub signer: Option<ShownSigner>,
}

/// The combined verdict on the signatures of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedState {
    /// They are being looked for.
    Running,
    /// One holds, by a signer that was named.
    Named,
    /// One holds; no signer was named.
    Proved,
    /// One holds, or may hold, by a signer that was not named.
    Other,
    /// There is one that was not checked.
    Unchecked,
    /// There is none.
    Unsigned,
    /// Nothing that is trusted vouches for it, or for its time.
    Unknown,
    /// One does not hold.
    Wrong,
    /// The search for them failed or was stopped.
    Failed,
}

impl SignedLink {
    /// The link, of what a search found. `is_asked`: signers were named.
    pub fn of(state: &EvidenceState, is_asked: bool) -> Self {
        let without = |state| Self { state, signer: None };
        match state {
            EvidenceState::Running => without(SignedState::Running),
            EvidenceState::Done(cards) => Self::of_cards(cards, is_asked),
            EvidenceState::Stopped | EvidenceState::Refused(_) | EvidenceState::Failed(_) => {
                without(SignedState::Failed)
            }
        }
    }

    fn of_cards(cards: &[EvidenceCard], is_asked: bool) -> Self {
        let find = |wanted: SignatureVerdict| {
            cards.iter().filter(|card| !card.is_statement).find(|card| card.verdict == Some(wanted))
        };
        // One signature by a signer who was named is enough. Without it, the worst one counts.
        let ranks = [
            (SignatureVerdict::Trusted, SignedState::Named),
            (SignatureVerdict::Wrong, SignedState::Wrong),
            (SignatureVerdict::Unknown, SignedState::Unknown),
            (SignatureVerdict::Stranger, if is_asked { SignedState::Other } else { SignedState::Proved }),
            (SignatureVerdict::Unchecked, SignedState::Unchecked),
        ];
        let found = ranks.into_iter().find_map(|(verdict, state)| Some((find(verdict)?, state)));
        match found {
            Some((card, state)) => Self { state, signer: card.signer.clone() },
            None => Self { state: SignedState::Unsigned, signer: None },
        }
    }

    /// The word of `data-state`.
    pub fn word(&self) -> &'static str {
        match self.state {
            SignedState::Running => "progress",
            SignedState::Named => "trusted",
            SignedState::Proved => "signed",
            SignedState::Other => "stranger",
            SignedState::Unchecked => "unchecked",
            SignedState::Unsigned => "unsigned",
            SignedState::Unknown => "unknown",
            SignedState::Wrong => "wrong",
            SignedState::Failed => "failed",
        }
    }

    /// The verdict in words.
    pub fn sentence(&self) -> &'static str {
        match self.state {
            SignedState::Running => "Looking for signatures.",
            SignedState::Named => "Signed by the signer whom you named.",
            SignedState::Proved => "Signed. Name the signer whom you expect.",
            SignedState::Other => "Signed, but not by the signer whom you named.",
            SignedState::Unchecked => "There is a signature, which was not checked.",
            SignedState::Unsigned => "Not signed: no signature is listed.",
            SignedState::Unknown => "Signed, but no trusted authority vouches for the signer or the time.",
            SignedState::Wrong => "A signature does not hold.",
            SignedState::Failed => "Signatures were not checked.",
        }
    }

    /// The name of the link, as short as the others.
    pub fn name(&self) -> &'static str {
        match self.state {
            SignedState::Running => "signature",
            SignedState::Named | SignedState::Proved => "signed by",
            SignedState::Other => "signed by another",
            SignedState::Unchecked => "signature, not checked",
            SignedState::Unsigned => "not signed",
            SignedState::Unknown => "signature, cannot be judged",
            SignedState::Wrong => "wrong signature",
            SignedState::Failed => "signature, not checked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(verdict: SignatureVerdict, is_statement: bool) -> EvidenceCard {
        EvidenceCard {
            digest: String::new(),
            title: String::new(),
            is_statement,
            verdict: Some(verdict),
            signer: Some(ShownSigner { name: verdict.word().into(), attested_by: None }),
            facts: Vec::new(),
        }
    }

    fn told(verdicts: &[SignatureVerdict], is_asked: bool) -> (&'static str, Option<String>) {
        let cards = verdicts.iter().map(|&verdict| card(verdict, false)).collect();
        let link = SignedLink::of(&EvidenceState::Done(cards), is_asked);
        (link.word(), link.signer.map(|signer| signer.name))
    }

    #[test]
    fn one_signer_who_was_named_is_enough_and_else_the_worst_counts() {
        use SignatureVerdict::{Stranger, Trusted, Unchecked, Unknown, Wrong};
        let by = |name: &str| Some(name.to_owned());
        assert_eq!(told(&[Wrong, Stranger, Trusted], true), ("trusted", by("trusted")));
        assert_eq!(told(&[Stranger, Wrong], true), ("wrong", by("wrong")));
        assert_eq!(told(&[Stranger, Unknown], false), ("unknown", by("unknown")));
        assert_eq!(told(&[Unchecked, Stranger], true), ("stranger", by("stranger")));
        assert_eq!(told(&[Unchecked, Stranger], false), ("signed", by("stranger")));
        assert_eq!(told(&[Unchecked], false), ("unchecked", by("unchecked")));
        assert_eq!(told(&[Unchecked], true), ("unchecked", by("unchecked")));
        assert_eq!(told(&[], true), ("unsigned", None));
    }

    #[test]
    fn a_statement_is_no_signature_of_the_image() {
        let cards = vec![card(SignatureVerdict::Trusted, true)];
        assert_eq!(SignedLink::of(&EvidenceState::Done(cards), true).word(), "unsigned");
    }

    #[test]
    fn not_signed_signed_by_another_and_wrong_are_different_words() {
        let link = |state| SignedLink { state, signer: None };
        let words: std::collections::BTreeSet<_> =
            [SignedState::Unsigned, SignedState::Other, SignedState::Wrong].map(|state| link(state).name()).into();
        assert_eq!(words.len(), 3);
    }
}
