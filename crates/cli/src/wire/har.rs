//! Exchanges as an HTTP Archive (HAR 1.2), which the network panel of any browser opens.
//!
//! Each entry is written when its exchange ends, together with the end of the document. So the file is complete at any moment,
//! even if the program is killed, and memory holds only exchanges that have not ended. Bodies are not recorded.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use porthole_registry::trace::{HAR_TAIL, HarEntry, RecordedExchange, har_head};

/// An open archive, and the offset of its next entry.
pub(super) struct Har {
    file: File,
    end: u64,
    entries: u64,
}

/// Mode of a trace. Only its owner may read it, because it shows which registries a user contacted.
const MODE: u32 = 0o600;

/// Opens a file that only its owner may read, and empties it if it exists.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(file)
}

impl Har {
    /// Starts an archive. Replaces the content of an existing file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut file = private_file(path)?;
        let head = har_head(env!("CARGO_PKG_VERSION"));
        file.write_all(&[head.as_bytes(), HAR_TAIL.as_bytes()].concat())?;
        Ok(Self { file, end: head.len() as u64, entries: 0 })
    }

    pub(super) fn push(&mut self, exchange: &RecordedExchange) -> io::Result<()> {
        let mut text = if self.entries == 0 { b"\n".to_vec() } else { b",\n".to_vec() };
        serde_json::to_writer(&mut text, &HarEntry::of(exchange, exchange.remark()))?;
        let end = self.end + text.len() as u64;
        text.extend_from_slice(HAR_TAIL.as_bytes());
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&text)?;
        self.end = end;
        self.entries += 1;
        Ok(())
    }
}
