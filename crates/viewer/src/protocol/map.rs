//! Files as a map.

use super::{FileView, RowKind};
use serde::{Deserialize, Serialize};

/// Which map is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapWish {
    /// The files that it shows.
    pub view: FileView,
    /// Escaped path of the directory that fills it; empty: the root.
    pub path: String,
    /// Its width and height in pixels.
    pub size: (u32, u32),
    /// What areas are proportional to.
    pub measure: MapMeasure,
}

/// What the areas of a map are proportional to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapMeasure {
    /// Bytes of the files.
    #[default]
    Size,
    /// About how many bytes of the layers' blobs hold them.
    Download,
}

/// A map of files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileMap {
    /// Bytes of all that it shows, by its measure.
    pub total: u64,
    /// Directories before what is in them; those that are too small to be seen are left out.
    pub tiles: Vec<MapTile>,
}

/// A file or a directory on a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapTile {
    /// Path, escaped as `porthole ls --json` prints it.
    pub path: String,
    /// Escaped last component.
    pub name: String,
    /// A directory, or anything else.
    pub kind: RowKind,
    /// Bytes of the file, or of all files in the directory, by the measure of the map.
    pub bytes: u64,
    /// The layer that last wrote the path, 0 = bottom.
    pub layer: u32,
    /// 0 = directly in the directory that fills the map.
    pub depth: u32,
    /// It is a directory, and tiles for what is in it follow.
    pub divided: bool,
    /// Left, top, width and height in pixels.
    pub place: [f32; 4],
}
