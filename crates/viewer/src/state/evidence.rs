//! Signatures and statements, as the page shows them, and whose signatures images must have.

use super::{Effect, State};
use crate::{
    protocol::{Command, EvidenceProgress, EvidenceState, PolicyFacts, SignerRule, SignerWish},
    router::{GIVEN, SAMPLE},
    signed::{SignedLink, SignedState},
};
use porthole_inspect::policy::rule_for;
use std::rc::Rc;

/// What was asked for last, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceFound {
    /// Number of the run.
    pub run: u32,
    /// Whose signature was asked for.
    pub wish: SignerWish,
    /// A rule of the person asked for it.
    pub by_rule: bool,
    /// Where the search is.
    pub state: EvidenceState,
}

/// Actions on the rules about signatures.
#[derive(Clone, Debug)]
pub enum PolicyAction {
    /// Demand a signature.
    Demand(SignerRule),
    /// Remove the rule about these images.
    Waive(String),
    /// Take the text of a policy, in place of all rules.
    Set(String),
    /// Take this trust root where none is named, in place of Sigstore's public one; empty: that one.
    Root(String),
}

impl State {
    /// Looks for signatures and statements, in place of the search before.
    pub(super) fn look_for_evidence(&mut self, wish: SignerWish, effects: &mut Vec<Effect>) {
        // If no signer is named, those of the rule about the image are used.
        let wish = if wish.is_empty() { self.rule().map(|rule| rule.wish.clone()).unwrap_or(wish) } else { wish };
        self.begin_evidence(wish, false, effects);
    }

    fn begin_evidence(&mut self, wish: SignerWish, by_rule: bool, effects: &mut Vec<Effect>) {
        if self.image.is_none() {
            return;
        }
        self.runs += 1;
        let (run, state) = (self.runs, EvidenceState::Running);
        self.evidence = Some(Rc::new(EvidenceFound { run, wish: wish.clone(), by_rule, state }));
        let root = if wish.root.trim().is_empty() { self.trust_root.to_string() } else { wish.root.clone() };
        let wish = SignerWish { root, ..wish };
        effects.push(Effect::Send(Command::Evidence { run, wish, signatures_only: by_rule }));
    }

    /// Ends the search, and shows that.
    pub(super) fn stop_evidence(&mut self, effects: &mut Vec<Effect>) {
        if let Some(found) = self.evidence.as_mut().filter(|found| found.state == EvidenceState::Running) {
            Rc::make_mut(found).state = EvidenceState::Stopped;
            effects.push(Effect::Send(Command::StopEvidence));
        }
    }

    /// Takes how far a search is. One of an earlier run is ignored, and so is one that was stopped.
    pub(super) fn apply_evidence(&mut self, progress: EvidenceProgress) {
        let of_run =
            |found: &&mut Rc<EvidenceFound>| found.run == progress.run && found.state == EvidenceState::Running;
        if let Some(found) = self.evidence.as_mut().filter(of_run) {
            Rc::make_mut(found).state = progress.state;
        }
    }

    pub(super) fn act_on_policy(&mut self, action: PolicyAction, effects: &mut Vec<Effect>) {
        effects.push(Effect::Send(match action {
            PolicyAction::Demand(rule) => Command::Demand { rule },
            PolicyAction::Waive(images) => Command::Waive { images },
            PolicyAction::Set(text) => Command::SetPolicy { text },
            PolicyAction::Root(text) => {
                self.trust_root = text.trim().into();
                effects.push(Effect::KeepTrustRoot(Rc::clone(&self.trust_root)));
                return self.obey_policy(effects);
            }
        }));
    }

    /// Keeps the rules, and looks for what they demand of the image.
    pub(super) fn take_policy(&mut self, policy: PolicyFacts, effects: &mut Vec<Effect>) {
        if policy.problem.is_none() && policy.text != self.policy.text {
            effects.push(Effect::KeepPolicy(policy.text.clone()));
        }
        let before = self.rule().cloned();
        self.policy = Rc::new(policy);
        if self.rule() != before.as_ref() {
            self.obey_policy(effects);
        }
    }

    /// Looks for the signature that a rule demands of the image.
    pub(super) fn obey_policy(&mut self, effects: &mut Vec<Effect>) {
        if let Some(wish) = self.rule().map(|rule| rule.wish.clone()) {
            self.begin_evidence(wish, true, effects);
        }
    }

    /// The rule about the image of the look. Files of this machine and the sample have none.
    pub fn rule(&self) -> Option<&SignerRule> {
        let image = self.image.as_ref().filter(|image| ![GIVEN, SAMPLE].contains(&image.registry.as_str()))?;
        rule_for(&self.policy.rules, &image.registry, &image.repository)
    }

    /// What is known of signatures; `None` if they were not asked for.
    pub fn signed(&self) -> Option<SignedLink> {
        let found = self.evidence.as_ref()?;
        Some(SignedLink::of(&found.state, !found.wish.is_empty()))
    }

    /// Whether a rule demands a signature that the image does not have.
    pub fn breaks_policy(&self) -> bool {
        let asked = self.evidence.as_ref().is_some_and(|found| self.rule().is_some_and(|rule| rule.wish == found.wish));
        let open = [SignedState::Running, SignedState::Named];
        asked && self.signed().is_some_and(|link| !open.contains(&link.state))
    }
}
