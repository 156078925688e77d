//! Compressed streams give the same verdict as Go's gzip and zstd readers, in every split. Also runs as wasm.

use std::io::Write;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::{
    decode::{BlockEnd, Checkpoint, Decoder, Error, GzipPart, MIN_OUTPUT},
    digest::Digest,
    limits::Limits,
    media_type::Compression,
};
use porthole_testkit::chunks::{SPLITS, Split, next};
use wasm_bindgen_test::wasm_bindgen_test;

struct Outcome {
    unpacked: Vec<u8>,
    verdict: Result<(), Error>,
    checkpoints: Vec<Checkpoint>,
}

fn decode(compression: Compression, bytes: &[u8], split: Split) -> Outcome {
    let mut decoder = Decoder::new(compression, &Limits::default());
    let mut buffer = vec![0; MIN_OUTPUT];
    let mut outcome = Outcome { unpacked: Vec::new(), verdict: Ok(()), checkpoints: Vec::new() };
    for mut piece in split.of(bytes) {
        loop {
            match decoder.decode(piece, &mut buffer) {
                Ok(step) => {
                    piece = &piece[step.read..];
                    outcome.unpacked.extend_from_slice(&buffer[..step.written]);
                    outcome.checkpoints.extend(decoder.take_checkpoint());
                    if step.starved {
                        assert!(piece.is_empty(), "a starved decoder leaves no input");
                        break;
                    }
                }
                Err(error) => {
                    outcome.verdict = Err(error);
                    return outcome;
                }
            }
        }
    }
    assert_eq!(decoder.written(), outcome.unpacked.len() as u64);
    outcome.verdict = decoder.finish();
    outcome
}

/// `LENGTH:first hex digits of the SHA-256`, as in the vectors.
fn summary(bytes: &[u8]) -> String {
    format!("{}:{}", bytes.len(), &Digest::sha256(bytes).hex()[..12])
}

