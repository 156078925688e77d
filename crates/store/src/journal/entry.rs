//! A journal entry.

use porthole_core::digest::Digest;
use serde_json::{Map, Value};
use std::fmt;

/// One entry: a reference points to a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Time of the entry (RFC 3339).
    pub time: String,
    /// The canonical reference.
    pub reference: String,
    /// Digest of the index or manifest.
    pub digest: Digest,
    /// Digest that the reference pointed to before, if known.
    pub previous: Option<Digest>,
    /// The command that wrote the entry.
    pub by: Writer,
    /// The image selected from an index, if only one was examined.
    pub choice: Option<Choice>,
    /// The change was observed, but the action that it triggers is not done yet.
    pub pending: bool,
}

/// The image of an index for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The platform as `os/architecture[/variant]`.
    pub platform: String,
    /// Digest of its manifest.
    pub manifest: Digest,
}

/// The command that wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// `pull` stored the image.
    Pull,
    /// `watch` saw the change in the registry.
    Watch,
    /// `tag` named an image in the store.
    Tag,
    /// `push` or `copy` wrote to the registry.
    Push,
    /// `rollback` restored an earlier image.
    Rollback,
}

impl Writer {
    const ALL: [Self; 5] = [Self::Pull, Self::Watch, Self::Tag, Self::Push, Self::Rollback];

    /// The name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Watch => "watch",
            Self::Tag => "tag",
            Self::Push => "push",
            Self::Rollback => "rollback",
        }
    }
}

impl JournalEntry {
    /// An entry without optional fields.
    pub fn new(time: impl Into<String>, reference: impl Into<String>, digest: Digest, by: Writer) -> Self {
        let (time, reference) = (time.into(), reference.into());
        Self { time, reference, digest, previous: None, by, choice: None, pending: false }
    }

    /// Parses a line. `None` if it is torn or not an entry.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line: Map<String, Value> = serde_json::from_str(line).ok()?;
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        let digest = |key: &str| text(key)?.parse().ok();
        let choice = text("platform").zip(digest("manifest"));
        Some(Self {
            time: text("time")?.to_owned(),
            reference: text("reference")?.to_owned(),
            digest: digest("digest")?,
            previous: digest("previous"),
            by: Writer::ALL.into_iter().find(|writer| Some(writer.name()) == text("by"))?,
            choice: choice.map(|(platform, manifest)| Choice { platform: platform.to_owned(), manifest }),
            pending: line.get("pending").is_some_and(|pending| pending == true),
        })
    }

    /// Whether `other` differs only in its time and in `previous`.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        (&self.digest, self.by, &self.choice, self.pending) == (&other.digest, other.by, &other.choice, other.pending)
    }
}

/// The line as written to the file, fields in reading order.
impl fmt::Display for JournalEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &str| Value::from(text);
        write!(f, r#"{{"time":{},"reference":{}"#, text(&self.time), text(&self.reference))?;
        write!(f, r#","digest":"{}""#, self.digest)?;
        if let Some(previous) = &self.previous {
            write!(f, r#","previous":"{previous}""#)?;
        }
        write!(f, r#","by":"{}""#, self.by.name())?;
        if let Some(Choice { platform, manifest }) = &self.choice {
            write!(f, r#","platform":{},"manifest":"{manifest}""#, text(platform))?;
        }
        if self.pending {
            f.write_str(r#","pending":true"#)?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_lines_that_people_read() {
        let digest = Digest::sha256(b"new");
        let mut entry = JournalEntry::new("2026-01-02T03:04:05Z", "docker.io/library/a:1", digest, Writer::Pull);
        let line = format!(
            r#"{{"time":"2026-01-02T03:04:05Z","reference":"docker.io/library/a:1","digest":"{digest}","by":"pull"}}"#
        );
        assert_eq!(entry.to_string(), line);
        entry.reference = "a \"b\"\n\u{1b}".to_owned();
        entry.previous = Some(Digest::sha256(b"old"));
        entry.choice = Some(Choice { platform: "linux/arm64".to_owned(), manifest: Digest::sha256(b"one") });
        entry.pending = true;
        for by in Writer::ALL {
            entry.by = by;
            let line = entry.to_string();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(JournalEntry::parse(&line).as_ref(), Some(&entry), "{line}");
        }
        for torn in
            ["", "{", &line[..line.len() - 1], "[]", "{}", &line.replace("pull", "magic"), &line.replace(':', "")]
        {
            assert_eq!(JournalEntry::parse(torn), None, "{torn}");
        }
        assert!(JournalEntry::parse(&line.replace("{", r#"{"later":["versions"],"#)).is_some());
    }
}
