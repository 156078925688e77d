//! Report of what was written and skipped.

use porthole_core::path;

/// Maximum number of items in [`Skipped::list`]. Further ones are only counted.
const TOLD: usize = 1000;

/// Totals of all layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Entries applied, whiteouts included.
    pub entries: u64,
    /// Bytes written to files.
    pub bytes: u64,
    /// Parts of the image that were not written.
    pub skipped: Skipped,
}

/// Parts of the image that were not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Number of entries whose owner in the image differs from this user's, and was not set.
    pub owners: u64,
    /// Number of devices that were not created, including hard links to them.
    pub devices: u64,
    /// Number of extended attributes that were not set.
    pub xattrs: u64,
    /// The first skipped devices and attributes, at most 1000.
    pub list: Vec<Skip>,
}

impl Skipped {
    /// Whether nothing was skipped.
    pub fn is_empty(&self) -> bool {
        self.owners == 0 && self.devices == 0 && self.xattrs == 0
    }

    pub(crate) fn device(&mut self, layer: u32, at: &[u8]) {
        self.devices += 1;
        self.tell(layer, at, None, "device");
    }

    pub(crate) fn xattr(&mut self, layer: u32, at: &[u8], name: &[u8], reason: &'static str) {
        self.xattrs += 1;
        self.tell(layer, at, Some(name), reason);
    }

    fn tell(&mut self, layer: u32, at: &[u8], xattr: Option<&[u8]>, reason: &'static str) {
        if self.list.len() < TOLD {
            let xattr = xattr.map(|name| path::escape(name).into_owned());
            self.list.push(Skip { layer, path: path::escape(at).into_owned(), xattr, reason });
        }
    }
}

/// A skipped device or attribute. Names are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skip {
    /// Index of the layer, 0 for the bottom one.
    pub layer: u32,
    /// Path below the root.
    pub path: String,
    /// Name of the attribute. `None` for a device.
    pub xattr: Option<String>,
    /// Why it was skipped.
    pub reason: &'static str,
}
