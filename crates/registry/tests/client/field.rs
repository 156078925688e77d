//! Answers that registries of the field give, each named after what broke on it.

use crate::{ACCOUNT, HOST, REALM, client, content, private, reference, tagged, with_password};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Classify, FailureClass},
    media_type::MediaType,
};
use porthole_registry::{
    Error, Options, Registry,
    client::{By, Destination, Known, RemoteImage, Route},
    endpoint::referrers::fallback_tag,
};
use porthole_source::ImageSource as _;
use porthole_testkit::{
    executor::block_on,
    image::{Blob, Content, Image, Layer},
    registry::{Fault, Internet, Site, Uploads},
};
use std::{ops::ControlFlow, time::Duration};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const PORTAL: &str = "<!DOCTYPE html><html><head><title>Sign in to the network</title></head><body>…</body></html>";

fn serving(content: Content) -> Internet {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content));
    internet
}

fn root(content: &Content) -> Digest {
    content.roots[0].blob.digest.parse().unwrap()
}

fn page(status: u16) -> Fault {
    answer(status, &[("content-type", "text/html; charset=utf-8")], PORTAL)
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Fault {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Fault::Answer { status, headers, body: body.into() }
}

fn layer(content: &Content) -> Descriptor {
    let blob = content.blobs.values().find(|blob| blob.media_type.contains("layer")).unwrap();
    let media_type = MediaType::parse(&blob.media_type).unwrap();
    Descriptor::new(media_type, blob.digest.parse().unwrap(), blob.bytes.len() as u64)
}

fn three_tags() -> Internet {
    let mut content = Content::default();
    let manifest = Image::new().layer(Layer::new("COPY a /").file("a", "b")).build().manifest;
    for tag in ["a", "b", "c"] {
        content.add_root(tag, manifest.clone());
    }
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content).page(2));
    internet
}

#[test]
fn a_link_to_the_registrys_own_path_leads_to_the_next_page() {
    for link in [
        "https://r.example.com/artifactory/api/docker/repo/v2/a/b/tags/list?last=b&n=2",
        "http://r.example.com/v2/a/b/tags/list?last=b&n=2",
        "/artifactory/api/docker/repo/v2/a/b/tags/list?last=b",
    ] {
        let internet = three_tags();
        internet.fault("/tags/list", 1, Fault::Header("link", format!("<{link}>; rel=\"next\"")));
        assert_eq!(block_on(client(&internet).fetch_tags(&tagged())).unwrap(), ["a", "b", "c"], "{link}");
        assert!(internet.log().iter().all(|asked| asked.url.starts_with("https://r.example.com/v2/a/b/tags/list")));
    }
    for link in ["https://r.example.com:8443/v2/a/b/tags/list?last=b", "/artifactory/api/docker/repo/v2/a/b/tags/list"]
    {
        let internet = three_tags();
        internet.fault("/tags/list", 1, Fault::Header("link", format!("<{link}>; rel=\"next\"")));
        assert!(block_on(client(&internet).fetch_tags(&tagged())).is_err(), "not a part of the list: {link}");
    }
}

#[test]
fn pages_of_tags_are_handed_over_as_they_arrive() {
    let internet = three_tags();
    let mut pages = Vec::new();
    let take = |page| {
        pages.push(page);
        ControlFlow::Break(())
    };
    block_on(client(&internet).fetch_tag_pages(&tagged(), take)).unwrap();
    assert_eq!(pages, [["a", "b"]]);
    assert_eq!(internet.count("/tags/list"), 1, "the second page is not requested");
}

#[test]
fn manifests_of_a_general_type_are_read_by_their_body() {
    let expected = root(&content());
    for served in [Some("text/plain; charset=utf-8"), Some("application/json"), Some("application/octet-stream"), None]
    {
        let internet = serving(content());
        let fault = || match served {
            Some(served) => Fault::Header("content-type", served.into()),
            None => Fault::NoHeader("content-type"),
        };
        internet.fault("/manifests/", 9, fault());
        let registry = client(&internet);
        let document = block_on(registry.fetch_document(&tagged())).unwrap();
        assert_eq!(
            (document.media_type(), document.raw().digest()),
            (&MediaType::OCI_MANIFEST, &expected),
            "{served:?}"
        );
        let root = block_on(registry.fetch_root(&tagged())).unwrap();
        assert_eq!((root.media_type, root.digest), (MediaType::OCI_MANIFEST, expected), "{served:?}");
        let seen = block_on(registry.look_at_tag(&tagged(), &Known::default())).unwrap();
        assert_eq!((seen.digest, seen.pulled), (expected, false), "{served:?}");
    }
}

