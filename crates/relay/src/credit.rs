//! How often something may happen: a number of times a second, with bursts of [`BURST`] seconds' worth.

use std::time::Instant;

/// Seconds' worth of requests that may come at once.
const BURST: f64 = 5.0;

/// The requests that are left now.
#[derive(Debug)]
pub(crate) struct Credit {
    left: f64,
    at: Instant,
}

impl Credit {
    /// A whole burst.
    pub(crate) fn full(rate: u32) -> Self {
        Self { left: f64::from(rate) * BURST, at: Instant::now() }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, rate: u32) -> bool {
        let (rate, now) = (f64::from(rate), Instant::now());
        self.left = (self.left + rate * (now - self.at).as_secs_f64()).min(rate * BURST);
        self.at = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }

    /// Whether it is whole again, whatever was taken: it may be forgotten.
    pub(crate) fn is_full(&self) -> bool {
        self.at.elapsed().as_secs_f64() >= BURST
    }
}
