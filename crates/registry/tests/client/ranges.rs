//! Ranges of blobs, from registries that heed them, ignore them, lie about them and break off.

use crate::{HOST, REALM, client, documents::read_all, private, tagged, with_password};
use porthole_core::failure::{Classify, FailureClass};
use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_registry::{Error, Options, Registry, client::Met, policy::Url, transport::ErrorKind};
use porthole_testkit::{
    executor::block_on,
    image::{Blob, Compression, Content},
    registry::{Fault, Internet, Site},
};
use proptest::prelude::*;
use std::ops::Range;

const SIZE: u64 = 100_000;

fn bytes() -> Vec<u8> {
    (0..SIZE as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn blob() -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256(&bytes()), SIZE)
}

fn serving() -> Internet {
    let mut content = Content::default();
    content.add_blob(Blob::new(MediaType::OCI_LAYER_GZIP.as_str(), bytes()));
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content));
    internet
}

/// What is read of a range, and how many bytes of bodies that took.
fn read(registry: &Registry<Internet>, range: Range<u64>) -> Result<(Vec<u8>, u64), Error> {
    block_on(async {
        let mut blob = registry.fetch_blob_range(&tagged(), &blob(), range).await?;
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        loop {
            match blob.read(&mut buffer).await? {
                0 => return Ok((all, blob.received())),
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
    })
}

fn slice(range: Range<u64>) -> Vec<u8> {
    bytes()[range.start as usize..range.end as usize].to_vec()
}

fn ranges(internet: &Internet) -> Vec<String> {
    internet.log().iter().map(|asked| asked.headers["range"].to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_range_costs_what_it_holds() {
    for most in [1, 999, 1 << 20] {
        let internet = serving();
        internet.pieces(most);
        for range in [0..1, 0..SIZE, 5000..7001, SIZE - 1..SIZE, 40_000..40_000] {
            let length = range.end - range.start;
            assert_eq!(read(&client(&internet), range.clone()).unwrap(), (slice(range), length));
        }
        assert_eq!(ranges(&internet), ["bytes=0-0", "bytes=0-99999", "bytes=5000-7000", "bytes=99999-99999"]);
    }
}

#[test]
fn a_registry_that_ignores_ranges_is_read_no_further_than_needed() {
    for most in [1, 999, 7001, 1 << 20] {
        let internet = serving();
        internet.pieces(most).fault("/blobs/", 1, Fault::IgnoreRange);
        let (read, received) = read(&client(&internet), 5000..7001).unwrap();
        assert_eq!(read, slice(5000..7001));
        assert!((7001..8001).contains(&received), "{received}");
    }
}

/// If another request takes over the end of a range, the request after a break does not ask for that end.
#[test]
fn a_range_that_was_shortened_is_repeated_to_its_new_end() {
    let internet = serving();
    internet.pieces(500).fault("/blobs/", 1, Fault::ResetAfter(2000));
    let registry = client(&internet);
    let mut all = Vec::new();
    block_on(async {
        let mut blob = registry.fetch_blob_range(&tagged(), &blob(), 5000..50_000).await.unwrap();
        let mut buffer = [0; 1000];
        loop {
            match blob.read(&mut buffer).await.unwrap() {
                0 => break,
                read => all.extend_from_slice(&buffer[..read]),
            }
            blob.end_at(9000);
        }
        assert!(blob.received() <= 4500, "{}", blob.received());
        // What was given cannot be taken back, and a range does not grow.
        blob.end_at(0);
        blob.end_at(SIZE);
        assert_eq!(blob.read(&mut buffer).await.unwrap(), 0);
    });
    assert_eq!(all, slice(5000..9000));
    assert_eq!(ranges(&internet), ["bytes=5000-49999", "bytes=7000-8999"]);
}

#[test]
fn the_end_of_a_range_moves_forward_where_the_whole_blob_comes() {
    let internet = serving();
    internet.fault("/blobs/", 1, Fault::IgnoreRange);
    let registry = client(&internet);
    block_on(async {
        let mut blob = registry.fetch_blob_range(&tagged(), &blob(), 5000..6000).await.unwrap();
        blob.end_at(SIZE + 1);
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match blob.read(&mut buffer).await.unwrap() {
                0 => break,
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
        assert!(all == slice(5000..SIZE));
    });
}

#[test]
fn a_registry_that_ignores_ranges_is_found_out() {
    let internet = serving();
    let registry = client(&internet);
    let ignored = |range| block_on(registry.fetch_blob_range(&tagged(), &blob(), range)).unwrap().is_whole_blob();
    assert!(!ignored(0..10));
    internet.fault("/blobs/", 2, Fault::IgnoreRange);
    assert!(ignored(0..10));
    assert!(!ignored(0..SIZE), "who wants all of it gets what was asked for");
}

/// The host to which a redirect led for one part is asked directly for the next one, until it refuses.
#[test]
fn the_place_of_a_blob_is_remembered() {
    let internet = serving();
    internet.alias("cdn.example.net", HOST);
    let digest = blob().digest;
    let redirect = || Fault::Redirect(format!("https://cdn.example.net/v2/a/b/blobs/{digest}?sig=1"));
    internet.fault("r.example.com/v2/a/b/blobs/", 99, redirect());
    let registry = client(&internet);
    let hosts = |from: usize| -> String {
        let log = internet.log();
        log[from..].iter().map(|asked| if asked.url.contains("cdn") { 'c' } else { 'r' }).collect()
    };
    let mut before = 0;
    let mut reads = |range: Range<u64>, asked: &str| {
        assert_eq!(read(&registry, range.clone()).unwrap(), (slice(range.clone()), range.end - range.start));
        assert_eq!(hosts(before), asked, "{range:?}");
        before = internet.log().len();
    };
    reads(5000..6000, "rc");
    reads(6000..7000, "c");
    // A read that starts again may have had wrong bytes from there.
    reads(0..10, "rc");
    internet.fault("cdn.example.net", 1, Fault::Status(403));
    reads(7000..8000, "crc");
    internet.fault("cdn.example.net", 1, Fault::NoAnswer(ErrorKind::Connect));
    reads(8000..9000, "crc");
    internet.fault("cdn.example.net", 1, Fault::ResetAfter(100));
    reads(9000..9500, "crc");
    assert!(internet.log().iter().all(|asked| asked.authorization().is_none()));
}

/// What saves round trips when the registry is used again.
#[test]
fn the_hosts_that_a_registry_leads_to_are_remembered() {
    let internet = private(REALM, None);
    let mut content = Content::default();
    content.add_blob(Blob::new(MediaType::OCI_LAYER_GZIP.as_str(), bytes()));
    internet.change(HOST, |site| *site = site.clone().repository("a/b", content));
    internet.alias("cdn.example.net", HOST);
    let registry = client(&internet);
    let origin = |text: &str| Some(Url::parse(text).unwrap().origin().clone());
    assert_eq!(registry.met(HOST), Met::default());
    let read = || {
        let read = block_on(registry.fetch_blob_range(&tagged(), &blob(), 5..10));
        assert!(read.is_ok(), "{:?}", read.err());
    };
    let place = format!("https://cdn.example.net/v2/a/b/blobs/{}?sig=1", blob().digest);
    read();
    assert_eq!(registry.met(HOST), Met { tokens: origin(REALM), blobs: None, sends_blobs: true });
    internet.fault("https://r.example.com/v2/a/b/blobs/", 1, Fault::Redirect(place));
    read();
    let led = Met { tokens: origin(REALM), blobs: origin("https://cdn.example.net"), sends_blobs: true };
    assert_eq!(registry.met(HOST), led);
    assert_eq!(registry.met("other.example.com"), Met::default());
    assert_eq!(registry.origin(&tagged()).ok(), origin("https://r.example.com"));
}

/// A foreign layer is read from the URLs of its descriptor if the registry lacks it: only where a redirect might lead, and without
/// credentials.
#[test]
fn a_foreign_layer_is_had_elsewhere() {
    let internet = private(REALM, None);
    let mut content = Content::default();
    content.add_blob(Blob::new(MediaType::OCI_LAYER_GZIP.as_str(), bytes()));
    internet.site("files.example.net", Site::new().repository("x/y", content));
    let path = format!("/v2/x/y/blobs/{}", blob().digest);
    let mut layer = blob();
    let hosts =
        ["http://files.example.net", "https://127.0.0.1", "https://nobody.example.net", "https://files.example.net"];
    layer.urls = hosts.iter().map(|host| format!("{host}{path}")).chain(["not a url".to_owned()]).collect();
    let registry = with_password(&internet, Options::default());
    let part = |layer: &Descriptor| {
        block_on(async {
            let mut part = registry.fetch_blob_range(&tagged(), layer, 5000..6000).await?;
            let mut buffer = [0; 1000];
            let mut read = 0;
            while read < buffer.len() {
                read += part.read(&mut buffer[read..]).await?;
            }
            Ok::<_, Error>(buffer.to_vec())
        })
    };
    assert!(matches!(part(&layer), Err(Error::NotFound { .. })), "it is no foreign layer");
    assert!(internet.log().iter().all(|asked| !asked.url.contains("example.net")));
    layer.media_type = MediaType::parse("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip").unwrap();
    let refused = part(&layer).unwrap_err();
    assert!(matches!(&refused, Error::Foreign { hosts, .. } if hosts.contains("files.example.net")), "{refused:?}");
    assert!(
        internet.log().iter().all(|asked| !asked.url.contains("example.net")),
        "no host is asked before it is allowed"
    );
    registry.allow_foreign();
    for _ in 0..2 {
        assert_eq!(part(&layer).unwrap(), slice(5000..6000));
    }
    let log = internet.log();
    let elsewhere: Vec<_> = log.iter().filter(|asked| !asked.url.contains("example.com")).collect();
    assert!(elsewhere.iter().all(|asked| asked.authorization().is_none() && !asked.url.contains("127.0.0.1")));
    assert!(elsewhere.iter().all(|asked| asked.url.starts_with("https://")));
    assert_eq!(elsewhere.last().unwrap().headers["range"], "bytes=5000-5999");
    layer.urls.truncate(3);
    assert_eq!(part(&layer).unwrap(), slice(5000..6000), "its place is remembered");
    layer.urls = vec![format!("https://files.example.net{path}")];
    let whole = block_on(registry.fetch_blob(&tagged(), &layer, 10)).unwrap();
    assert!(read_all(whole.into_body()).unwrap() == bytes()[10..], "as a stream as well");
    // Connections to the hosts of an image are not opened for the other images of its registry.
    assert_eq!(registry.met(HOST).blobs, None);
}

#[test]
fn a_blob_without_ranges_is_read_whole() {
    let internet = serving();
    internet.fault("/blobs/", 1, Fault::Status(416));
    let (bytes, received) = read(&client(&internet), 5000..7001).unwrap();
    assert_eq!((bytes, received > 7000), (slice(5000..7001), true));
    assert_eq!(internet.log()[1].headers.get("range"), None);
}

#[test]
fn a_length_beyond_the_descriptor_is_refused_before_it_is_read() {
    for (status, length) in [(200, SIZE + 1), (206, 2002)] {
        let internet = serving();
        if status == 200 {
            internet.fault("/blobs/", 1, Fault::IgnoreRange);
        }
        internet.fault("/blobs/", 1, Fault::Header("content-length", length.to_string()));
        let registry = client(&internet);
        if status == 200 {
            assert!(read(&registry, 5000..7001).is_ok());
            internet.fault("/blobs/", 1, Fault::Status(416));
            internet.fault("/blobs/", 1, Fault::Header("content-length", length.to_string()));
        }
        let error = read(&registry, 5000..7001).unwrap_err();
        assert_eq!(error.kind(), FailureClass::Malformed, "{error}");
    }
}

#[test]
fn a_token_that_ends_on_the_way_is_replaced() {
    let internet = private(REALM, None);
    let content = {
        let mut content = Content::default();
        content.add_blob(Blob::new(MediaType::OCI_LAYER_GZIP.as_str(), bytes()));
        content
    };
    internet.change(HOST, |site| *site.content_mut("a/b") = content);
    let registry = client(&internet);
    internet.pieces(1000).fault("/blobs/", 1, Fault::Slow(0));
    internet.fault("/blobs/", 1, Fault::ResetAfter(20_000));
    let refusal = vec![("www-authenticate", crate::bearer(REALM, HOST))];
    internet.fault("/blobs/", 1, Fault::Answer { status: 401, headers: refusal, body: Vec::new() });
    assert_eq!(read(&registry, 0..SIZE).unwrap().0, bytes());
    assert_eq!(internet.count("/token"), 2);
    assert_eq!(internet.log().last().unwrap().headers["range"], "bytes=20000-99999");
}

#[test]
fn a_range_that_breaks_off_goes_on_where_it_broke() {
    let internet = serving();
    internet
        .fault("/blobs/", 1, Fault::ResetAfter(100))
        .fault("/blobs/", 1, Fault::EndAfter(23))
        .fault("/blobs/", 1, Fault::ResetAfter(0))
        .fault("/blobs/", 1, Fault::Status(503));
    assert_eq!(read(&client(&internet), 5000..7001).unwrap(), (slice(5000..7001), 2001));
    let asked = ["bytes=5000-7000", "bytes=5100-7000", "bytes=5123-7000", "bytes=5123-7000", "bytes=5123-7000"];
    assert_eq!(ranges(&internet), asked);

    // Breaking off while skipping what stands before the range.
    let internet = serving();
    internet.fault("/blobs/", 1, Fault::IgnoreRange);
    internet.fault("/blobs/", 1, Fault::ResetAfter(4000));
    assert_eq!(read(&client(&internet), 5000..7001).unwrap().0, slice(5000..7001));
}

#[test]
fn a_range_that_never_comes_is_given_up() {
    for fault in [Fault::ResetAfter(0), Fault::EndAfter(0)] {
        let internet = serving();
        internet.fault("/blobs/", 99, fault);
        let error = read(&client(&internet), 5000..7001).unwrap_err();
        assert_eq!(error.kind(), FailureClass::Network, "{error}");
        assert!(internet.log().len() <= 10, "{}", internet.log().len());
    }
}

#[test]
fn a_blob_that_ends_before_its_size_is_not_called_a_broken_connection() {
    let internet = serving();
    internet.fault("/blobs/", 1, Fault::EndAfter(9));
    internet.fault("/blobs/", 99, Fault::EndAfter(0));
    let error = read(&client(&internet), 5000..7001).unwrap_err();
    assert!(matches!(&error, Error::OutOfRange { range, .. } if *range == (5009..7001)), "{error}");
    assert_eq!((error.kind(), internet.log().len()), (FailureClass::Malformed, 3));
}

#[test]
fn another_range_is_not_taken_and_the_whole_blob_is_asked_for() {
    let ranges = ["bytes 5000-6999/100000", "bytes 0-99999/100000", "bytes 5000-7000/100001", "bytes 7000-5000/*", "x"];
    let ranges = ranges.map(|range| ("content-range", range));
    for (name, value) in ranges.into_iter().chain([("content-type", "multipart/byteranges; boundary=x")]) {
        let internet = serving();
        internet.fault("/blobs/", 9, Fault::Header(name, value.to_owned()));
        assert_eq!(read(&client(&internet), 5000..7001).unwrap(), (slice(5000..7001), 7001), "{value}");
        let asked: Vec<_> = internet.log().iter().map(|asked| asked.headers.contains_key("range")).collect();
        assert_eq!(asked, [true, false]);

        let internet = serving();
        let answer = Fault::Answer { status: 206, headers: vec![(name, value.to_owned())], body: slice(5000..7001) };
        internet.fault("/blobs/", 9, answer);
        let error = read(&client(&internet), 5000..7001).unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error}");
        assert!(error.to_string().contains(value), "{error}");
        assert_eq!(internet.log().len(), 2);
    }
    // A page may not see the header: then the digests decide.
    let internet = serving();
    internet.fault("/blobs/", 1, Fault::NoHeader("content-range"));
    assert_eq!(read(&client(&internet), 5000..7001).unwrap().0, slice(5000..7001));
}

#[test]
fn an_unknown_coding_is_refused_by_name() {
    let internet = serving();
    internet.fault("/blobs/", 2, Fault::Header("content-encoding", "br".to_owned()));
    let error = read(&client(&internet), 5000..7001).unwrap_err().to_string();
    assert!(error.contains("got Content-Encoding `br`"), "{error}");
    internet.fault("/blobs/", 1, Fault::Header("content-encoding", "gzip".to_owned()));
    let fetched = block_on(client(&internet).fetch_blob(&tagged(), &blob(), 0)).map(drop);
    assert!(fetched.unwrap_err().to_string().contains("got Content-Encoding `gzip`"));
    let answer = |body: Vec<u8>| {
        let headers = vec![("content-encoding", "br".to_owned())];
        internet.fault("/blobs/", 1, Fault::Answer { status: 200, headers, body });
    };
    answer(vec![7; 50]);
    let error = read(&client(&internet), 0..SIZE).unwrap_err().to_string();
    assert!(error.contains("got Content-Encoding `br`"), "{error}");
}

/// A proxy may compress a blob for the transfer, and a server may announce the blob's own compression.
#[test]
fn a_coding_is_undone_where_the_blob_is_compressed_for_the_way() {
    let internet = serving();
    let packed = Compression::Gzip.compress(&bytes());
    let answer = |times, length: bool| {
        let mut headers = vec![("content-encoding", "gzip".to_owned())];
        headers.extend(length.then(|| ("content-length", packed.len().to_string())));
        internet.fault("/blobs/", times, Fault::Answer { status: 200, headers, body: packed.clone() });
    };
    for length in [true, false] {
        answer(1, length);
        assert_eq!(read(&client(&internet), 0..SIZE).unwrap().0, bytes(), "{length}");
        answer(1, length);
        assert_eq!(read(&client(&internet), 5000..7001).unwrap().0, slice(5000..7001), "{length}");
    }
    // Without a length, what could not be decoded is taken as it is.
    let registry = client(&internet);
    let headers = || vec![("content-encoding", "gzip".to_owned())];
    let plain = || internet.fault("/blobs/", 1, Fault::Answer { status: 200, headers: headers(), body: bytes() });
    plain();
    assert!(read(&registry, 0..SIZE).is_err());
    plain();
    assert_eq!(read(&registry, 0..SIZE).unwrap().0, bytes());
    // No more is decoded than the blob has.
    let headers = vec![("content-encoding", "gzip".to_owned())];
    let body = Compression::Gzip.compress(&vec![0; 50 << 20]);
    internet.fault("/blobs/", 1, Fault::Answer { status: 200, headers, body });
    assert!(read(&client(&internet), 0..SIZE).is_ok_and(|(_, received)| received <= 2 * SIZE));
}

#[test]
fn documents_that_were_compressed_for_the_way_are_decoded() {
    let internet = serving();
    let text = br#"{"a":1}"#;
    let config = Descriptor::new(MediaType::OCI_CONFIG, Digest::sha256(text), text.len() as u64);
    let body = Compression::Gzip.compress(text);
    let headers = vec![("content-encoding", "gzip".to_owned())];
    internet.fault("/blobs/", 1, Fault::Answer { status: 200, headers, body });
    let raw = block_on(client(&internet).fetch_small_blob(&tagged(), &config)).unwrap();
    assert_eq!(raw.bytes(), text);
}

#[test]
fn a_range_beyond_the_blob_is_no_range() {
    let internet = serving();
    assert!(matches!(read(&client(&internet), 5000..SIZE + 1), Err(Error::Protocol { .. })));
    assert_eq!(internet.log().len(), 0);
    internet.change(HOST, |site| {
        let digest = blob().digest.to_string();
        site.content_mut("a/b").blobs.get_mut(&digest).unwrap().bytes.truncate(4000);
    });
    let error = read(&client(&internet), 5000..7001).unwrap_err();
    assert_eq!(error.kind(), FailureClass::Malformed);
    assert!(error.to_string().contains("does not have bytes 5000 to 7000"), "{error}");
}

/// A fault of one answer, after which the read still succeeds.
fn mishap() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0..30_000_usize).prop_map(Fault::ResetAfter),
        (0..30_000_usize).prop_map(Fault::EndAfter),
        Just(Fault::IgnoreRange),
        Just(Fault::NoHeader("content-range")),
        Just(Fault::Status(503)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Under any mishaps, what is read is the range: no byte is missing, none comes twice.
    #[test]
    fn a_range_is_a_range(start in 0..SIZE, length in 0..SIZE, piece in 1..5000_usize, mishaps in prop::collection::vec(mishap(), 0..4)) {
        let range = start..(start + length).min(SIZE);
        let internet = serving();
        internet.pieces(piece);
        for mishap in mishaps {
            internet.fault("/blobs/", 1, mishap);
        }
        let (read, received) = read(&client(&internet), range.clone()).unwrap();
        prop_assert!(read == slice(range));
        prop_assert!(received >= read.len() as u64);
    }
}
