//! What an examination found, for people and for programs.

use std::{borrow::Cow, io::Write};

use porthole_registry::doctor::{Examination, ProbeFact, ProbeFinding, ProbeVerdict};
use serde_json::{Value, json};

use crate::{
    error::{Error, exit_code},
    output::print_json,
    ui::{Style, Ui, remedy, safe},
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
            "exit_code": failure.map_or(0, |(_, failure)| exit_code(failure.kind)),
            "probes": card.findings.iter().map(json).collect::<Vec<_>>(),
        });
        print_json(&mut out, &card)?;
        return Ok(out.flush()?);
    }
    writeln!(out, "{}", safe(card.image.as_deref().unwrap_or(&card.registry)))?;
    let width = card.findings.iter().map(|finding| finding.probe.name().len()).max().unwrap_or(0);
    for finding in &card.findings {
        let style = match finding.verdict {
            ProbeVerdict::Ok => Style::Good,
            ProbeVerdict::No => Style::Bad,
            ProbeVerdict::Unknown => Style::Faint,
        };
        let verdict = ui.paint(style, &format!("{:<7}", word(finding.verdict)));
        writeln!(out, "{verdict}  {:<width$}  {}", finding.probe.name(), safe(&says(finding)))?;
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

/// What was found, with what helps.
pub(super) fn says(finding: &ProbeFinding) -> Cow<'_, str> {
    match &finding.hint {
        Some(hint) => format!("{}: {}", finding.says, remedy(hint)).into(),
        None => Cow::from(&finding.says),
    }
}

fn json(finding: &ProbeFinding) -> Value {
    let mut value = json!({ "probe": finding.probe.name(), "verdict": word(finding.verdict), "says": says(finding) });
    if !finding.facts.is_empty() {
        value["facts"] = finding.facts.iter().map(|(name, fact)| ((*name).to_owned(), fact_json(fact))).collect();
    }
    value
}

fn fact_json(fact: &ProbeFact) -> Value {
    match fact {
        ProbeFact::Text(text) => text.as_str().into(),
        ProbeFact::Number(number) => (*number).into(),
        ProbeFact::Difference(number) => (*number).into(),
        ProbeFact::Flag(flag) => (*flag).into(),
        ProbeFact::List(texts) => texts.as_slice().into(),
    }
}
