//! Lists of special files: a filter may begin with `is:` and the name of one.

use crate::packages::MarkedFiles;
use porthole_core::tree::{FileTree, NodeId, Sort};
use std::{collections::HashSet, rc::Rc};

/// The lists of special files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialFiles {
    /// They run with the rights of their owner.
    SetUid,
    /// They run with the rights of their group.
    SetGid,
    /// They have capabilities.
    Capabilities,
    /// Every user can write them.
    WorldWritable,
    /// Readers interpret them differently.
    Ambiguous,
    /// The same content is at another path. None are known before contents are compared.
    Copies,
    /// No package owns them.
    Unowned,
    /// Their content is not what their package brought.
    Modified,
    /// The largest files.
    Biggest,
    /// The files that were modified last.
    Newest,
}

impl SpecialFiles {
    /// Every list, as they are offered.
    pub const ALL: [Self; 10] = [
        Self::Biggest,
        Self::Newest,
        Self::SetUid,
        Self::SetGid,
        Self::Capabilities,
        Self::WorldWritable,
        Self::Ambiguous,
        Self::Copies,
        Self::Unowned,
        Self::Modified,
    ];

    /// The word after `is:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SetUid => "set-uid",
            Self::SetGid => "set-gid",
            Self::Capabilities => "capable",
            Self::WorldWritable => "world-writable",
            Self::Ambiguous => "ambiguous",
            Self::Copies => "copied",
            Self::Unowned => "unowned",
            Self::Modified => "modified",
            Self::Biggest => "biggest",
            Self::Newest => "newest",
        }
    }

    /// The paths of the final tree: all copies and all that packages say something about, [`TOP`] of the biggest and of the newest, at most
    /// [`LISTED`](porthole_core::tree::Survey::LISTED) of any other list.
    ///
    /// # Errors
    /// In words: the list is not known.
    pub(crate) fn nodes(self, tree: &FileTree, marked: &MarkedFiles) -> Result<Rc<HashSet<NodeId>>, String> {
        let nodes = match self {
            Self::Copies => tree.copies().into_iter().flat_map(|copies| copies.nodes).collect(),
            Self::Biggest => tree.top_files(Sort::Size, TOP),
            Self::Newest => tree.top_files(Sort::Time, TOP),
            Self::SetUid => tree.survey().set_uid.nodes,
            Self::SetGid => tree.survey().set_gid.nodes,
            Self::Capabilities => tree.survey().capabilities.nodes,
            Self::WorldWritable => tree.survey().world_writable.nodes,
            Self::Ambiguous => tree.survey().ambiguous.nodes,
            Self::Unowned | Self::Modified => {
                let known = if self == Self::Unowned { &marked.unowned } else { &marked.modified };
                return known.as_ref().map(Rc::clone).map_err(|why| (*why).to_owned());
            }
        };
        Ok(Rc::new(nodes.into_iter().collect()))
    }
}

/// How many files the lists of the biggest and of the newest have.
const TOP: usize = 100;

/// The list that a filter as typed names, and the rest of the filter.
///
/// # Errors
/// In words: there is no such list.
pub(crate) fn split(typed: &str) -> Result<(Option<SpecialFiles>, &str), String> {
    let Some(rest) = typed.trim_start().strip_prefix("is:") else { return Ok((None, typed)) };
    let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let list = SpecialFiles::ALL.into_iter().find(|list| list.name() == name);
    let names = || SpecialFiles::ALL.map(SpecialFiles::name).join(", ");
    let list = list.ok_or_else(|| format!("expected one of {}, got `{name}`", names()))?;
    Ok((Some(list), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_stands_before_the_rest() {
        assert_eq!(split("usr is:x"), Ok((None, "usr is:x")));
        assert_eq!(split(" is:set-uid"), Ok((Some(SpecialFiles::SetUid), "")));
        assert_eq!(split("is:copied *.so"), Ok((Some(SpecialFiles::Copies), "*.so")));
        let expected = "expected one of biggest, newest, set-uid, set-gid, capable, world-writable, ambiguous, copied, unowned, \
            modified, got `new`";
        assert_eq!(split("is:new"), Err(expected.to_owned()));
    }
}