#[wasm_bindgen_test(unsupported = test)]
fn every_row_of_the_vectors() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in include_str!("vectors/streams.jsonl").lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row is JSON");
        let name = row["name"].as_str().expect("a row has a name");
        let bytes = STANDARD.decode(row["data_b64"].as_str().expect("a row has data")).expect("data is base64");
        for (compression, key) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
            let expected = row[key].as_str().expect("a row has both verdicts");
            for split in SPLITS {
                let Outcome { unpacked, verdict, .. } = decode(compression, &bytes, split);
                rows += 1;
                let agrees = match (expected.strip_prefix("ok "), &verdict) {
                    (Some(expected), Ok(())) => summary(&unpacked) == expected,
                    (None, Err(_)) => match expected.rsplit_once(" after ") {
                        // The amount of output before a fault inside a member depends on the reader's buffers.
                        Some((_, after)) if !name.contains("truncated") => summary(&unpacked) == after,
                        _ => true,
                    },
                    _ => false,
                };
                if !agrees {
                    wrong.push(format!(
                        "{name} as {key}, {split:?}: expected {expected}, got {verdict:?} after {}",
                        summary(&unpacked)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {rows} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(rows, 32 * 2 * 3);
}

/// A gzip member of one stored block, with these flags and header fields.
fn member(flags: u8, fields: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
    bytes.extend_from_slice(fields);
    let length = u16::try_from(data.len()).expect("one stored block");
    bytes.push(1);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&(!length).to_le_bytes());
    bytes.extend_from_slice(data);
    let mut crc = flate2::Crc::new();
    crc.update(data);
    bytes.extend_from_slice(&crc.sum().to_le_bytes());
    bytes.extend_from_slice(&u32::from(length).to_le_bytes());
    bytes
}

#[wasm_bindgen_test(unsupported = test)]
fn every_field_of_a_gzip_header() {
    let all = b"\x03\0abcname\0comment\0";
    let mut crc = flate2::Crc::new();
    crc.update(&[0x1f, 0x8b, 8, 0b1_1110, 0, 0, 0, 0, 0, 255]);
    crc.update(all);
    let checksum = (crc.sum() as u16).to_le_bytes();
    let name = |length: usize| [vec![b'n'; length], vec![0]].concat();
    let header = |part| Err(Error::GzipHeader { offset: 0, part });
    let cases = [
        (member(0b1_1110, &[all.as_slice(), &checksum].concat(), b"data"), Ok(())),
        (
            member(0b1_1110, &[all.as_slice(), &[checksum[0], !checksum[1]]].concat(), b"data"),
            header(GzipPart::Checksum),
        ),
        (member(0b0_1000, &name(511), b"data"), Ok(())),
        (member(0b0_1000, &name(512), b"data"), header(GzipPart::Name)),
        (member(0b1_0000, &name(511), b"data"), Ok(())),
        (member(0b1_0000, &name(512), b"data"), header(GzipPart::Comment)),
        (member(0b0_0001, b"", b"data"), Ok(())),
        (member(0b10_0000, b"", b"data"), header(GzipPart::Reserved)),
        (member(0b1000_0000, b"", b"data"), header(GzipPart::Reserved)),
    ];
    for (bytes, verdict) in cases {
        for split in SPLITS {
            let outcome = decode(Compression::Gzip, &bytes, split);
            assert_eq!(outcome.verdict, verdict, "{split:?}");
            if verdict.is_ok() {
                assert_eq!(outcome.unpacked, b"data");
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_member_starts_where_the_last_one_ended() {
    let first = member(0, b"", b"one");
    let bytes = [first.as_slice(), &member(0, b"", b""), &member(0, b"", b"two")].concat();
    for split in SPLITS {
        let outcome = decode(Compression::Gzip, &bytes, split);
        assert_eq!((outcome.unpacked.as_slice(), &outcome.verdict), (b"onetwo".as_slice(), &Ok(())));
        let places: Vec<_> = outcome.checkpoints.iter().map(|at| (at.compressed, at.uncompressed)).collect();
        let length = first.len() as u64;
        assert_eq!(places, [(length, 3), (2 * length - 3, 3), (3 * length - 3, 6)]);
    }
    let garbage = [first.as_slice(), b"not a member"].concat();
    let outcome = decode(Compression::Gzip, &garbage, Split::Whole);
    let error = Error::GzipHeader { offset: first.len() as u64, part: GzipPart::Magic };
    assert_eq!((outcome.unpacked.as_slice(), outcome.verdict), (b"one".as_slice(), Err(error)));
}

/// A zstd frame with this header (without magic number) and raw blocks with these contents.
fn frame(header: &[u8], blocks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd];
    bytes.extend_from_slice(header);
    for (number, block) in blocks.iter().enumerate() {
        let last = u32::from(number + 1 == blocks.len());
        let length = u32::try_from(block.len()).expect("a block");
        bytes.extend_from_slice(&(length << 3 | last).to_le_bytes()[..3]);
        bytes.extend_from_slice(block);
    }
    bytes
}

#[wasm_bindgen_test(unsupported = test)]
fn fields_of_a_zstd_frame_are_checked() {
    let window = 0x50; // 1 MiB
    let too_large = Error::ZstdWindow { requested: 256 << 20, limit: 128 << 20 };
    let cases = [
        (frame(&[0, window], &[b"one", b"two"]), Ok(())),
        (frame(&[0x20, 6], &[b"one", b"two"]), Ok(())),
        (frame(&[0x20, 7], &[b"one", b"two"]), Err(Error::ZstdSize { offset: 0, expected: 7, got: 6 })),
        (frame(&[0x20, 5], &[b"one", b"two"]), Err(Error::ZstdSize { offset: 0, expected: 5, got: 6 })),
        (frame(&[1, window, 0], &[b"one", b"two"]), Ok(())),
        (frame(&[1, window, 9], &[b"one", b"two"]), Err(Error::ZstdDictionary { id: 9 })),
        (frame(&[3, window, 1, 0, 0, 1], &[b"one"]), Err(Error::ZstdDictionary { id: 0x0100_0001 })),
        (frame(&[8, window], &[b"one"]), Err(Error::ZstdReserved { offset: 0 })),
        (frame(&[0x80, 0x90, 0, 0, 0, 0x10], &[b"one"]), Err(too_large)),
        (frame(&[0, 0x90], &[b"one", b"two"]), Ok(())),
    ];
    for (bytes, verdict) in cases {
        for split in SPLITS {
            let outcome = decode(Compression::Zstd, &bytes, split);
            assert_eq!(outcome.verdict, verdict, "{split:?}");
            if verdict.is_ok() {
                assert_eq!(outcome.unpacked, b"onetwo");
            }
        }
    }
    let mut limits = Limits::default();
    limits.window_bytes = 1 << 30;
    let mut decoder = Decoder::new(Compression::Zstd, &limits);
    let mut buffer = vec![0; MIN_OUTPUT];
    assert!(decoder.decode(&frame(&[0, 0x90], &[b"one"]), &mut buffer).is_ok(), "256 MiB, with the limit raised");
    let mut decoder = Decoder::new(Compression::Zstd, &limits);
    let refused = Err(Error::ZstdWindow { requested: 1 << 30, limit: 512 << 20 });
    assert_eq!(decoder.decode(&frame(&[0, 0xa0], &[b"one"]), &mut buffer), refused);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_limit_is_reported_before_a_later_fault() {
    let mut bytes = member(0, b"", &[b'x'; 200]);
    bytes.truncate(bytes.len() - 8);
    bytes[10] = 0; // Clear the last-block bit; a block of the reserved type follows.
    bytes.push(7);
    for (unpacked_bytes, verdict) in
        [(100, Error::TooLarge { limit: 100 }), (1000, Error::Deflate { offset: bytes.len() as u64 })]
    {
        for split in SPLITS {
            let mut limits = Limits::default();
            limits.unpacked_bytes = unpacked_bytes;
            let mut decoder = Decoder::new(Compression::Gzip, &limits);
            let mut buffer = vec![0; MIN_OUTPUT];
            let fault = split.of(&bytes).find_map(|mut piece| {
                loop {
                    match decoder.decode(piece, &mut buffer) {
                        Ok(step) if step.starved => return None,
                        Ok(step) => piece = &piece[step.read..],
                        Err(error) => return Some(error),
                    }
                }
            });
            assert_eq!(fault, Some(verdict.clone()), "{split:?}");
        }
    }
}

/// Decodes the rest of a stream. Returns the output and the block ends found.
fn rest(mut decoder: Decoder, bytes: &[u8], split: Split) -> (Vec<u8>, Vec<BlockEnd>) {
    let mut buffer = vec![0; MIN_OUTPUT];
    let (mut unpacked, mut blocks) = (Vec::new(), Vec::new());
    for mut piece in split.of(bytes) {
        loop {
            let step = decoder.decode(piece, &mut buffer).expect("a valid stream");
            piece = &piece[step.read..];
            unpacked.extend_from_slice(&buffer[..step.written]);
            blocks.extend(decoder.take_block());
            if step.starved {
                break;
            }
        }
    }
    decoder.finish().expect("a whole stream");
    (unpacked, blocks)
}

#[wasm_bindgen_test(unsupported = test)]
fn gzip_resumes_after_a_block() {
    let mut seed = 1;
    let data: Vec<u8> =
        (0..500_000).map(|n| if next(&mut seed).is_multiple_of(2) { (n / 9) as u8 } else { seed as u8 }).collect();
    for level in [0, 1, 6, 9] {
        let mut bytes = Vec::new();
        // The second member starts within a split of the first, at no block end of its own.
        for part in [&data[..300_001], &data[300_001..]] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
            for piece in part.chunks(30_000) {
                encoder.write_all(piece).expect("an encoder in memory");
                if level == 1 {
                    encoder.flush().expect("an encoder in memory");
                }
            }
            bytes.extend(encoder.finish().expect("an encoder in memory"));
        }
        for split in SPLITS {
            let mut decoder = Decoder::new(Compression::Gzip, &Limits::default());
            decoder.find_blocks(80_000);
            let (unpacked, blocks) = rest(decoder, &bytes, split);
            assert!(unpacked == data, "level {level}, {split:?}");
            assert!(blocks.len() >= 4, "level {level}, {split:?}: {} blocks", blocks.len());
            for block in blocks {
                let (compressed, uncompressed) = (block.at.compressed as usize, block.at.uncompressed as usize);
                assert!(data[..uncompressed].ends_with(&block.window));
                let decoder = Decoder::resume_block(&block, &Limits::default());
                let (unpacked, _) = rest(decoder, &bytes[compressed..], Split::Random { seed: 2, most: 9000 });
                assert!(unpacked == data[uncompressed..], "level {level}, {split:?} from {:?}", block.at);
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn empty_blocks_are_not_resume_points() {
    // Stored blocks: many empty ones between blocks of a thousand bytes.
    let mut deflate = Vec::new();
    for _ in 0..200 {
        deflate.extend([[0, 0, 0, 0xff, 0xff]; 100].concat());
        deflate.extend([0, 0xe8, 3, 0x17, 0xfc]);
        deflate.extend([b'x'; 1000]);
    }
    let data = vec![b'x'; 200_000];
    let mut bytes = member(0, b"", b"");
    bytes.truncate(10);
    bytes.extend(deflate);
    bytes.extend([1, 0, 0, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&data);
    bytes.extend([crc.sum().to_le_bytes(), 200_000u32.to_le_bytes()].concat());
    let mut decoder = Decoder::new(Compression::Gzip, &Limits::default());
    // A quarter of this near the start.
    decoder.find_blocks(200_000);
    let (unpacked, blocks) = rest(decoder, &bytes, Split::Whole);
    assert!(unpacked == data);
    assert_eq!(blocks.len(), 3);
}
