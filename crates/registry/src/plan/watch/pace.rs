//! How often a registry may be polled, given the quota that it states.

use std::time::Duration;

use crate::endpoint::quota::Quota;

/// The quota that a registry stated last, and the time between polls that follows from it.
///
/// On Docker Hub a `HEAD` states the remaining pulls and uses none. Polls are therefore spaced only if the remaining number fell, or the
/// poll was a pull.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    remaining: Option<u64>,
    spacing: Duration,
}

impl Pace {
    /// Notes the quota of an answer. `pulled` says that the poll certainly counted as a pull.
    pub(super) fn note(&mut self, quota: Option<Quota>, pulled: bool) {
        let Some(quota) = quota else {
            *self = Self::default();
            return;
        };
        let costly = pulled || self.remaining.is_some_and(|before| before > quota.remaining);
        self.remaining = Some(quota.remaining);
        let window = quota.window.unwrap_or(WINDOW);
        let spacing = match quota.remaining {
            // The rate at which the quota refills.
            0 => window / whole(quota.limit.unwrap_or(1)),
            // Half of the quota is left for pulls.
            remaining if costly => window / whole(remaining / 2),
            _ => Duration::ZERO,
        };
        self.spacing = spacing.min(LONGEST);
    }

    /// The time between two polls.
    pub(super) fn spacing(&self) -> Duration {
        self.spacing
    }
}

fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}

/// Assumed where the registry states no window.
const WINDOW: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_that_cost_nothing_are_not_spaced() {
        let stated = |remaining| Some(Quota { remaining, limit: Some(100), window: Some(Duration::from_secs(21_600)) });
        let mut pace = Pace::default();
        for (quota, pulled, seconds) in [
            (stated(76), false, 0),
            (stated(76), false, 0),
            (stated(74), false, 583),
            (stated(74), false, 0),
            (stated(90), false, 0),
            (stated(90), true, 480),
            (stated(0), false, 216),
            (stated(0), false, 216),
            (None, false, 0),
            (stated(1), true, 3600),
            (Some(Quota { remaining: 0, limit: None, window: None }), false, 3600),
            (Some(Quota { remaining: u64::MAX, limit: None, window: None }), true, 0),
        ] {
            pace.note(quota, pulled);
            assert_eq!(pace.spacing().as_secs(), seconds, "{quota:?}");
        }
    }
}
