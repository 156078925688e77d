//! Determines the type and the facts of a file, from bytes that a session fetches without asking.

use super::{
    Front, Session,
    content::{ALL, BegunFile, FileContent},
};
use crate::{
    pool::Pool,
    pretty::visible,
    protocol::{Event, ShownFacts, ShownMember, ShownMembers},
    size::count,
};
use porthole_contents::file::{ArchiveMember, ArchiveMembers, FactValue, FileFact, FileFacts, KnownBytes, MemberScan};
use porthole_core::path;
use porthole_registry::transport::{Environment, Transport};
use std::ops::Range;

/// Members of an archive that are shown.
const SHOWN: usize = 1000;

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Reports the type and the facts of a file.
    pub(super) async fn tell_facts(&self, file: BegunFile) {
        let BegunFile { look, path, content, head, anyway } = file;
        let mut left = if anyway { u64::MAX } else { self.options.unasked_bytes };
        let mut costly = None;
        let scan = MemberScan::new(&head);
        let mut known = KnownBytes::new(content.size(), head);
        let facts = loop {
            match FileFacts::read(&known) {
                Ok(facts) => break facts,
                Err(range) => match self.read_part(&content, range.clone(), &mut left).await {
                    Ok(bytes) => known.give(range.start, &bytes),
                    Err(cost) => {
                        costly = cost;
                        known.close();
                    }
                },
            }
        };
        let FileFacts { kind, facts, mut members, .. } = facts;
        if let Some(scan) = scan {
            match self.scan(&content, scan, left).await {
                Ok(found) => members = found.or(members),
                Err(cost) => costly = cost,
            }
        }
        let facts = ShownFacts {
            kind: kind.to_owned(),
            facts: facts.into_iter().map(shown).collect(),
            members: members.map(shown_members),
            costly,
        };
        self.front.tell(Event::Facts { look, path, facts: Box::new(facts) });
    }

    /// Bytes of a file. Subtracts their cost from the rest of the budget, or returns the cost if it is more; returns nothing if they cannot be read.
    async fn read_part(&self, content: &FileContent, part: Range<u64>, left: &mut u64) -> Result<Vec<u8>, Option<u64>> {
        let file = self.open(content.clone(), part).await.map_err(|_| None::<u64>)?;
        let cost = file.length();
        *left = left.checked_sub(cost).ok_or(Some(cost))?;
        Ok(self.bytes(file).await.map_err(|_| None::<u64>)?.0)
    }

    /// The members of an archive that is read from its start to its end.
    async fn scan(
        &self,
        content: &FileContent,
        mut scan: MemberScan,
        left: u64,
    ) -> Result<Option<ArchiveMembers>, Option<u64>> {
        let file = self.open(content.clone(), ALL).await.map_err(|_| None::<u64>)?;
        let cost = file.length();
        if cost > left {
            return Err(Some(cost));
        }
        self.stream(file, |bytes| scan.push(bytes)).await.map_err(|_| None::<u64>)?;
        Ok(scan.finish())
    }
}

/// A fact in words.
fn shown(fact: FileFact) -> (String, Vec<String>) {
    let values = match fact.value {
        FactValue::Text(text) => vec![visible(&text)],
        FactValue::Number(number) => vec![count(number)],
        FactValue::Flag(flag) => vec![if flag { "yes" } else { "no" }.to_owned()],
        FactValue::List(texts) => texts.iter().map(|text| visible(text)).collect(),
    };
    (fact.name.replace('_', " "), values)
}

fn shown_members(members: ArchiveMembers) -> ShownMembers {
    let row = |member: &ArchiveMember| {
        let mut name = path::escape(&member.path).into_owned();
        if !member.link.is_empty() {
            name = format!("{name} → {}", path::escape(&member.link));
        }
        ShownMember { name, size: member.size, modified: member.written().unwrap_or_default() }
    };
    let rows = members.listed.iter().take(SHOWN).map(row).collect();
    ShownMembers { rows, count: members.count, problem: members.problem }
}
