//! Rows as text, similar to those of `tar -tv` and `ls -l`.

use std::fmt::Write as _;

use porthole_core::{
    layer::LayerNumber,
    path,
    tar::{Entry, Kind},
    tree::{Change, Row},
};

use crate::ui::{Style, Ui, time};

/// Columns as wide as their widest cell.
#[derive(Default)]
pub(super) struct Widths {
    owner: usize,
    size: usize,
    layer: usize,
}

impl Widths {
    /// Makes room for a row.
    pub(super) fn widen(&mut self, row: &Row) {
        *self = Self {
            owner: self.owner.max(owner(row.uid, row.gid).len()),
            size: self.size.max(extent(row.kind, row.size, row.major, row.minor).len()),
            layer: self.layer.max(LayerNumber::of_index(row.layer).to_string().len()),
        };
    }
}

/// Formats a row, such as `A 1 -rwxr-xr-x 0/0  1234 2026-01-02 03:04:05 path -> target`.
pub(super) fn line(ui: &Ui, row: &Row, widths: &Widths, digest: Option<String>) -> String {
    let (letter, style) = match row.change {
        Change::Added => ("A", Style::Good),
        Change::Modified => ("M", Style::Changed),
        Change::Removed => ("D", Style::Bad),
        Change::Unchanged => ("-", Style::Faint),
    };
    // The view of deleted files shows which layer deleted each, and not which one added it.
    let letter = if row.removed_by.is_some() { "D" } else { letter };
    let mut line = format!(
        "{} {:>layer$} {} {:<owner$} {:>size$} {} {}",
        ui.paint(style, letter),
        LayerNumber::of_index(row.layer),
        mode(row.kind, row.mode),
        owner(row.uid, row.gid),
        extent(row.kind, row.size, row.major, row.minor),
        time(row.mtime),
        name(row.kind, &row.path, &row.link),
        layer = widths.layer,
        owner = widths.owner,
        size = widths.size,
    );
    if let Some(layer) = row.removed_by {
        let _ = write!(line, "  [removed by layer {}]", LayerNumber::of_index(layer));
    }
    if !row.aspects.is_empty() {
        let _ = write!(line, "  [{}]", row.aspects);
    }
    if row.implied {
        line.push_str("  [implied]");
    }
    if let Some(reason) = &row.ambiguous {
        let _ = write!(line, "  [ambiguous: {reason}]");
    }
    if let Some(digest) = digest {
        let _ = write!(line, "  {digest}");
    }
    line
}

/// Formats an entry of an archive.
pub(super) fn raw_line(entry: &Entry, digest: Option<String>) -> String {
    let mut line = format!(
        "{} {:<9} {:>10} {} {}",
        mode(entry.kind, entry.permissions()),
        owner(entry.uid, entry.gid),
        extent(entry.kind, entry.size, entry.major, entry.minor),
        time(entry.mtime),
        name(entry.kind, &entry.path, &entry.link),
    );
    if let Some(reason) = &entry.ambiguous {
        let _ = write!(line, "  [ambiguous: {reason}]");
    }
    if let Some(digest) = digest {
        let _ = write!(line, "  {digest}");
    }
    line
}

fn owner(uid: i64, gid: i64) -> String {
    format!("{uid}/{gid}")
}

/// Size of a file in bytes, or the numbers of a device.
fn extent(kind: Kind, size: u64, major: i64, minor: i64) -> String {
    match kind {
        Kind::Char | Kind::Block => format!("{major},{minor}"),
        Kind::File => size.to_string(),
        _ => "0".to_owned(),
    }
}

fn name(kind: Kind, path: &[u8], link: &[u8]) -> String {
    let name = path::escape(path);
    match kind {
        Kind::Symlink => format!("{name} -> {}", path::escape(link)),
        Kind::Hardlink => format!("{name} link to {}", path::escape(link)),
        Kind::Directory if !path.ends_with(b"/") => format!("{name}/"),
        _ => name.into_owned(),
    }
}

fn mode(kind: Kind, mode: u32) -> String {
    let mut text = String::with_capacity(10);
    text.push(match kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::Hardlink => 'h',
        Kind::Char => 'c',
        Kind::Block => 'b',
        Kind::Fifo => 'p',
        _ => '?',
    });
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_spelled_out() {
        for (kind, bits, text) in [
            (Kind::File, 0o644, "-rw-r--r--"),
            (Kind::File, 0o4755, "-rwsr-xr-x"),
            (Kind::File, 0o6600, "-rwS--S---"),
            (Kind::Directory, 0o1777, "drwxrwxrwt"),
            (Kind::Symlink, 0o777, "lrwxrwxrwx"),
        ] {
            assert_eq!(mode(kind, bits), text);
        }
    }
}
