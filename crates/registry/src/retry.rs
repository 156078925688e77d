//! What is tried again, and when.

use crate::{date, transport};
use std::time::Duration;

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryFailure {
    /// The registry answered with this status.
    Status {
        /// HTTP status code.
        status: u16,
        /// What its `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// Nothing came back, or not all of it.
    Transport(transport::ErrorKind),
    /// The registry answered with a code that asks for patience ([`is_passing`]), whatever the status.
    Busy {
        /// What its `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
}

impl TryFailure {
    /// Whether another try may help a request that changes nothing (`GET`, `HEAD`).
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 499 | 500 | 502 | 503 | 504 | 522),
            Self::Transport(kind) => kind.retryable(),
            Self::Busy { .. } => true,
        }
    }

    /// What the registry asks for.
    pub(crate) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::Busy { retry_after } => retry_after,
            Self::Transport(_) => None,
        }
    }
}

/// Whether an error code of the registry (OCI distribution specification, "Error Codes") means a passing trouble. Some proxies
/// and registries send them under statuses that mean something else.
pub fn is_passing(code: &str) -> bool {
    matches!(code, "TOOMANYREQUESTS" | "UNAVAILABLE")
}

impl std::fmt::Display for TryFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { status, .. } => write!(f, "status {status}"),
            Self::Transport(kind) => kind.fmt(f),
            Self::Busy { .. } => f.write_str("registry busy"),
        }
    }
}

/// How long to wait before the next try; `None` = give up.
///
/// `tries` counts those made so far, `waited` is the time between them, `random` is any 64 bits. The wait doubles from 250 ms, jittered
/// down to its half, unless the registry asks for a longer one. All waits together are at most [`LONGEST`].
pub fn delay(tries: u32, waited: Duration, failure: TryFailure, random: u64) -> Option<Duration> {
    if tries >= TRIES || !failure.is_retryable() {
        return None;
    }
    let delay = failure.retry_after().unwrap_or_default().max(pause(tries, random));
    (delay <= LONGEST.saturating_sub(waited)).then_some(delay)
}

/// The wait after `failures` failures in a row: it doubles from 250 ms to 8 s, jittered down to its half.
fn pause(failures: u32, random: u64) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(5));
    ceiling / 2 + (ceiling / 2).mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

/// The least rate at which an operation must get further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// New bytes a second; 0 for no least rate.
    pub bytes: u64,
    /// The time over which it is measured.
    pub window: Duration,
}

impl Default for Rate {
    fn default() -> Self {
        Self { bytes: 1000, window: Duration::from_secs(30) }
    }
}

/// Bytes in a window of waiting for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    rate: Rate,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Nothing waited for yet.
    pub fn new(rate: Rate) -> Self {
        Self { rate, ..Self::default() }
    }

    /// Adds bytes that took this long.
    ///
    /// # Errors
    /// [`transport::ErrorKind::Slow`] if they come more slowly than the rate.
    pub fn moved(&mut self, waited: Duration, bytes: u64) -> Result<(), transport::Error> {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < self.rate.window {
            return Ok(());
        }
        let least = u128::from(self.rate.bytes) * self.waited.as_millis() / 1000;
        let enough = u128::from(self.bytes) >= least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        if enough {
            return Ok(());
        }
        let Rate { bytes, window } = self.rate;
        let message = format!("got fewer than {bytes} bytes a second in {} s", window.as_secs_f64());
        Err(transport::Error { kind: transport::ErrorKind::Slow, message })
    }
}

/// What one operation may still spend before it is given up: tries, and time in which nothing new comes.
///
/// New bytes renew the tries. Time is given back as it is used well: a second for each second in which new bytes came, and for every
/// [`SECOND`] bytes. A registry that stalls after each piece would otherwise hold an operation for many stalls.
///
/// The operation may have several parts, each with tries of its own: they share this.
#[derive(Clone, Debug)]
pub struct Budget {
    patience: Duration,
    pace: Pace,
    /// The longest wait in all that the registry may ask for.
    longest: Duration,
    /// Since anything came, but for what the registry asked us to wait.
    idle: Duration,
    /// What the registry asked us to wait since the last progress.
    asked: Duration,
    failures: u32,
    /// Answers 429 and 503, and errors that ask for patience, from the beginning.
    refusals: u32,
    /// New bytes came once, so the registry can be reached.
    proved: bool,
}

impl Budget {
    /// A budget that ends when nothing has come for `patience`.
    pub fn new(patience: Duration) -> Self {
        let zero = Duration::ZERO;
        let pace = Pace::default();
        Self { patience, pace, longest: LONGEST, idle: zero, asked: zero, failures: 0, refusals: 0, proved: false }
    }

    /// The same with this least rate.
    pub fn at_least(self, rate: Rate) -> Self {
        Self { pace: Pace::new(rate), ..self }
    }

    /// A budget for something that its caller can do without: neither silence nor a wait that the registry asks for exceeds `limit`.
    pub fn brief(self, limit: Duration) -> Self {
        Self { patience: self.patience.min(limit), longest: self.longest.min(limit), ..self }
    }

