//! When each watched tag is polled next. The caller supplies time and randomness.

mod pace;

use std::time::Duration;

use self::pace::Pace;
use crate::endpoint::quota::Quota;

/// Polling times of a set of tags: each is polled once an interval, no registry more often than its quota and `Retry-After` allow.
///
/// Call [`begin`](Self::begin) when the clock reaches [`wake`](Self::wake), poll the tag that it returns, and report with
/// [`end`](Self::end). Times are durations since a moment that the caller chooses.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    /// Shortest time between two requests to one registry.
    gap: Duration,
    tags: Vec<TagTimer>,
    registries: Vec<RegistryTimer>,
}

#[derive(Debug)]
struct TagTimer {
    /// Index into `registries`.
    registry: usize,
    /// `None` while a poll is in flight, and after the tag was retired.
    due: Option<Duration>,
    failures: u32,
}

#[derive(Debug, Default)]
struct RegistryTimer {
    not_before: Duration,
    /// Rate-limited answers in a row.
    refusals: u32,
    pace: Pace,
}

/// The result of one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// The registry answered.
    Answer {
        /// The quota that the answer stated.
        quota: Option<Quota>,
        /// Whether the poll counts as a pull.
        pulled: bool,
    },
    /// The registry limits the rate, or asked for a pause.
    Limited {
        /// The pause that the registry asked for.
        retry_after: Option<Duration>,
        /// The quota that the answer stated.
        quota: Option<Quota>,
    },
    /// No usable answer.
    Failure,
}

impl Schedule {
    /// Makes every tag due now. `registries` holds the registry of each tag; tags are numbered by their place in it.
    pub fn new(interval: Duration, registries: &[&str]) -> Self {
        let count = u32::try_from(registries.len()).unwrap_or(u32::MAX).max(1);
        let mut names = registries.to_vec();
        names.sort_unstable();
        names.dedup();
        let timer = |registry: &&str| {
            let registry = names.partition_point(|name| name < registry);
            TagTimer { registry, due: Some(Duration::ZERO), failures: 0 }
        };
        let tags = registries.iter().map(timer).collect();
        let registries = names.iter().map(|_| RegistryTimer::default()).collect();
        // Many tags of one registry still all fit into an interval.
        Self { interval, gap: GAP.min(interval / count), tags, registries }
    }

    /// Returns the tag to poll now, if one is due. It is not due again before [`end`](Self::end).
    pub fn begin(&mut self, now: Duration) -> Option<usize> {
        let (at, _) = self.next().filter(|(_, when)| *when <= now)?;
        self.tags[at].due = None;
        let registry = &mut self.registries[self.tags[at].registry];
        registry.not_before = now + self.gap.max(registry.pace.spacing());
        Some(at)
    }

    /// When the next tag is due.
    pub fn wake(&self) -> Option<Duration> {
        self.next().map(|(_, when)| when)
    }

    fn next(&self) -> Option<(usize, Duration)> {
        let due = |(at, tag): (usize, &TagTimer)| {
            let due = tag.due?;
            Some((at, due, due.max(self.registries[tag.registry].not_before)))
        };
        let next = self.tags.iter().enumerate().filter_map(due).min_by_key(|(_, due, when)| (*when, *due));
        next.map(|(at, _, when)| (at, when))
    }

    /// Reports the result of a poll and sets when the tag is due next. Returns the number of failures in a row.
    pub fn end(&mut self, at: usize, outcome: Polled, now: Duration, random: u64) -> u32 {
        let (interval, tag) = (self.interval, &mut self.tags[at]);
        let registry = &mut self.registries[tag.registry];
        match outcome {
            Polled::Answer { quota, pulled } => {
                (tag.failures, registry.refusals) = (0, 0);
                registry.pace.note(quota, pulled);
                tag.due = Some(now + spread(interval, random));
            }
            Polled::Limited { retry_after, quota } => {
                tag.failures = 0;
                registry.refusals = registry.refusals.saturating_add(1);
                registry.pace.note(quota, false);
                let own = doubled(interval.max(FIRST), registry.refusals).min(LONGEST);
                let wait = retry_after.map_or(own, |asked| asked.clamp(FIRST, LONGEST_ASKED));
                // Not before the time that the registry asked for, and not at the moment when every other client returns.
                let wait = wait + fraction(wait.min(interval) / 10, random);
                registry.not_before = registry.not_before.max(now + wait);
                tag.due = Some(now + wait);
            }
            Polled::Failure => {
                tag.failures = tag.failures.saturating_add(1);
                let wait = interval.max(doubled(FIRST, tag.failures - 1).min(STEADY));
                tag.due = Some(now + spread(wait, random));
            }
        }
        tag.failures
    }

