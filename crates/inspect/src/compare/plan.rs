//! Plans which layers of two images are read, and from which image, so that none is read twice.

use crate::layer::LayerJob;
use porthole_core::digest::Digest;
use std::collections::HashSet;

/// One of two images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageSide {
    /// The image that is named first.
    Before,
    /// The image that is named second.
    After,
}

/// The layers to read in order to stack two images: first those at the bottom of both, then the rest of each.
#[derive(Clone, Debug, Default)]
pub struct ComparePlan {
    /// The lowest layers, which both images share.
    pub shared: Vec<LayerRun>,
    /// The others of the first image.
    pub before: Vec<LayerRun>,
    /// The others of the second image.
    pub after: Vec<LayerRun>,
    /// Layers whose entries are kept when they are read, by diff_id: a [`LayerRun::Kept`] uses them.
    pub kept: HashSet<Digest>,
}

/// Consecutive layers of an image.
#[derive(Clone, Debug)]
pub enum LayerRun {
    /// Layers to read. Each job has the index of the layer in the image that it is stacked for.
    Read {
        /// The image whose blobs are read.
        from: ImageSide,
        /// The layers to read, bottom first.
        jobs: Vec<LayerJob>,
    },
    /// A layer that was read before.
    Kept {
        /// Index of the layer in the image that it is stacked for.
        layer: u32,
        /// Digest of the unpacked layer.
        diff_id: Digest,
    },
}

impl ComparePlan {
    /// Plans the reading of two images whose lowest `shared` layers unpack to the same. If the image `near` has a layer
    /// of the other one too, that layer is read from `near`.
    pub fn new(before: &[LayerJob], after: &[LayerJob], shared: usize, near: Option<ImageSide>) -> Self {
        let mut planner = Planner {
            images: [before, after],
            near,
            wanted: after.iter().skip(shared).filter_map(|job| job.diff_id).collect(),
            kept: HashSet::new(),
        };
        let (low, high) = before.split_at(shared.min(before.len()));
        let shared_runs = planner.runs(ImageSide::Before, low);
        let before_runs = planner.runs(ImageSide::Before, high);
        // Only the second image uses what was kept.
        planner.wanted.clear();
        let after_runs = planner.runs(ImageSide::After, after.get(shared..).unwrap_or_default());
        Self { shared: shared_runs, before: before_runs, after: after_runs, kept: planner.kept }
    }
}

struct Planner<'j> {
    images: [&'j [LayerJob]; 2],
    near: Option<ImageSide>,
    /// Layers of the second image above the shared ones, by diff_id.
    wanted: HashSet<Digest>,
    /// The wanted layers that an earlier run reads. An image may have the same layer twice.
    kept: HashSet<Digest>,
}

impl Planner<'_> {
    fn runs(&mut self, side: ImageSide, jobs: &[LayerJob]) -> Vec<LayerRun> {
        let mut runs: Vec<LayerRun> = Vec::new();
        for job in jobs {
            if let Some(diff_id) = job.diff_id.filter(|diff_id| self.kept.contains(diff_id)) {
                runs.push(LayerRun::Kept { layer: job.layer, diff_id });
                continue;
            }
            let (at, job) = self.nearest(side, job);
            self.kept.extend(job.diff_id.filter(|diff_id| self.wanted.contains(diff_id)));
            match runs.last_mut() {
                Some(LayerRun::Read { from, jobs }) if *from == at => jobs.push(job),
                _ => runs.push(LayerRun::Read { from: at, jobs: vec![job] }),
            }
        }
        runs
    }

    /// Returns the image from which a layer is read, and the job to read it there.
    fn nearest(&self, side: ImageSide, job: &LayerJob) -> (ImageSide, LayerJob) {
        let near = self.near.filter(|near| *near != side);
        let twin = near.and_then(|near| {
            let twin = |twin: &&LayerJob| twin.diff_id.is_some() && twin.diff_id == job.diff_id;
            Some((near, self.images[near as usize].iter().find(twin)?))
        });
        let (at, from) = twin.unwrap_or((side, job));
        // The tree needs the index of the layer in the image that it is stacked for.
        (at, LayerJob { layer: job.layer, ..from.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Layers by the letters of their contents.
    fn image(letters: &str) -> Vec<LayerJob> {
        let job = |(layer, letter): (usize, char)| LayerJob {
            layer: layer as u32,
            diff_id: Some(Digest::sha256(letter.to_string().as_bytes())),
            ..LayerJob::bare().remove(0)
        };
        letters.chars().enumerate().map(job).collect()
    }

    /// Runs as text: `<` and `>` name the image, digits the places; `=` is a layer that was kept.
    fn told(runs: &[LayerRun]) -> String {
        let run = |run: &LayerRun| match run {
            LayerRun::Read { from, jobs } => {
                let places: String = jobs.iter().map(|job| job.layer.to_string()).collect();
                format!("{}{places}", if *from == ImageSide::Before { '<' } else { '>' })
            }
            LayerRun::Kept { layer, .. } => format!("={layer}"),
        };
        runs.iter().map(run).collect::<Vec<_>>().join(" ")
    }

    fn plan(before: &str, after: &str, shared: usize, near: Option<ImageSide>) -> [String; 3] {
        let ComparePlan { shared, before, after, .. } = ComparePlan::new(&image(before), &image(after), shared, near);
        [told(&shared), told(&before), told(&after)]
    }

    #[test]
    fn shared_layers_are_read_once() {
        assert_eq!(plan("abc", "abd", 2, None), ["<01", "<2", ">2"]);
        assert_eq!(plan("ab", "ab", 2, None), ["<01", "", ""]);
        assert_eq!(plan("", "a", 0, None), ["", "", ">0"]);
    }

    #[test]
    fn a_layer_at_another_place_is_kept() {
        assert_eq!(plan("abc", "xbyc", 0, None), ["", "<012", ">0 =1 >2 =3"]);
        assert_eq!(plan("abb", "bx", 0, None), ["", "<01 =2", "=0 >1"]);
        assert_eq!(ComparePlan::new(&image("abc"), &image("xb"), 0, None).kept.len(), 1);
    }

    #[test]
    fn what_is_near_is_read_there() {
        assert_eq!(plan("abc", "abd", 2, Some(ImageSide::After)), [">01", "<2", ">2"]);
        assert_eq!(plan("abc", "abd", 2, Some(ImageSide::Before)), ["<01", "<2", ">2"]);
        // Its place is that of the image it is stacked for.
        assert_eq!(plan("xb", "b", 0, Some(ImageSide::After)), ["", "<0 >1", "=0"]);
    }
}
