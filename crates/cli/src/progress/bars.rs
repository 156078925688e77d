//! Bars on a terminal: one for each part in progress, and below them one for the total.

use std::{
    collections::HashMap,
    fmt::Write,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{rate::Rate, terminal::Terminal};
use crate::ui::size;

/// The bars on the screen. The caller gives parts unique names, and escapes untrusted text in them.
pub(super) struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    parts: HashMap<String, Part>,
    /// Names of the parts that have a bar, from top to bottom.
    shown: Vec<String>,
    /// Height and width of the terminal when it was last measured.
    size: (u16, u16),
    measured: Instant,
    measure: Box<dyn Fn() -> (u16, u16) + Send>,
    rate: Rate,
    ended: usize,
}

struct Part {
    size: Option<u64>,
    bytes: u64,
    bar: Option<ProgressBar>,
    rate: Rate,
    word: &'static str,
    ended: bool,
}

/// Maximum number of redraws per second.
const REDRAWS: u8 = 10;
/// Time after which the rates are drawn again when no bytes arrive.
const TICK: Duration = Duration::from_millis(500);
/// Lines of the screen that are left to earlier output.
const SPARED: usize = 2;
/// Widths of the terminal in columns. Below the first there are only figures without bars, below the others fewer figures.
const NARROW: u16 = 84;
const NARROWER: u16 = 62;
const NARROWEST: u16 = 36;
/// Time between two measurements of the terminal's size.
const MEASURED: Duration = Duration::from_millis(250);

