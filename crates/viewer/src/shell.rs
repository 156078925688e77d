//! The `porthole` command that shows what the page shows.

use porthole_core::layer::LayerNumber;
pub(crate) use porthole_core::shell::quote;
use std::fmt::Write as _;

/// Quotes a path escaped as `porthole ls --json` escapes it, so that the shell hands over the archive's own bytes. Where there is an
/// escape this is `$'…'`, whose `\xNN` and `\\` are the same escapes.
pub(crate) fn quote_escaped(path: &str) -> String {
    if !path.contains('\\') {
        return quote(path);
    }
    let mut text = String::from("$'");
    for character in path.chars() {
        match character {
            '\'' => text.push_str(r"\'"),
            _ => text.push(character),
        }
    }
    text.push('\'');
    text
}

/// `porthole <verb> …` about an image.
pub(crate) fn command(verb: &str, reference: &str, platform: Option<&str>) -> String {
    let platform = platform.map(|platform| format!(" --platform {}", quote(platform))).unwrap_or_default();
    format!("porthole {verb}{platform} {}", quote(reference))
}

/// `porthole ls …` with the options of a view; options come first, so that no path is taken for one.
pub(crate) fn list_command(reference: &str, platform: Option<&str>, view: LsListing, path: Option<&str>) -> String {
    let mut command = String::from("porthole ls");
    if let Some(platform) = platform {
        let _ = write!(command, " --platform {}", quote(platform));
    }
    match view {
        LsListing::Merged => {}
        LsListing::Only(layer) => {
            let _ = write!(command, " --layer {layer}");
        }
        LsListing::Deleted => command.push_str(" --deleted"),
    }
    let _ = write!(command, " {}", quote(reference));
    command + &argument(path)
}

/// `porthole cat …` of a file in all layers stacked.
pub(crate) fn cat_command(reference: &str, platform: Option<&str>, path: &str) -> String {
    command("cat", reference, platform) + &argument(Some(path))
}

/// A path as the last argument.
fn argument(path: Option<&str>) -> String {
    let Some(path) = path.filter(|path| !path.is_empty()) else { return String::new() };
    // A leading slash keeps a path that begins with a dash from being an option; it is the root either way.
    let slash = if path.starts_with('-') { "/" } else { "" };
    format!(" {}", quote_escaped(&format!("{slash}{path}")))
}

/// What `porthole ls` can list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LsListing {
    /// What a container sees, `porthole ls`.
    Merged,
    /// One layer alone, `porthole ls --layer`.
    Only(LayerNumber),
    /// Deleted or overwritten files.
    Deleted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_paths() {
        for (path, quoted) in [("etc/passwd", "etc/passwd"), (r"a\x0ab", r"$'a\x0ab'"), (r"it's\\", r"$'it\'s\\'")] {
            assert_eq!(quote_escaped(path), quoted);
        }
    }

    #[test]
    fn commands() {
        assert_eq!(list_command("nginx", None, LsListing::Merged, None), "porthole ls nginx");
        assert_eq!(
            list_command("a@sha256:0", Some("linux/arm64"), LsListing::Only(LayerNumber::of_index(1)), Some("etc/a b")),
            "porthole ls --platform linux/arm64 --layer 2 a@sha256:0 'etc/a b'"
        );
        assert_eq!(list_command("a", None, LsListing::Deleted, Some("-r")), "porthole ls --deleted a /-r");
    }
}
