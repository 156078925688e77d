//! The HTTP exchanges of the look, reported while they happen.

use super::{Errand, Front, SavedFile, Session, Work};
use crate::{
    pool::Pool,
    protocol::{Event, WireLine, WireLog},
    size::{count, size},
};
use porthole_registry::{
    date,
    trace::{Recorded, RecordedExchange, Recorder},
    transport::{Environment, Transport},
};
use std::time::Duration;

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Begins to report the exchanges of the look, the complete ones first.
    pub(super) fn begin_wire(&self) {
        let look = self.desk.borrow().wish.as_ref().map(|wish| wish.look);
        if let Some(look) = look {
            self.options.recorder.repeat();
            self.errands.begin(Errand::Wire, Work::Wire { look });
        }
    }

    pub(super) async fn tell_wire(&self, look: u32) {
        let recorder = &self.options.recorder;
        loop {
            let changes = recorder.changes().await;
            let start = recorder.started().unwrap_or_default();
            let line = |(place, item): &(usize, Recorded)| (*place as u32, line(item, start, recorder));
            let lines = changes.iter().map(line).collect();
            let log = WireLog { lines, span: milliseconds(recorder.span()), totals: totals(recorder) };
            self.tell(vec![Event::Wire { look, log: Box::new(log) }]);
            self.registry.transport().sleep(PULSE).await;
        }
    }

    /// Saves the exchanges of the look as an HTTP Archive.
    pub(super) fn save_wire(&self) {
        let Some(wish) = self.desk.borrow().wish.clone() else { return };
        let text = self.options.recorder.har(env!("CARGO_PKG_VERSION"));
        let mut kept = self.front.save();
        kept.write(text.as_bytes());
        self.tell(vec![Event::Exported { look: wish.look, name: "porthole-trace.har".into(), file: kept.finish() }]);
    }
}

fn line(item: &Recorded, start: Duration, recorder: &Recorder) -> WireLine {
    let meaning = recorder.meaning(item);
    let exchange = match item {
        Recorded::Exchange(exchange) => exchange,
        Recorded::Note(note) => {
            let (at, took) = (milliseconds(note.at.saturating_sub(start)), milliseconds(note.lasted));
            return WireLine { at, took, waited: took, meaning, ..WireLine::default() };
        }
    };
    let status = match (exchange.status(), exchange.failure()) {
        (Some(status), _) => status.to_string(),
        (None, Some(_)) => "failed".to_owned(),
        (None, None) => String::new(),
    };
    WireLine {
        at: milliseconds(exchange.sent.saturating_sub(start)),
        waited: exchange.waited.map(milliseconds).unwrap_or_default(),
        took: exchange.duration().map(milliseconds).unwrap_or_default(),
        meaning,
        asked: format!("{} {}", exchange.method, exchange.url),
        status,
        size: exchange.end.as_ref().map(|end| size(end.bytes)).unwrap_or_default(),
        wrong: exchange.failure().is_some() || exchange.status().is_some_and(|status| status >= 400 && status != 401),
        facts: facts(exchange),
        curl: exchange.curl(),
    }
}

fn facts(exchange: &RecordedExchange) -> Vec<(String, String)> {
    let mut facts = vec![("Sent".to_owned(), date::iso_8601(exchange.sent))];
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    if let Some(reason) = &exchange.reason {
        fact("Why once more", reason.to_string());
    }
    if let Some(waited) = exchange.waited {
        fact("Answer after", format!("{} ms", milliseconds(waited)));
    }
    if let Some(end) = &exchange.end {
        fact("Whole after", format!("{} ms", milliseconds(end.after)));
    }
    if let Some(failure) = exchange.failure() {
        fact("Failure", failure.to_owned());
    }
    let fields = exchange.fields.iter().map(|(name, value)| (format!("> {name}"), value.clone()));
    facts.extend(fields);
    let answered = exchange.head().map(|head| head.fields.as_slice()).unwrap_or_default();
    facts.extend(answered.iter().map(|(name, value)| (format!("< {name}"), value.clone())));
    facts
}

fn totals(recorder: &Recorder) -> String {
    let totals = recorder.totals();
    let several =
        |number: u64, one: &str, many: &str| format!("{} {}", count(number), if number == 1 { one } else { many });
    let mut words = vec![
        several(totals.exchanges, "exchange", "exchanges"),
        size(totals.bytes),
        format!("{} ms", count(totals.duration.as_millis() as u64)),
    ];
    if totals.retries > 0 {
        words.push(several(totals.retries, "retry", "retries"));
    }
    if totals.missed > 0 {
        words.push(format!("{} not listed", count(totals.missed)));
    }
    words.join(" · ")
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Between two messages, so that many exchanges at once are not one message each.
const PULSE: Duration = Duration::from_millis(100);
