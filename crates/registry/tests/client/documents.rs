//! Documents, configs, blobs and tags, from registries that are right and from registries that are wrong.

use crate::{HOST, client, fetch_image, reference, tagged};
use porthole_core::failure::{Classify, FailureClass};
use porthole_core::{descriptor::Descriptor, digest::Digest, hint::Hint, media_type::MediaType, platform::Platform};
use porthole_registry::{
    Error, Options, Registry,
    trace::{Paused, TraceEvent, TraceObserver},
    transport::{Body, ErrorKind},
};
use porthole_testkit::{
    executor::block_on,
    image::{Blob, Content, Family, Image, Layer},
    registry::{Fault, Internet, Negotiation, Site},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn image(family: Family, architecture: &str) -> Image {
    let layer = Layer::new("COPY rootfs /").dir("etc").file("etc/motd", "hello\n".repeat(50_000));
    Image::new().family(family).platform("linux", architecture, None).layer(layer)
}

fn two_platforms() -> Content {
    Content::of_index("1", &[image(Family::Oci, "amd64").build(), image(Family::Oci, "arm64").build()])
}

fn serving(content: Content) -> Internet {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content));
    internet
}

fn page(internet: &Internet) -> Registry<Internet> {
    internet.as_platform();
    Registry::new(internet.clone(), Options { short_accept: true, ..Options::default() })
}

fn arm64() -> Platform {
    Platform::new("linux", "arm64", None)
}

fn layer_of(content: &Content) -> (Descriptor, Vec<u8>) {
    let blob = content.blobs.values().find(|blob| blob.media_type.contains("layer")).unwrap();
    (descriptor(blob), blob.bytes.clone())
}

fn descriptor(blob: &Blob) -> Descriptor {
    Descriptor::new(MediaType::parse(&blob.media_type).unwrap(), blob.digest.parse().unwrap(), blob.bytes.len() as u64)
}

#[test]
fn an_image_takes_three_requests() {
    let internet = serving(two_platforms());
    let image = fetch_image(&client(&internet), &tagged(), &arm64()).unwrap();
    assert_eq!(image.config.platform, Some(arm64()));
    assert_eq!(image.layers.len(), 1);
    let log = internet.log();
    assert_eq!(log.len(), 3);
    assert!(log.iter().all(|asked| asked.method == "GET" && asked.authorization().is_none()));
    assert_eq!(log[0].url, "https://r.example.com/v2/a/b/manifests/1");
    assert_eq!(log[0].headers["accept"].len(), 193);
    assert_eq!(log[0].headers["accept-encoding"], "identity");
    assert_eq!(log[2].url, format!("https://r.example.com/v2/a/b/blobs/{}", image.config_raw.digest()));
}

#[test]
fn every_split_of_every_body_is_read() {
    for most in [1, 7, 4096] {
        let internet = serving(two_platforms());
        internet.pieces(most);
        assert!(fetch_image(&client(&internet), &tagged(), &arm64()).is_ok(), "{most}");
    }
}

#[test]
fn by_digest_only_the_right_bytes_pass() {
    let content = two_platforms();
    let digest = content.roots[0].blob.digest.clone();
    let internet = serving(content);
    let pinned = reference(&format!("r.example.com/a/b:other@{digest}"));
    let document = block_on(client(&internet).fetch_document(&pinned)).unwrap();
    assert_eq!(document.raw().digest().to_string(), digest);

    let other = image(Family::Oci, "amd64").build().manifest.bytes;
    internet.fault("/manifests/", 1, Fault::Body(other.clone()));
    assert!(block_on(client(&internet).fetch_document(&pinned)).is_ok(), "fetched once more");
    internet.fault("/manifests/", 2, Fault::Body(other));
    let error = block_on(client(&internet).fetch_document(&pinned)).unwrap_err();
    assert_eq!(internet.log().len(), 5);
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert_eq!(error.kind(), FailureClass::Malformed);
    assert!(error.to_string().contains(&digest), "{error}");
}

#[test]
fn a_lying_digest_header_is_asked_twice() {
    let lie = Digest::sha256(b"other").to_string();
    let internet = serving(two_platforms());
    internet.fault("/manifests/", 1, Fault::Header("docker-content-digest", lie.clone()));
    assert!(block_on(client(&internet).fetch_document(&tagged())).is_ok());
    assert_eq!(internet.log().len(), 2);

    internet.fault("/manifests/", 2, Fault::Header("docker-content-digest", lie));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Contradiction { .. }), "{error}");
    assert_eq!(error.kind(), FailureClass::Malformed);
    assert_eq!(internet.log().len(), 4);

    for fault in [Fault::NoHeader("docker-content-digest"), Fault::Header("docker-content-digest", "sha256:x".into())] {
        internet.fault("/manifests/", 1, fault);
        assert!(block_on(client(&internet).fetch_document(&tagged())).is_ok());
    }
}

