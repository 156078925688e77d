//! How fast a registry may be asked, by what it says of its quota.

use std::time::Duration;

use porthole_registry::endpoint::quota::Quota;

/// What was seen of a registry's quota.
///
/// Where questions cost nothing the quota is no concern of theirs: on Docker Hub a `HEAD` shows what is left of the pulls, and takes
/// none of them. So what counts is whether less is left after a question than before.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    remaining: Option<u64>,
    spacing: Duration,
}

impl Pace {
    /// An answer has told what is left, or nothing. `pulled`: the question was one that counts for sure.
    pub(super) fn note(&mut self, quota: Option<Quota>, pulled: bool) {
        let Some(quota) = quota else {
            *self = Self::default();
            return;
        };
        let costly = pulled || self.remaining.is_some_and(|before| before > quota.remaining);
        self.remaining = Some(quota.remaining);
        let window = quota.window.unwrap_or(WINDOW);
        let spacing = match quota.remaining {
            // At the rate at which it comes back.
            0 => window / whole(quota.limit.unwrap_or(1)),
            // Half of it is for others.
            remaining if costly => window / whole(remaining / 2),
            _ => Duration::ZERO,
        };
        self.spacing = spacing.min(LONGEST);
    }

    /// The time between two questions.
    pub(super) fn spacing(&self) -> Duration {
        self.spacing
    }
}

fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}

/// Where a registry does not say for how long its quota is.
const WINDOW: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_nothing_needs_no_sparing() {
        let quota = |remaining| Some(Quota { remaining, limit: Some(100), window: Some(Duration::from_secs(21_600)) });
        let mut pace = Pace::default();
        for (told, pulled, seconds) in [
            (quota(76), false, 0),
            (quota(76), false, 0),
            (quota(74), false, 583),
            (quota(74), false, 0),
            (quota(90), false, 0),
            (quota(90), true, 480),
            (quota(0), false, 216),
            (quota(0), false, 216),
            (None, false, 0),
            (quota(1), true, 3600),
            (Some(Quota { remaining: 0, limit: None, window: None }), false, 3600),
            (Some(Quota { remaining: u64::MAX, limit: None, window: None }), true, 0),
        ] {
            pace.note(told, pulled);
            assert_eq!(pace.spacing().as_secs(), seconds, "{told:?}");
        }
    }
}
