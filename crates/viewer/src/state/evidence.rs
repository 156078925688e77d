//! Signatures and statements, as the page shows them.

use super::{Effect, State};
use crate::protocol::{Command, EvidenceProgress, EvidenceState, SignerWish};
use std::rc::Rc;

/// What was asked for last, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceFound {
    /// Number of the run.
    pub run: u32,
    /// Whose signature was asked for.
    pub wish: SignerWish,
    /// Where the search is.
    pub state: EvidenceState,
}

impl State {
    /// Looks for signatures and statements, in place of the search before.
    pub(super) fn look_for_evidence(&mut self, wish: SignerWish, effects: &mut Vec<Effect>) {
        if self.image.is_none() {
            return;
        }
        self.runs += 1;
        let run = self.runs;
        self.evidence = Some(Rc::new(EvidenceFound { run, wish: wish.clone(), state: EvidenceState::Running }));
        effects.push(Effect::Send(Command::Evidence { run, wish }));
    }

    /// Takes how far a search is. One of an earlier run is ignored.
    pub(super) fn apply_evidence(&mut self, progress: EvidenceProgress) {
        if let Some(found) = self.evidence.as_mut().filter(|found| found.run == progress.run) {
            Rc::make_mut(found).state = progress.state;
        }
    }
}
