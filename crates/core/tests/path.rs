//! Escaping and cleaning of arbitrary bytes.
#![cfg(not(target_family = "wasm"))]

use porthole_core::path::{clean, escape, unescape};
use proptest::prelude::*;

proptest! {
    #[test]
    fn unescape_inverts_escape(bytes: Vec<u8>) {
        prop_assert_eq!(unescape(&escape(&bytes)), Some(bytes));
    }

    #[test]
    fn unescape_inverts_escape_of_text(text: String) {
        prop_assert_eq!(unescape(&escape(text.as_bytes())), Some(text.into_bytes()));
    }

    #[test]
    fn escaped_text_needs_no_escape_but_backslashes(bytes: Vec<u8>) {
        let text = escape(&bytes).replace('\\', "");
        prop_assert_eq!(escape(text.as_bytes()), text.as_str());
    }

    #[test]
    fn clean_is_idempotent(name in "[ab./]{0,24}") {
        let once = clean(name.as_bytes());
        prop_assert_eq!(clean(&once), once);
    }
}
