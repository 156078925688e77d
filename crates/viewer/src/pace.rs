//! Limits how often something is done.

use std::time::Duration;

/// Something that is done again after a pause. A clock that jumps back ends the pause.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    since: Duration,
    pause: Duration,
}

impl Pace {
    /// Begins a pause.
    pub(crate) fn rest(&mut self, now: Duration, pause: Duration) {
        *self = Self { since: now, pause };
    }

    /// Ends the pause.
    pub(crate) fn hurry(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// Time left of the pause.
    pub(crate) fn left(&self, now: Duration) -> Duration {
        now.checked_sub(self.since).map_or(Duration::ZERO, |passed| self.pause.saturating_sub(passed))
    }

    /// Whether the pause has ended.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.left(now).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_in_time_or_when_the_clock_jumps() {
        let at = Duration::from_millis;
        let mut pace = Pace::default();
        assert!(pace.is_due(at(0)));
        pace.rest(at(100), at(50));
        assert_eq!(pace.left(at(120)), at(30));
        assert!(!pace.is_due(at(149)) && pace.is_due(at(150)));
        assert!(pace.is_due(at(10)), "the clock was set back");
        pace.hurry();
        assert!(pace.is_due(at(100)));
    }
}