#[test]
fn a_wrong_digest_header_is_told_whatever_the_type() {
    let internet = serving(content());
    let wrong = Digest::sha256(b"other").to_string();
    let headers = [("content-type", "text/plain"), ("docker-content-digest", wrong.as_str())];
    let body = content().roots[0].blob.bytes.clone();
    internet.fault("/manifests/", 2, answer(200, &headers, &String::from_utf8(body).unwrap()));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::Contradiction { .. }), "{error}");
}

#[test]
fn head_that_is_refused_falls_back_to_get() {
    let expected = root(&content());
    for status in [403, 404, 405] {
        let internet = serving(content());
        internet.fault("HEAD ", 9, Fault::Status(status));
        let registry = client(&internet);
        assert_eq!(block_on(registry.fetch_root(&tagged())).unwrap().digest, expected, "{status}");
        let seen = block_on(registry.look_at_tag(&tagged(), &Known::default())).unwrap();
        assert_eq!((seen.digest, seen.known.without_head), (expected, true), "{status}");
        assert_eq!(block_on(registry.find_tags(&tagged(), &expected, 9)).unwrap().unwrap(), ["1"], "{status}");
    }
    let error = block_on(client(&serving(content())).fetch_root(&reference("r.example.com/a/b:none"))).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn an_html_page_is_named_where_a_registry_should_answer() {
    let descriptor = layer(&content());
    let whole = |what: &str, error: Error| {
        let text = error.to_string();
        assert!(matches!(error, Error::Page { .. }), "{what}: {text}");
        assert!(text.starts_with("r.example.com answered") || text.starts_with("auth.example.com answered"), "{text}");
        assert!(text.contains("an HTML page with the title `Sign in to the network`"), "{what}: {text}");
        assert!(!error.hints().is_empty());
        assert_eq!(error.kind(), FailureClass::Protocol);
    };
    let open = |part: &str| {
        let internet = serving(content());
        internet.fault(part, 9, page(200));
        internet
    };
    let internet = open("/manifests/");
    whole("manifest", block_on(client(&internet).fetch_document(&tagged())).unwrap_err());
    whole("digest", block_on(client(&internet).fetch_root(&tagged())).unwrap_err());
    let pinned = reference(&format!("r.example.com/a/b@{}", root(&content())));
    whole("manifest by digest", block_on(client(&internet).fetch_document(&pinned)).unwrap_err());
    let unseen = block_on(client(&internet).look_at_tag(&tagged(), &Known::default())).unwrap_err();
    whole("tag", *unseen.error);
    whole("tags", block_on(client(&open("/tags/list")).fetch_tags(&tagged())).unwrap_err());
    whole("catalog", block_on(client(&open("/_catalog")).fetch_catalog(&tagged())).unwrap_err());
    whole("version", block_on(client(&open("/v2/")).check_access(&tagged())).unwrap_err());
    let internet = open("/blobs/");
    whole("blob", block_on(client(&internet).fetch_blob(&tagged(), &descriptor, 0)).err().unwrap());
    whole(
        "range",
        block_on(client(&internet).fetch_blob_range(&tagged(), &descriptor, 0..descriptor.size)).err().unwrap(),
    );
    whole("config", block_on(client(&internet).fetch_small_blob(&tagged(), &descriptor)).unwrap_err());
    assert!(!block_on(client(&internet).has_blob(&Destination::new(tagged()), &descriptor)).unwrap());

    let internet = private(REALM, ACCOUNT);
    internet.fault("/token", 9, page(200));
    let registry = with_password(&internet, Options::default());
    whole("token", block_on(registry.fetch_document(&tagged())).unwrap_err());
}

#[test]
fn a_page_for_a_blob_is_named_through_a_relay() {
    let descriptor = layer(&content());
    let internet = Internet::new();
    internet.site("127.0.0.1:8090", Site::new().repository("a/b", content()));
    for (named, expected) in [("text/html", true), ("text/plain", false)] {
        let headers = [("content-type", "application/octet-stream"), ("porthole-upstream-type", named)];
        internet.fault("/blobs/", 1, answer(200, &headers, PORTAL));
        let registry = client(&internet);
        registry.set_route(HOST, Route::Relay("http://127.0.0.1:8090".into()));
        let error = block_on(registry.fetch_blob(&tagged(), &descriptor, 0)).err().map(|error| error.to_string());
        let is_named = error.as_ref().is_some_and(|text| {
            text.starts_with("r.example.com answered")
                && text.contains("an HTML page with the title `Sign in to the network`")
        });
        assert_eq!(is_named, expected, "{named}: {error:?}");
    }
}

/// A portal that is served as bytes: its length or the type of the blob gives it away.
#[test]
fn a_page_for_a_blob_is_named_whatever_its_type() {
    let content = content();
    let read = |descriptor: &Descriptor, headers: &[(&'static str, &str)]| {
        let internet = serving(content.clone());
        internet.fault("/blobs/", u32::MAX, answer(200, headers, PORTAL));
        let registry = client(&internet);
        block_on(async {
            let mut blob = registry.fetch_blob_range(&tagged(), descriptor, 0..descriptor.size).await?;
            let mut buffer = vec![0; 4096];
            while blob.read(&mut buffer).await? > 0 {}
            Ok::<_, Error>(())
        })
    };
    let length = PORTAL.len().to_string();
    let bytes = ("content-type", "application/octet-stream");
    let typed =
        |media_type: &str, size| Descriptor::new(MediaType::parse(media_type).unwrap(), layer(&content).digest, size);
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let config = "application/vnd.oci.image.config.v1+json";
    for (descriptor, headers) in [
        (typed(config, 30), vec![bytes, ("content-length", &length[..])]),
        (typed(config, 3_000), vec![bytes, ("content-length", &length[..])]),
        (typed(config, 3_000), vec![bytes]),
        (typed(gzip, 1 << 20), vec![bytes]),
        (typed(gzip, 30), vec![("content-length", &length[..])]),
        (typed("text/html", 3_000), vec![bytes, ("content-length", &length[..])]),
    ] {
        let error = read(&descriptor, &headers).unwrap_err();
        assert!(matches!(error, Error::Page { .. }), "{descriptor:?} {headers:?}: {error}");
        let words = format!("{HOST} answered the request for blob `{}` with an HTML page", descriptor.digest);
        assert!(error.to_string().starts_with(&words), "{error}");
    }
    // The digest decides about a body of the right length: a page may be what was pushed.
    let size = PORTAL.len() as u64;
    for media_type in ["text/html", "application/vnd.oci.image.layer.v1.tar", gzip] {
        read(&typed(media_type, size), &[bytes, ("content-length", &length[..])]).unwrap();
    }
    read(&typed("text/html", size), &[bytes]).unwrap();
}

/// A portal answers uploads, too.
#[test]
fn a_page_for_an_upload_is_named_and_nothing_counts_as_pushed() {
    let document = block_on(client(&serving(content())).fetch_document(&tagged())).unwrap();
    let to = Destination::new(tagged());
    let plain = || answer(200, &[("content-type", "application/octet-stream")], PORTAL);
    for fault in [page(200), plain()] {
        let internet = serving(content());
        internet.fault("PUT ", 9, fault.clone());
        internet.fault("POST ", 9, fault);
        let registry = client(&internet);
        let error = block_on(registry.put_manifest(&to, document.raw(), document.media_type(), Some("2"))).unwrap_err();
        assert!(matches!(error, Error::Page { .. }), "{error}");
        let (descriptor, bytes) = crate::push::blob();
        let error = block_on(registry.upload_blob(&to, &descriptor, &bytes, None, None, &mut |_| {})).unwrap_err();
        assert!(matches!(error, Error::Page { .. }), "{error}");
    }
}

#[test]
fn a_registry_without_head_is_pushed_to() {
    let document = block_on(client(&serving(content())).fetch_document(&tagged())).unwrap();
    let to = Destination::new(tagged());
    for status in [403, 404, 405, 501] {
        let internet = serving(content());
        internet.fault("HEAD ", u32::MAX, Fault::Status(status));
        let registry = client(&internet);
        assert_eq!(block_on(registry.head_manifest(&to, "1")).unwrap(), None, "{status}");
        assert!(!block_on(registry.has_blob(&to, &layer(&content()))).unwrap(), "{status}");
        assert!(block_on(registry.wait_for_tag(&to, document.raw(), "1", Duration::ZERO)).unwrap(), "{status}");
    }
}

/// 204 is a success without a body, and so without a manifest.
#[test]
fn a_manifest_without_a_byte_is_the_registrys_fault() {
    let document = block_on(client(&serving(content())).fetch_document(&tagged())).unwrap();
    let internet = serving(content());
    internet.fault("/manifests/", u32::MAX, answer(204, &[], ""));
    let registry = client(&internet);
    for name in [tagged(), reference(&format!("{HOST}/a/b@{}", document.raw().digest()))] {
        let error = block_on(registry.fetch_document(&name)).unwrap_err();
        assert_eq!(error.kind(), FailureClass::Protocol, "{error}");
        assert!(error.to_string().ends_with("expected a manifest, got no bytes"), "{error}");
    }
    let to = Destination::new(tagged());
    assert!(!block_on(registry.wait_for_tag(&to, document.raw(), "1", Duration::ZERO)).unwrap(), "nothing is moved");
}

#[test]
fn a_page_with_an_error_status_is_named_by_its_title() {
    let internet = serving(content());
    internet.fault("/manifests/", 1, page(418));
    let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err().to_string();
    assert!(error.contains("418") && error.contains("`Sign in to the network`"), "{error}");
}

#[test]
fn a_blob_without_a_byte_is_no_broken_connection() {
    let blob = Blob::new("application/vnd.example.empty", Vec::new());
    let internet = serving(content());
    internet.fault("/blobs/", 9, answer(200, &[("content-length", "0")], ""));
    let registry = client(&internet);
    let media_type = MediaType::parse(&blob.media_type).unwrap();
    let descriptor = Descriptor::new(media_type, blob.digest.parse().unwrap(), 0);
    let image = RemoteImage::new(&registry, tagged());
    let read = block_on(async {
        let mut whole = image.open_blob(&descriptor, 0..0).await?;
        whole.read(&mut [0; 16]).await
    });
    assert_eq!(read.unwrap(), 0);
    assert_eq!(internet.count("/blobs/"), 1);
    assert!(internet.slept().is_empty(), "{:?}", internet.slept());
}

#[test]
fn an_empty_answer_is_asked_for_again() {
    let descriptor = layer(&content());
    let expected = content().blobs[&descriptor.digest.to_string()].bytes.clone();
    let open = |part: &str| {
        let internet = serving(content());
        internet.fault(part, 1, answer(200, &[("content-length", "0")], ""));
        internet
    };
    let internet = open("/blobs/");
    let registry = client(&internet);
    let mut range = block_on(registry.fetch_blob_range(&tagged(), &descriptor, 0..descriptor.size)).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = block_on(range.read(&mut buffer)).unwrap();
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(bytes, expected);
    let internet = open("/blobs/");
    block_on(client(&internet).fetch_blob(&tagged(), &descriptor, 0)).unwrap();
    assert_eq!(internet.count("/blobs/"), 2);
    block_on(client(&open("/manifests/")).fetch_document(&tagged())).unwrap();
    assert_eq!(block_on(client(&open("/tags/list")).fetch_tags(&tagged())).unwrap(), ["1"]);
}

#[test]
fn referrers_that_are_null_are_none() {
    let internet = serving(content());
    let null = r#"{"schemaVersion":2,"manifests":null}"#;
    internet.fault("/referrers/", 1, answer(200, &[("content-type", INDEX)], null));
    let listed = block_on(client(&internet).list_referrers(&tagged(), &root(&content()), None)).unwrap();
    assert_eq!((listed.referrers.len(), listed.by), (0, By::Api));
}

#[test]
fn a_fallback_tag_that_lists_nothing_means_no_referrers() {
    let subject = root(&content());
    let tag = fallback_tag(&subject);
    let own = String::from_utf8(content().roots[0].blob.bytes.clone()).unwrap();
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    for (body, media_type) in [
        (own.as_str(), MediaType::OCI_MANIFEST.as_str()),
        (own.replace(':', ": ").as_str(), MediaType::OCI_MANIFEST.as_str()),
        (index, INDEX),
        (PORTAL, "text/html"),
    ] {
        let internet = serving(content());
        internet.fault("/referrers/", 1, Fault::Status(404));
        internet.fault(&tag, 1, answer(200, &[("content-type", media_type)], body));
        let listed = block_on(client(&internet).list_referrers(&tagged(), &subject, None)).unwrap();
        assert_eq!((listed.referrers.len(), listed.by), (0, By::Tag), "{body}");
    }
}

#[test]
fn a_fallback_tag_that_stands_for_an_index_as_subject_lists_none_of_its_images() {
    let image = Image::new().layer(Layer::new("COPY a /").file("a", "b")).build();
    let content = Content::of_index("1", &[image]);
    let subject = root(&content);
    let body = String::from_utf8(content.roots[0].blob.bytes.clone()).unwrap();
    let internet = serving(content);
    internet.fault("/referrers/", 1, Fault::Status(404));
    internet.fault(&fallback_tag(&subject), 1, answer(200, &[("content-type", INDEX)], &body));
    assert!(block_on(client(&internet).fetch_referrers(&tagged(), &subject)).unwrap().is_empty());
}

#[test]
fn a_redirect_of_referrers_to_a_page_is_no_answer_and_not_waited_for() {
    let subject = root(&content());
    for end in [page(200), page(404), answer(429, &[("content-type", "text/html"), ("retry-after", "5")], PORTAL)] {
        let internet = serving(content());
        internet.site("www.example.com", Site::new());
        internet.fault("/referrers/", 1, Fault::Redirect("https://www.example.com/packages/x".into()));
        internet.fault("/packages/x", 9, end);
        let listed = block_on(client(&internet).list_referrers(&tagged(), &subject, None)).unwrap();
        assert_eq!((listed.referrers.len(), listed.by), (0, By::Tag));
        assert!(internet.slept().is_empty(), "{:?}", internet.slept());
    }
    // To the same list elsewhere a redirect is one like any other.
    let internet = serving(content());
    internet.site("mirror.example.com", Site::new());
    internet.fault("/referrers/", 1, Fault::Redirect("https://mirror.example.com/list".into()));
    let list = r#"{"schemaVersion":2,"manifests":[]}"#;
    internet.fault("/list", 1, answer(200, &[("content-type", INDEX)], list));
    let listed = block_on(client(&internet).list_referrers(&tagged(), &subject, None)).unwrap();
    assert_eq!(listed.by, By::Api);
}

#[test]
fn a_registry_that_lets_no_page_read_its_missing_api_has_none() {
    let internet = serving(content());
    internet.fault("/referrers/", 9, Fault::NoAnswer(porthole_registry::transport::ErrorKind::Cors));
    let listed = block_on(client(&internet).list_referrers(&tagged(), &root(&content()), None)).unwrap();
    assert_eq!((listed.referrers.len(), listed.by), (0, By::Tag));
}

#[test]
fn referrers_are_not_waited_for_a_minute() {
    let internet = serving(content());
    internet.fault("/referrers/", 9, answer(429, &[("retry-after", "50")], ""));
    let error = block_on(client(&internet).list_referrers(&tagged(), &root(&content()), None)).unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }), "{error}");
    assert!(internet.slept().iter().sum::<Duration>() < Duration::from_secs(11), "{:?}", internet.slept());
}

