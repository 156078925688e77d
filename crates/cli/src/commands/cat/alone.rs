//! One layer by itself, without those below.

use std::collections::BTreeMap;

use porthole_core::{
    path,
    tar::{Entry, Kind},
    tree::{self, Content},
};

use super::resolve::{At, Files};
use crate::{
    commands::stack::judge,
    error::Error,
    layers::{Event, Job, Known, Reading, Taken, Want},
    progress::Meter,
    session::Session,
    source::Source,
};

/// The entries of a layer by their clean paths; of several with one path the last.
///
/// It is no tree: a hard link may lead to a file of a layer below, and whiteouts hide nothing.
#[derive(Default)]
pub(super) struct Alone(BTreeMap<Vec<u8>, At>);

impl Alone {
    /// Reads and verifies a layer, or takes what is known of it from the cache.
    pub(super) fn read(
        session: &Session<'_>,
        source: &Source,
        job: &Job,
        taken: &Taken,
    ) -> Result<(Self, Known), Error> {
        let mut alone = Self::default();
        let mut end = None;
        let jobs = std::slice::from_ref(job);
        let meter = Meter::new(session.ui, jobs);
        let limit = session.limits.tree_nodes;
        let reading = Reading::new(session, source, &meter, Want::Entries).indexed().taking(taken);
        reading.run(jobs, |job, event| {
            match event {
                Event::Entries(entries) => {
                    for listed in entries {
                        alone.add(job.layer, listed.entry);
                    }
                    if alone.0.len() as u64 > limit {
                        let error = tree::Error::TooManyNodes { limit };
                        return Err(Error::Unpack { layer: job.layer, error });
                    }
                }
                Event::End(known) => match judge(session, job, &known)? {
                    None => end = Some(known),
                    Some(wrong) => return Err(Error::Layers(vec![wrong])),
                },
            }
            Ok(())
        })?;
        let end = end.ok_or_else(|| Error::usage("a layer has no end (this is a bug in porthole)"))?;
        Ok((alone, end))
    }

    fn add(&mut self, layer: u32, entry: Entry) {
        let at = match entry.kind {
            Kind::File => At::File(Content { layer, offset: entry.offset, size: entry.size }),
            Kind::Directory => At::Directory,
            Kind::Symlink => At::Symlink(entry.link),
            // What it leads to, if that came before; else a file of a layer below.
            Kind::Hardlink => {
                let target = path::clean(&entry.link);
                match self.0.get(&target) {
                    Some(At::Directory) | None => At::Hardlink(target),
                    Some(at) => at.clone(),
                }
            }
            Kind::Global => return,
            kind => At::other(kind),
        };
        let path = path::clean(&entry.path);
        if !path.is_empty() {
            self.0.insert(path, at);
        }
    }

    /// Names in a directory.
    pub(super) fn names(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        let prefix = if directory.is_empty() { Vec::new() } else { [directory, b"/"].concat() };
        let below = self.0.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix[..]));
        let mut names: Vec<_> =
            below.filter_map(|path| path.split(|&b| b == b'/').next()).map(<[u8]>::to_vec).collect();
        names.dedup();
        names
    }
}

impl Files for Alone {
    fn at(&self, path: &[u8]) -> Option<At> {
        let implied = || {
            let prefix = [path, b"/"].concat();
            let (next, _) = self.0.range(prefix.clone()..).next()?;
            next.starts_with(&prefix).then_some(At::Directory)
        };
        self.0.get(path).cloned().or_else(implied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_counts_and_directories_need_none() {
        let mut alone = Alone::default();
        let mut add = |path: &str, kind, link: &str, offset| {
            let entry = Entry { link: link.into(), offset, size: 1, ..Entry::new(path, kind) };
            alone.add(3, entry);
        };
        add("./a/file", Kind::File, "", 512);
        add("a/file", Kind::File, "", 2048);
        add("a/hard", Kind::Hardlink, "/a/file", 0);
        add("a/below", Kind::Hardlink, "b/other", 0);
        add("pipe", Kind::Fifo, "", 0);
        add("ab", Kind::File, "", 4096);
        let content = |offset| Some(At::File(Content { layer: 3, offset, size: 1 }));
        assert_eq!(alone.at(b"a/file"), content(2048));
        assert_eq!(alone.at(b"a/hard"), content(2048));
        assert_eq!(alone.at(b"a/below"), Some(At::Hardlink(b"b/other".to_vec())));
        assert_eq!(alone.at(b"a"), Some(At::Directory));
        assert_eq!(alone.at(b"pipe"), Some(At::Other("a named pipe")));
        assert_eq!(alone.at(b"b"), None);
        assert_eq!(alone.names(b"a"), [b"below".to_vec(), b"file".to_vec(), b"hard".to_vec()]);
        assert_eq!(alone.names(b""), [b"a".to_vec(), b"ab".to_vec(), b"pipe".to_vec()]);
    }
}
