//! Estimates what an image would save if it were built differently, each with a lower and an upper bound.

use crate::{
    findings::{changed, is_metadata_copy},
    waste::{LayerBlob, WasteReport},
};
use porthole_core::{
    image::Image,
    layer::LayerNumber,
    media_type::{Compression, Role},
    tree::{Aspects, Wasted},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// A way to build an image, and what it saves. The ways are alternatives: their savings do not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIf {
    /// The change to the build.
    pub change: BuildChange,
    /// Bytes of files that the layers would no longer hold.
    pub unpacked: u64,
    /// Bytes of the download that are saved.
    pub download: DownloadSaving,
}

/// Bytes of the download that are saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DownloadSaving {
    /// Estimate, from the places of the files in the blobs.
    pub about: u64,
    /// Lower bound of the saving.
    pub least: u64,
    /// Upper bound of the saving.
    pub most: u64,
}

/// A change to how an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildChange {
    /// A layer is squashed with the layers whose files it deletes or writes again.
    Squash {
        /// The layer, 0 = bottom.
        layer: u32,
        /// The layers below, bottom first.
        with: Vec<u32>,
    },
    /// All layers are squashed into one.
    SquashAll,
    /// Files are written with the mode and owner to which a later layer changes them, as `COPY --chown` and `COPY --chmod` do.
    SetAtOnce {
        /// The layer that copies the files, 0 = bottom.
        layer: u32,
        /// The layers that wrote them, bottom first.
        from: Vec<u32>,
        /// What it changes.
        aspects: Aspects,
        /// Whether contents were compared. If not, files of the same size and time count as copies.
        compared: bool,
    },
    /// Layers are compressed with zstd instead of gzip.
    Zstd {
        /// The layers in gzip, bottom first.
        layers: Vec<u32>,
    },
}

/// Returns other ways to build an image, the largest saving of the download first. `blobs` has one for each layer;
/// `image` states how they are compressed.
pub fn what_if(report: &WasteReport, image: Option<&Image>, blobs: &[LayerBlob]) -> Vec<WhatIf> {
    let mut squashed: BTreeMap<u32, Sum<'_>> = BTreeMap::new();
    let mut copied: BTreeMap<u32, (Sum<'_>, Aspects, bool)> = BTreeMap::new();
    let mut all = Sum::default();
    for item in &report.waste.items {
        all.add(item);
        match is_metadata_copy(item) {
            Some(is_compared) => {
                let (sum, aspects, compared) =
                    copied.entry(item.by).or_insert_with(|| (Sum::default(), Aspects::NONE, true));
                sum.add(item);
                *aspects = aspects.iter().chain(item.aspects.iter()).collect();
                *compared &= is_compared;
            }
            None => squashed.entry(item.by).or_default().add(item),
        }
    }
    let hiding: BTreeSet<u32> = report.waste.items.iter().map(|item| item.by).collect();
    let mut ways: Vec<WhatIf> = Vec::new();
    for (layer, sum) in squashed {
        let with: Vec<u32> = sum.layers().filter(|other| *other != layer).collect();
        if !with.is_empty() {
            ways.push(sum.way(BuildChange::Squash { layer, with }, blobs));
        }
    }
    for (layer, (sum, aspects, compared)) in copied {
        let from = sum.layers().collect();
        ways.push(sum.way(BuildChange::SetAtOnce { layer, from, aspects, compared }, blobs));
    }
    if hiding.len() > 1 {
        ways.push(all.way(BuildChange::SquashAll, blobs));
    }
    ways.extend(image.and_then(zstd));
    ways.sort_by_key(|way| std::cmp::Reverse((way.download.about, way.unpacked)));
    ways
}

/// Wasted contents that a change would remove from the image.
#[derive(Default)]
struct Sum<'w> {
    items: Vec<&'w Wasted>,
}

impl<'w> Sum<'w> {
    fn add(&mut self, item: &'w Wasted) {
        self.items.push(item);
    }

    /// The layers that hold them, bottom first.
    fn layers(&self) -> impl Iterator<Item = u32> {
        self.items.iter().map(|item| item.layer).collect::<BTreeSet<u32>>().into_iter()
    }

    fn way(&self, change: BuildChange, blobs: &[LayerBlob]) -> WhatIf {
        let total = |of: fn(&Wasted) -> u64| self.items.iter().fold(0, |sum: u64, item| sum.saturating_add(of(item)));
        let mut stored: BTreeMap<u32, Vec<Range<u64>>> = BTreeMap::new();
        for item in &self.items {
            stored.entry(item.layer).or_default().push(item.stored.clone());
        }
        let (mut least, mut most) = (0u64, 0u64);
        for (layer, ranges) in stored {
            let Some(blob) = blobs.get(layer as usize) else { continue };
            let bounds = blob.offsets.bounds(&runs(ranges));
            (least, most) = (least.saturating_add(bounds.0), most.saturating_add(bounds.1));
        }
        // The bounds include the headers of the files, the estimate does not.
        let about = total(|item| item.download).max(least).min(most);
        WhatIf { change, unpacked: total(|item| item.size), download: DownloadSaving { about, least, most } }
    }
}