#[test]
fn a_stale_token_with_a_useless_challenge_is_followed_by_one_cold_try() {
    let internet = private(REALM, None);
    let registry = client(&internet);
    block_on(registry.fetch_document(&tagged())).unwrap();
    internet.fault("/manifests/", 1, answer(401, &[("www-authenticate", "Negotiate")], ""));
    block_on(registry.fetch_document(&tagged())).unwrap();
    let log = internet.log();
    let sent: Vec<bool> = log.iter().map(|asked| asked.authorization().is_some()).collect();
    // First image: refused, token, read. Second: stale, cold, token, read.
    assert_eq!(sent, [false, false, true, true, false, false, true], "{log:?}");
    internet.fault("/manifests/", 9, answer(401, &[("www-authenticate", "Negotiate")], ""));
    let before = internet.log().len();
    let error = block_on(registry.fetch_document(&tagged())).unwrap_err();
    assert!(matches!(error, Error::UnknownScheme { .. }), "{error}");
    assert_eq!(internet.log().len() - before, 2, "one cold try, no more");
}

#[test]
fn the_same_image_on_an_immutable_tag_is_compared_by_its_bytes() {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content()).uploads(Uploads::default()));
    let registry = Registry::new(internet.clone(), Options::default());
    let document = block_on(registry.fetch_document(&tagged())).unwrap();
    let to = Destination::new(tagged());
    let refused = || answer(409, &[], r#"{"errors":[{"code":"TAG_INVALID","message":"immutable"}]}"#);
    internet.fault("PUT ", 1, refused());
    internet.fault("HEAD ", 1, Fault::NoHeader("docker-content-digest"));
    block_on(registry.put_manifest(&to, document.raw(), document.media_type(), Some("1"))).unwrap();
    let other = Image::new().layer(Layer::new("COPY a /").file("a", "other")).build().into_content("1");
    internet.change(HOST, |site| *site.content_mut("a/b") = other);
    internet.fault("PUT ", 1, refused());
    internet.fault("HEAD ", 1, Fault::NoHeader("docker-content-digest"));
    let error = block_on(registry.put_manifest(&to, document.raw(), document.media_type(), Some("1"))).unwrap_err();
    assert!(matches!(error, Error::Status { status: 409, .. }), "{error}");
}

