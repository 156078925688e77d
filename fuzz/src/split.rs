//! Splits an input, and limits for it.

use porthole_core::limits::Limits;

/// Limits small enough that endless output is detected quickly.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.unpacked_bytes = 512 << 10;
    limits.window_bytes = 1 << 20;
    limits.entries = 10_000;
    limits
}

/// Splits the input. The lengths are taken from its own bytes.
pub(crate) fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    let mut state =
        data.iter().fold(data.len() as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let most = [1, 7, 300, 5000][(state >> 33) as usize % 4];
        let length = 1 + (state >> 40) as usize % most;
        let (piece, tail) = rest.split_at_checked(length.min(rest.len()))?;
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}
