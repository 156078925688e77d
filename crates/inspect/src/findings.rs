//! Findings: what a person should know about an image, with figures and a place to look at.

use crate::waste::WasteReport;
use porthole_core::{
    config::History,
    deviation::Deviation,
    image::{Image, instruction},
    layer::LayerNumber,
    path,
    tree::{Aspect, Aspects, Cause, FileTree, Group, Marked, Mode, Wasted},
};
use std::collections::BTreeMap;

/// Something worth knowing about an image.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageFinding {
    /// The documents depart from their specification.
    Deviation(Deviation),
    /// Widely used tools read these paths differently.
    Ambiguous(MarkedPaths),
    /// The configuration names no user, or root.
    RunsAsRoot {
        /// The user as the configuration names it; empty if it names none.
        user: String,
    },
    /// The build downloaded a file without TLS.
    PlainDownload {
        /// The address, without user, password and query.
        url: String,
    },
    /// The image states its base image by a name, which may be moved to another image, and not by a digest.
    UnpinnedBase {
        /// The name, as its builder stated it.
        name: String,
    },
    /// Files that run with the rights of their owner.
    SetUid(MarkedPaths),
    /// Files that run with the rights of their group.
    SetGid(MarkedPaths),
    /// Files with capabilities.
    Capabilities(MarkedPaths),
    /// Paths that every user can write.
    WorldWritable(MarkedPaths),
    /// Files that a layer deleted, and that are still in the image.
    DeletedFiles {
        /// Number of these files.
        files: u64,
        /// Unpacked bytes of these files.
        bytes: u64,
        /// About how many bytes of the blobs hold them.
        download: u64,
    },
    /// Files that a layer wrote again only to change their mode, owner or attributes.
    MetadataCopies {
        /// Index of the layer that wrote them again.
        layer: u32,
        /// Its instruction, on one line.
        instruction: Option<String>,
        /// Aspects that it changed.
        aspects: Aspects,
        /// How many files.
        files: u64,
        /// Unpacked bytes that were copied.
        bytes: u64,
        /// About how many bytes of the blobs hold the copies that are not visible.
        download: u64,
        /// Whether the contents were compared. If not, size and time are equal, and the contents probably are.
        compared: bool,
    },
    /// The most wasted bytes in one place.
    BiggestWaste {
        /// The path, cleaned.
        path: Vec<u8>,
        /// Whether the path is a directory that stands for the files below it.
        directory: bool,
        /// Index of the layer that hid it.
        layer: u32,
        /// Why it is not visible.
        cause: Cause,
        /// Unpacked bytes of it.
        bytes: u64,
        /// About how many bytes of the blobs hold them.
        download: u64,
    },
}

/// Paths with one property: how many, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedPaths {
    /// Number of paths, those that are not listed included.
    pub count: u64,
    /// The first path, cleaned.
    pub first: Vec<u8>,
    /// Index of the layer that has the first path.
    pub layer: u32,
}

/// The view of an image that shows what a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingView {
    /// Manifest and configuration.
    Documents,
    /// The files when all layers are stacked.
    Files,
    /// What one layer wrote and removed.
    Layer,
    /// What was deleted or overwritten, and is still in the image.
    Deleted,
    /// The view of bytes that the final tree does not show.
    Waste,
}

/// Where a front end shows a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingTarget {
    /// The view that shows it.
    pub view: FindingView,
    /// Index of the layer, if it is about one.
    pub layer: Option<u32>,
    /// The path to select, cleaned.
    pub path: Option<Vec<u8>>,
}

/// Returns the findings about the documents of an image.
pub fn of_documents(image: &Image) -> Vec<ImageFinding> {
    let mut findings: Vec<_> = image.deviations().into_iter().map(ImageFinding::Deviation).collect();
    let windows = image.config.platform.as_ref().is_some_and(|platform| platform.os == "windows");
    let user = &image.config.execution.user;
    if image.is_image() && !windows && is_root(user) {
        findings.push(ImageFinding::RunsAsRoot { user: user.clone() });
    }
    findings.extend(image.config.history.iter().flat_map(downloads));
    findings.extend(unpinned_base(image));
    findings
}