/// Sorts ranges and joins those with only headers between them: a header is removed with its file.
fn runs(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut runs: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let start = range.start.saturating_sub(HEADER);
        match runs.last_mut() {
            Some(run) if start <= run.end.next_multiple_of(HEADER).saturating_add(EXTENDED) => {
                run.end = run.end.max(range.end);
            }
            _ => runs.push(start..range.end),
        }
    }
    runs
}

/// Estimates what zstd would save for the layers in gzip.
fn zstd(image: &Image) -> Option<WhatIf> {
    let in_gzip = |layer: &&porthole_core::image::Layer| {
        layer.archive && matches!(layer.descriptor.media_type.role(), Role::Layer(Compression::Gzip))
    };
    let layers: Vec<_> = image.layers.iter().filter(in_gzip).collect();
    let size = layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.descriptor.size));
    let part = |per_mille: u64| u64::try_from(u128::from(size) * u128::from(per_mille) / 1000).unwrap_or(u64::MAX);
    let [least, about, most] = ZSTD.map(part);
    let layers: Vec<u32> = layers.iter().map(|layer| layer.index).collect();
    let download = DownloadSaving { about, least, most };
    (!layers.is_empty()).then_some(WhatIf { change: BuildChange::Zstd { layers }, unpacked: 0, download })
}

impl WhatIf {
    /// The kind of the change in one word, for programs.
    pub fn name(&self) -> &'static str {
        match self.change {
            BuildChange::Squash { .. } => "squash",
            BuildChange::SquashAll => "squash-all",
            BuildChange::SetAtOnce { .. } => "set-at-once",
            BuildChange::Zstd { .. } => "zstd",
        }
    }

    /// Index of the layer that hides or copies the files, 0 = bottom; `None` if the change is not about one layer.
    pub fn layer(&self) -> Option<u32> {
        match self.change {
            BuildChange::Squash { layer, .. } | BuildChange::SetAtOnce { layer, .. } => Some(layer),
            BuildChange::SquashAll | BuildChange::Zstd { .. } => None,
        }
    }

    /// The other layers that it is about, bottom first.
    pub fn others(&self) -> &[u32] {
        match &self.change {
            BuildChange::Squash { with: others, .. }
            | BuildChange::SetAtOnce { from: others, .. }
            | BuildChange::Zstd { layers: others } => others,
            BuildChange::SquashAll => &[],
        }
    }

    /// The change in words, on one line.
    pub fn words(&self) -> String {
        let others = numbers(self.others());
        match &self.change {
            BuildChange::Squash { layer, .. } => {
                format!("layer {} squashed with {others}", LayerNumber::of_index(*layer))
            }
            BuildChange::SquashAll => "all layers squashed into one".to_owned(),
            BuildChange::SetAtOnce { layer, aspects, compared, .. } => {
                let probably = if *compared { "" } else { ", if the files are the same" };
                format!(
                    "{} set where {others} writes the files, not by layer {}{probably}",
                    changed(*aspects),
                    LayerNumber::of_index(*layer)
                )
            }
            BuildChange::Zstd { .. } => format!("zstd at its default level instead of gzip for {others}"),
        }
    }

    /// The saving in words, with its bounds.
    pub fn saves(&self, size: impl Fn(u64) -> String) -> String {
        let DownloadSaving { about, least, most } = self.download;
        let download = format!("about {} of the download (from {} to {})", size(about), size(least), size(most));
        if self.unpacked == 0 { download } else { format!("{} unpacked, {download}", size(self.unpacked)) }
    }
}

/// `layer 1`, `layers 1, 2 and 5`
fn numbers(layers: &[u32]) -> String {
    let numbers: Vec<String> = layers.iter().map(|layer| LayerNumber::of_index(*layer).to_string()).collect();
    match numbers.as_slice() {
        [] => "no layer".to_owned(),
        [one] => format!("layer {one}"),
        [first @ .., last] => format!("layers {} and {last}", first.join(", ")),
    }
}

/// Bytes of a header of tar, to which contents are padded.
const HEADER: u64 = 512;
/// Bytes that the extended headers of a file take at most, as a rule.
const EXTENDED: u64 = 4096;
/// What `zstd -3` saved of `gzip -6`, in thousandths: at least, as a median, at most. Measured on ten directories of a Debian system
/// (documentation, libraries, programs, Python, Perl, headers, translations), 16 MB each: -1.4 % to 21.5 %.
const ZSTD: [u64; 3] = [0, 82, 215];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_do_not_divide_a_run() {
        let ranges = vec![5120..5220, 512..1000, 1536..1540, 100_000..100_001];
        assert_eq!(runs(ranges), [0..5220, 99_488..100_001]);
    }

    #[test]
    fn layers_are_listed() {
        assert_eq!(
            [numbers(&[0]), numbers(&[0, 1]), numbers(&[0, 1, 4])],
            ["layer 1", "layers 1 and 2", "layers 1, 2 and 5"]
        );
    }
}
