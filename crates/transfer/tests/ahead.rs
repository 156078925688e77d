//! Large blobs of a registry that are read in order, over sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_native::Native;
use porthole_registry::{Options, Registry, client::RemoteImage};
use porthole_source::{BlobStream, ImageSource};
use porthole_testkit::{
    image::{Blob, Content},
    registry::{Fault, Internet, Site, Socket},
};
use porthole_transfer::{Source, ahead::Remote, source::Error};
use std::{net::TcpListener, sync::Arc, time::Duration};

const MIB: usize = 1 << 20;

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

/// A registry with one blob; its descriptor may promise another size.
struct Setting {
    internet: Internet,
    _socket: Socket,
    source: Source,
    blob: Descriptor,
}

/// A registry that counts as far.
fn serve(bytes: &[u8], promised: usize) -> Setting {
    serve_at(Duration::ZERO, bytes, promised)
}

/// A registry that is near if it answers within a time.
fn serve_at(near: Duration, bytes: &[u8], promised: usize) -> Setting {
    let internet = Internet::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let mut content = Content::default();
    content.add_blob(Blob::new(MediaType::OCI_LAYER.as_str(), bytes.to_vec()));
    internet.site(&authority, Site::new().repository("a/b", content));
    let socket = Socket::serve(listener, &internet).unwrap();
    let client = Registry::new(Native::new(porthole_native::Options::default()).unwrap(), Options::default());
    let reference = format!("{authority}/a/b:1").parse().unwrap();
    let source = Source::Registry(Remote::from(RemoteImage::new(Arc::new(client), reference)).with_near(near));
    let blob = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(bytes), promised as u64);
    Setting { internet, _socket: socket, source, blob }
}

impl Setting {
    async fn read(&self) -> Result<(Vec<u8>, u64), Error> {
        let mut blob = self.source.open_blob(&self.blob, 0..self.blob.size).await?;
        let (mut all, mut buffer) = (Vec::new(), vec![0; 100_000]);
        loop {
            match blob.read(&mut buffer).await? {
                0 => return Ok((all, blob.overhead())),
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
    }

    /// The ranges that were asked for, in order of their starts.
    fn ranges(&self) -> Vec<Option<(usize, usize)>> {
        let range = |header: &str| {
            let (start, last) = header.strip_prefix("bytes=")?.split_once('-')?;
            Some((start.parse().ok()?, last.parse::<usize>().ok()? + 1))
        };
        let log = self.internet.log();
        let mut ranges: Vec<_> = log.iter().map(|asked| range(asked.headers.get("range")?.to_str().ok()?)).collect();
        ranges.sort();
        ranges
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_blob_comes_in_ranges_and_each_byte_once() {
    let bytes = noise(20 * MIB + 1);
    let setting = serve(&bytes, bytes.len());
    let (read, overhead) = setting.read().await.unwrap();
    assert!(read == bytes, "in order");
    assert_eq!(overhead, 0);
    let expected = [0, 4, 8, 12, 16, 20].map(|start| (start * MIB, (start * MIB + 4 * MIB).min(20 * MIB + 1)));
    assert_eq!(setting.ranges(), expected.map(Some));
}

/// On one machine, ranges made a list slower: the registry and the reader share its processors.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_near_sends_the_rest_at_once() {
    let bytes = noise(20 * MIB + 1);
    let setting = serve_at(Duration::MAX, &bytes, bytes.len());
    let (read, overhead) = setting.read().await.unwrap();
    assert!(read == bytes, "in order");
    assert_eq!(overhead, 0);
    let first = [(0, 4 * MIB), (4 * MIB, 20 * MIB + 1)].map(Some);
    assert_eq!(setting.ranges(), first);
    assert!(setting.read().await.unwrap().0 == bytes);
    assert_eq!(setting.ranges(), [None, first[0], first[1]], "it is known to be near");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_near_may_stop_sending_ranges() {
    let bytes = noise(20 * MIB);
    let setting = serve_at(Duration::MAX, &bytes, bytes.len());
    let mut blob = setting.source.open_blob(&setting.blob, 0..setting.blob.size).await.unwrap();
    let (mut all, mut buffer) = (Vec::new(), vec![0; MIB]);
    let mut read = blob.read(&mut buffer).await.unwrap();
    setting.internet.fault("/blobs/", u32::MAX, Fault::IgnoreRange);
    while read > 0 {
        all.extend_from_slice(&buffer[..read]);
        read = blob.read(&mut buffer).await.unwrap();
    }
    assert!(all == bytes);
    assert_eq!(blob.overhead(), 4 * MIB as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_not_large_comes_by_one_request() {
    let bytes = noise(16 * MIB);
    let setting = serve(&bytes, bytes.len());
    assert!(setting.read().await.unwrap().0 == bytes);
    assert_eq!(setting.ranges(), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_ignores_ranges_sends_the_blob_once() {
    let bytes = noise(20 * MIB);
    let setting = serve(&bytes, bytes.len());
    setting.internet.fault("/blobs/", u32::MAX, Fault::IgnoreRange);
    assert!(setting.read().await.unwrap().0 == bytes);
    assert_eq!(setting.internet.count("/blobs/"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_stops_sending_ranges_is_asked_for_no_further_one() {
    let bytes = noise(44 * MIB);
    let setting = serve(&bytes, bytes.len());
    setting.internet.fault("/blobs/", 1, Fault::Slow(0)).fault("/blobs/", u32::MAX, Fault::IgnoreRange);
    assert!(setting.read().await.unwrap().0 == bytes);
    let ranges = setting.ranges();
    assert_eq!(ranges.len(), 8, "the first one, six ahead, and one for all of the rest: {ranges:?}");
    assert_eq!(ranges[7], Some((28 * MIB, 44 * MIB)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_is_asked_for_from_the_byte_that_was_reached() {
    let bytes = noise(20 * MIB);
    let setting = serve(&bytes, bytes.len());
    setting.internet.fault("/blobs/", 2, Fault::ResetAfter(3 * MIB));
    assert!(setting.read().await.unwrap().0 == bytes);
    let ranges: Vec<_> = setting.ranges().into_iter().flatten().collect();
    assert_eq!(ranges.len(), 7, "{ranges:?}");
    let again = ranges.iter().filter(|(start, _)| start % (4 * MIB) != 0);
    assert!(again.clone().count() == 2 && again.clone().all(|(start, _)| start % MIB == 0), "{ranges:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_ranges_are_under_way_however_large_the_blob() {
    let bytes = noise(48 * MIB);
    let setting = serve(&bytes, bytes.len());
    let mut one = setting.source.open_blob(&setting.blob, 0..setting.blob.size).await.unwrap();
    let mut other = setting.source.open_blob(&setting.blob, 0..setting.blob.size).await.unwrap();
    let mut buffer = vec![0; MIB];
    for _ in 0..16 {
        assert!(one.read(&mut buffer).await.unwrap() > 0);
        assert!(other.read(&mut buffer).await.unwrap() > 0);
    }
    let asked = setting.internet.count("/blobs/");
    assert!(asked <= 8, "{asked}: six ahead, and what is read of two blobs");
}

/// The reader compares sizes, and says how they differ.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_of_another_size_is_read_to_its_end() {
    let bytes = noise(20 * MIB);
    for near in [Duration::ZERO, Duration::MAX] {
        for promised in [bytes.len() - 1, bytes.len() + 1, 9 * MIB] {
            let setting = serve_at(near, &bytes, promised);
            assert!(setting.read().await.unwrap().0 == bytes, "{promised}");
        }
    }
}
