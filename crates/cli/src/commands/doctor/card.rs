//! What an examination found, for people and for programs.

use std::io::Write;

use porthole_registry::doctor::{Examination, ProbeFinding, ProbeVerdict};
use serde_json::{Value, json};

use crate::{
    error::{Error, exit_code},
    output::print_json,
    ui::{Style, Ui, safe},
};

/// Prints all findings.
pub(super) fn print(card: &Examination, ui: &Ui) -> Result<(), Error> {
    let mut out = ui.out();
    if ui.json {
        let failure = card.failure();
        let card = json!({
            "registry": card.registry,
            "image": card.image,
            "usable": failure.is_none(),
            "exit_code": failure.and_then(ProbeFinding::kind).map_or(0, exit_code),
            "probes": card.findings.iter().map(json).collect::<Vec<_>>(),
        });
        print_json(&mut out, &card)?;
        return Ok(out.flush()?);
    }
    writeln!(out, "{}", safe(card.image.as_deref().unwrap_or(&card.registry)))?;
    let width = card.findings.iter().map(|finding| finding.probe.len()).max().unwrap_or(0);
    for finding in &card.findings {
        let style = match finding.verdict {
            ProbeVerdict::Ok => Style::Good,
            ProbeVerdict::No => Style::Bad,
            ProbeVerdict::Unknown => Style::Faint,
        };
        let verdict = ui.paint(style, &format!("{:<7}", word(finding.verdict)));
        writeln!(out, "{verdict}  {:<width$}  {}", finding.probe, safe(&finding.says))?;
    }
    Ok(out.flush()?)
}

fn word(verdict: ProbeVerdict) -> &'static str {
    match verdict {
        ProbeVerdict::Ok => "ok",
        ProbeVerdict::No => "no",
        ProbeVerdict::Unknown => "unknown",
    }
}

fn json(finding: &ProbeFinding) -> Value {
    let mut value = json!({ "probe": finding.probe, "verdict": word(finding.verdict), "says": finding.says });
    if !finding.more.is_empty() {
        value["facts"] = Value::Object(finding.more.clone());
    }
    value
}