/// Returns the findings about the stacked layers of an image.
pub fn of_layers(tree: &FileTree, report: &WasteReport) -> Vec<ImageFinding> {
    let survey = tree.survey();
    let mut findings = Vec::new();
    let paths = |marked: &Marked| MarkedPaths::of(tree, marked);
    findings.extend(paths(&survey.ambiguous).map(ImageFinding::Ambiguous));
    findings.extend(paths(&survey.set_uid).map(ImageFinding::SetUid));
    findings.extend(paths(&survey.set_gid).map(ImageFinding::SetGid));
    findings.extend(paths(&survey.capabilities).map(ImageFinding::Capabilities));
    findings.extend(paths(&survey.world_writable).map(ImageFinding::WorldWritable));
    let (files, bytes, download) = report.deleted();
    if files > 0 {
        findings.push(ImageFinding::DeletedFiles { files, bytes, download });
    }
    findings.extend(metadata_copies(report));
    findings.extend(report.groups.first().map(ImageFinding::biggest));
    findings
}

impl ImageFinding {
    /// Its name in one word, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deviation(_) => "deviation",
            Self::Ambiguous(_) => "ambiguous",
            Self::RunsAsRoot { .. } => "runs-as-root",
            Self::PlainDownload { .. } => "plain-download",
            Self::UnpinnedBase { .. } => "unpinned-base",
            Self::SetUid(_) => "set-uid",
            Self::SetGid(_) => "set-gid",
            Self::Capabilities(_) => "capabilities",
            Self::WorldWritable(_) => "world-writable",
            Self::DeletedFiles { .. } => "deleted-files",
            Self::MetadataCopies { .. } => "metadata-copies",
            Self::BiggestWaste { .. } => "biggest-waste",
        }
    }

    /// Returns the finding in words, on one line. `size` writes a number of bytes.
    pub fn words(&self, size: impl Fn(u64) -> String) -> String {
        let first = |of: &MarkedPaths| match of.count {
            1 => format!(": {}", path::escape(&of.first)),
            _ => format!(", the first is {}", path::escape(&of.first)),
        };
        match self {
            Self::Deviation(deviation) => format!("departs from the specification: {deviation}"),
            Self::Ambiguous(of) => {
                format!("{} that readers interpret differently{}", counted(of.count, "path", "paths"), first(of))
            }
            Self::RunsAsRoot { user } if user.is_empty() => "runs as root: it names no user".to_owned(),
            Self::RunsAsRoot { .. } => "runs as root".to_owned(),
            Self::PlainDownload { url } => format!("downloaded without TLS while the image was built: {url}"),
            Self::UnpinnedBase { name } => format!("names its base image without a digest: {name}"),
            Self::SetUid(of) => format!("{}{}", counted(of.count, "set-uid file", "set-uid files"), first(of)),
            Self::SetGid(of) => format!("{}{}", counted(of.count, "set-gid file", "set-gid files"), first(of)),
            Self::Capabilities(of) => {
                format!("{} with capabilities{}", counted(of.count, "file", "files"), first(of))
            }
            Self::WorldWritable(of) => {
                format!("{} that every user can write{}", counted(of.count, "path", "paths"), first(of))
            }
            Self::DeletedFiles { files, bytes, download } => {
                let (noun, verb) = if *files == 1 { ("file", "is") } else { ("files", "are") };
                let (bytes, download) = (size(*bytes), size(*download));
                format!("{files} deleted {noun} {verb} still downloadable: {bytes}, about {download} of the download")
            }
            Self::MetadataCopies { layer, instruction, aspects, files, bytes, compared, .. } => {
                let number = LayerNumber::of_index(*layer);
                let by = instruction.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
                let (bytes, files) = (size(*bytes), counted(*files, "file", "files"));
                let what = changed(*aspects);
                match compared {
                    true => format!("{bytes} copied by layer {number} to change {what} ({files}){by}"),
                    false => format!(
                        "{bytes} probably copied by layer {number} to change {what} ({files} of the same size and time){by}"
                    ),
                }
            }
            Self::BiggestWaste { path, directory, layer, cause, bytes, .. } => {
                let slash = if *directory { "/" } else { "" };
                let (path, number) = (path::escape(path), LayerNumber::of_index(*layer));
                let cause = match cause {
                    Cause::Deleted => "deleted",
                    Cause::Overwritten => "overwritten",
                    Cause::Duplicated => "written again",
                    Cause::Metadata => "copied",
                };
                format!("biggest waste: {} at {path}{slash}, {cause} by layer {number}", size(*bytes))
            }
        }
    }

    /// Where a front end shows what the finding is about.
    pub fn target(&self) -> FindingTarget {
        let at = |view, layer, path| FindingTarget { view, layer, path };
        match self {
            Self::Deviation(_) | Self::RunsAsRoot { .. } | Self::PlainDownload { .. } | Self::UnpinnedBase { .. } => {
                at(FindingView::Documents, None, None)
            }
            Self::Ambiguous(of) => at(FindingView::Layer, Some(of.layer), Some(of.first.clone())),
            Self::SetUid(of) | Self::SetGid(of) | Self::Capabilities(of) | Self::WorldWritable(of) => {
                at(FindingView::Files, Some(of.layer), Some(of.first.clone()))
            }
            Self::DeletedFiles { .. } => at(FindingView::Deleted, None, None),
            Self::MetadataCopies { layer, .. } => at(FindingView::Layer, Some(*layer), None),
            Self::BiggestWaste { path, layer, .. } => at(FindingView::Waste, Some(*layer), Some(path.clone())),
        }
    }

    /// How many paths or files it is about, if it counts any.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Ambiguous(of)
            | Self::SetUid(of)
            | Self::SetGid(of)
            | Self::Capabilities(of)
            | Self::WorldWritable(of) => Some(of.count),
            Self::DeletedFiles { files, .. } | Self::MetadataCopies { files, .. } => Some(*files),
            Self::Deviation(_)
            | Self::RunsAsRoot { .. }
            | Self::PlainDownload { .. }
            | Self::UnpinnedBase { .. }
            | Self::BiggestWaste { .. } => None,
        }
    }

    /// Unpacked bytes, and about how many bytes of the blobs hold them, if it is about bytes.
    pub fn bytes(&self) -> Option<(u64, u64)> {
        match self {
            Self::DeletedFiles { bytes, download, .. }
            | Self::MetadataCopies { bytes, download, .. }
            | Self::BiggestWaste { bytes, download, .. } => Some((*bytes, *download)),
            _ => None,
        }
    }

    fn biggest(group: &Group) -> Self {
        Self::BiggestWaste {
            path: group.path.clone(),
            directory: group.directory,
            layer: group.by,
            cause: group.cause,
            bytes: group.size,
            download: group.download,
        }
    }
}

