//! Uploads: what is sent where, and how an upload continues after a fault.

use crate::{CANARY, HOST, REALM, reference, with_password};
use bytes::Bytes;
use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
use porthole_registry::{
    Error, Options, Registry,
    client::{Destination, Mount, Note, Uploaded},
    transport::ErrorKind,
};
use porthole_testkit::{
    executor::block_on,
    image::{Blob, Content},
    registry::{Auth, Fault, Internet, Site, Uploads, bearer},
};
use std::time::Duration;

const SIZE: u64 = 1_000_000;

pub(crate) fn blob() -> (Descriptor, Bytes) {
    let bytes: Vec<u8> = (0..SIZE as u32).flat_map(|n| [(n.wrapping_mul(2_654_435_761) >> 24) as u8]).collect();
    (Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(&bytes), SIZE), bytes.into())
}

pub(crate) fn registry(uploads: Uploads) -> Internet {
    let internet = Internet::new();
    internet.site(HOST, Site::new().uploads(uploads));
    internet
}

pub(crate) fn destination() -> Destination {
    Destination::new(reference("r.example.com/a/b:1"))
}

/// Uploads the blob, and checks that what arrived is it.
fn upload(internet: &Internet, chunk: Option<u64>) -> Result<(Uploaded, Vec<Note>), Error> {
    let (descriptor, bytes) = blob();
    let registry = Registry::new(internet.clone(), Options::default());
    let mut notes = Vec::new();
    let uploaded = block_on(registry.upload_blob(&destination(), &descriptor, &bytes, chunk, None, &mut |note| {
        notes.extend(Some(note).filter(|note| !matches!(note, Note::Session(_))));
    }))?;
    assert!(block_on(registry.has_blob(&destination(), &descriptor)).unwrap());
    let stored =
        internet.look(HOST, |site| site.content("a/b").unwrap().blobs[&descriptor.digest.to_string()].bytes.clone());
    assert_eq!(stored.unwrap(), bytes);
    assert_eq!(internet.look(HOST, Site::open_uploads), Some(0));
    Ok((uploaded, notes))
}

/// Bytes of blobs that were sent, those that did not arrive included.
fn sent(internet: &Internet) -> usize {
    let log = internet.log();
    log.iter().filter(|asked| asked.url.contains("/blobs/uploads/")).map(|asked| asked.body.len()).sum()
}

fn requests(internet: &Internet) -> Vec<String> {
    let path = |url: &str| url.split("/v2/a/b/").nth(1).unwrap_or(url).split("digest=").next().unwrap().to_owned();
    internet.log().iter().map(|asked| format!("{} {}", asked.method, path(&asked.url))).collect()
}

#[test]
fn whole_blobs() {
    let internet = registry(Uploads::default());
    let (uploaded, notes) = upload(&internet, None).unwrap();
    assert_eq!(uploaded, Uploaded { sessions: 1, requests: 1, resumed: 0 });
    assert_eq!(notes, [Note::From(0)]);
    assert_eq!(requests(&internet)[..2], ["POST blobs/uploads/", "PUT blobs/uploads/1?_state=0&"]);
}

#[test]
fn chunks() {
    let internet = registry(Uploads::default());
    let (uploaded, _) = upload(&internet, Some(400_000)).unwrap();
    assert_eq!(uploaded.requests, 3);
    assert_eq!(
        requests(&internet)[..5],
        [
            "POST blobs/uploads/",
            "PATCH blobs/uploads/1?_state=0",
            "PATCH blobs/uploads/1?_state=400000",
            "PATCH blobs/uploads/1?_state=800000",
            "PUT blobs/uploads/1?_state=1000000&",
        ]
    );
    let ranges: Vec<_> =
        internet.log().iter().filter_map(|asked| asked.headers.get("content-range").cloned()).collect();
    assert_eq!(ranges, ["0-399999", "400000-799999", "800000-999999"]);
}