impl Bars {
    /// Opens bars on the terminal of stderr.
    pub(super) fn new() -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::<Terminal>::default(), REDRAWS);
        Self::on(target, Box::new(Terminal::size))
    }

    fn on(target: ProgressDrawTarget, measure: Box<dyn Fn() -> (u16, u16) + Send>) -> Self {
        let (size, measured) = (measure(), Instant::now());
        let rate = Rate::new(measured);
        let all = MultiProgress::with_draw_target(target);
        let total = all.add(ProgressBar::new(0).with_style(of_all(size.1, &rate)));
        total.enable_steady_tick(TICK);
        Self { all, total, parts: HashMap::new(), shown: Vec::new(), size, measured, measure, rate, ended: 0 }
    }

    /// Number of bars for parts that fit on the screen, at least one.
    fn rows(&self) -> usize {
        usize::from(self.size.0).saturating_sub(SPARED + 1).max(1)
    }

    /// Adapts the bars to the size of the terminal, if that has changed.
    fn fit(&mut self) {
        if self.measured.elapsed() < MEASURED {
            return;
        }
        self.measured = Instant::now();
        let size = (self.measure)();
        if size == std::mem::replace(&mut self.size, size) {
            return;
        }
        let rows = self.rows();
        while self.shown.len() > rows {
            let over = self.shown.iter().position(|name| self.parts.get(name).is_some_and(|part| part.ended));
            self.hide(over.unwrap_or(0));
        }
        self.total.set_style(of_all(size.1, &self.rate));
        for part in self.shown.iter().filter_map(|name| self.parts.get(name)).filter(|part| !part.ended) {
            part.bar.iter().for_each(|bar| bar.set_style(of_part(size.1, &part.rate)));
        }
    }

    /// A handle for writing lines above the bars.
    pub(super) fn handle(&self) -> MultiProgress {
        self.all.clone()
    }

    /// Announces a part and, if known, its size in bytes. Does nothing if the part was announced before.
    pub(super) fn expect(&mut self, name: &str, size: Option<u64>) {
        if self.parts.contains_key(name) {
            return;
        }
        self.total.inc_length(size.unwrap_or(0));
        let rate = Rate::new(Instant::now());
        self.parts.insert(name.to_owned(), Part { size, bytes: 0, bar: None, rate, word: "", ended: false });
        self.count();
    }

    /// Starts or restarts a part of which `there` bytes are present.
    pub(super) fn start(&mut self, name: &str, there: u64, word: &'static str) {
        let Some(part) = self.parts.get_mut(name) else { return };
        let before = std::mem::replace(&mut part.bytes, there);
        part.word = word;
        if there < before {
            self.total.dec(before - there);
        } else {
            self.total.inc(there - before);
        }
        self.show(name);
        if let Some(bar) = self.parts.get(name).and_then(|part| part.bar.as_ref()) {
            bar.set_position(there);
            bar.set_message(word);
        }
    }

    /// Adds bytes to a part.
    pub(super) fn advance(&mut self, name: &str, bytes: u64) {
        self.fit();
        let Some(part) = self.parts.get_mut(name) else { return };
        part.bytes += bytes;
        let now = Instant::now();
        part.rate.moved(bytes, now);
        self.rate.moved(bytes, now);
        self.total.inc(bytes);
        match &part.bar {
            Some(bar) => bar.inc(bytes),
            None => self.show(name),
        }
    }

    /// Sets the word that says what a part is doing.
    pub(super) fn say(&mut self, name: &str, word: &'static str) {
        let Some(part) = self.parts.get_mut(name) else { return };
        part.word = word;
        if let Some(bar) = &part.bar {
            bar.set_message(word);
        }
    }

    /// Completes a part.
    pub(super) fn end(&mut self, name: &str, word: &'static str) {
        let Some(part) = self.parts.get_mut(name) else { return };
        if std::mem::replace(&mut part.ended, true) {
            return;
        }
        let rest = part.size.unwrap_or(part.bytes).saturating_sub(part.bytes);
        part.bytes += rest;
        part.word = word;
        self.total.inc(rest);
        self.ended += 1;
        self.count();
        if self.shown.len() < self.rows() {
            self.show(name);
        }
        let Some(part) = self.parts.get(name) else { return };
        if let Some(bar) = &part.bar {
            bar.set_style(ended());
            bar.set_position(part.bytes);
            bar.finish_with_message(word);
        }
    }

    /// Removes the bars. If `keep`, those of parts that were started stay on the screen. Returns whether any stay: the cursor is
    /// then on the last of them.
    pub(super) fn close(&mut self, keep: bool) -> bool {
        self.total.finish_and_clear();
        let stay = keep && !self.shown.is_empty();
        for name in self.shown.drain(..) {
            if let Some(bar) = self.parts.get_mut(&name).and_then(|part| part.bar.take()) {
                if keep { bar.abandon() } else { bar.finish_and_clear() }
            }
        }
        stay
    }

    /// Gives a part a bar, if there is room or a completed part can make room.
    fn show(&mut self, name: &str) {
        if self.parts.get(name).is_none_or(|part| part.bar.is_some()) {
            return;
        }
        if self.shown.len() >= self.rows() {
            let over = |name: &String| self.parts.get(name).is_some_and(|part| part.ended);
            let Some(place) = self.shown.iter().position(over) else { return };
            self.hide(place);
        }
        let Some(part) = self.parts.get_mut(name) else { return };
        let bar = match part.size {
            Some(size) => ProgressBar::new(size),
            None => ProgressBar::no_length(),
        };
        let bar =
            bar.with_position(part.bytes).with_style(of_part(self.size.1, &part.rate)).with_prefix(name.to_owned());
        let bar = self.all.insert_before(&self.total, bar.with_message(part.word));
        part.bar = Some(bar);
        self.shown.push(name.to_owned());
    }

    fn hide(&mut self, place: usize) {
        let gone = self.shown.remove(place);
        if let Some(bar) = self.parts.get_mut(&gone).and_then(|part| part.bar.take()) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn count(&self) {
        self.total.set_prefix(format!("{}/{}", self.ended, self.parts.len()));
    }
}

fn of_part(width: u16, rate: &Rate) -> ProgressStyle {
    let style = style(match width {
        NARROW.. => "{prefix:<12} {bar:20} {done:>9}{of:<13} {rate:>11}  {wide_msg}",
        NARROWER.. => "{prefix:<12} {done:>9}{of:<13} {rate:>11}  {wide_msg}",
        NARROWEST.. => "{prefix:<12} {done:>9}{of}",
        _ => "{prefix:<12} {done:>9}",
    });
    with_rate(style, rate)
}

