//! When which reference is looked at next. Time and chance come from outside.

use std::time::Duration;

use super::pace::Pace;
use porthole_registry::endpoint::quota::Quota;

/// The turns of all references. Moments are durations since any fixed one.
pub(super) struct Schedule {
    interval: Duration,
    /// Between two requests to one registry, at least.
    gap: Duration,
    turns: Vec<Turn>,
    sites: Vec<Site>,
}

struct Turn {
    /// Number of its registry.
    site: usize,
    /// `None`: it is being looked at, or never again.
    due: Option<Duration>,
    failures: u32,
}

/// A registry.
#[derive(Default)]
struct Site {
    not_before: Duration,
    refusals: u32,
    pace: Pace,
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An answer. `pulled`: it cost as much as a pull.
    Answer { quota: Option<Quota>, pulled: bool },
    /// The registry wants to be left alone for a while.
    Limited { retry_after: Option<Duration>, quota: Option<Quota> },
    /// Nothing that helps.
    Failure,
}

impl Schedule {
    /// Everything is due soon, one after the other. `registries`: the registry of each reference.
    pub(super) fn new(interval: Duration, registries: &[&str]) -> Self {
        let count = u32::try_from(registries.len()).unwrap_or(u32::MAX).max(1);
        let mut names = registries.to_vec();
        names.sort_unstable();
        names.dedup();
        let turn = |registry: &&str| {
            let site = names.partition_point(|name| name < registry);
            Turn { site, due: Some(Duration::ZERO), failures: 0 }
        };
        let turns = registries.iter().map(turn).collect();
        let sites = names.iter().map(|_| Site::default()).collect();
        Self { interval, gap: GAP.min(interval / count), turns, sites }
    }

    /// The reference whose turn it is, if it is anybody's. Its turn is taken until [`end`](Self::end).
    pub(super) fn begin(&mut self, now: Duration) -> Option<usize> {
        let (at, _) = self.next().filter(|(_, when)| *when <= now)?;
        self.turns[at].due = None;
        let site = &mut self.sites[self.turns[at].site];
        site.not_before = now + self.gap.max(site.pace.spacing());
        Some(at)
    }

    /// When it is somebody's turn.
    pub(super) fn wake(&self) -> Option<Duration> {
        self.next().map(|(_, when)| when)
    }

    fn next(&self) -> Option<(usize, Duration)> {
        let due = |(at, turn): (usize, &Turn)| {
            let due = turn.due?;
            Some((at, due, due.max(self.sites[turn.site].not_before)))
        };
        let next = self.turns.iter().enumerate().filter_map(due).min_by_key(|(_, due, when)| (*when, *due));
        next.map(|(at, _, when)| (at, when))
    }

    /// A look has ended. Returns how often in a row it has failed.
    pub(super) fn end(&mut self, at: usize, outcome: Outcome, now: Duration, random: u64) -> u32 {
        let (interval, turn) = (self.interval, &mut self.turns[at]);
        let site = &mut self.sites[turn.site];
        match outcome {
            Outcome::Answer { quota, pulled } => {
                (turn.failures, site.refusals) = (0, 0);
                site.pace.note(quota, pulled);
                turn.due = Some(now + spread(interval, random));
            }
            Outcome::Limited { retry_after, quota } => {
                turn.failures = 0;
                site.refusals = site.refusals.saturating_add(1);
                site.pace.note(quota, false);
                let own = doubled(interval.max(FIRST), site.refusals).min(LONGEST);
                let wait = retry_after.map_or(own, |asked| asked.clamp(FIRST, LONGEST_ASKED));
                // Never before the time that was asked for, and not when everybody else comes back.
                let wait = wait + fraction(wait.min(interval) / 10, random);
                site.not_before = site.not_before.max(now + wait);
                turn.due = Some(now + wait);
            }
            Outcome::Failure => {
                turn.failures = turn.failures.saturating_add(1);
                let wait = interval.max(doubled(FIRST, turn.failures - 1).min(STEADY));
                turn.due = Some(now + spread(wait, random));
            }
        }
        turn.failures
    }