#[test]
fn blobs_of_no_and_of_two_bytes() {
    let internet = registry(Uploads::default());
    let client = Registry::new(internet.clone(), Options::default());
    for bytes in [&b""[..], b"{}"] {
        let descriptor = Descriptor::new(MediaType::OCI_EMPTY, Digest::sha256(bytes), bytes.len() as u64);
        let content = Bytes::from_static(bytes);
        block_on(client.upload_blob(&destination(), &descriptor, &content, None, None, &mut |_| {})).unwrap();
        assert!(block_on(client.has_blob(&destination(), &descriptor)).unwrap());
    }
}

#[test]
fn the_least_and_the_most_of_a_chunk() {
    let internet = registry(Uploads { least: Some(300_000), ..Uploads::default() });
    assert_eq!(upload(&internet, Some(1000)).unwrap().0.requests, 4);
    // A whole blob is no chunk.
    let internet = registry(Uploads { least: Some(300_000), most: Some(400_000), ..Uploads::default() });
    assert_eq!(upload(&internet, None).unwrap().0.requests, 1);
}

#[test]
fn bodies_that_are_too_large_are_cut() {
    let internet = registry(Uploads { body: Some(300_000), ..Uploads::default() });
    let (uploaded, _) = upload(&internet, None).unwrap();
    assert_eq!((uploaded.sessions, uploaded.requests), (2, 1 + SIZE.div_ceil(64 << 10) as u32));
}

#[test]
fn registries_that_take_only_chunks() {
    let internet = registry(Uploads { only_chunks: true, ..Uploads::default() });
    let (uploaded, _) = upload(&internet, None).unwrap();
    assert_eq!((uploaded.sessions, uploaded.requests), (2, 2));
}

#[test]
fn a_range_that_is_stuck_at_the_first_chunk() {
    let internet = registry(Uploads { stuck: true, ..Uploads::default() });
    assert_eq!(upload(&internet, Some(250_000)).unwrap().0.requests, 4);
}

#[test]
fn chunks_that_are_answered_like_a_blob() {
    let internet = registry(Uploads { taken: 201, ..Uploads::default() });
    assert_eq!(upload(&internet, Some(250_000)).unwrap().0.requests, 4);
}

#[test]
fn registries_that_take_only_whole_blobs() {
    let internet = registry(Uploads { only_whole: true, ..Uploads::default() });
    let (uploaded, _) = upload(&internet, Some(250_000)).unwrap();
    assert_eq!((uploaded.sessions, uploaded.requests), (2, 2));
    // Or that take chunks, and make something else of them.
    let internet = registry(Uploads { forgetful: true, ..Uploads::default() });
    let (uploaded, _) = upload(&internet, Some(250_000)).unwrap();
    assert_eq!((uploaded.sessions, uploaded.requests), (2, 5));
}

#[test]
fn sessions_that_a_break_ends() {
    for chunk in [None, Some(300_000)] {
        let internet = registry(Uploads { fragile: true, ..Uploads::default() });
        internet.fault(if chunk.is_some() { "PATCH " } else { "PUT " }, 2, Fault::CutAfter(200_000));
        assert_eq!(upload(&internet, chunk).unwrap().0.sessions, 3, "{chunk:?}");
    }
}

#[test]
fn sessions_that_say_nothing_of_themselves() {
    for status in [400, 403, 405, 501] {
        let internet = registry(Uploads::default());
        internet.fault("PATCH ", 1, Fault::CutAfter(200_000)).fault("GET ", 9, Fault::Status(status));
        assert_eq!(upload(&internet, Some(300_000)).unwrap().0.sessions, 2, "{status}");
    }
}

#[test]
fn connections_cut_thrice() {
    for chunk in [None, Some(300_000)] {
        let internet = registry(Uploads::default());
        for part in ["PUT ", "PATCH ", "PATCH "] {
            internet.fault(if chunk.is_some() { "PATCH " } else { part }, 1, Fault::CutAfter(200_000));
        }
        let (uploaded, _) = upload(&internet, chunk).unwrap();
        assert_eq!(uploaded.sessions, 1, "{chunk:?}");
        // Bytes that the connection lost are sent again, bytes that arrived are not: nothing is sent from the start.
        let starts: Vec<u64> = internet.log().iter().filter_map(start_of_part).collect();
        assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "{starts:?}");
    }
}