fn of_all(width: u16, rate: &Rate) -> ProgressStyle {
    let style = style(match width {
        NARROW.. => "{prefix:<12} {bar:20} {done:>9}{of:<13} {rate:>11}  {left}",
        NARROWER.. => "{prefix:<12} {done:>9}{of:<13} {rate:>11}  {left}",
        NARROWEST.. => "{prefix:<12} {done:>9}{of}",
        _ => "{prefix:<12} {done:>9}",
    });
    with_rate(style, rate)
}

fn ended() -> ProgressStyle {
    style("{prefix:<12} {done:>9}  {wide_msg}")
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .progress_chars("━╸─")
        .with_key("done", |state: &ProgressState, out: &mut dyn Write| put(out, &size(state.pos())))
        .with_key("of", |state: &ProgressState, out: &mut dyn Write| {
            put(out, &state.len().map(|all| format!(" of {}", size(all))).unwrap_or_default());
        })
}

/// Shows our own rate, because that of the crate `indicatif` also counts the bytes that were present at the start.
fn with_rate(style: ProgressStyle, rate: &Rate) -> ProgressStyle {
    let (rate, of_left) = (rate.clone(), rate.clone());
    let left = move |state: &ProgressState, out: &mut dyn Write| {
        let ahead = state.len().unwrap_or(0).saturating_sub(state.pos());
        put(out, &left(ahead, of_left.per_second(Instant::now())));
    };
    style
        .with_key("rate", move |_: &ProgressState, out: &mut dyn Write| {
            put(out, &format!("{}/s", size(rate.per_second(Instant::now()) as u64)));
        })
        .with_key("left", left)
}

fn left(bytes: u64, rate: f64) -> String {
    if rate < 1.0 {
        return String::new();
    }
    let seconds = (bytes as f64 / rate).ceil() as u64;
    match seconds {
        0..120 => format!("{seconds} s left"),
        120..7200 => format!("{} min left", seconds.div_ceil(60)),
        7200..360_000 => format!("{} h left", seconds.div_ceil(3600)),
        _ => String::new(),
    }
}

