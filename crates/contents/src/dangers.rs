//! Dangers of running an image that the image itself is evidence of.
//!
//! Only rights that no package brought count: set-uid and set-gid files of the distribution are not reported. Nothing reads a clock:
//! a certificate is compared with the time at which the image says it was made. Dangers that the documents alone show are findings of `inspect`.

use crate::{
    certificates::LeafCertificate,
    limits::DANGERS,
    ownership::Ownership,
    secrets::{TextOrigin, is_example},
};
use porthole_core::{calendar, config::ImageConfig, path, tar::Kind, tree::Row};

/// A reason not to run the image as it is, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Danger {
    /// What kind of danger it is.
    pub kind: DangerKind,
    /// The file, as a clean path. `None` if it is about a configuration.
    pub path: Option<Vec<u8>>,
    /// Index of the layer that last wrote the file.
    pub layer: Option<u32>,
    /// The evidence in words, on one line.
    pub text: String,
}

/// Kinds of dangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DangerKind {
    /// A set-uid or set-gid file that no package owns.
    UnownedSetUid,
    /// A file with capabilities that no package owns.
    UnownedCapabilities,
    /// A path that every user can write, and that no package owns.
    UnownedWorldWritable,
    /// A device outside of `/dev`, over which a runtime mounts its own.
    DeviceNode,
    /// A certificate that was no longer valid when the image was made.
    ExpiredCertificate,
    /// A certificate that is valid for at most [`SOON`] days after the image was made.
    ExpiringCertificate,
    /// A shell in an image that says it has none.
    Shell,
}

impl DangerKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 7] = [
        Self::UnownedSetUid,
        Self::UnownedCapabilities,
        Self::UnownedWorldWritable,
        Self::DeviceNode,
        Self::ExpiredCertificate,
        Self::ExpiringCertificate,
        Self::Shell,
    ];

    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnownedSetUid => "unowned-set-uid",
            Self::UnownedCapabilities => "unowned-capabilities",
            Self::UnownedWorldWritable => "unowned-world-writable",
            Self::DeviceNode => "device-node",
            Self::ExpiredCertificate => "expired-certificate",
            Self::ExpiringCertificate => "expiring-certificate",
            Self::Shell => "shell",
        }
    }

    /// Whether it follows from the files themselves, and not from which packages own them.
    pub fn is_of_contents(self) -> bool {
        !matches!(self, Self::UnownedSetUid | Self::UnownedCapabilities | Self::UnownedWorldWritable)
    }

    /// The danger in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::UnownedSetUid => "set-uid and set-gid files that no package owns",
            Self::UnownedCapabilities => "files with capabilities that no package owns",
            Self::UnownedWorldWritable => "paths that every user can write and no package owns",
            Self::DeviceNode => "devices outside of /dev",
            Self::ExpiredCertificate => "certificates that had expired when the image was made",
            Self::ExpiringCertificate => "certificates that expire within 30 days after the image was made",
            Self::Shell => "shells in an image that calls itself distroless",
        }
    }
}

/// Finds the dangers of an image. `certificates` has those of each layer, bottom first; `distribution` is the name that the image gives
/// itself for people.
pub fn dangers(
    config: Option<&ImageConfig>,
    ownership: &Ownership<'_>,
    certificates: &[Vec<LeafCertificate>],
    distribution: Option<&str>,
) -> Vec<Danger> {
    let mut all = Vec::new();
    let distroless = distribution.is_some_and(|name| name.to_ascii_lowercase().contains("distroless"));
    for (row, owned) in ownership.rows() {
        let mut add = |kind: DangerKind, text: String| {
            let path = path::escape(&row.path);
            all.push(Danger {
                kind,
                path: Some(row.path.clone()),
                layer: Some(row.layer),
                text: format!("{text}: {path}"),
            });
        };
        if ownership.is_known() && !owned {
            rights(row, &mut add);
        }
        // An overlay file system marks removed files by devices 0,0.
        if matches!(row.kind, Kind::Char | Kind::Block)
            && !row.path.starts_with(b"dev/")
            && (row.major, row.minor) != (0, 0)
        {
            let kind = if row.kind == Kind::Char { "character" } else { "block" };
            add(DangerKind::DeviceNode, format!("{kind} device {},{} outside of /dev", row.major, row.minor));
        }
        if distroless && is_shell(row) {
            add(DangerKind::Shell, "a shell in an image that calls itself distroless".to_owned());
        }
    }
    let made = config.and_then(|config| moment(config.created.as_deref()?));
    all.extend(made.into_iter().flat_map(|made| expired(&made, ownership, certificates)));
    all.truncate(DANGERS);
    all
}