fn start_of_part(asked: &porthole_testkit::registry::Asked) -> Option<u64> {
    asked.headers.get("content-range")?.to_str().ok()?.split_once('-')?.0.parse().ok()
}

#[test]
fn lost_answers() {
    // The commit was carried out, and its answer was lost.
    let internet = registry(Uploads::default());
    internet.fault("PUT ", 1, Fault::Lost);
    upload(&internet, None).unwrap();
    assert_eq!(sent(&internet), SIZE as usize);
    let internet = registry(Uploads::default());
    internet.fault("PUT ", 1, Fault::Lost).fault("PATCH ", 1, Fault::Lost);
    upload(&internet, Some(600_000)).unwrap();
    assert_eq!(sent(&internet), SIZE as usize);
    let internet = registry(Uploads::default());
    internet.fault("POST ", 2, Fault::Lost);
    let client_sees = upload_keeping_sessions(&internet);
    assert_eq!(client_sees.unwrap().sessions, 1);
}

/// Sessions whose opening was not answered stay with the registry.
fn upload_keeping_sessions(internet: &Internet) -> Result<Uploaded, Error> {
    let (descriptor, bytes) = blob();
    let client = Registry::new(internet.clone(), Options::default());
    block_on(client.upload_blob(&destination(), &descriptor, &bytes, None, None, &mut |_| {}))
}

#[test]
fn troubles_that_pass() {
    for status in [500, 502, 503, 504, 408, 429] {
        for (part, chunk) in [("PUT ", None), ("PATCH ", Some(400_000)), ("POST ", None), ("PUT ", Some(400_000))] {
            let internet = registry(Uploads::default());
            internet.fault(part, 2, Fault::Status(status));
            upload(&internet, chunk).unwrap();
            assert_eq!(internet.slept().len(), 2, "{status} {part}");
        }
    }
}

#[test]
fn retry_after_is_heeded() {
    let internet = registry(Uploads::default());
    let headers = vec![("retry-after", "7".to_owned())];
    internet.fault("PATCH ", 1, Fault::Answer { status: 429, headers, body: Vec::new() });
    upload(&internet, Some(400_000)).unwrap();
    assert_eq!(internet.slept(), [Duration::from_secs(7)]);
}

#[test]
fn a_lost_session_is_opened_anew() {
    for (part, chunk) in [("PATCH ", Some(400_000)), ("PUT ", None), ("PUT ", Some(400_000))] {
        let internet = registry(Uploads::default());
        internet.fault(part, 1, Fault::Status(404));
        let (descriptor, bytes) = blob();
        let client = Registry::new(internet.clone(), Options::default());
        block_on(client.upload_blob(&destination(), &descriptor, &bytes, chunk, None, &mut |_| {})).unwrap();
        assert!(block_on(client.has_blob(&destination(), &descriptor)).unwrap(), "{part} {chunk:?}");
    }
    // Forgotten between a break and the question where it stands.
    let internet = registry(Uploads::default());
    internet.fault("PATCH ", 1, Fault::CutAfter(100)).fault("GET ", 1, Fault::Status(404));
    let (descriptor, bytes) = blob();
    let client = Registry::new(internet.clone(), Options::default());
    let done = block_on(client.upload_blob(&destination(), &descriptor, &bytes, Some(400_000), None, &mut |_| {}));
    assert_eq!(done.unwrap().sessions, 2);
}

#[test]
fn a_range_not_satisfiable_says_where_to_go_on() {
    let internet = registry(Uploads::default());
    internet.fault("PATCH ", 1, Fault::CutAfter(150_000)).fault("GET ", 1, Fault::Header("range", "0-99".into()));
    // The registry holds more than it said: the chunk that follows is refused, and the refusal has the right offset.
    let (uploaded, _) = upload(&internet, Some(400_000)).unwrap();
    assert_eq!(uploaded.sessions, 1);
    assert!(sent(&internet) < 2 * SIZE as usize);
}

