//! A blob whose transfer breaks, or that arrives as something else, has the same outcome in a client and in a layer worker.

use crate::stage::*;
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Classify, FailureClass},
    media_type::MediaType,
};
use porthole_registry::{Options, Registry, client::RemoteImage, transport::ErrorKind};
use porthole_source::ImageSource;
use porthole_testkit::{
    executor::block_on,
    image::Blob,
    registry::{Fault, Internet},
};

/// The result of reading the blob: its bytes, or the class and the words of the failure.
#[derive(Debug, PartialEq)]
enum Outcome {
    Read(Vec<u8>),
    Failed(FailureClass, String),
}

/// The outcome, and the `Range` headers of the requests.
type Reading = (Outcome, Vec<Option<String>>);

fn internet(faults: &[(u32, Fault)]) -> (Internet, Blob) {
    let (internet, blob) = (registry(content()), built().layers[0].blob.clone());
    for (times, fault) in faults {
        internet.fault(&blob.digest, *times, fault.clone());
    }
    internet.as_platform();
    (internet, blob)
}

fn ranges(internet: &Internet, blob: &Blob) -> Vec<Option<String>> {
    let log = internet.log();
    let asked = log.iter().filter(|asked| asked.url.ends_with(&blob.digest));
    asked.map(|asked| Some(asked.headers.get("range")?.to_str().ok()?.to_owned())).collect()
}

fn by_a_client(faults: &[(u32, Fault)]) -> Reading {
    let (internet, blob) = internet(faults);
    let client = Registry::new(internet.clone(), Options::default());
    let source = RemoteImage::new(&client, REFERENCE.parse().expect("a reference"));
    let size = blob.bytes.len() as u64;
    let descriptor = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256(&blob.bytes), size);
    let read = block_on(async {
        let mut stream = source.open_blob(&descriptor, 0..size).await?;
        let (mut bytes, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match stream.read(&mut buffer).await? {
                0 => return Ok::<_, porthole_registry::Error>(bytes),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    });
    let outcome = match read {
        Ok(bytes) => Outcome::Read(bytes),
        Err(error) => Outcome::Failed(error.kind(), error.to_string()),
    };
    (outcome, ranges(&internet, &blob))
}

fn by_a_worker(faults: &[(u32, Fault)]) -> Reading {
    let (internet, blob) = internet(faults);
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let failure = stage.state.layer_failures.get(&0);
    // What the reader finds in the bytes begins with other words.
    let unread = failure.and_then(|failure| Some((failure.kind, failure.text.strip_prefix("layer 1: ")?)));
    let outcome = match unread {
        Some((kind, text)) => Outcome::Failed(kind, text.to_owned()),
        // The worker keeps no bytes; its reader counts them.
        None => Outcome::Read(blob.bytes[..stage.state.layers[0].compressed as usize].to_vec()),
    };
    (outcome, ranges(&internet, &blob))
}

#[test]
fn a_client_and_a_worker_read_a_blob_over_the_same_breaks() {
    use FailureClass::{Malformed, Network, NotFound, Protocol, RateLimit};
    let always = u32::MAX;
    let page = b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>".to_vec();
    let answer = |status, headers: &[(&'static str, &str)], body: &[u8]| Fault::Answer {
        status,
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        body: body.to_vec(),
    };
    let other = answer(206, &[("content-range", "bytes 40-49/50")], &[0; 10]);
    // The faults of the requests in order; `None` = the blob is read to the end that the registry gives it.
    let rows = [
        ("nothing breaks", vec![], None, 1),
        ("a reset", vec![(1, Fault::ResetAfter(50))], None, 2),
        ("several resets", vec![(1, Fault::ResetAfter(50)), (2, Fault::ResetAfter(0))], None, 4),
        ("a reset behind the last byte", vec![(1, Fault::ResetAfter(blob_size()))], None, 1),
        ("resets without end", vec![(always, Fault::ResetAfter(0))], Some(Network), 5),
        ("a quiet end", vec![(1, Fault::EndAfter(50))], None, 2),
        ("an empty answer", vec![(1, Fault::EndAfter(0))], None, 2),
        ("quiet ends without end", vec![(1, Fault::EndAfter(50)), (always, Fault::EndAfter(0))], None, 2),
        ("a quiet end, then 416", vec![(1, Fault::EndAfter(50)), (1, Fault::Status(416))], None, 3),
        ("a quiet end, then 416 again", vec![(1, Fault::EndAfter(50)), (always, Fault::Status(416))], None, 3),
        (
            "a quiet end, then no network",
            vec![(1, Fault::EndAfter(50)), (always, Fault::NoAnswer(ErrorKind::Tls))],
            Some(Network),
            2,
        ),
        ("a reset, then no ranges", vec![(1, Fault::ResetAfter(50)), (1, Fault::IgnoreRange)], None, 2),
        ("a reset, then another range", vec![(1, Fault::ResetAfter(50)), (1, other.clone())], None, 3),
        ("a reset, then only other ranges", vec![(1, Fault::ResetAfter(50)), (always, other)], Some(Protocol), 3),
        ("a reset, then only 416", vec![(1, Fault::ResetAfter(50)), (always, Fault::Status(416))], Some(Malformed), 3),
        ("busy for a while", vec![(2, answer(429, &[("retry-after", "9")], b""))], None, 3),
        ("busy for too long", vec![(always, answer(429, &[("retry-after", "61")], b""))], Some(RateLimit), 1),
        ("unavailable for a while", vec![(3, Fault::Status(503))], None, 4),
        ("unavailable", vec![(always, Fault::Status(503))], Some(Protocol), 5),
        ("absent", vec![(always, Fault::Status(404))], Some(NotFound), 1),
        ("a page", vec![(always, answer(200, &[("content-type", "text/html")], &page))], Some(Protocol), 1),
        ("a page without a type", vec![(always, answer(200, &[], &page))], Some(Protocol), 1),
    ];
    for (name, faults, expected, requests) in rows {
        let (client, worker) = (by_a_client(&faults), by_a_worker(&faults));
        let class = match &client.0 {
            Outcome::Read(_) => None,
            Outcome::Failed(class, _) => Some(*class),
        };
        assert_eq!((class, client.1.len()), (expected, requests), "{name}: {client:?}");
        assert_eq!(client, worker, "{name}");
    }
}

fn blob_size() -> usize {
    built().layers[0].blob.bytes.len()
}