    /// How long a registry is left alone from now on.
    pub(super) fn pause(&self, at: usize, now: Duration) -> Duration {
        self.sites[self.turns[at].site].not_before.saturating_sub(now)
    }

    /// A reference is not looked at any more.
    pub(super) fn retire(&mut self, at: usize) {
        self.turns[at].due = None;
    }
}

/// As long on average, but a tenth more or less.
fn spread(duration: Duration, random: u64) -> Duration {
    duration - duration / 10 + fraction(duration / 5, random)
}

fn fraction(duration: Duration, random: u64) -> Duration {
    duration.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

fn doubled(duration: Duration, times: u32) -> Duration {
    duration.saturating_mul(1 << times.min(16))
}

const GAP: Duration = Duration::from_millis(100);
const FIRST: Duration = Duration::from_secs(1);
/// How often a registry that does not answer is asked at least, if not even less is wanted.
const STEADY: Duration = Duration::from_secs(60);
/// The longest that a registry is left alone by our own choice.
const LONGEST: Duration = Duration::from_secs(3600);
/// The longest that it may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const ANSWER: Outcome = Outcome::Answer { quota: None, pulled: false };
    /// The middle of chance.
    const EVEN: u64 = u64::MAX / 2;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Lets time pass until `end`; whoever is looked at is answered at once. Returns who was, and when.
    fn run(schedule: &mut Schedule, from: Duration, end: Duration, outcome: Outcome) -> Vec<(usize, Duration)> {
        let (mut log, mut now) = (Vec::new(), from);
        while let Some(wake) = schedule.wake().filter(|wake| *wake <= end) {
            now = now.max(wake);
            let at = schedule.begin(now).unwrap();
            schedule.end(at, outcome, now, EVEN);
            log.push((at, now));
        }
        log
    }

    fn about(got: Duration, expected: Duration) -> bool {
        got.abs_diff(expected) < Duration::from_millis(5)
    }

    #[test]
    fn everybody_has_a_turn_and_nobody_comes_at_once() {
        let mut schedule = Schedule::new(MINUTE, &["a"; 100]);
        let log = run(&mut schedule, Duration::ZERO, seconds(59), ANSWER);
        assert_eq!(log.iter().map(|(at, _)| *at).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert!(log.windows(2).all(|pair| pair[1].1 - pair[0].1 >= GAP), "one after the other");
        let log = run(&mut schedule, seconds(59), seconds(59 + 600), ANSWER);
        assert_eq!(log.len(), 1000, "once a minute each");
        // A thousand in ten seconds cannot be a tenth of a second apart.
        let log = run(&mut Schedule::new(seconds(10), &["a"; 1000]), Duration::ZERO, seconds(10), ANSWER);
        assert_eq!(log.len(), 1001);
    }

    #[test]
    fn a_look_that_lasts_is_not_begun_again() {
        let mut schedule = Schedule::new(MINUTE, &["a", "b"]);
        assert_eq!((schedule.begin(Duration::ZERO), schedule.begin(Duration::ZERO)), (Some(0), Some(1)));
        assert_eq!((schedule.begin(seconds(1000)), schedule.wake()), (None, None));
        schedule.end(1, ANSWER, seconds(1000), 0);
        assert_eq!(schedule.wake(), Some(seconds(1054)), "a tenth earlier at most");
        schedule.end(0, ANSWER, seconds(1000), u64::MAX);
        assert_eq!((schedule.begin(seconds(1055)), schedule.begin(seconds(1065))), (Some(1), None));
        assert_eq!(schedule.begin(seconds(1066)), Some(0), "a tenth later at most");
        schedule.end(0, ANSWER, seconds(2000), 0);
        schedule.retire(0);
        assert_eq!(schedule.wake(), None);
    }

    #[test]
    fn a_registry_is_left_alone_as_long_as_it_asks() {
        let mut schedule = Schedule::new(seconds(10), &["a", "a", "b"]);
        let limited = |retry_after| Outcome::Limited { retry_after, quota: None };
        assert_eq!(schedule.begin(Duration::ZERO), Some(0));
        schedule.end(0, limited(Some(seconds(300))), Duration::ZERO, 0);
        assert_eq!(schedule.pause(0, Duration::ZERO), seconds(300));
        let log = run(&mut schedule, Duration::ZERO, seconds(299), ANSWER);
        assert!(log.len() > 20 && log.iter().all(|(at, _)| *at == 2), "the other registry has asked for nothing");
        let log = run(&mut schedule, seconds(299), seconds(302), ANSWER);
        let back: Vec<_> = log.into_iter().filter(|(at, _)| *at < 2).collect();
        assert_eq!(back.len(), 2);
        assert!(back[0].1 >= seconds(300) && back[1].1 >= back[0].1 + GAP, "{back:?}");
        for (asked, wait) in [(Some(0), 1), (Some(10_000), 10_000), (Some(u64::MAX), 86_400)] {
            let mut schedule = Schedule::new(seconds(10), &["a"]);
            schedule.begin(Duration::ZERO);
            schedule.end(0, limited(asked.map(seconds)), Duration::ZERO, 0);
            assert_eq!(schedule.wake(), Some(seconds(wait)), "{asked:?}");
        }
    }

    #[test]
    fn a_registry_that_does_not_say_how_long_is_left_alone_ever_longer() {
        let mut schedule = Schedule::new(MINUTE, &["a"]);
        let limited = Outcome::Limited { retry_after: None, quota: None };
        let mut now = Duration::ZERO;
        for minutes in [2, 4, 8, 16, 32, 60, 60] {
            schedule.begin(now).unwrap();
            schedule.end(0, limited, now, 0);
            assert_eq!(schedule.wake(), Some(now + MINUTE * minutes));
            now = schedule.wake().unwrap();
        }
        schedule.begin(now).unwrap();
        schedule.end(0, ANSWER, now, EVEN);
        assert!(about(schedule.wake().unwrap(), now + MINUTE), "and as ever when it answers");
    }

    #[test]
    fn failures_are_counted_and_not_hurried() {
        let mut schedule = Schedule::new(seconds(2), &["a"]);
        let mut now = Duration::ZERO;
        for (failures, wait) in [(1, 2), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)] {
            schedule.begin(now).unwrap();
            assert_eq!(schedule.end(0, Outcome::Failure, now, EVEN), failures);
            assert!(about(schedule.wake().unwrap(), now + seconds(wait)), "{failures}");
            now = schedule.wake().unwrap();
        }
        schedule.begin(now).unwrap();
        assert_eq!(schedule.end(0, ANSWER, now, EVEN), 0);
        // Whoever wants to ask seldom asks seldom.
        let mut schedule = Schedule::new(seconds(600), &["a"]);
        schedule.begin(Duration::ZERO).unwrap();
        schedule.end(0, Outcome::Failure, Duration::ZERO, EVEN);
        assert!(about(schedule.wake().unwrap(), seconds(600)));
    }

    #[test]
    fn a_quota_that_our_questions_use_up_is_spared() {
        let mut schedule = Schedule::new(MINUTE, &["hub"; 3]);
        let (mut now, mut remaining, mut asked) = (Duration::ZERO, 100, 0);
        while let Some(wake) = schedule.wake().filter(|wake| *wake < seconds(21_600)) {
            now = now.max(wake);
            let at = schedule.begin(now).unwrap();
            (remaining, asked) = (remaining - 1, asked + 1);
            let quota = Some(Quota { remaining, limit: Some(100), window: Some(seconds(21_600)) });
            schedule.end(at, Outcome::Answer { quota, pulled: true }, now, EVEN);
        }
        assert!((20..=60).contains(&asked), "{asked} of 100 in six hours: the rest is for pulls");
    }
}