#[test]
fn ranges_that_cannot_be() {
    for range in ["0-99999999", "nonsense", "5-9", "0-18446744073709551615"] {
        let internet = registry(Uploads::default());
        internet.fault("PATCH ", 1, Fault::CutAfter(150_000)).fault("GET ", 1, Fault::Header("range", range.into()));
        let (descriptor, bytes) = blob();
        let client = Registry::new(internet.clone(), Options::default());
        let done = block_on(client.upload_blob(&destination(), &descriptor, &bytes, Some(400_000), None, &mut |_| {}));
        assert_eq!(done.unwrap().sessions, 2, "{range}");
    }
}

#[test]
fn sessions_elsewhere_get_no_authorization() {
    let internet = Internet::new();
    let uploads = Uploads { prefix: "https://storage.example.net".into(), ..Uploads::default() };
    let auth = Auth::Bearer { challenge: bearer(REALM, HOST), account: Some("user:canary-password") };
    internet.site(HOST, Site::new().auth(auth.clone()).uploads(uploads));
    internet.site("auth.example.com", Site::new().auth(auth));
    internet.alias("storage.example.net", HOST);
    let client = with_password(&internet, Options::default());
    let (descriptor, bytes) = blob();
    block_on(client.upload_blob(&destination(), &descriptor, &bytes, Some(400_000), None, &mut |_| {})).unwrap();
    for asked in internet.log() {
        let ours = !asked.url.starts_with("https://storage.example.net/");
        assert!(ours || asked.authorization().is_none(), "{}", asked.url);
    }
    assert_eq!(internet.count("PATCH https://storage.example.net/"), 3);
}

#[test]
fn places_that_are_refused() {
    for location in
        ["http://r.example.com/v2/a/b/blobs/uploads/1", "https://10.0.0.1/u", "https://localhost/u", "file:///x"]
    {
        let internet = registry(Uploads::default());
        internet.fault("POST ", 1, Fault::Header("location", location.into()));
        assert!(
            matches!(upload(&internet, None), Err(Error::Policy { role: "place for an upload", .. })),
            "{location}"
        );
        assert_eq!(sent(&internet), 0, "{location}");
    }
    let internet = registry(Uploads::default());
    internet.fault("POST ", 1, Fault::NoHeader("location"));
    let error = upload(&internet, None).unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[test]
fn a_registry_that_does_not_say_what_it_has_is_sent_it() {
    for status in [403, 404, 405] {
        let internet = registry(Uploads::default());
        internet.fault("HEAD ", 1, Fault::Status(status));
        let client = Registry::new(internet.clone(), Options::default());
        assert!(!block_on(client.has_blob(&destination(), &blob().0)).unwrap(), "{status}");
        internet.fault("HEAD ", 1, Fault::Status(status));
        assert_eq!(block_on(client.head_manifest(&destination(), "1")).unwrap(), None, "{status}");
    }
    // Another size than the blob's is another blob.
    let internet = registry(Uploads::default());
    upload(&internet, None).unwrap();
    internet.fault(
        "HEAD ",
        1,
        Fault::Answer { status: 200, headers: vec![("content-length", "1".into())], body: vec![0] },
    );
    let client = Registry::new(internet.clone(), Options::default());
    assert!(!block_on(client.has_blob(&destination(), &blob().0)).unwrap());
}

#[test]
fn the_latest_location_counts_and_keeps_its_query() {
    let internet = registry(Uploads::default());
    // Relative to the request, as RFC 3986 has it; and with more than a state.
    internet.fault("POST ", 1, Fault::Header("location", "1?_state=0&more=a%20b".into()));
    upload(&internet, Some(400_000)).unwrap();
    let log = internet.log();
    let first = log.iter().find(|asked| asked.method == "PATCH").unwrap();
    assert_eq!(first.url, "https://r.example.com/v2/a/b/blobs/uploads/1?_state=0&more=a%20b");
    let last = log.iter().find(|asked| asked.method == "PUT").unwrap();
    let expected = format!("https://r.example.com/v2/a/b/blobs/uploads/1?_state=1000000&digest={}", blob().0.digest);
    assert_eq!(last.url, expected);
}

#[test]
fn other_forms_of_location() {
    for prefix in ["https://r.example.com", "https://r.example.com:443", "//r.example.com", "r.example.com"] {
        let internet = registry(Uploads { prefix: prefix.into(), ..Uploads::default() });
        upload(&internet, Some(400_000)).unwrap();
    }
}

#[test]
fn what_cannot_be_is_given_up() {
    // Not retried: refused, or no space.
    for (status, requests) in [(403, 1), (507, 1), (400, 3)] {
        let internet = registry(Uploads::default());
        internet.fault("PUT ", 99, Fault::Status(status)).fault("PATCH ", 99, Fault::Status(status));
        assert!(upload(&internet, None).is_err(), "{status}");
        assert!(internet.count("PUT ") + internet.count("PATCH ") <= requests, "{status}");
        assert_eq!(internet.look(HOST, Site::open_uploads), Some(0), "{status}");
    }
    // Without end: after some tries.
    let internet = registry(Uploads::default());
    internet.fault("PUT ", 99, Fault::Status(503)).fault("PATCH ", 99, Fault::Status(503));
    let error = upload(&internet, None).unwrap_err();
    assert!(matches!(error, Error::Status { status: 503, .. }), "{error}");
    assert!(internet.log().len() < 40, "{}", internet.log().len());
    // No byte moves: one stall, one short question.
    let internet = registry(Uploads::default());
    internet.fault("PUT ", 99, Fault::NoAnswer(ErrorKind::Timeout)).fault(
        "HEAD ",
        99,
        Fault::NoAnswer(ErrorKind::Timeout),
    );
    let error = upload(&internet, None).unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error}");
    assert_eq!((internet.count("PUT "), internet.count("HEAD ")), (1, 1));
}

