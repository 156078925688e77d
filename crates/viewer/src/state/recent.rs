//! References that were opened on this machine: kept by the front end, for the person to come back to.

use super::{Effect, RecentAction, RecentReference, State};
use std::rc::Rc;

/// References that are kept beside the pinned ones.
const KEPT: usize = 30;

impl State {
    /// Keeps the reference of an image that was found.
    pub(super) fn remember(&mut self, effects: &mut Vec<Effect>) {
        let Some(reference) = self.route.reference.clone().filter(|_| self.keeps_recent) else { return };
        if !self.has_registry() {
            return;
        }
        self.change_recent(effects, |recent| {
            let known = recent.iter().position(|known| known.reference == reference).map(|at| recent.remove(at));
            recent.insert(0, known.unwrap_or(RecentReference { reference, pinned: false }));
            let mut unpinned = 0;
            recent.retain(|known| {
                unpinned += usize::from(!known.pinned);
                known.pinned || unpinned <= KEPT
            });
        });
    }

    pub(super) fn act_on_recent(&mut self, action: RecentAction, effects: &mut Vec<Effect>) {
        match action {
            RecentAction::Pin(reference, pinned) => self.change_recent(effects, |recent| {
                let of_it = recent.iter_mut().filter(|known| known.reference == reference);
                of_it.for_each(|known| known.pinned = pinned);
            }),
            RecentAction::Forget(reference) => {
                self.change_recent(effects, |recent| recent.retain(|known| known.reference != reference));
            }
            RecentAction::Wipe => self.change_recent(effects, Vec::clear),
            RecentAction::Keep(keep) => {
                self.keeps_recent = keep;
                self.change_recent(effects, |_| {});
            }
        }
    }

    /// Pinned ones come first.
    fn change_recent(&mut self, effects: &mut Vec<Effect>, change: impl FnOnce(&mut Vec<RecentReference>)) {
        let recent = Rc::make_mut(&mut self.recent);
        change(recent);
        let (pinned, others): (Vec<_>, Vec<_>) = recent.drain(..).partition(|known| known.pinned);
        *recent = pinned;
        recent.extend(others);
        effects.push(Effect::KeepRecent(Rc::clone(&self.recent), self.keeps_recent));
    }
}

/// A reference on each line; those that are pinned begin with `*`, which no reference has.
pub fn recent_text(recent: &[RecentReference]) -> String {
    let line = |known: &RecentReference| format!("{}{}\n", if known.pinned { "*" } else { "" }, known.reference);
    recent.iter().map(line).collect()
}

/// Reads such a text.
pub fn read_recent(text: &str) -> Vec<RecentReference> {
    let lines = text.lines().map(|line| match line.strip_prefix('*') {
        Some(reference) => RecentReference { reference: reference.to_owned(), pinned: true },
        None => RecentReference { reference: line.to_owned(), pinned: false },
    });
    lines.filter(|known| !known.reference.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::Address, protocol::ImageSummary, router::SAMPLE};

    fn opened(state: &mut State, reference: &str) -> Vec<Effect> {
        state.route = Address::of(reference);
        state.image = Some(Rc::new(ImageSummary { registry: "r.example".into(), ..ImageSummary::default() }));
        let mut effects = Vec::new();
        state.remember(&mut effects);
        effects
    }

    fn references(state: &State) -> Vec<&str> {
        state.recent.iter().map(|known| known.reference.as_str()).collect()
    }

    #[test]
    fn the_last_one_comes_first_below_those_that_are_pinned() {
        let mut state = State { keeps_recent: true, ..State::default() };
        for reference in ["a", "b", "c", "a"] {
            opened(&mut state, reference);
        }
        assert_eq!(references(&state), ["a", "c", "b"]);
        let mut effects = Vec::new();
        state.act_on_recent(RecentAction::Pin("b".into(), true), &mut effects);
        assert_eq!(references(&state), ["b", "a", "c"]);
        for number in 0..100 {
            opened(&mut state, &format!("n{number}"));
        }
        assert_eq!((references(&state).len(), references(&state)[0]), (KEPT + 1, "b"));
        assert_eq!(read_recent(&recent_text(&state.recent)), *state.recent);
        state.act_on_recent(RecentAction::Forget("b".into()), &mut effects);
        assert_eq!(references(&state)[0], "n99");
        state.act_on_recent(RecentAction::Wipe, &mut effects);
        assert!(matches!(effects.last(), Some(Effect::KeepRecent(recent, true)) if recent.is_empty()));
    }

    #[test]
    fn nothing_is_kept_where_that_is_switched_off() {
        let mut state = State::default();
        assert_eq!(opened(&mut state, "a"), []);
        let mut effects = Vec::new();
        state.act_on_recent(RecentAction::Keep(true), &mut effects);
        assert!(!opened(&mut state, "a").is_empty());
        state.image = Some(Rc::new(ImageSummary { registry: SAMPLE.into(), ..ImageSummary::default() }));
        state.remember(&mut effects);
        assert_eq!(effects.len(), 1, "the sample is in the page");
    }
}