    /// How long the next try may be waited for. Something is kept back for one more, as long as there is enough for two.
    pub fn share(&self) -> Duration {
        let left = self.patience.saturating_sub(self.idle);
        let reserve = self.patience / 5;
        if left > reserve * 2 { left - reserve } else { left }
    }

    /// Adds time in which nothing came, of an answer or between two tries.
    pub fn wait(&mut self, idle: Duration) {
        self.idle += idle;
        // Before the first byte, a registry may have to fetch a blob from elsewhere.
        if self.proved {
            self.pace.waited += idle;
        }
    }

    /// Adds time in which a body stalled.
    pub fn stalled(&mut self, idle: Duration) {
        self.idle += idle;
    }

    /// Whether all the time is spent.
    pub fn is_spent(&self) -> bool {
        self.idle + self.patience / 8 > self.patience
    }

    /// The other side answered, though that may not help: the time starts again if nothing has failed.
    pub fn stir(&mut self) {
        if self.failures == 0 {
            self.idle = Duration::ZERO;
        }
    }

    /// Bytes came that were known already.
    ///
    /// # Errors
    /// Those of [`moved`](Self::moved).
    pub fn repeated(&mut self, waited: Duration, bytes: u64) -> Result<(), transport::Error> {
        self.pace.moved(waited, bytes)
    }

    /// The operation made progress: time and tries start again.
    pub fn renew(&mut self) {
        *self = Self { idle: Duration::ZERO, asked: Duration::ZERO, failures: 0, proved: true, ..self.clone() };
    }

    /// New bytes came after this time.
    ///
    /// # Errors
    /// They come more slowly than [`Rate`] allows. Another try would not be faster.
    pub fn moved(&mut self, waited: Duration, bytes: u64) -> Result<(), transport::Error> {
        let earned = waited + Duration::from_secs(1).mul_f64(bytes as f64 / SECOND as f64);
        *self = Self {
            idle: self.idle.saturating_sub(earned),
            asked: Duration::ZERO,
            failures: 0,
            proved: true,
            ..self.clone()
        };
        self.pace.moved(waited, bytes)
    }

    /// A try has failed. Returns how long to wait before the next, `None` = give up.
    ///
    /// The wait grows with the failures in a row. A longer one that the registry asks for is heeded up to [`LONGEST`] in all, or up to the
    /// limit of a [brief](Self::brief) budget.
    pub fn spend(&mut self, failure: TryFailure, random: u64) -> Option<Duration> {
        self.failures += 1;
        self.refusals +=
            u32::from(matches!(failure, TryFailure::Status { status: 429 | 503, .. } | TryFailure::Busy { .. }));
        let tries = if self.proved { TRIES_ON_THE_WAY } else { TRIES };
        // A name that was known before will be known again, and a network that was there may come back.
        let lost = [transport::ErrorKind::Resolve, transport::ErrorKind::Offline].map(TryFailure::Transport);
        let lost_name = self.proved && lost.contains(&failure);
        if self.failures >= tries || !(failure.is_retryable() || lost_name) {
            return None;
        }
        let pause = pause(self.failures, random);
        match failure.retry_after() {
            Some(asked) if asked > pause => {
                self.asked += asked;
                (self.asked <= self.longest).then_some(asked)
            }
            _ => {
                self.wait(pause);
                (!self.is_spent()).then_some(pause)
            }
        }
    }

    /// How often the registry asked for fewer requests (429, 503, or an error code), from the beginning.
    pub fn refusals(&self) -> u32 {
        self.refusals
    }

    /// Completes the words of the last failure. After several tries, the time of the last one alone would be too short.
    pub fn conclude(&self, error: &mut transport::Error) {
        if self.failures < 2 {
            return;
        }
        if error.kind == transport::ErrorKind::Timeout {
            error.message = format!("nothing new came for {:.0} s", self.idle.as_secs_f64());
        }
        error.message += &format!(", the last of {} tries", self.failures);
    }

    /// Failures since the last progress.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date against `now` (since the Unix epoch).
pub fn retry_after(value: &str, now: Duration) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    Some(Duration::from_secs(date::http(value)?).saturating_sub(Duration::from_secs(now.as_secs())))
}

/// Tries in all, of what has not got anywhere yet.
pub const TRIES: u32 = 5;
/// Tries in a row, of an operation that has received bytes before.
pub const TRIES_ON_THE_WAY: u32 = 8;
/// How long nothing may come before an operation is given up, unless the client's options say otherwise.
pub const PATIENCE: Duration = Duration::from_secs(38);
/// New bytes for which a second without any is forgiven.
pub const SECOND: u64 = 64 << 10;
/// How long a registry may take to commit an upload, unless the client's options say otherwise: it may hash or copy all of it.
pub const COMMIT: Duration = Duration::from_secs(600);
/// The longest that a request is waited for, whatever a registry asks.
pub const LONGEST: Duration = Duration::from_secs(60);
const FIRST: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
