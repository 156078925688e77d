//! What the fuzz targets share: one input read whole and in pieces, which must come to the same.

use porthole_core::{
    decode::{Decoder, Error, MIN_OUTPUT},
    limits::Limits,
    media_type::Compression,
    tar::{Entry, EntrySink, Flow},
};

/// Limits small enough that an input shows quickly what it would do without end.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.unpacked_bytes = 2 << 20;
    limits.window_bytes = 8 << 20;
    limits.entries = 10_000;
    limits
}

/// The input's pieces; their lengths follow from its own bytes.
pub fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
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

/// What a stream unpacks to, and whether it may end there. More than a few MiB are counted, not kept.
pub fn unpack<'d>(
    compression: Compression,
    pieces: impl Iterator<Item = &'d [u8]>,
) -> (u64, Vec<u8>, Result<(), Error>) {
    let mut decoder = Decoder::new(compression, &limits());
    let mut buffer = vec![0; MIN_OUTPUT];
    let mut head = Vec::new();
    for mut piece in pieces {
        loop {
            let step = match decoder.decode(piece, &mut buffer) {
                Ok(step) => step,
                Err(error) => return (decoder.written(), head, Err(error)),
            };
            if head.len() < 4 << 20 {
                head.extend_from_slice(&buffer[..step.written]);
            }
            piece = &piece[step.read..];
            if step.starved {
                assert!(piece.is_empty(), "a starved decoder leaves no input");
                break;
            }
        }
    }
    let verdict = decoder.finish();
    (decoder.written(), head, verdict)
}

/// Everything that a sink is given, in a form that can be compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Length and sum of each entry's data, and whether it was complete.
    pub data: Vec<(u64, u64, bool)>,
}

impl EntrySink for Record {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.entries.push(entry);
        self.data.push((0, 0, false));
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        let Some((length, sum, _)) = self.data.last_mut() else { return Flow::Stop };
        *length += bytes.len() as u64;
        *sum = bytes.iter().fold(*sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        if let Some((_, _, complete)) = self.data.last_mut() {
            *complete = true;
        }
    }
}