impl MarkedPaths {
    fn of(tree: &FileTree, marked: &Marked) -> Option<Self> {
        let first = *marked.nodes.first()?;
        let layer = tree.view(Mode::Merged).row(first).map(|row| row.layer);
        let layer = layer.or_else(|| tree.view(Mode::Deleted).row(first).map(|row| row.layer));
        Some(Self { count: marked.count, first: tree.path(first), layer: layer.unwrap_or_default() })
    }
}

/// One finding for each layer that copied files to change their metadata, most bytes first.
fn metadata_copies(report: &WasteReport) -> Vec<ImageFinding> {
    let mut by_layer: BTreeMap<u32, (Aspects, u64, u64, u64, bool)> = BTreeMap::new();
    for item in &report.waste.items {
        let Some(is_compared) = is_metadata_copy(item) else { continue };
        let (aspects, files, bytes, download, compared) =
            by_layer.entry(item.by).or_insert((Aspects::NONE, 0, 0, 0, true));
        *aspects = aspects.iter().chain(item.aspects.iter()).collect();
        *files += 1;
        *bytes = bytes.saturating_add(item.size);
        *download = download.saturating_add(item.download);
        *compared &= is_compared;
    }
    let created_by = |layer: u32| report.layers.get(layer as usize).and_then(|share| share.created_by.as_deref());
    let finding = |(layer, (aspects, files, bytes, download, compared))| ImageFinding::MetadataCopies {
        layer,
        instruction: created_by(layer).map(|text| instruction(text).to_string()),
        aspects,
        files,
        bytes,
        download,
        compared,
    };
    let mut findings: Vec<_> = by_layer.into_iter().map(finding).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.bytes()));
    findings
}

