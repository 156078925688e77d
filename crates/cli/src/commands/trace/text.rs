//! The exchanges of a trace as text: a line with a bar for each, and the request below.

use std::io::Write;

use super::report::{Exchange, Field, Report, Step};
use crate::{
    error::Error,
    ui::{Style, Ui, safe, size},
};

/// Width of a bar in characters.
const CELLS: usize = 24;

pub(super) fn print(out: &mut impl Write, ui: &Ui, report: &Report, headers: bool) -> Result<(), Error> {
    writeln!(out, "{} at {}\n", safe(&report.reference), safe(&report.host))?;
    let head = format!("{:>9}  {:>9}  {:>6}  {:>9}  {:CELLS$}  what", "at", "took", "status", "bytes", "");
    writeln!(out, "{}", ui.paint(Style::Faint, &head))?;
    let ends = report.steps.iter().map(|step| step.at + step.took());
    let whole = ends.fold(0.0, f64::max);
    for step in &report.steps {
        writeln!(out, "{}", line(ui, step, whole))?;
        if let Some(exchange) = &step.exchange {
            below(out, ui, exchange, headers)?;
        }
    }
    let totals = &report.totals;
    let count = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    write!(
        out,
        "\n{}, {}, {}",
        count(totals.exchanges, "exchange", "exchanges"),
        size(totals.bytes),
        time(totals.took)
    )?;
    if totals.retries > 0 {
        write!(out, ", {}", count(totals.retries, "retry", "retries"))?;
    }
    if totals.missed > 0 {
        write!(out, "; {} more than are listed", totals.missed)?;
    }
    Ok(writeln!(out)?)
}

fn line(ui: &Ui, step: &Step, whole: f64) -> String {
    let meaning = safe(&step.meaning);
    let Some(exchange) = &step.exchange else {
        return format!("{:>9}  {:>9}  {:>6}  {:>9}  {:CELLS$}  {meaning}", time(step.at), "", "", "", "");
    };
    let status = exchange.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let status = format!("{status:>6}");
    let status = match exchange.status {
        Some(200..=399) => status,
        Some(401) => ui.paint(Style::Changed, &status),
        _ => ui.paint(Style::Bad, &status),
    };
    let took = exchange.took.map_or_else(|| "-".to_owned(), time);
    format!(
        "{:>9}  {took:>9}  {status}  {:>9}  {}  {meaning}",
        time(step.at),
        size(exchange.bytes),
        ui.paint(Style::Good, &bar(step, exchange, whole)),
    )
}

fn below(out: &mut impl Write, ui: &Ui, exchange: &Exchange, headers: bool) -> Result<(), Error> {
    let faint = |text: String| ui.paint(Style::Faint, &format!("{:9}  {text}", ""));
    writeln!(out, "{}", faint(format!("{} {}", safe(&exchange.method), safe(&exchange.url))))?;
    if headers {
        let field = |mark, field: &Field| format!("{mark} {}: {}", safe(&field.name), safe(&field.value));
        for text in
            exchange.request.iter().map(|of| field('>', of)).chain(exchange.answer.iter().map(|of| field('<', of)))
        {
            writeln!(out, "{}", faint(text))?;
        }
        writeln!(out, "{}", faint(format!("$ {}", safe(&exchange.curl))))?;
    }
    Ok(())
}

/// The time of an exchange as a bar on the scale of the whole trace: dashes until its answer, then equals signs.
fn bar(step: &Step, exchange: &Exchange, whole: f64) -> String {
    let cell = |at: f64| if whole > 0.0 { (at / whole * CELLS as f64) as usize } else { 0 };
    let start = cell(step.at).min(CELLS - 1);
    let answered = cell(step.at + exchange.waited.unwrap_or(0.0)).clamp(start, CELLS);
    let end = cell(step.at + step.took()).clamp(start + 1, CELLS).max(answered);
    let mut bar = " ".repeat(start);
    bar.push_str(&"-".repeat(answered - start));
    bar.push_str(&"=".repeat(end - answered));
    format!("{bar:CELLS$}")
}

impl Step {
    fn took(&self) -> f64 {
        self.exchange.as_ref().and_then(|exchange| exchange.took).unwrap_or(0.0)
    }
}

fn time(milliseconds: f64) -> String {
    match milliseconds {
        short if short < 10.0 => format!("{short:.1} ms"),
        short if short < 10_000.0 => format!("{short:.0} ms"),
        long => format!("{:.1} s", long / 1000.0),
    }
}
