//! What an examination found.

use crate::Error;
use porthole_core::{
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
};

/// The outcome of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// It works as the specification says.
    Ok,
    /// It does not work as the specification says.
    No,
    /// It could not be determined.
    Unknown,
}

/// The property of a registry that a probe examines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbeName {
    /// TLS, and whether anything answers.
    Connection,
    /// The API of the distribution specification.
    Version,
    /// The clock of the registry beside that of this machine.
    Clock,
    /// How it authenticates.
    SignIn,
    /// The credentials that are stored for it.
    Credentials,
    /// The list of its repositories.
    Catalog,
    /// The manifest of the image.
    Manifest,
    /// How many pulls are left.
    Quota,
    /// The digest of a tag without a download.
    Head,
    /// Requests with `If-None-Match`.
    Conditional,
    /// The API that lists referrers.
    Referrers,
    /// Ranges of blobs.
    Range,
    /// The hosts that blobs come from.
    Blobs,
    /// CORS for a page that reads.
    Page,
    /// CORS for a page that sends a token or a password.
    Preflight,
    /// The start of an upload.
    Upload,
    /// Uploads in chunks.
    Chunks,
    /// The offset of an interrupted upload.
    Resume,
    /// The end of an upload that is given up.
    Cancel,
    /// A blob in one request.
    Whole,
    /// A blob of another repository.
    Mount,
    /// The deletion of a blob.
    Delete,
}

impl ProbeName {
    /// The name in one word, as reports print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Version => "version",
            Self::Clock => "clock",
            Self::SignIn => "sign-in",
            Self::Credentials => "credentials",
            Self::Catalog => "catalog",
            Self::Manifest => "manifest",
            Self::Quota => "quota",
            Self::Head => "head",
            Self::Conditional => "conditional",
            Self::Referrers => "referrers",
            Self::Range => "range",
            Self::Blobs => "blobs",
            Self::Page => "page",
            Self::Preflight => "preflight",
            Self::Upload => "upload",
            Self::Chunks => "chunks",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Whole => "whole",
            Self::Mount => "mount",
            Self::Delete => "delete",
        }
    }
}

/// A value that a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeFact {
    /// A digest, a media type, a version or an origin.
    Text(String),
    /// A size in bytes, a status or a count.
    Number(u64),
    /// A difference, which may be negative.
    Difference(i64),
    /// Whether something is so.
    Flag(bool),
    /// Names, such as those of authentication schemes.
    List(Vec<String>),
}

/// What was looked at, how it is, and what follows from it.
#[derive(Debug)]
pub struct ProbeFinding {
    /// What was looked at.
    pub probe: ProbeName,
    /// How it is.
    pub verdict: ProbeVerdict,
    /// The same in words.
    pub says: String,
    /// Values by their names: what the sentence says, for programs.
    pub facts: Vec<(&'static str, ProbeFact)>,
    /// What a person can do about it, which the sentence does not say.
    pub hint: Option<Hint>,
    /// Why the registry cannot be used, if so.
    pub failure: Option<Failure>,
}

impl ProbeFinding {
    fn new(probe: ProbeName, verdict: ProbeVerdict, says: String) -> Self {
        Self { probe, verdict, says, facts: Vec::new(), hint: None, failure: None }
    }

    pub(super) fn ok(probe: ProbeName, says: impl Into<String>) -> Self {
        Self::new(probe, ProbeVerdict::Ok, says.into())
    }

    pub(super) fn no(probe: ProbeName, says: impl Into<String>) -> Self {
        Self::new(probe, ProbeVerdict::No, says.into())
    }

    pub(super) fn unknown(probe: ProbeName, says: impl Into<String>) -> Self {
        Self::new(probe, ProbeVerdict::Unknown, says.into())
    }

    /// What could not be determined for an error that says nothing of what was asked.
    pub(super) fn failed(probe: ProbeName, error: &Error) -> Self {
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
    pub(super) fn with(mut self, name: &'static str, value: impl Into<ProbeFact>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// Adds what a person can do.
    pub(super) fn hint(mut self, hint: Hint) -> Self {
        self.hint = Some(hint);
        self
    }
}

macro_rules! facts {
    ($($from:ty => |$value:ident| $fact:expr),* $(,)?) => {
        $(impl From<$from> for ProbeFact {
            fn from($value: $from) -> Self {
                $fact
            }
        })*
    };
}

facts! {
    String => |text| Self::Text(text),
    &str => |text| Self::Text(text.to_owned()),
    u16 => |number| Self::Number(number.into()),
    u64 => |number| Self::Number(number),
    i64 => |number| Self::Difference(number),
    bool => |flag| Self::Flag(flag),
    Vec<&str> => |texts| Self::List(texts.into_iter().map(str::to_owned).collect()),
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
    /// The finding that makes the registry unusable, with its failure, if there is one. A manifest that was read outweighs failures before it.
    pub fn failure(&self) -> Option<(&ProbeFinding, &Failure)> {
        let fatal = |probe: ProbeName| {
            let mut findings = self.findings.iter().filter(|finding| finding.probe == probe);
            findings.find_map(|finding| Some((finding, finding.failure.as_ref()?)))
        };
        let is_read = self
            .findings
            .iter()
            .any(|finding| finding.probe == ProbeName::Manifest && finding.verdict == ProbeVerdict::Ok);
        let reading = [ProbeName::Connection, ProbeName::Credentials, ProbeName::Manifest, ProbeName::Version];
        let reading = reading.iter().find_map(|probe| fatal(*probe)).filter(|_| !is_read);
        reading.or_else(|| fatal(ProbeName::Upload))
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
        let version = || ProbeFinding::no(ProbeName::Version, "").because(FailureClass::Protocol);
        let credentials = || ProbeFinding::no(ProbeName::Credentials, "").because(FailureClass::Authentication);
        let kind = |findings| card(findings).failure().map(|(_, failure)| failure.kind);
        assert_eq!(kind(vec![ProbeFinding::ok(ProbeName::Version, "")]), None);
        assert_eq!(kind(vec![version(), credentials()]), Some(FailureClass::Authentication));
        assert_eq!(kind(vec![version(), ProbeFinding::ok(ProbeName::Manifest, "")]), None);
        assert_eq!(
            kind(vec![
                ProbeFinding::no(ProbeName::Manifest, "").because(FailureClass::NotFound),
                ProbeFinding::no(ProbeName::Upload, "").because(FailureClass::Authentication)
            ]),
            Some(FailureClass::NotFound)
        );
        assert_eq!(
            kind(vec![
                ProbeFinding::ok(ProbeName::Manifest, ""),
                ProbeFinding::no(ProbeName::Upload, "").because(FailureClass::Authentication)
            ]),
            Some(FailureClass::Authentication)
        );
        assert_eq!(
            kind(vec![ProbeFinding::no(ProbeName::Range, ""), ProbeFinding::unknown(ProbeName::Clock, "")]),
            None
        );
    }
}