#[test]
fn mounting() {
    let (descriptor, bytes) = blob();
    let mut content = Content::default();
    content.add_blob(Blob::new("application/octet-stream", bytes.to_vec()));
    let mount = |uploads: Uploads| {
        let internet = Internet::new();
        internet.site(HOST, Site::new().repository("library/x", content.clone()).uploads(uploads));
        let to = Destination { mount_from: vec!["library/x".into()], ..destination() };
        let client = Registry::new(internet.clone(), Options::default());
        let mount = block_on(client.mount_blob(&to, &descriptor.digest, "library/x")).unwrap();
        if let Mount::Opened(opened) = &mount {
            let opened = Some(opened.clone());
            block_on(client.upload_blob(&to, &descriptor, &bytes, None, opened, &mut |_| {})).unwrap();
            assert_eq!(internet.count("POST "), 1, "the session that was opened is used");
        }
        (mount, internet)
    };
    assert!(matches!(mount(Uploads::default()).0, Mount::Mounted));
    assert!(matches!(mount(Uploads { no_mount: true, ..Uploads::default() }).0, Mount::Opened(_)));
    for status in [400, 401, 403, 404, 405, 500] {
        let uploads = Uploads { mount_status: Some(status), ..Uploads::default() };
        assert!(matches!(mount(uploads).0, Mount::No), "{status}");
    }
}

#[test]
fn one_token_for_everything() {
    let internet = Internet::new();
    let auth = Auth::Bearer { challenge: bearer(REALM, HOST), account: Some("user:canary-password") };
    internet.site(HOST, Site::new().auth(auth.clone()));
    internet.site("auth.example.com", Site::new().auth(auth));
    let client = with_password(&internet, Options::default());
    let to = Destination { mount_from: vec!["library/x".into(), "a/c".into()], ..destination() };
    let (descriptor, bytes) = blob();
    assert!(!block_on(client.has_blob(&to, &descriptor)).unwrap());
    assert!(matches!(block_on(client.mount_blob(&to, &descriptor.digest, "library/x")), Ok(Mount::Opened(_))));
    block_on(client.upload_blob(&to, &descriptor, &bytes, None, None, &mut |_| {})).unwrap();
    let tokens: Vec<String> =
        internet.log().iter().filter(|asked| asked.url.contains("/token")).map(|asked| asked.url.clone()).collect();
    assert_eq!(
        tokens,
        ["https://auth.example.com/token?service=r.example.com&scope=repository:a/b:pull,push\
          &scope=repository:a/c:pull&scope=repository:library/x:pull"]
    );
    assert!(!format!("{:?}", internet.log().iter().map(|asked| &asked.url).collect::<Vec<_>>()).contains(CANARY));
}
