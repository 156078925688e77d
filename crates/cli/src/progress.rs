//! Progress on stderr.

mod bars;
mod moving;
mod rate;
mod reading;
mod terminal;

pub(crate) use self::{
    moving::{Heading, watch},
    reading::Meter,
};

use self::bars::Bars;
use crate::{
    args::Progress,
    stderr::Stderr,
    ui::{Ui, draws, size},
};
use std::{
    io::{self, Write},
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Bars,
    Plain,
    Json,
    None,
}

impl Look {
    /// The look that the options choose; `unattended` if stderr is not a terminal.
    fn of(ui: &Ui, unattended: Self) -> Self {
        match ui.progress {
            Progress::Auto if draws(&io::stderr()) => Self::Bars,
            Progress::Auto => unattended,
            Progress::None => Self::None,
            Progress::Plain => Self::Plain,
            Progress::Json => Self::Json,
        }
    }
}

/// The bars of a verb. They are on the screen while this lives.
struct Screen {
    stderr: Arc<Stderr>,
    bars: Bars,
    /// Whether the lines of parts that were started stay on the screen at the end.
    keep: bool,
}

impl Screen {
    fn open(ui: &Ui, keep: bool) -> Self {
        let bars = Bars::new();
        ui.stderr.below(Some(bars.handle()));
        Self { stderr: Arc::clone(&ui.stderr), bars, keep }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.bars.close(self.keep) {
            let _ = io::stderr().write_all(b"\n");
        }
        self.stderr.below(None);
    }
}

impl Deref for Screen {
    type Target = Bars;

    fn deref(&self) -> &Bars {
        &self.bars
    }
}

impl DerefMut for Screen {
    fn deref_mut(&mut self) -> &mut Bars {
        &mut self.bars
    }
}

/// The time and the byte count of the last report.
#[derive(Clone, Copy)]
struct Report {
    at: Instant,
    bytes: u64,
}

impl Report {
    fn now(bytes: u64) -> Self {
        Self { at: Instant::now(), bytes }
    }

    /// Returns the rate since the last report in bytes per second, if `every` has passed since then.
    fn due(&mut self, every: Duration, bytes: u64) -> Option<u64> {
        let seconds = self.at.elapsed().as_secs_f64();
        if seconds < every.as_secs_f64() {
            return None;
        }
        let rate = bytes.saturating_sub(self.bytes) as f64 / seconds;
        *self = Self::now(bytes);
        Some(rate as u64)
    }
}

/// `41.2 MB of 320.0 MB, 12.1 MB/s`
fn so_far(bytes: u64, total: Option<u64>, rate: u64) -> String {
    let of = total.map(|total| format!(" of {}", size(total))).unwrap_or_default();
    format!("{}{of}, {}/s", size(bytes), size(rate))
}

/// Minimum time between two JSON events of one part.
const EVERY: Duration = Duration::from_millis(100);
/// Time between two log lines of a slow part.
const LOGGED: Duration = Duration::from_secs(10);
