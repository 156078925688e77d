//! What a file is, as `porthole file --json` prints it.

use crate::file::{ArchiveMember, FactValue, FileFacts};
use porthole_core::path;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// A file and its facts.
#[derive(Serialize)]
pub struct FactsReport<'a> {
    /// Path of the file as it was found, escaped.
    pub path: String,
    /// Bytes of the file.
    pub size: u64,
    /// Its kind in a few words.
    pub kind: &'static str,
    /// What its headers say.
    pub facts: FactMap<'a>,
    /// Facts are missing, because they need more of the file than is read.
    pub partial: bool,
    /// What is in it, if it is an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<MemberReport>>,
    /// How many members there are, as far as the archive was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_count: Option<u64>,
    /// Why there may be more members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_problem: Option<&'a str>,
}

/// Facts by their names.
pub struct FactMap<'a>(&'a FileFacts);

/// A member of an archive.
#[derive(Serialize)]
pub struct MemberReport {
    /// Its name as stored, escaped.
    pub path: String,
    /// `file`, `dir`, `symlink` and so on.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Size in bytes, unpacked.
    pub size: u64,
    /// Bytes that it takes in the archive, where each member is packed by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packed: Option<u64>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    /// What a link leads to, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl<'a> FactsReport<'a> {
    /// The report of a file at a path.
    pub fn of(path: &[u8], size: u64, facts: &'a FileFacts) -> Self {
        let members = facts.members.as_ref();
        Self {
            path: path::escape(path).into_owned(),
            size,
            kind: facts.kind,
            facts: FactMap(facts),
            partial: facts.partial,
            members: members.map(|members| members.listed.iter().map(MemberReport::of).collect()),
            member_count: members.map(|members| members.count),
            member_problem: members.and_then(|members| members.problem.as_deref()),
        }
    }
}

impl MemberReport {
    fn of(member: &ArchiveMember) -> Self {
        Self {
            path: path::escape(&member.path).into_owned(),
            kind: member.kind.name(),
            size: member.size,
            packed: member.packed,
            mtime: member.modified,
            link: Some(path::escape(&member.link).into_owned()).filter(|link| !link.is_empty()),
        }
    }
}

impl Serialize for FactMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.facts.len()))?;
        for fact in &self.0.facts {
            match &fact.value {
                FactValue::Text(text) => map.serialize_entry(fact.name, text)?,
                FactValue::Number(number) => map.serialize_entry(fact.name, number)?,
                FactValue::Flag(flag) => map.serialize_entry(fact.name, flag)?,
                FactValue::List(texts) => map.serialize_entry(fact.name, texts)?,
            }
        }
        map.end()
    }
}
