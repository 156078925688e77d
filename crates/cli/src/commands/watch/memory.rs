//! Reads and makes the journal entries with the state of a tag between two runs.

use porthole_core::platform::Platform;
use porthole_store::journal::{Choice, JournalEntry, Writer};

use super::look::Subject;

/// Returns the last digest of a tag that was watched and handled, else the last one that was pulled or pushed. Ignores entries of
/// another platform.
pub(super) fn last(entries: &[JournalEntry], platform: Option<&Platform>) -> Option<Subject> {
    let done = |entry: &&JournalEntry| is_watched(entry, platform) && !entry.pending;
    let moved = |entry: &&JournalEntry| platform.is_none() && matches!(entry.by, Writer::Pull | Writer::Push);
    let entry = entries.iter().rfind(done).or_else(|| entries.iter().rfind(moved))?;
    Some(Subject { root: entry.digest, manifest: entry.choice.as_ref().map(|choice| choice.manifest) })
}

/// Whether a move of the tag was observed, but the command for it has not succeeded.
pub(super) fn is_pending(entries: &[JournalEntry], platform: Option<&Platform>) -> bool {
    entries.iter().rfind(|entry| is_watched(entry, platform)).is_some_and(|entry| entry.pending)
}

fn is_watched(entry: &JournalEntry, platform: Option<&Platform>) -> bool {
    let watched = entry.choice.as_ref().map(|choice| choice.platform.as_str());
    entry.by == Writer::Watch && watched == platform.map(ToString::to_string).as_deref()
}

/// Makes the entry with the state of a tag.
pub(super) fn entry(
    time: String,
    reference: String,
    subject: Subject,
    platform: Option<&Platform>,
    pending: bool,
) -> JournalEntry {
    let choice = platform.zip(subject.manifest);
    let choice = choice.map(|(platform, manifest)| Choice { platform: platform.to_string(), manifest });
    JournalEntry { choice, pending, ..JournalEntry::new(time, reference, subject.root, Writer::Watch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::digest::Digest;

    #[test]
    fn only_what_was_done_with_is_remembered() {
        let digest = |name: &str| Digest::sha256(name.as_bytes());
        let of = |root: &str, by| JournalEntry { by, ..JournalEntry::new("", "a", digest(root), Writer::Watch) };
        let seen = |root: &str, manifest: Option<&str>, pending| {
            let subject = Subject { root: digest(root), manifest: manifest.map(digest) };
            entry(String::new(), "a".into(), subject, Some(&Platform::new("linux", "arm64", None)), pending)
        };
        let subject =
            |root: &str, manifest: Option<&str>| Subject { root: digest(root), manifest: manifest.map(digest) };
        let arm = Platform::new("linux", "aarch64", None);
        let mut entries = Vec::new();
        assert_eq!(last(&entries, None), None);
        entries.extend([of("pulled", Writer::Pull), of("named", Writer::Tag), of("back", Writer::Rollback)]);
        assert_eq!(last(&entries, None), Some(subject("pulled", None)));
        assert_eq!(last(&entries, Some(&arm)), None);
        entries.extend([of("watched", Writer::Watch), of("pushed", Writer::Push), seen("other", Some("image"), false)]);
        assert_eq!(last(&entries, None), Some(subject("watched", None)), "the watcher has not seen the push");
        assert_eq!(last(&entries, Some(&arm)), Some(subject("other", Some("image"))));
        assert_eq!(last(&entries, Some(&Platform::new("linux", "amd64", None))), None);
        entries.extend([JournalEntry { pending: true, ..of("failed", Writer::Watch) }, seen("x", Some("y"), true)]);
        assert_eq!(last(&entries, None), Some(subject("watched", None)));
        assert_eq!(last(&entries, Some(&arm)), Some(subject("other", Some("image"))));
        let amd = Platform::new("linux", "amd64", None);
        let pending = [None, Some(&arm), Some(&amd)].map(|platform| is_pending(&entries, platform));
        assert_eq!(pending, [true, true, false]);
    }
}
