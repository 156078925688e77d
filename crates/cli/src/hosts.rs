//! Remembers, from one run to the next, the hosts from which a registry serves tokens and blobs. The next pull opens
//! connections to them while it fetches the documents.
//!
//! The file `hosts` in the cache has one line for each registry, the last used first: its name, the origin of its tokens, and
//! the origin of its blobs (`-` for none). The file affects only when a connection is opened, and not what is sent over it.

use std::{fs, io::Read, path::PathBuf};

use porthole_core::reference::Reference;
use porthole_registry::{
    client::Met,
    policy::{Origin, Scheme, Url},
};

use crate::session::{Client, Session};

/// Maximum number of registries that are remembered.
const REGISTRIES: usize = 64;
/// Maximum number of bytes of the file that are read.
const MOST: u64 = 64 << 10;
/// Numbers of connections to open: to the registry, to the host of its tokens, and to the host of its blobs.
const CONNECTIONS: [usize; 3] = [2, 1, 3];

/// Opens the connections that a pull of several blobs needs. `blobs`: whether any blobs are expected.
pub(crate) fn prepare(session: &Session<'_>, client: &Client, reference: &Reference, blobs: bool) {
    let Ok(registry) = client.origin(reference) else { return };
    // A registry without TLS is on this machine or network, where connecting is fast.
    if registry.scheme != Scheme::Https {
        return;
    }
    let known = path(session).and_then(|path| find(&read(&path), reference.registry()));
    let known = known.unwrap_or_default();
    let origins = [Some(registry), known.tokens, known.blobs.filter(|_| blobs)];
    for (origin, connections) in origins.into_iter().zip(CONNECTIONS) {
        if let Some(origin) = origin {
            client.transport().prepare(&origin.to_string(), connections);
        }
    }
}

/// Writes the hosts that a registry used in this run to the file.
pub(crate) fn remember(session: &Session<'_>, client: &Client, reference: &Reference) {
    let Some(path) = path(session) else { return };
    let (met, before) = (client.met(reference.registry()), read(&path));
    let after = noted(&before, reference.registry(), &met);
    if after != before
        && let Some(folder) = path.parent()
    {
        // If the write fails, the next pull only takes a little longer.
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|file| {
            fs::write(file.path(), after)?;
            Ok(file.persist(&path)?)
        });
        if let Err(error) = written {
            session.debug(&format!("cannot remember hosts: {error}"));
        }
    }
}

fn path(session: &Session<'_>) -> Option<PathBuf> {
    // This creates the folder, if it is missing.
    session.cache()?;
    Some(session.cache_folder()?.join("hosts"))
}

fn read(path: &std::path::Path) -> String {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text));
    if read.is_ok() { text } else { String::new() }
}

/// Returns the hosts that the file lists for a registry. Ignores origins without TLS.
fn find(text: &str, registry: &str) -> Option<Met> {
    let line = text.lines().find_map(|line| line.strip_prefix(registry)?.strip_prefix(' '))?;
    let mut origins = line.split(' ').map(|origin| {
        let origin = Url::parse(origin).ok()?.origin().clone();
        (origin.scheme == Scheme::Https).then_some(origin)
    });
    Some(Met { tokens: origins.next().flatten(), blobs: origins.next().flatten(), ..Met::default() })
}

/// Returns the text with the line of this registry moved to the front and replaced.
fn noted(text: &str, registry: &str, met: &Met) -> String {
    let shown = |origin: &Option<Origin>| origin.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let own = format!("{registry} {} {}", shown(&met.tokens), shown(&met.blobs));
    let others = text.lines().filter(|line| line.split(' ').next() != Some(registry));
    let lines = std::iter::once(own.as_str()).filter(|_| met.tokens.is_some() || met.blobs.is_some()).chain(others);
    lines.take(REGISTRIES).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Option<Origin> {
        Some(Url::parse(text).unwrap().origin().clone())
    }

    #[test]
    fn what_is_written_is_found_and_the_last_used_comes_first() {
        let one = Met { tokens: origin("https://auth.example.com"), ..Met::default() };
        let other = Met { blobs: origin("https://blobs.example.com:8443"), ..Met::default() };
        let text = noted(&noted("", "docker.io", &one), "quay.io", &other);
        assert_eq!(text, "quay.io - https://blobs.example.com:8443\ndocker.io https://auth.example.com -\n");
        assert_eq!(find(&text, "docker.io"), Some(one.clone()));
        assert_eq!(find(&text, "quay.io"), Some(other));
        assert_eq!(find(&text, "docker"), None);
        assert_eq!(noted(&text, "docker.io", &one).lines().next(), text.lines().nth(1));
        assert_eq!(noted(&text, "quay.io", &Met::default()).lines().count(), 1, "nothing to remember");
    }

    #[test]
    fn what_is_no_secure_origin_is_passed_over() {
        let text = "a http://auth.example.com https://user@blobs\nb\n\nc \u{1b} https://b.c\n";
        assert_eq!(find(text, "a"), Some(Met::default()));
        assert_eq!(find(text, "b"), None);
        assert_eq!(find(text, "c").and_then(|met| met.blobs), origin("https://b.c"));
    }

    #[test]
    fn the_file_stays_small() {
        let met = Met { tokens: origin("https://t.example.com"), ..Met::default() };
        let text = (0..100).fold(String::new(), |text, number| noted(&text, &format!("r{number}.example.com"), &met));
        assert_eq!(text.lines().count(), REGISTRIES);
        assert!(text.starts_with("r99."), "{text}");
    }
}