#[test]
fn a_manifest_that_shows_late_is_waited_for() {
    let open = || {
        let internet = serving(content());
        let document = block_on(client(&internet).fetch_document(&tagged())).unwrap();
        (internet, document.raw().clone())
    };
    let wait = |internet: &Internet, raw, target: &str| {
        let limit = Duration::from_secs(10);
        block_on(client(internet).wait_for_tag(&Destination::new(tagged()), raw, target, limit))
    };
    let (internet, raw) = open();
    internet.fault("/manifests/1", 4, Fault::Status(404));
    assert!(wait(&internet, &raw, "1").unwrap(), "404 at first");
    let (internet, raw) = open();
    let old = Digest::sha256(b"old").to_string();
    internet.fault("HEAD ", 2, Fault::Header("docker-content-digest", old.clone()));
    assert!(wait(&internet, &raw, "1").unwrap(), "what the tag was before");

    let (internet, raw) = open();
    internet.fault("/manifests/1", 99, Fault::Status(404));
    assert!(!wait(&internet, &raw, "1").unwrap(), "accepted, and not visible");
    let slept: Duration = internet.slept().iter().sum();
    assert_eq!(slept, Duration::from_secs(10));
    let (internet, raw) = open();
    internet.fault("/manifests/1", 99, Fault::Status(403));
    assert!(!wait(&internet, &raw, "1").unwrap(), "may be pushed, and not read");
    assert!(internet.slept().is_empty());

    let (internet, raw) = open();
    internet.fault("HEAD ", 99, Fault::Header("docker-content-digest", old.clone()));
    let error = wait(&internet, &raw, "1").unwrap_err();
    assert!(matches!(error, Error::Moved { .. }), "{error}");
    assert_eq!((error.failure().kind, error.hints().len()), (FailureClass::Malformed, 1));
    let digest = raw.digest().to_string();
    let (internet, raw) = open();
    internet.fault("HEAD ", 99, Fault::Header("docker-content-digest", old));
    let error = wait(&internet, &raw, &digest).unwrap_err();
    assert!(matches!(error, Error::Contradiction { .. }), "{error}");
    assert!(internet.slept().is_empty(), "other bytes do not become right");
}

