//! `os-release` (`man 5 os-release`).

use super::{Record, text};

/// The distribution of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// `ID`: `debian`, `alpine`, `fedora`.
    pub id: String,
    /// `VERSION_ID`, such as `12`.
    pub version: Option<String>,
    /// `PRETTY_NAME`, for people.
    pub name: Option<String>,
}

/// The distribution; `None` for a file without `ID`.
pub(super) fn read(bytes: &[u8]) -> Vec<Record> {
    let text = String::from_utf8_lossy(bytes);
    let mut release = Release::default();
    for (name, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
        let value = unquoted(value);
        match name {
            "ID" => release.id = value.unwrap_or_default(),
            "VERSION_ID" => release.version = value,
            "PRETTY_NAME" => release.name = value,
            _ => {}
        }
    }
    if release.id.is_empty() { Vec::new() } else { vec![Record::Release(release)] }
}

fn unquoted(value: &str) -> Option<String> {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    text(inner.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_quoted() {
        let text = b"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n# ID=x\nVERSION_ID='12'\n";
        let name = Some("Debian GNU/Linux 12 (bookworm)".to_owned());
        assert_eq!(read(text), [Record::Release(Release { id: "debian".into(), version: Some("12".into()), name })]);
        assert_eq!(read(b"VERSION_ID=12\n"), []);
    }
}
