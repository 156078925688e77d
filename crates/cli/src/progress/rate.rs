//! The current rate of a transfer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Measures bytes per second over the last [`WINDOW`].
#[derive(Clone)]
pub(super) struct Rate(Arc<Mutex<Window>>);

struct Window {
    moved: u64,
    /// Times and byte counts, the oldest first; never empty.
    marks: VecDeque<(Instant, u64)>,
}

const WINDOW: Duration = Duration::from_secs(5);
/// Minimum time between two marks. It limits their number.
const APART: Duration = Duration::from_millis(100);
/// The rate is unknown before this time has passed.
const LEAST: f64 = 0.5;

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Window { moved: 0, marks: VecDeque::from([(now, 0)]) })))
    }

    pub(super) fn moved(&self, bytes: u64, now: Instant) {
        let mut window = self.window();
        let before = window.moved;
        if window.marks.back().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= APART) {
            window.marks.push_back((now, before));
        }
        window.moved += bytes;
        // The newest mark from before the window stays: it is the start of the window.
        while window.marks.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            window.marks.pop_front();
        }
    }

    pub(super) fn per_second(&self, now: Instant) -> f64 {
        let window = self.window();
        let recent = |(at, _): &&(Instant, u64)| now.saturating_duration_since(*at) < WINDOW;
        let first = window.marks.iter().find(recent).or_else(|| window.marks.back());
        let Some((at, before)) = first else { return 0.0 };
        let seconds = now.saturating_duration_since(*at).as_secs_f64();
        (window.moved - before) as f64 / seconds.max(LEAST)
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_long_ago_does_not_count() {
        let begun = Instant::now();
        let at = |tenths: u64| begun + Duration::from_millis(tenths * 100);
        let rate = Rate::new(begun);
        assert_eq!(rate.per_second(at(10)), 0.0);
        for tenth in 1..=100 {
            rate.moved(1_000, at(tenth));
        }
        let steady = rate.per_second(at(100));
        assert!((9_000.0..=11_000.0).contains(&steady), "{steady}");
        // Ten times as fast for a while.
        for tenth in 101..=160 {
            rate.moved(10_000, at(tenth));
        }
        let faster = rate.per_second(at(160));
        assert!((90_000.0..=110_000.0).contains(&faster), "{faster}");
        // Then no bytes arrive.
        assert!(rate.per_second(at(190)) < faster);
        assert!(rate.per_second(at(400)) < 1_000.0, "{}", rate.per_second(at(400)));
        assert!(rate.window().marks.len() < 60);
    }
}
