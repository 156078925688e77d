//! HTTP exchanges of the look, as far as they are known.

use super::{Effect, State};
use crate::{
    address::Tab,
    protocol::{Command, WireLine, WireLog},
};
use std::rc::Rc;

/// The log of a look. Lines are shared, so that one that did not change is not drawn again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WireShown {
    /// All lines, in the order in which they began.
    pub lines: Vec<Rc<WireLine>>,
    /// Milliseconds from the first line to the end of the last.
    pub span: u32,
    /// Sums, in words.
    pub totals: String,
}

impl State {
    /// Asks for the exchanges, where they are shown.
    pub(super) fn ask_for_wire(&mut self, effects: &mut Vec<Effect>) {
        if self.route.tab == Tab::Wire && self.inspects() && self.look > 0 && self.asked_wire != Some(self.look) {
            self.asked_wire = Some(self.look);
            effects.push(Effect::Send(Command::Wire));
        }
    }

    pub(super) fn apply_wire(&mut self, log: WireLog) {
        let shown = Rc::make_mut(self.wire.get_or_insert_default());
        for (place, line) in log.lines {
            match shown.lines.get_mut(place as usize) {
                Some(known) => *known = Rc::new(line),
                None => shown.lines.push(Rc::new(line)),
            }
        }
        (shown.span, shown.totals) = (log.span, log.totals);
    }
}
