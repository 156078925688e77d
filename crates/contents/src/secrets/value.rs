//! A secret that is not shown by accident.

use std::fmt;

/// A secret. `Debug` and `Display` show it masked.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Vec<u8>);

/// Shorter secrets are masked whole.
const SHOWN_FROM: usize = 20;
/// Bytes of a longer one that are shown: usually the prefix that names its kind.
const SHOWN: usize = 4;

impl SecretValue {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The secret itself, to show on the request of the user.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.iter().all(u8::is_ascii_graphic);
        let shown = self.0.get(..SHOWN).filter(|_| plain && self.0.len() >= SHOWN_FROM).unwrap_or_default();
        write!(f, "{}******** ({} bytes)", String::from_utf8_lossy(shown), self.0.len())
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