/// Returns whether the contents were compared, if a content was replaced only to change metadata; `None` if it was not.
/// The copy that an overlay file system makes for `chown` or `chmod` keeps size and time.
pub(crate) fn is_metadata_copy(item: &Wasted) -> Option<bool> {
    let has = |aspect| item.aspects.contains(aspect);
    match item.cause {
        Cause::Metadata => Some(true),
        Cause::Overwritten => {
            let may_be_equal =
                has(Aspect::Unknown) && ![Aspect::Type, Aspect::Content, Aspect::Time].into_iter().any(has);
            (may_be_equal && METADATA.into_iter().any(has)).then_some(false)
        }
        Cause::Deleted | Cause::Duplicated => None,
    }
}

const METADATA: [Aspect; 3] = [Aspect::Mode, Aspect::Owner, Aspect::Xattr];

/// `mode and owner`
pub(crate) fn changed(aspects: Aspects) -> String {
    let names: Vec<_> = aspects.iter().filter(|aspect| METADATA.contains(aspect)).map(Aspect::name).collect();
    names.join(" and ")
}

fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Set by builders on manifests, or as labels.
pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Finds a base image that the builder states by name and without a digest.
fn unpinned_base(image: &Image) -> Option<ImageFinding> {
    let places = [&image.manifest.value.annotations, &image.config.execution.labels];
    let base = places.into_iter().find(|place| place.contains_key(BASE_NAME) || place.contains_key(BASE_DIGEST))?;
    let name = base.get(BASE_NAME).filter(|name| !base.contains_key(BASE_DIGEST) && !name.contains('@'))?;
    Some(ImageFinding::UnpinnedBase { name: name.clone() })
}

/// `ADD http://…`. A checksum that the builder may have compared is not recorded in the history, unless the instruction has it.
fn downloads(entry: &History) -> Vec<ImageFinding> {
    let text = entry.created_by.as_deref().map(|text| instruction(text).to_string()).unwrap_or_default();
    let mut words = text.split_whitespace();
    if words.next() != Some("ADD") || text.contains("--checksum=") {
        return Vec::new();
    }
    let urls = words.filter_map(|word| word.strip_prefix("http://"));
    urls.map(|rest| ImageFinding::PlainDownload { url: format!("http://{}", public_part(rest)) }).collect()
}

/// Removes what may be a secret from an address after its `http://`: user, password, query.
fn public_part(rest: &str) -> &str {
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rfind('@').map_or(rest, |at| &rest[at + 1..])
}

/// Whether a process of this user is root: no user, or the user 0, with any group.
fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    name.is_empty() || name == "root" || name.parse::<u64>() == Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_several_names() {
        for root in ["", "root", "0", "0:0", "root:wheel", ":10", "00"] {
            assert!(is_root(root), "{root}");
        }
        for other in ["www-data", "1000", "1000:0", "rooter"] {
            assert!(!is_root(other), "{other}");
        }
    }

    #[test]
    fn downloads_without_tls_are_found_in_the_history() {
        let found = |text: &str| {
            let entry = History { created_by: Some(text.to_owned()), ..History::default() };
            downloads(&entry).iter().map(|finding| finding.words(|_| String::new())).collect::<Vec<_>>()
        };
        let words = |url: &str| vec![format!("downloaded without TLS while the image was built: {url}")];
        assert_eq!(
            found("ADD http://user:pa55word@host.example/tool?token=x /usr/bin/ # buildkit"),
            words("http://host.example/tool")
        );
        assert_eq!(found("ADD http://host.example:80 /"), words("http://host.example:80"));
        for other in [
            "/bin/sh -c #(nop) ADD file:0123 in / ",
            "ADD https://host.example/tool /",
            "ADD --checksum=sha256:00 http://host.example/tool /",
            "RUN curl http://host.example/",
            "COPY http://x /",
            "",
        ] {
            assert_eq!(found(other), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn one_is_not_several() {
        let of = |count| MarkedPaths { count, first: b"bin/su\x1b".to_vec(), layer: 0 };
        let words = |finding: ImageFinding| finding.words(|bytes| format!("{bytes} B"));
        assert_eq!(words(ImageFinding::SetUid(of(1))), "1 set-uid file: bin/su\\x1b");
        assert_eq!(words(ImageFinding::SetUid(of(2))), "2 set-uid files, the first is bin/su\\x1b");
        let deleted = |files| ImageFinding::DeletedFiles { files, bytes: 9, download: 4 };
        assert_eq!(words(deleted(1)), "1 deleted file is still downloadable: 9 B, about 4 B of the download");
        assert!(words(deleted(2)).starts_with("2 deleted files are still"), "{}", words(deleted(2)));
    }
}