    /// How long from now the registry of a tag gets no request.
    pub fn pause(&self, at: usize, now: Duration) -> Duration {
        self.registries[self.tags[at].registry].not_before.saturating_sub(now)
    }

    /// Stops polling a tag.
    pub fn retire(&mut self, at: usize) {
        self.tags[at].due = None;
    }
}

/// The duration, plus or minus a tenth.
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
/// Longest time between two polls of a registry that does not answer, unless the interval is longer.
const STEADY: Duration = Duration::from_secs(60);
/// Longest pause after rate-limited answers without `Retry-After`.
const LONGEST: Duration = Duration::from_secs(3600);
/// Longest `Retry-After` that is honoured.
const LONGEST_ASKED: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const ANSWER: Polled = Polled::Answer { quota: None, pulled: false };
    /// The middle of the random range.
    const EVEN: u64 = u64::MAX / 2;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Lets time pass until `end`; each poll ends at once. Returns the polled tags and the times.
    fn run(schedule: &mut Schedule, from: Duration, end: Duration, outcome: Polled) -> Vec<(usize, Duration)> {
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
    fn all_tags_are_polled_one_after_the_other() {
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
    fn a_poll_in_flight_is_not_started_again() {
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
    fn retry_after_pauses_its_registry_only() {
        let mut schedule = Schedule::new(seconds(10), &["a", "a", "b"]);
        let limited = |retry_after| Polled::Limited { retry_after, quota: None };
        assert_eq!(schedule.begin(Duration::ZERO), Some(0));
        schedule.end(0, limited(Some(seconds(300))), Duration::ZERO, 0);
        assert_eq!(schedule.pause(0, Duration::ZERO), seconds(300));
        let log = run(&mut schedule, Duration::ZERO, seconds(299), ANSWER);
        assert!(log.len() > 20 && log.iter().all(|(at, _)| *at == 2), "the other registry asked for no pause");
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
    fn pauses_double_without_a_retry_after() {
        let mut schedule = Schedule::new(MINUTE, &["a"]);
        let limited = Polled::Limited { retry_after: None, quota: None };
        let mut now = Duration::ZERO;
        for minutes in [2, 4, 8, 16, 32, 60, 60] {
            schedule.begin(now).unwrap();
            schedule.end(0, limited, now, 0);
            assert_eq!(schedule.wake(), Some(now + MINUTE * minutes));
            now = schedule.wake().unwrap();
        }
        schedule.begin(now).unwrap();
        schedule.end(0, ANSWER, now, EVEN);
        assert!(about(schedule.wake().unwrap(), now + MINUTE), "back to the interval after an answer");
    }

    #[test]
    fn failures_are_counted_and_back_off() {
        let mut schedule = Schedule::new(seconds(2), &["a"]);
        let mut now = Duration::ZERO;
        for (failures, wait) in [(1, 2), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)] {
            schedule.begin(now).unwrap();
            assert_eq!(schedule.end(0, Polled::Failure, now, EVEN), failures);
            assert!(about(schedule.wake().unwrap(), now + seconds(wait)), "{failures}");
            now = schedule.wake().unwrap();
        }
        schedule.begin(now).unwrap();
        assert_eq!(schedule.end(0, ANSWER, now, EVEN), 0);
        // A long interval is not shortened.
        let mut schedule = Schedule::new(seconds(600), &["a"]);
        schedule.begin(Duration::ZERO).unwrap();
        schedule.end(0, Polled::Failure, Duration::ZERO, EVEN);
        assert!(about(schedule.wake().unwrap(), seconds(600)));
    }

    #[test]
    fn polls_that_cost_quota_leave_most_of_it() {
        let mut schedule = Schedule::new(MINUTE, &["hub"; 3]);
        let (mut now, mut remaining, mut asked) = (Duration::ZERO, 100, 0);
        while let Some(wake) = schedule.wake().filter(|wake| *wake < seconds(21_600)) {
            now = now.max(wake);
            let at = schedule.begin(now).unwrap();
            (remaining, asked) = (remaining - 1, asked + 1);
            let quota = Some(Quota { remaining, limit: Some(100), window: Some(seconds(21_600)) });
            schedule.end(at, Polled::Answer { quota, pulled: true }, now, EVEN);
        }
        assert!((20..=60).contains(&asked), "{asked} of 100 in six hours: the rest is for pulls");
    }
}