#[test]
fn a_digest_alone_takes_no_document() {
    let content = two_platforms();
    let root = content.roots[0].blob.clone();
    let internet = serving(content);
    let expected = Descriptor::new(MediaType::OCI_INDEX, root.digest.parse().unwrap(), root.bytes.len() as u64);
    let asked = |fault: Option<Fault>| {
        if let Some(fault) = fault {
            internet.fault("HEAD ", 1, fault);
        }
        let from = internet.log().len();
        let got = block_on(client(&internet).fetch_root(&tagged())).unwrap();
        assert_eq!((got.digest, got.size, &got.media_type), (expected.digest, expected.size, &expected.media_type));
        internet.log()[from..].iter().map(|asked| asked.method.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(asked(None), ["HEAD"]);
    assert_eq!(asked(Some(Fault::Status(503))), ["HEAD", "HEAD"]);
    for fault in [
        Fault::Status(405),
        Fault::Status(403),
        Fault::NoHeader("docker-content-digest"),
        Fault::NoHeader("content-type"),
        Fault::Header("content-type", "text/html".to_owned()),
    ] {
        assert_eq!(asked(Some(fault)), ["HEAD", "GET"]);
    }
    // The words of a refusal come with a GET.
    internet.fault("HEAD ", 1, Fault::Status(403));
    let body = br#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#.to_vec();
    internet.fault("GET ", 1, Fault::Answer { status: 403, headers: Vec::new(), body });
    let error = block_on(client(&internet).fetch_root(&tagged())).unwrap_err();
    assert!(
        error.to_string().contains("DENIED: not for you") && error.kind() == FailureClass::Authentication,
        "{error}"
    );
    let missing = block_on(client(&internet).fetch_root(&reference("r.example.com/a/b:none"))).unwrap_err();
    assert_eq!(missing.kind(), FailureClass::NotFound);
}

#[test]
fn a_child_is_what_its_descriptor_says() {
    let content = two_platforms();
    let manifest = content.blobs.values().find(|blob| blob.media_type.contains("manifest.v1")).unwrap().clone();
    let internet = serving(content);
    let right = descriptor(&manifest);
    assert!(block_on(client(&internet).fetch_child(&tagged(), &right)).is_ok());
    let wrong_size = Descriptor { size: right.size + 1, ..right.clone() };
    assert!(matches!(block_on(client(&internet).fetch_child(&tagged(), &wrong_size)), Err(Error::Mismatch { .. })));
    let too_large = Descriptor { size: 5 << 20, ..right.clone() };
    assert!(matches!(block_on(client(&internet).fetch_child(&tagged(), &too_large)), Err(Error::TooLarge { .. })));
    assert_eq!(internet.log().len(), 3, "what is wrong is fetched once more");
    let embedded = Descriptor { data: Some(manifest.bytes), ..right };
    assert!(block_on(client(&internet).fetch_child(&tagged(), &embedded)).is_ok());
    assert!(block_on(client(&internet).fetch_small_blob(&tagged(), &embedded)).is_ok());
    assert_eq!(internet.log().len(), 3, "embedded data spares the request");
}

#[test]
fn a_page_asks_in_two_families() {
    for (family, negotiation, requests) in [
        (Family::Oci, Negotiation::Strict, 1),
        (Family::Docker, Negotiation::Strict, 2),
        (Family::Docker, Negotiation::Ignored, 1),
    ] {
        let content = Content::of_index("1", &[image(family, "amd64").build()]);
        let internet = Internet::new();
        internet.site(HOST, Site::new().repository("a/b", content).negotiation(negotiation));
        let platform = Platform::new("linux", "amd64", None);
        let image = fetch_image(&page(&internet), &tagged(), &platform).unwrap();
        assert_eq!(image.layers.len(), 1);
        assert_eq!(internet.count("/manifests/1"), requests, "{family:?} {negotiation:?}");
        for asked in internet.log().iter().filter(|asked| asked.url.contains("/manifests/")) {
            assert!(matches!(asked.headers["accept"].len(), 82 | 110), "no preflight");
            assert!(!asked.headers.contains_key("accept-encoding"));
        }
    }
}

#[test]
fn a_page_is_told_what_is_not_there() {
    let internet = serving(two_platforms());
    let error = block_on(page(&internet).fetch_document(&reference("r.example.com/a/b:2"))).unwrap_err();
    assert_eq!(error.to_string(), "manifest not found: `r.example.com/a/b:2`");
    assert_eq!(error.kind(), FailureClass::NotFound);
    assert_eq!(error.registry(), Some("r.example.com"));
    assert_eq!(internet.log().len(), 2);
}

#[test]
fn schema_1_is_refused() {
    let internet = serving(two_platforms());
    let headers = vec![("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws".to_owned())];
    let body = br#"{"schemaVersion":1,"fsLayers":[]}"#.to_vec();
    internet.fault("/manifests/", 9, Fault::Answer { status: 200, headers, body });
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Document { .. }), "{error}");
    assert_eq!(error.kind(), FailureClass::Malformed);
}

