//! Texts that look like secrets.

/// Generates characters from a seed, so that this repository contains no text that looks like a secret.
pub(crate) fn made(length: usize, mut seed: u64) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        char::from(ALPHABET[(seed >> 33) as usize % ALPHABET.len()])
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn token() -> String {
    format!("ghp_{}", made(36, 0x2545_f491_4f6c_dd1d))
}