/// Rights of a file that no package owns.
fn rights(row: &Row, add: &mut impl FnMut(DangerKind, String)) {
    let (file, directory) = (row.kind == Kind::File, row.kind == Kind::Directory);
    if file && row.mode & 0o4000 != 0 {
        add(DangerKind::UnownedSetUid, format!("set-uid file of user {} that no package owns", row.uid));
    }
    if file && row.mode & 0o2000 != 0 {
        add(DangerKind::UnownedSetUid, format!("set-gid file of group {} that no package owns", row.gid));
    }
    if file && row.xattrs.iter().any(|(name, _)| name == b"security.capability") {
        add(DangerKind::UnownedCapabilities, "file with capabilities that no package owns".to_owned());
    }
    if row.mode & 0o002 != 0 && (file || directory && row.mode & 0o1000 == 0 && !row.implied) {
        add(DangerKind::UnownedWorldWritable, "every user can write what no package owns".to_owned());
    }
}

fn is_shell(row: &Row) -> bool {
    const SHELLS: [&[u8]; 7] = [b"sh", b"bash", b"ash", b"dash", b"zsh", b"ksh", b"busybox"];
    const DIRECTORIES: [&[u8]; 7] =
        [b"bin", b"sbin", b"usr/bin", b"usr/sbin", b"usr/local/bin", b"usr/local/sbin", b"busybox"];
    let slash = row.path.iter().rposition(|&b| b == b'/');
    let (directory, name) = slash.map_or((&row.path[..0], &row.path[..]), |at| (&row.path[..at], &row.path[at + 1..]));
    let executable =
        matches!(row.kind, Kind::Symlink | Kind::Hardlink) || row.kind == Kind::File && row.mode & 0o111 != 0;
    executable && SHELLS.contains(&name) && DIRECTORIES.contains(&directory)
}

/// Certificates of a server or client, outside of packages, examples and tests.
fn expired(made: &str, ownership: &Ownership<'_>, certificates: &[Vec<LeafCertificate>]) -> Vec<Danger> {
    let mut all = Vec::new();
    for (layer, certificate) in (0..).zip(certificates).flat_map(|(layer, of)| of.iter().map(move |one| (layer, one))) {
        let LeafCertificate { path: file, offset, not_after } = certificate;
        let Some((row, false)) = ownership.at(file) else { continue };
        let (kind, when) = match () {
            () if not_after.as_str() < made => (DangerKind::ExpiredCertificate, "that expired"),
            () if day_number(not_after) - day_number(made) <= SOON => (DangerKind::ExpiringCertificate, "that expires"),
            () => continue,
        };
        if !ownership.is_content(row, layer, *offset) || is_example(TextOrigin::File(file)) {
            continue;
        }
        let day = format!("{}-{}-{}", &not_after[..4], &not_after[4..6], &not_after[6..8]);
        let than = match kind {
            DangerKind::ExpiredCertificate => "before the image was made".to_owned(),
            _ => format!("{} days after the image was made", day_number(not_after) - day_number(made)),
        };
        let text = format!("certificate {when} on {day}, {than}: {}", path::escape(file));
        all.push(Danger { kind, path: Some(file.clone()), layer: Some(layer), text });
    }
    all
}

/// Days after the image was made within which the end of a certificate is a danger.
pub const SOON: i64 = 30;

/// Days since 1970-01-01 of a time as `YYYYMMDDhhmmss`.
fn day_number(time: &str) -> i64 {
    let number =
        |range: std::ops::Range<usize>| time.get(range).and_then(|digits| digits.parse().ok()).unwrap_or(0_i64);
    calendar::days(number(0..4), number(4..6), number(6..8))
}

/// A time of RFC 3339 as `YYYYMMDDhhmmss` in UTC.
fn moment(created: &str) -> Option<String> {
    let (seconds, _) = calendar::rfc_3339(created)?;
    let text = calendar::iso(seconds);
    // A time zone may move a time into a year that is written with a sign.
    (text.len() == "YYYY-MM-DDThh:mm:ssZ".len()).then(|| text.replace(['-', ':', 'T', 'Z'], ""))
}

#[cfg(test)]
mod tests;
