//! What was written, and what was left out.

use porthole_core::path;

/// How many of what was skipped are told one by one.
const TOLD: usize = 1000;

/// What all layers together came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Entries applied, whiteouts included.
    pub entries: u64,
    /// Bytes written into files.
    pub bytes: u64,
    /// What the image has, and the directory has not.
    pub skipped: Skipped,
}

/// What the image has, and the directory has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Entries whose owner was not set although it is another than that of the process.
    pub owners: u64,
    /// Devices that were not made, hard links to them included.
    pub devices: u64,
    /// Extended attributes that were not set.
    pub xattrs: u64,
    /// The first of the devices and attributes, one by one.
    pub list: Vec<Skip>,
}

impl Skipped {
    /// Whether the directory is all that the image is.
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

/// Something that was skipped. Names are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skip {
    /// The layer that has it.
    pub layer: u32,
    /// Where it belongs.
    pub path: String,
    /// The attribute, if it is one.
    pub xattr: Option<String>,
    /// Why it was skipped.
    pub reason: &'static str,
}
