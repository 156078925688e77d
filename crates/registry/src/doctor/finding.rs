//! What an examination found.

use crate::Error;
use porthole_core::failure::{Blame, Classify, Failure, FailureClass};
use serde_json::{Map, Value};

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// It works.
    Ok,
    /// It does not.
    No,
    /// It could not be determined.
    Unknown,
}

/// What was looked at, how it is, and what follows from it.
#[derive(Debug)]
pub struct ProbeFinding {
    /// What was looked at, in one word.
    pub probe: &'static str,
    /// How it is.
    pub verdict: ProbeVerdict,
    /// The same in words.
    pub says: String,
    /// Facts beside the sentence, for programs.
    pub more: Map<String, Value>,
    /// Why the registry cannot be used, if so.
    pub failure: Option<Failure>,
}

impl ProbeFinding {
    fn new(probe: &'static str, verdict: ProbeVerdict, says: String) -> Self {
        Self { probe, verdict, says, more: Map::new(), failure: None }
    }

    pub(super) fn ok(probe: &'static str, says: impl Into<String>) -> Self {
        Self::new(probe, ProbeVerdict::Ok, says.into())
    }

    pub(super) fn no(probe: &'static str, says: impl Into<String>) -> Self {
        Self::new(probe, ProbeVerdict::No, says.into())
    }

    pub(super) fn unknown(probe: &'static str, says: impl Into<String>) -> Self {
        Self::new(probe, ProbeVerdict::Unknown, says.into())
    }

    /// What could not be determined for an error that says nothing of what was asked.
    pub(super) fn failed(probe: &'static str, error: &Error) -> Self {
        Self::unknown(probe, format!("could not be determined: {error}"))
    }

    /// Marks a finding that makes the registry unusable.
    pub(super) fn fatal(mut self, error: &Error) -> Self {
        self.failure = Some(error.failure());
        self
    }

    /// As [`fatal`](Self::fatal), where no error says why.
    pub(super) fn because(mut self, kind: FailureClass) -> Self {
        self.failure = Some(Failure::new(kind, Blame::Registry));
        self
    }

    /// What kind of failure makes the registry unusable, if one does.
    pub fn kind(&self) -> Option<FailureClass> {
        self.failure.as_ref().map(|failure| failure.kind)
    }

    /// A fact beside the sentence, for programs.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

/// All findings about a registry.
pub struct Examination {
    /// What was examined, as it was named.
    pub registry: String,
    /// The image that was looked at.
    pub image: Option<String>,
    /// The findings, in the order in which they were made.
    pub findings: Vec<ProbeFinding>,
}

impl Examination {
    /// The finding that makes the registry unusable, if there is one. A manifest that was read outweighs failures before it.
    pub fn failure(&self) -> Option<&ProbeFinding> {
        let fatal =
            |probe: &str| self.findings.iter().find(|finding| finding.probe == probe && finding.failure.is_some());
        let is_read =
            self.findings.iter().any(|finding| finding.probe == "manifest" && finding.verdict == ProbeVerdict::Ok);
        let reading = ["connection", "credentials", "manifest", "version"];
        let reading = reading.iter().find_map(|probe| fatal(probe)).filter(|_| !is_read);
        reading.or_else(|| fatal("upload"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(findings: Vec<ProbeFinding>) -> Examination {
        Examination { registry: "r.example.com".to_owned(), image: None, findings }
    }

    #[test]
    fn what_is_read_outweighs_doubts() {
        let version = || ProbeFinding::no("version", "").because(FailureClass::Protocol);
        let credentials = || ProbeFinding::no("credentials", "").because(FailureClass::Authentication);
        let kind = |findings| card(findings).failure().and_then(ProbeFinding::kind);
        assert_eq!(kind(vec![ProbeFinding::ok("version", "")]), None);
        assert_eq!(kind(vec![version(), credentials()]), Some(FailureClass::Authentication));
        assert_eq!(kind(vec![version(), ProbeFinding::ok("manifest", "")]), None);
        assert_eq!(
            kind(vec![
                ProbeFinding::no("manifest", "").because(FailureClass::NotFound),
                ProbeFinding::no("upload", "").because(FailureClass::Authentication)
            ]),
            Some(FailureClass::NotFound)
        );
        assert_eq!(
            kind(vec![
                ProbeFinding::ok("manifest", ""),
                ProbeFinding::no("upload", "").because(FailureClass::Authentication)
            ]),
            Some(FailureClass::Authentication)
        );
        assert_eq!(kind(vec![ProbeFinding::no("range", ""), ProbeFinding::unknown("clock", "")]), None);
    }
}
