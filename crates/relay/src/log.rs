//! The log: a line for each answer, on stderr.
//!
//! A thread writes it. Requests put their lines in a queue and never wait: a terminal that is paused or a pipe that is not read fills
//! the queue, and later lines are dropped and counted.

use http::{Method, StatusCode};
use serde_json::json;
use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, SystemTime},
};

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A line of text for each event.
    #[default]
    Text,
    /// A JSON object on each line.
    Json,
    /// Log nothing at all.
    None,
}

/// A queue of lines. Clones share it.
#[derive(Clone)]
pub(crate) struct Log {
    format: Format,
    /// Also the paths of requests, which name repositories.
    targets: bool,
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

enum Line {
    Text(String),
    /// Everything before it is written.
    Flush(SyncSender<()>),
}

/// An answer that has ended.
pub(crate) struct Answered<'a> {
    pub(crate) method: &'a Method,
    /// The shape of the path.
    pub(crate) route: &'static str,
    pub(crate) target: &'a str,
    pub(crate) status: StatusCode,
    /// Of the body, as far as it was sent.
    pub(crate) bytes: u64,
    /// The body ended early.
    pub(crate) broken: bool,
    pub(crate) took: Duration,
}

impl Log {
    pub(crate) fn new(format: Format, targets: bool, out: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        thread::spawn(move || write_all(&queue, &count, format, out));
        Self { format, targets, lines, dropped }
    }

    /// A line about an answer: its route and never a name, unless targets were asked for.
    pub(crate) fn answered(&self, answered: &Answered<'_>) {
        let Answered { method, route, target, status, bytes, broken, took } = answered;
        let milliseconds = took.as_secs_f64() * 1000.0;
        let line = match self.format {
            Format::None => return,
            Format::Text => {
                let broken = if *broken { ", broken off" } else { "" };
                let target = if self.targets { format!(" {}", target.escape_default()) } else { String::new() };
                format!("{method} {route} {} {bytes} B {milliseconds:.0} ms{broken}{target}", status.as_u16())
            }
            Format::Json => {
                let mut row = json!({
                    "time": now(),
                    "event": "answer",
                    "method": method.as_str(),
                    "route": route,
                    "status": status.as_u16(),
                    "bytes": bytes,
                    "ms": (milliseconds * 1000.0).round() / 1000.0,
                });
                if *broken {
                    row["broken"] = true.into();
                }
                if self.targets {
                    row["target"] = (*target).into();
                }
                row.to_string()
            }
        };
        self.put(line);
    }

    /// A line about the relay itself.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        self.put(note(self.format, &text.to_string()));
    }

    /// Lines that were not written, because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until what is queued is written, for at most this long.
    pub(crate) fn flush(&self, patience: Duration) {
        let (done, written) = sync_channel(1);
        if self.lines.try_send(Line::Flush(done)).is_ok() {
            // A reader of stderr that is stuck gets no more time.
            let _ = written.recv_timeout(patience);
        }
    }

    fn put(&self, line: String) {
        if self.lines.try_send(Line::Text(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes lines as they come, and those that wait in one piece: a busy relay spends little on its log. With nothing more to write, it
/// looks again a moment after the next line: a thread that waits is woken by each line, with two calls of the system for each request.
fn write_all(queue: &Receiver<Line>, dropped: &AtomicU64, format: Format, mut out: impl Write) {
    let (mut said, mut text, mut behind) = (0, String::new(), false);
    while let Ok(first) = queue.recv() {
        if !behind && matches!(first, Line::Text(_)) {
            thread::sleep(GATHERED);
        }
        let now = dropped.load(Ordering::Relaxed);
        if now > said {
            text = note(format, &format!("dropped {} lines of the log", now - said)) + "\n";
            said = now;
        }
        let mut flushed = Vec::new();
        let mut next = Some(first);
        while let Some(line) = next {
            match line {
                Line::Text(line) => text.extend([line.as_str(), "\n"]),
                Line::Flush(done) => flushed.push(done),
            }
            next = if text.len() < AT_ONCE { queue.try_recv().ok() } else { None };
        }
        behind = text.len() >= AT_ONCE;
        // A log that cannot be written must not stop the relay.
        let _ = out.write_all(text.as_bytes());
        text.clear();
        for done in flushed {
            let _ = done.send(());
        }
    }
}

fn note(format: Format, text: &str) -> String {
    match format {
        Format::Json => json!({ "time": now(), "event": "note", "text": text }).to_string(),
        Format::Text | Format::None => format!("relay: {text}"),
    }
}

/// Seconds since 1970, to the millisecond.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (now.as_secs_f64() * 1000.0).round() / 1000.0
}

/// A log on stderr.
pub(crate) fn to_stderr(format: Format, targets: bool) -> Log {
    Log::new(format, targets, io::stderr())
}

/// Lines that wait to be written.
const QUEUE: usize = 4096;
/// How long a line waits for others.
const GATHERED: Duration = Duration::from_millis(10);
/// Bytes from which on they are written.
const AT_ONCE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Condvar, Mutex};

    /// A pipe that is not read before its gate opens.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Shared>);

    #[derive(Default)]
    struct Shared {
        open: Mutex<bool>,
        gate: Condvar,
        written: Mutex<Vec<u8>>,
    }

    impl Write for Pipe {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            drop(self.0.gate.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap());
            self.0.written.lock().unwrap().extend_from_slice(buffer);
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Pipe {
        fn open(&self) {
            *self.0.open.lock().unwrap() = true;
            self.0.gate.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.written.lock().unwrap().clone()).unwrap()
        }
    }

    fn answered<'a>(target: &'a str) -> Answered<'a> {
        Answered {
            method: &Method::GET,
            route: "/v2/",
            target,
            status: StatusCode::OK,
            bytes: 5,
            broken: false,
            took: Duration::from_millis(3),
        }
    }

    #[test]
    fn a_pipe_that_is_not_read_drops_lines_and_never_blocks() {
        let pipe = Pipe::default();
        let log = Log::new(Format::Text, false, pipe.clone());
        for _ in 0..3 * QUEUE {
            log.answered(&answered("/v2/secret"));
        }
        log.flush(Duration::from_millis(10));
        let dropped = log.dropped();
        assert!(dropped >= QUEUE as u64, "{dropped}");
        pipe.open();
        while !pipe.text().contains("dropped") {
            thread::yield_now();
        }
        assert!(pipe.text().contains("GET /v2/ 200 5 B 3 ms\n"), "{}", pipe.text());
        assert!(!pipe.text().contains("secret"));
    }

    #[test]
    fn json_lines_have_no_names_unless_asked() {
        let mut rows = Vec::new();
        for targets in [false, true] {
            let pipe = Pipe::default();
            pipe.open();
            let log = Log::new(Format::Json, targets, pipe.clone());
            log.answered(&answered("/v2/a/manifests/1"));
            log.flush(Duration::from_secs(10));
            rows.push(serde_json::from_str::<serde_json::Value>(&pipe.text()).unwrap());
        }
        assert_eq!(
            (&rows[0]["route"], &rows[0]["status"], &rows[0]["bytes"]),
            (&json!("/v2/"), &json!(200), &json!(5))
        );
        assert_eq!(rows[0].get("target"), None);
        assert_eq!(rows[1]["target"], "/v2/a/manifests/1");
    }
}