fn put(out: &mut dyn Write, text: &str) {
    // Writing to a buffer in memory cannot fail.
    let _ = out.write_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::InMemoryTerm;

    fn screen(height: u16, width: u16) -> (InMemoryTerm, Bars) {
        let terminal = InMemoryTerm::new(height, width);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let bars = Bars::on(target, Box::new(move || (height, width)));
        bars.total.disable_steady_tick();
        (terminal, bars)
    }

    fn lines(terminal: &InMemoryTerm) -> Vec<String> {
        terminal.contents().lines().map(str::to_owned).collect()
    }

    fn redraw(bars: &Bars) {
        for part in bars.parts.values() {
            part.bar.iter().for_each(ProgressBar::force_draw);
        }
        bars.total.force_draw();
    }

    #[test]
    fn a_line_for_each_part_and_one_for_all() {
        let (terminal, mut bars) = screen(12, 100);
        for (name, size) in [("aaa", Some(1_000_000)), ("bbb", Some(3_000_000)), ("ccc", None)] {
            bars.expect(name, size);
            bars.start(name, 0, "");
        }
        bars.start("bbb", 1_000_000, "resumed");
        bars.advance("aaa", 500_000);
        redraw(&bars);
        let drawn = lines(&terminal);
        assert_eq!(drawn.len(), 4, "{drawn:#?}");
        assert!(
            drawn[0].starts_with("aaa          ━━━━━━━━━━") && drawn[0].contains("500.0 kB of 1.0 MB"),
            "{drawn:#?}"
        );
        assert!(drawn[1].contains("1.0 MB of 3.0 MB") && drawn[1].ends_with("resumed"), "{drawn:#?}");
        assert!(drawn[2].contains("0 B ") && !drawn[2].contains(" of "), "{drawn:#?}");
        assert!(drawn[3].starts_with("0/3") && drawn[3].contains("1.5 MB of 4.0 MB"), "{drawn:#?}");
        assert!(drawn.iter().all(|line| line.chars().count() <= 100), "{drawn:#?}");
    }

    #[test]
    fn more_parts_than_rows() {
        let (terminal, mut bars) = screen(6, 80);
        for number in 0..100 {
            let name = number.to_string();
            bars.expect(&name, Some(10));
            bars.start(&name, 0, "");
            if number < 98 {
                bars.end(&name, "verified");
            }
        }
        redraw(&bars);
        let drawn = lines(&terminal);
        assert_eq!(drawn.len(), 4, "{drawn:#?}");
        assert!(
            drawn[0].starts_with("97 ") && drawn[1].starts_with("98 ") && drawn[2].starts_with("99 "),
            "{drawn:#?}"
        );
        assert!(drawn[3].starts_with("98/100"), "{drawn:#?}");
    }

    #[test]
    fn what_stays_on_the_screen() {
        for (keep, left) in [(true, vec!["aaa               10 B  verified"]), (false, vec![])] {
            let (terminal, mut bars) = screen(10, 80);
            bars.expect("aaa", Some(10));
            bars.start("aaa", 0, "");
            bars.end("aaa", "verified");
            bars.close(keep);
            assert_eq!(lines(&terminal), left);
        }
    }

    #[test]
    fn a_part_that_begins_again_is_counted_once() {
        let (_terminal, mut bars) = screen(10, 80);
        bars.expect("aaa", Some(10));
        bars.start("aaa", 4, "resumed");
        bars.advance("aaa", 6);
        assert_eq!(bars.total.position(), 10);
        bars.start("aaa", 0, "once more");
        assert_eq!(bars.total.position(), 0);
        bars.end("aaa", "verified");
        bars.end("aaa", "verified");
        assert_eq!((bars.total.position(), bars.ended), (10, 1));
    }

    #[test]
    fn lines_fit_into_every_terminal() {
        for width in [20, 35, 36, 61, 62, 83, 84, 200] {
            let (terminal, mut bars) = screen(10, width);
            bars.expect("sha256:abcde", Some(999_900_000_000));
            bars.start("sha256:abcde", 888_800_000_000, "waiting for another process");
            bars.advance("sha256:abcde", 1);
            redraw(&bars);
            if width >= 24 {
                assert_eq!(lines(&terminal).len(), 2, "{width}: {:#?}", lines(&terminal));
            }
        }
    }

    #[test]
    fn a_terminal_that_shrinks() {
        let (terminal, mut bars) = screen(24, 100);
        for number in 0..10 {
            let name = number.to_string();
            bars.expect(&name, Some(10));
            bars.start(&name, 0, "");
        }
        bars.end("0", "verified");
        bars.measure = Box::new(|| (6, 60));
        bars.measured = Instant::now().checked_sub(MEASURED).unwrap();
        bars.advance("9", 5);
        redraw(&bars);
        let drawn = lines(&terminal);
        assert_eq!(drawn.len(), 4, "{drawn:#?}");
        assert!(drawn[2].starts_with("9 ") && drawn[2].ends_with("5 B of 10 B"), "{drawn:#?}");
    }

    #[test]
    fn what_was_there_is_no_rate() {
        let (_terminal, mut bars) = screen(10, 100);
        bars.expect("aaa", Some(1_000_000_000));
        bars.start("aaa", 900_000_000, "resumed");
        bars.expect("bbb", Some(1_000_000_000));
        bars.end("bbb", "already here");
        assert_eq!(bars.rate.per_second(Instant::now()), 0.0);
        assert_eq!(
            (left(100, 0.0), left(100, 50.0), left(360_000, 100.0)),
            (String::new(), "2 s left".into(), "60 min left".into())
        );
    }
}
