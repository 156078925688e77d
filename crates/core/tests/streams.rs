//! Compressed streams give the verdict that Go's gzip and zstd readers give, in every split, natively and in wasm.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::{
    decode::{Checkpoint, Decoder, Error, MIN_OUTPUT},
    digest::Digest,
    limits::Limits,
    media_type::Compression,
};
use porthole_testkit::chunks::{SPLITS, Split};
#[cfg(target_family = "wasm")]
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

/// `LENGTH:first hex digits of the SHA-256`, as the vectors have it.
fn summary(bytes: &[u8]) -> String {
    format!("{}:{}", bytes.len(), &Digest::sha256(bytes).hex()[..12])
}

#[cfg_attr(target_family = "wasm", wasm_bindgen_test)]
#[cfg_attr(not(target_family = "wasm"), test)]
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
                        // How much comes out before a fault inside a member depends on the reader's buffers.
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
