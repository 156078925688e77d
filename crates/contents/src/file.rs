//! What a file is, by its bytes: the facts of a program, a certificate, a key or a picture, and what is in an archive.
//!
//! [`FileFacts::read`] needs the beginning of the file and, for some kinds, bytes elsewhere. It says which, and is called again:
//!
//! ```
//! use porthole_contents::file::{FileFacts, KnownBytes};
//!
//! fn facts(file: &[u8]) -> FileFacts {
//!     let mut known = KnownBytes::new(file.len() as u64, file[..file.len().min(4096)].to_vec());
//!     loop {
//!         match FileFacts::read(&known) {
//!             Ok(facts) => return facts,
//!             Err(range) => known.give(range.start, &file[range.start as usize..range.end as usize]),
//!         }
//!     }
//! }
//! assert_eq!(facts(b"#!/bin/sh -e\n").kind, "script");
//! ```

mod archive;
mod certificate;
mod elf;
mod key;
mod known;
mod macho;
mod magic;
mod pe;
mod picture;
mod wasm;

pub use self::{
    archive::{ArchiveMember, ArchiveMembers, MemberScan},
    known::KnownBytes,
};
use porthole_core::path;
use std::ops::Range;

/// What a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// Its kind in a few words: `ELF program`, `gzip`, `certificate`.
    pub kind: &'static str,
    /// What its headers say, in the order in which it is shown.
    pub facts: Vec<FileFact>,
    /// What is in it, if it is an archive that lists its members.
    pub members: Option<ArchiveMembers>,
    /// Facts are missing, because bytes that they need were not given.
    pub partial: bool,
}

/// A fact of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFact {
    /// Its name in lower case, with underscores between words.
    pub name: &'static str,
    /// What the file says.
    pub value: FactValue,
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactValue {
    /// A text, which may hold any character.
    Text(String),
    /// A number without a unit.
    Number(u64),
    /// Whether something is so.
    Flag(bool),
    /// Several texts in order.
    List(Vec<String>),
}

impl FileFacts {
    /// Reads what is known of a file.
    ///
    /// # Errors
    /// The range of the file that is needed next. This error does not occur after [`KnownBytes::close`] or once its limits are reached.
    pub fn read(known: &KnownBytes) -> Result<Self, Range<u64>> {
        let mut facts = Self::default();
        magic::read(&mut facts, known);
        match known.take_missing() {
            Some((missing, true)) => Err(missing),
            missing => Ok(Self { partial: missing.is_some(), ..facts }),
        }
    }

    /// Adds a fact. Of several with one name, the first counts.
    fn add(&mut self, name: &'static str, value: FactValue) {
        if self.facts.iter().all(|fact| fact.name != name) {
            self.facts.push(FileFact { name, value });
        }
    }

    fn text(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, FactValue::Text(text.into()));
    }

    fn bytes(&mut self, name: &'static str, text: &[u8]) {
        self.text(name, path::escape(text));
    }

    fn number(&mut self, name: &'static str, number: impl Into<u64>) {
        self.add(name, FactValue::Number(number.into()));
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.add(name, FactValue::Flag(flag));
    }

    /// Adds no fact for an empty list.
    fn list(&mut self, name: &'static str, list: Vec<String>) {
        if !list.is_empty() {
            self.add(name, FactValue::List(list));
        }
    }
}
