//! The effects of an action, which a front end carries out.

use super::RecentReference;
use crate::{
    address::Address,
    protocol::{ArchiveFormat, Command, RelaySettings},
};
use std::rc::Rc;

/// An effect of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a command to the session.
    Send(Command),
    /// A new address that "back" leaves.
    Push(Address),
    /// A better address for the same place.
    Replace(Address),
    /// Keep these references on this machine, and whether further ones are kept.
    KeepRecent(Rc<Vec<RecentReference>>, bool),
    /// Keep these rules about signatures on this machine; empty: none.
    KeepPolicy(String),
    /// Keep the trust root of signatures; empty: Sigstore's public one.
    KeepTrustRoot(Rc<str>),
    /// The person chose this about relays: keep it.
    Keep(RelaySettings),
    /// Save what is at this address under this name.
    Save {
        /// A `blob:` URL.
        url: String,
        /// Name of the file.
        name: String,
    },
    /// Let the person choose a place for an archive, where the browser can, then send the command for it.
    SaveArchive {
        /// Name to begin with.
        name: String,
        /// Format of the archive.
        format: ArchiveFormat,
    },
    /// A look began.
    Entered,
    /// Start another session; the commands that follow are for it.
    Restart,
}
