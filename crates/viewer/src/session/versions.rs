//! The versions of a path: what each layer did to it, the content of any of them, and how two differ.

use super::{
    Front, Session, Want,
    content::{ALL, Failed, FileContent, SourceFile, failed},
};
use crate::{
    listing,
    look::Look,
    pool::Pool,
    pretty::visible,
    protocol::{Event, PathVersionFacts, ShownContent, ShownHunk, ShownLine, ShownSide, VersionDiff},
    summary,
};
use porthole_core::path;
use porthole_inspect::text_diff::{ContentDiff, DiffHunk, DiffLine, LineSide, content_diff};
use porthole_registry::transport::{Environment, Transport};

/// A version of a path, by the layer that wrote or removed it.
#[derive(Clone, Debug)]
pub(super) struct VersionName {
    /// Number of the look.
    pub(super) look: u32,
    /// Path, escaped as `porthole ls --json` prints it.
    pub(super) path: String,
    /// Index of the layer, counted from 0 at the bottom.
    pub(super) layer: u32,
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// The beginning of a version.
    pub(super) async fn read_version(&self, name: VersionName, want: Want) {
        let VersionName { look, layer, .. } = name;
        let tell = |content| {
            let (path, content) = (name.path.clone(), Box::new(content));
            self.front.tell(Event::VersionContent { look, path, layer, content });
        };
        let Some(version) = self.version(&name) else { return };
        let file = match self.open(version, ALL).await {
            Ok(file) => file,
            Err(text) => return tell(ShownContent::Failed { wrong: false, text }),
        };
        if want == Want::Start && file.cost() > self.options.unasked_bytes {
            return tell(ShownContent::Costly { bytes: file.cost() });
        }
        tell(ShownContent::Reading);
        tell(self.show(file, &name.path).await.map_or_else(failed, |(shown, _)| shown));
    }

    /// How a version differs from the one that the layer `after` wrote.
    pub(super) async fn diff_versions(&self, before: VersionName, after: u32, anyway: bool) {
        let VersionName { look, layer, .. } = before;
        let tell = |diff| {
            let (path, diff) = (before.path.clone(), Box::new(diff));
            self.front.tell(Event::VersionDiff { look, path, before: layer, after, diff });
        };
        let other = VersionName { layer: after, ..before.clone() };
        let (Some(old), Some(new)) = (self.version(&before), self.version(&other)) else { return };
        let (old, new) = match (self.open(old, ALL).await, self.open(new, ALL).await) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(text), _) | (_, Err(text)) => return tell(VersionDiff::Failed { wrong: false, text }),
        };
        self.diff_contents(old, new, anyway, tell).await;
    }

    /// How two files differ, with what leads there.
    pub(super) async fn diff_contents(
        &self,
        old: SourceFile,
        new: SourceFile,
        anyway: bool,
        tell: impl Fn(VersionDiff),
    ) {
        if old.size().max(new.size()) > COMPARED {
            return tell(VersionDiff::TooLarge { limit: COMPARED });
        }
        let bytes = old.cost().saturating_add(new.cost());
        if !anyway && bytes > self.options.unasked_bytes {
            return tell(VersionDiff::Costly { bytes });
        }
        tell(VersionDiff::Reading);
        tell(self.differences(old, new).await.unwrap_or_else(|(wrong, text)| VersionDiff::Failed { wrong, text }));
    }

    async fn differences(&self, old: SourceFile, new: SourceFile) -> Result<VersionDiff, Failed> {
        let ((old, _), (new, _)) = (self.bytes(old).await?, self.bytes(new).await?);
        Ok(match content_diff(&old, &new) {
            ContentDiff::Same => VersionDiff::Same,
            ContentDiff::Binary => VersionDiff::Binary,
            ContentDiff::Lines(hunks) => VersionDiff::Lines { hunks: hunks.into_iter().map(hunk).collect() },
        })
    }

    /// `None`: no version of this layer has content, or the look is another.
    fn version(&self, name: &VersionName) -> Option<FileContent> {
        let desk = self.desk.borrow();
        let look = desk.look.as_ref().filter(|look| look.number == name.look);
        let (body, path) = (look?.body.as_ref()?, path::unescape(&name.path)?);
        let versions = body.stack.tree().versions(&path).into_iter();
        let content = versions.filter(|version| version.layer == name.layer).find_map(|version| version.content);
        FileContent::of(body, content?)
    }
}

/// Sends the versions of a path.
pub(super) fn tell_versions(look: &Look, path: &str, out: &mut Vec<Event>) {
    let (Some(body), Some(bytes)) = (&look.body, path::unescape(path)) else { return };
    let layers = &body.resolved.image.layers;
    let versions = body.stack.tree().versions(&bytes).into_iter().map(|version| PathVersionFacts {
        layer: version.layer,
        instruction: layers
            .get(version.layer as usize)
            .and_then(|layer| layer.created_by.as_deref())
            .map(summary::instruction),
        aspects: version.row.aspects.iter().map(|aspect| aspect.name().into()).collect(),
        row: listing::twin(&version.row, false),
        digest: version.digest.map(|digest| digest.to_string()),
        content: version.content.map(|content| content.size),
    });
    out.push(Event::Versions { look: look.number, path: path.into(), versions: versions.collect() });
}

fn hunk(hunk: DiffHunk) -> ShownHunk {
    let DiffHunk { before, after, lines } = hunk;
    ShownHunk { before, after, lines: lines.into_iter().map(line).collect() }
}

fn line(line: DiffLine) -> ShownLine {
    let DiffLine { side, text, unended } = line;
    let side = match side {
        LineSide::Both => ShownSide::Both,
        LineSide::Before => ShownSide::Before,
        LineSide::After => ShownSide::After,
    };
    // A tab is shown as it is.
    let parts: Vec<String> = text.split('\t').map(visible).collect();
    ShownLine { side, text: parts.join("\t"), unended }
}

/// Bytes of a version that is compared with another.
const COMPARED: u64 = 1 << 20;