#[test]
fn http_on_the_same_host_is_refused_with_a_word_for_its_operator() {
    for challenge in [false, true] {
        let internet = serving(content());
        internet.fault(
            "/manifests/",
            9,
            if challenge {
                answer(401, &[("www-authenticate", r#"Bearer realm="http://r.example.com/token""#)], "")
            } else {
                Fault::Redirect("http://r.example.com/elsewhere".into())
            },
        );
        let error = block_on(client(&internet).fetch_document(&tagged())).unwrap_err();
        assert!(matches!(error, Error::Policy { .. }) && error.to_string().contains("http://r.example.com"), "{error}");
        assert!(format!("{:?}", error.hints()).contains("X-Forwarded-Proto"), "{:?}", error.hints());
        assert!(internet.log().iter().all(|asked| asked.url.starts_with("https://")));
    }
}

#[test]
fn a_token_whose_life_is_text_is_used() {
    let internet = private(REALM, None);
    internet.fault("/token", 1, Fault::Body(br#"{"token":"token-x","expires_in":"300"}"#.to_vec()));
    internet.fault("/manifests/", 1, answer(401, &[("www-authenticate", &format!("Bearer realm=\"{REALM}\""))], ""));
    let body = content().roots[0].blob.bytes.clone();
    internet.fault("/manifests/", 1, answer(200, &[], &String::from_utf8(body).unwrap()));
    block_on(client(&internet).fetch_document(&tagged())).unwrap();
}
