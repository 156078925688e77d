//! One attempt, in which a program is run, watched and judged, and the table of all attempts.

use porthole_tests::{Result, memory};
use std::{
    env, fs,
    io::Read,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A line of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) tried: u32,
    /// Number of attempts that ended in time, by themselves, and reported how.
    pub(crate) survived: u32,
    /// Number of attempts after which something was incomplete that had been complete, or was reported as complete.
    pub(crate) lost: u32,
    /// Number of attempts that printed a secret, or sent one to a wrong host.
    pub(crate) leaked: u32,
    /// Number of attempts that printed a control character, or reached a forbidden host.
    pub(crate) escaped: u32,
    /// Largest memory of a process, in bytes.
    pub(crate) peak: u64,
    /// Descriptions of what went wrong.
    pub(crate) notes: Vec<String>,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.survived == self.tried && self.lost + self.leaked + self.escaped == 0
    }

    /// Adds an attempt.
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        self.tried += 1;
        self.survived += u32::from(verdict.survived);
        self.lost += u32::from(verdict.lost);
        self.leaked += u32::from(verdict.leaked);
        self.escaped += u32::from(verdict.escaped);
        self.peak = self.peak.max(verdict.peak);
        if !verdict.survived || verdict.lost || verdict.leaked || verdict.escaped {
            self.notes.push(verdict.note.clone());
        }
    }
}

/// The result of an attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) survived: bool,
    pub(crate) lost: bool,
    pub(crate) leaked: bool,
    pub(crate) escaped: bool,
    pub(crate) peak: u64,
    pub(crate) note: String,
}

pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from("| what | tried | survived | lost | leaked | escaped | peak memory |\n");
    text += "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for Row { name, tried, survived, lost, leaked, escaped, peak, .. } in rows {
        let peak = if *peak == 0 { "–".to_owned() } else { format!("{} MiB", peak.div_ceil(1 << 20)) };
        text += &format!("| {name} | {tried} | {survived} | {lost} | {leaked} | {escaped} | {peak} |\n");
    }
    text
}

/// How a program ended.
pub(crate) struct Ran {
    /// Exit code. `None` if a signal ended the program, or it was killed because it took too long.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) peak: u64,
}

impl Ran {
    /// Whether the program ended by itself, without a panic.
    pub(crate) fn ended_well(&self) -> bool {
        self.code.is_some_and(|code| code != 101) && !contains(&self.stderr, b"panicked at")
    }

    pub(crate) fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let last = text.lines().rev().find(|line| !line.is_empty()).unwrap_or_default();
        format!("{:?}: {}", self.code, last.escape_debug())
    }

    /// Whether the output contains any of these secrets.
    pub(crate) fn leaks(&self, secrets: &[&str]) -> bool {
        secrets
            .iter()
            .any(|secret| contains(&self.stdout, secret.as_bytes()) || contains(&self.stderr, secret.as_bytes()))
    }

    /// Whether the output contains characters that control a terminal.
    pub(crate) fn escapes(&self) -> bool {
        [&self.stdout, &self.stderr].into_iter().any(|output| has_controls(output))
    }
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether bytes contain control characters other than line feed and tab, or characters that change the direction of text.
pub(crate) fn has_controls(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.chars().any(|char| {
        char.is_control() && !matches!(char, '\n' | '\t')
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// Runs a program to its end. Kills it after this time.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ran> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // Keep what was printed before an error.
            let _ = pipe.map(|pipe| pipe.take(16 << 20).read_to_end(&mut bytes));
            bytes
        })
    };
    let stdout = read(stdout.map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let stderr = read(stderr.map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let own = env::current_exe()?;
    let (started, mut peak) = (Instant::now(), 0);
    let code = loop {
        // Before `exec`, a child has the memory of this process.
        if fs::read_link(format!("/proc/{}/exe", child.id())).is_ok_and(|program| program != own) {
            peak = memory::peak(child.id()).unwrap_or(peak).max(peak);
        }
        if let Some(status) = child.try_wait()? {
            break status.code();
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let join = |reader: thread::JoinHandle<Vec<u8>>| reader.join().map_err(|_| "a reader panicked");
    Ok(Ran { code, stdout: join(stdout)?, stderr: join(stderr)?, peak })
}

/// Runs many attempts, several at once.
pub(crate) fn all<T: Sync>(items: &[T], attempt: impl Fn(&T) -> Result<Verdict> + Sync) -> Result<Vec<Verdict>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = attempt(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(verdict);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

/// Number of concurrent attempts. Most of them wait.
const AT_ONCE: usize = 6;
/// Time within which every attempt must end.
pub(crate) const LIMIT: Duration = Duration::from_secs(45);