#[test]
fn oversized_bodies_are_not_read() {
    let internet = serving(two_platforms());
    internet.fault("/manifests/", 1, Fault::Body(vec![b' '; 5 << 20]));
    assert!(matches!(block_on(client(&internet).fetch_document(&tagged())), Err(Error::TooLarge { .. })));
    internet.fault("/manifests/", 1, Fault::Header("content-length", (200u64 << 20).to_string()));
    assert!(matches!(block_on(client(&internet).fetch_document(&tagged())), Err(Error::TooLarge { .. })));
}

#[test]
fn what_passes_is_tried_again() {
    for (part, fault) in [
        ("/manifests/", Fault::Status(503)),
        ("/manifests/", Fault::NoAnswer(ErrorKind::Interrupted)),
        ("/manifests/", Fault::ResetAfter(10)),
        ("/blobs/", Fault::Status(500)),
        ("/blobs/", Fault::ResetAfter(0)),
        ("/blobs/", Fault::NoAnswer(ErrorKind::Connect)),
    ] {
        let internet = serving(two_platforms());
        internet.fault(part, 1, fault.clone());
        let outcome = fetch_image(&client(&internet), &tagged(), &arm64());
        assert!(outcome.is_ok(), "{part} {fault:?}: {:?}", outcome.err());
        assert_eq!(internet.log().len(), 4, "{part} {fault:?}");
    }
}

/// Some say that they are busy under a status that means something else.
#[test]
fn a_code_that_asks_for_patience_is_heeded_under_any_status() {
    for (status, code, requests) in
        [(403, "TOOMANYREQUESTS", 4), (404, "UNAVAILABLE", 4), (400, "TOOMANYREQUESTS", 4), (403, "DENIED", 1)]
    {
        let internet = serving(two_platforms());
        let body = format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#).into_bytes();
        let headers = vec![("retry-after", "3".to_owned())];
        internet.fault("/manifests/", 3, Fault::Answer { status, headers, body });
        let outcome = block_on(client(&internet).fetch_document(&tagged()));
        assert_eq!(outcome.is_ok(), requests > 1, "{status} {code}");
        assert_eq!(internet.log().len(), requests, "{status} {code}");
        assert_eq!(internet.slept(), vec![Duration::from_secs(3); requests - 1], "{status} {code}");
    }
}

#[test]
fn what_is_unavailable_is_not_said_to_be_missing() {
    let internet = serving(two_platforms());
    let body = br#"{"errors":[{"code":"UNAVAILABLE"}]}"#.to_vec();
    internet.fault("/manifests/", 99, Fault::Answer { status: 404, headers: Vec::new(), body });
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Status { status: 404, .. }) && error.kind() == FailureClass::Protocol, "{error}");
    assert_eq!(internet.log().len(), 5);
}

/// A date is compared with the registry's clock, not with ours.
#[test]
fn a_date_to_retry_after_is_a_time_to_wait() {
    let internet = serving(two_platforms());
    let headers = vec![
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT".to_owned()),
    ];
    internet.fault("/manifests/", 1, Fault::Answer { status: 503, headers, body: Vec::new() });
    let told: Arc<Mutex<Vec<Paused>>> = Arc::default();
    let sink = Arc::clone(&told);
    let observer = TraceObserver::new(move |event| {
        if let TraceEvent::Paused(paused) = event {
            sink.lock().unwrap().push(paused.clone());
        }
    });
    let registry = Registry::new(internet.clone(), Options { observer, ..Options::default() });
    block_on(registry.fetch_document(&tagged())).unwrap();
    assert_eq!(internet.slept(), [Duration::from_secs(10)]);
    let told = told.lock().unwrap();
    let [pause] = &told[..] else { panic!("{told:?}") };
    assert_eq!((pause.registry.as_str(), pause.because.as_str(), pause.asked), ("r.example.com", "status 503", true));
    assert_eq!((pause.delay, pause.attempt), (Duration::from_secs(10), 2));
}

#[test]
fn tries_are_counted() {
    let internet = serving(two_platforms());
    internet.fault("/manifests/", 99, Fault::Status(503));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "r.example.com answered 503 to the request for manifest `r.example.com/a/b:1`: service unavailable"
    );
    assert_eq!(internet.log().len(), 5);

    let internet = serving(two_platforms());
    internet.fault("/manifests/", 99, Fault::ResetAfter(3));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert_eq!(error.kind(), FailureClass::Network);
    assert_eq!(internet.log().len(), 5);
}

