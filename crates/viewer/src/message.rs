//! How messages cross between the threads of a front end: commands, events, orders, reports and evidence, each as bytes.
//!
//! The format is [postcard](https://postcard.jamesmunns.com): the fields of a message one after another, without their names. A page
//! decodes it with a third of the code that JSON needs. Sender and receiver have to be of one build, so each message
//! begins with four bytes that differ between releases. Since no name says which field follows, a message has no field that is left out: no `skip_serializing_if`,
//! `flatten` or `untagged` in what [`protocol`](crate::protocol) and `layer` declare.
//!
//! ```
//! use porthole_viewer::{message::{decode, encode}, protocol::Command};
//!
//! let bytes = encode(&Command::Cancel);
//! assert_eq!(decode(&bytes), Some(Command::Cancel));
//! assert_eq!(decode::<Command>(b"{}"), None);
//! ```

use serde::{Serialize, de::DeserializeOwned};

/// First bytes of every message.
const RELEASE: [u8; 4] = fingerprint(concat!("porthole ", env!("CARGO_PKG_VERSION"))).to_le_bytes();

/// The bytes of a message. None = a bug in its type, which the receiver reports.
#[must_use]
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(message, RELEASE.to_vec()).unwrap_or_default()
}

/// A message from its bytes; `None` is a bug on the other side, or a worker of another release beside this page.
#[must_use]
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Option<M> {
    match postcard::take_from_bytes(bytes.strip_prefix(&RELEASE)?) {
        Ok((message, [])) => Some(message),
        Ok(_) | Err(_) => None,
    }
}

/// FNV-1a, 32 bits: enough to tell one release from another.
const fn fingerprint(text: &str) -> u32 {
    let (bytes, mut hash, mut next) = (text.as_bytes(), 0x811c_9dc5_u32, 0);
    while next < bytes.len() {
        hash = (hash ^ bytes[next] as u32).wrapping_mul(0x0100_0193);
        next += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Command;

    #[test]
    fn what_is_no_message_of_this_release_is_none() {
        let bytes = encode(&Command::Rows { from: 1, to: u64::MAX });
        assert_eq!(decode(&bytes), Some(Command::Rows { from: 1, to: u64::MAX }));
        let mut longer = bytes.clone();
        longer.push(0);
        let mut other = bytes.clone();
        other[0] ^= 1;
        for wrong in [&b""[..], b"{}", &bytes[..4], &bytes[..bytes.len() - 1], &longer, &other] {
            assert_eq!(decode::<Command>(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn fingerprints_are_those_of_fnv() {
        assert_eq!((fingerprint(""), fingerprint("a")), (0x811c_9dc5, 0xe40c_292c));
    }
}
