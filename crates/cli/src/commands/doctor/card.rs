//! What the doctor found, for people and for programs.

use std::io::Write;

use porthole_core::failure::{Blame, Classify, Failure, FailureClass};
use porthole_registry::Error as Refusal;
use serde_json::{Map, Value, json};

use crate::{
    error::{Error, exit_code},
    ui::{Style, Ui, safe},
};

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    No,
    Unknown,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// A line of the card: what was looked at, how it is, and what follows from it.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) probe: &'static str,
    pub(super) verdict: Verdict,
    pub(super) says: String,
    pub(super) more: Map<String, Value>,
    /// Why the registry cannot be used, if so.
    pub(super) failure: Option<Failure>,
}

impl Finding {
    fn new(probe: &'static str, verdict: Verdict, says: String) -> Self {
        Self { probe, verdict, says, more: Map::new(), failure: None }
    }

    pub(super) fn ok(probe: &'static str, says: impl Into<String>) -> Self {
        Self::new(probe, Verdict::Ok, says.into())
    }

    pub(super) fn no(probe: &'static str, says: impl Into<String>) -> Self {
        Self::new(probe, Verdict::No, says.into())
    }

    pub(super) fn unknown(probe: &'static str, says: impl Into<String>) -> Self {
        Self::new(probe, Verdict::Unknown, says.into())
    }

    /// What could not be determined for an error that says nothing of what was asked.
    pub(super) fn failed(probe: &'static str, error: &Refusal) -> Self {
        Self::unknown(probe, format!("could not be determined: {error}"))
    }

    /// Marks a finding that makes the registry unusable.
    pub(super) fn fatal(mut self, error: &Refusal) -> Self {
        self.failure = Some(error.failure());
        self
    }

    /// As [`fatal`](Self::fatal), where no error says why.
    pub(super) fn because(mut self, kind: FailureClass) -> Self {
        self.failure = Some(Failure::new(kind, Blame::Registry));
        self
    }

    /// What kind of failure makes the registry unusable, if one does.
    pub(super) fn kind(&self) -> Option<FailureClass> {
        self.failure.as_ref().map(|failure| failure.kind)
    }

    /// A fact beside the sentence, for programs.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    fn json(&self) -> Value {
        let mut value = json!({ "probe": self.probe, "verdict": self.verdict.word(), "says": self.says });
        if !self.more.is_empty() {
            value["facts"] = Value::Object(self.more.clone());
        }
        value
    }
}

/// All findings of one examination.
pub(super) struct Card {
    /// What was examined, as it was named.
    pub(super) registry: String,
    /// The image that was looked at.
    pub(super) image: Option<String>,
    pub(super) findings: Vec<Finding>,
}

impl Card {
    /// The finding that makes the registry unusable, if there is one. A manifest that was read outweighs failures before it.
    pub(super) fn failure(&self) -> Option<&Finding> {
        let fatal =
            |probe: &str| self.findings.iter().find(|finding| finding.probe == probe && finding.failure.is_some());
        let is_read = self.findings.iter().any(|finding| finding.probe == "manifest" && finding.verdict == Verdict::Ok);
        let reading = ["connection", "credentials", "manifest", "version"];
        let reading = reading.iter().find_map(|probe| fatal(probe)).filter(|_| !is_read);
        reading.or_else(|| fatal("upload"))
    }

    pub(super) fn print(&self, ui: &Ui) -> Result<(), Error> {
        let mut out = ui.out();
        if ui.json {
            let failure = self.failure();
            let card = json!({
                "registry": self.registry,
                "image": self.image,
                "usable": failure.is_none(),
                "exit_code": failure.and_then(Finding::kind).map_or(0, exit_code),
                "probes": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
            });
            super::print_json(&mut out, &card)?;
            return Ok(out.flush()?);
        }
        writeln!(out, "{}", safe(self.image.as_deref().unwrap_or(&self.registry)))?;
        let width = self.findings.iter().map(|finding| finding.probe.len()).max().unwrap_or(0);
        for finding in &self.findings {
            let style = match finding.verdict {
                Verdict::Ok => Style::Good,
                Verdict::No => Style::Bad,
                Verdict::Unknown => Style::Faint,
            };
            let verdict = ui.paint(style, &format!("{:<7}", finding.verdict.word()));
            writeln!(out, "{verdict}  {:<width$}  {}", finding.probe, safe(&finding.says))?;
        }
        Ok(out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(findings: Vec<Finding>) -> Card {
        Card { registry: "r.example.com".to_owned(), image: None, findings }
    }

    #[test]
    fn what_is_read_outweighs_doubts() {
        let version = || Finding::no("version", "").because(FailureClass::Protocol);
        let credentials = || Finding::no("credentials", "").because(FailureClass::Authentication);
        let kind = |findings| card(findings).failure().and_then(Finding::kind);
        assert_eq!(kind(vec![Finding::ok("version", "")]), None);
        assert_eq!(kind(vec![version(), credentials()]), Some(FailureClass::Authentication));
        assert_eq!(kind(vec![version(), Finding::ok("manifest", "")]), None);
        assert_eq!(
            kind(vec![
                Finding::no("manifest", "").because(FailureClass::NotFound),
                Finding::no("upload", "").because(FailureClass::Authentication)
            ]),
            Some(FailureClass::NotFound)
        );
        assert_eq!(
            kind(vec![Finding::ok("manifest", ""), Finding::no("upload", "").because(FailureClass::Authentication)]),
            Some(FailureClass::Authentication)
        );
        assert_eq!(kind(vec![Finding::no("range", ""), Finding::unknown("clock", "")]), None);
    }
}