#[test]
fn rate_limits_are_waited_for_or_told() {
    let limited = |seconds: &str| Fault::Answer {
        status: 429,
        headers: vec![("retry-after", seconds.to_owned())],
        body: br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#.to_vec(),
    };
    let internet = serving(two_platforms());
    internet.fault("/manifests/", 1, limited("7"));
    assert!(block_on(client(&internet).fetch_document(&tagged())).is_ok());
    assert_eq!(internet.slept(), [Duration::from_secs(7)]);

    let internet = serving(two_platforms());
    internet.fault("/manifests/", 1, limited("3600"));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert_eq!(error.kind(), FailureClass::RateLimit);
    assert_eq!(error.hints()[0], Hint::RetryAfter { seconds: 3600 });
    assert_eq!(internet.log().len(), 1);
}

#[test]
fn a_hostile_error_body_is_printable() {
    let internet = serving(two_platforms());
    let mut body = br#"{"errors":[{"code":"X","message":"\u001b]0;pwned\u0007\n"}]}"#.to_vec();
    body.extend(std::iter::repeat_n(b' ', 1000));
    internet.fault("/manifests/", 1, Fault::Answer { status: 400, headers: Vec::new(), body });
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err().to_string();
    assert!(error.ends_with(r"X: \x1b]0;pwned\x07"), "{error}");
    internet.fault("/manifests/", 1, Fault::Answer { status: 404, headers: Vec::new(), body: vec![b'x'; 2 << 20] });
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert_eq!(error.kind(), FailureClass::NotFound);
}

#[test]
fn no_one_is_asked_for_an_impossible_host() {
    for text in ["999.999.999.999/x", "localhost:99999/x", "[:::::]/x"] {
        let internet = Internet::new();
        let error = block_on(client(&internet).fetch_document(&reference(text))).unwrap_err();
        assert!(matches!(error, Error::Registry { .. }), "{error}");
        assert_eq!(error.kind(), FailureClass::Input);
        assert!(internet.log().is_empty());
    }
}

pub(crate) fn read_all<B: Body>(mut body: B) -> Result<Vec<u8>, porthole_registry::transport::Error> {
    block_on(async {
        let mut bytes = Vec::new();
        let mut buffer = [0; 777];
        loop {
            match body.read(&mut buffer).await? {
                0 => return Ok(bytes),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    })
}

#[test]
fn blobs_start_where_they_should() {
    let content = two_platforms();
    let (descriptor, bytes) = layer_of(&content);
    let internet = serving(content);
    for fault in [None, Some(Fault::IgnoreRange)] {
        for offset in [0, 1, 100, descriptor.size - 1] {
            if let Some(fault) = fault.clone() {
                internet.fault("/blobs/", 1, fault);
            }
            let response = block_on(client(&internet).fetch_blob(&tagged(), &descriptor, offset)).unwrap();
            assert!(read_all(response.into_body()).unwrap() == bytes[offset as usize..], "{fault:?} {offset}");
        }
    }
    let ranges: Vec<_> = internet.log().iter().map(|asked| asked.headers.get("range").cloned()).collect();
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1].as_ref().unwrap(), "bytes=1-");

    internet.fault("/blobs/", 1, Fault::Header("content-range", format!("bytes 0-{}/{0}", descriptor.size)));
    let error = block_on(client(&internet).fetch_blob(&tagged(), &descriptor, 5)).err().unwrap();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[test]
fn tags_are_read_page_by_page() {
    let mut content = Content::default();
    let manifest = image(Family::Oci, "amd64").build().manifest;
    for tag in ["a", "b", "c", "d", "e"] {
        content.add_root(tag, manifest.clone());
    }
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content).repository("none", Content::default()).page(2));
    let registry = client(&internet);
    assert_eq!(block_on(registry.fetch_tags(&tagged())).unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(internet.log().len(), 3);
    assert_eq!(internet.log()[2].url, "https://r.example.com/v2/a/b/tags/list?last=d");
    assert_eq!(block_on(registry.fetch_tags(&reference("r.example.com/none"))).unwrap().len(), 0);

    let next = |link: &str| Fault::Header("link", format!("<{link}>; rel=\"next\""));
    internet.fault("/tags/list", 99, next("/v2/a/b/tags/list?last=a"));
    let error = block_on(registry.fetch_tags(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "a loop: {error}");

    let internet = serving(two_platforms());
    internet.fault("/tags/list", 1, next("https://evil.example.net/v2/a/b/tags/list?last=a"));
    let error = block_on(client(&internet).fetch_tags(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Policy { .. }), "{error}");
    assert_eq!(internet.count("evil"), 0);
}
