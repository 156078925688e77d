//! Each probe of the doctor over a scripted registry: as it should be, and with what may go wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{descriptor::Descriptor, failure::FailureClass, hint::Hint, reference::Reference};
use porthole_registry::{
    Options, Registry, auth,
    client::{Asker, Probed},
    doctor::{
        ExaminedRegistry, NamedPart, ProbeFinding, ProbeName, ProbeVerdict, StoredCredentials, access, lists, page,
        reach, reading, writing,
    },
    transport::{Environment, ErrorKind},
};
use porthole_testkit::{
    executor::block_on,
    image::{Content, Image, Layer},
    registry::{Auth, Deletes, Fault, Internet, Site, Uploads, bearer},
};

const HOST: &str = "r.example.com";
const PAGE: &str = "https://page.example";

fn content() -> Content {
    Image::new().layer(Layer::new("COPY a /").file("a", "b")).build().into_content("1")
}

fn site() -> Site {
    Site::new().repository("a/b", content())
}

fn internet(site: Site) -> Internet {
    let internet = Internet::new();
    internet.site(HOST, site);
    internet
}

/// Examines a registry without credentials.
fn look<R>(internet: &Internet, look: impl FnOnce(&ExaminedRegistry<'_, Internet>) -> R) -> R {
    look_as(internet, StoredCredentials::None, &[], look)
}

fn look_as<R>(
    internet: &Internet,
    credentials: StoredCredentials,
    trusted: &[String],
    look: impl FnOnce(&ExaminedRegistry<'_, Internet>) -> R,
) -> R {
    let client = Registry::new(internet.clone(), Options { trust_realm: trusted.to_vec(), ..Options::default() });
    if matches!(credentials, StoredCredentials::From(_)) {
        client.set_credentials(HOST, Some(auth::Credentials::basic("keeper", "s3cret")));
    }
    let reference: Reference = format!("{HOST}/a/b:1").parse().unwrap();
    let base = client.endpoint(&reference).unwrap();
    look(&ExaminedRegistry { client: &client, reference, base, trusted, credentials, insecure: false, page: PAGE })
}

fn front(registry: &ExaminedRegistry<'_, Internet>) -> Probed {
    block_on(registry.ask(http::Method::GET, "", &[], Asker::Anyone)).unwrap()
}

#[track_caller]
fn is(finding: &ProbeFinding, verdict: ProbeVerdict, says: &str) {
    assert_eq!(finding.verdict, verdict, "{finding:?}");
    assert!(finding.says.contains(says), "expected `{says}`, got `{}`", finding.says);
}

fn answer(status: u16, headers: &[(&'static str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Fault::Answer { status, headers, body: Vec::new() }
}

#[test]
fn connection() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| {
        let front = block_on(registry.ask(http::Method::GET, "", &[], Asker::Anyone));
        reach::connection(registry, &front)
    };
    is(&look(&internet, probe), ProbeVerdict::Ok, "over TLS");
    internet.fault("/v2/", 1, Fault::NoAnswer(ErrorKind::Connect));
    let finding = look(&internet, probe);
    is(&finding, ProbeVerdict::No, "no connection");
    assert_eq!((finding.kind(), internet.log().len()), (Some(FailureClass::Network), 2), "it is asked once");
    internet.fault("/v2/", 1, Fault::NoAnswer(ErrorKind::Tls));
    let finding = look(&internet, probe);
    assert!(
        finding
            .failure
            .iter()
            .flat_map(|failure| &failure.hints)
            .any(|hint| !hint.to_string().contains("plain HTTP") && !hint.to_string().is_empty()),
        "{finding:?}"
    );

    internet.site("127.0.0.1:5000", site()).site("plain.example.com", site());
    let client = Registry::new(internet.clone(), Options { plain_http_all: true, ..Options::default() });
    for (host, verdict, says) in [
        ("127.0.0.1:5000", ProbeVerdict::Ok, "does not leave this machine"),
        ("plain.example.com", ProbeVerdict::No, "anyone on the path can read passwords"),
    ] {
        let reference: Reference = format!("{host}/a/b:1").parse().unwrap();
        let base = client.endpoint(&reference).unwrap();
        let registry = ExaminedRegistry {
            client: &client,
            reference,
            base,
            trusted: &[],
            credentials: StoredCredentials::None,
            insecure: false,
            page: PAGE,
        };
        is(&probe(&registry), verdict, says);
    }
}

#[test]
fn version() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| reach::version(&front(registry));
    is(&look(&internet, probe), ProbeVerdict::Ok, "speaks the distribution API");
    for (status, verdict, kind) in [
        (401, ProbeVerdict::Ok, None),
        (403, ProbeVerdict::No, Some(FailureClass::Authentication)),
        (404, ProbeVerdict::No, Some(FailureClass::NotFound)),
        (429, ProbeVerdict::No, Some(FailureClass::RateLimit)),
        (500, ProbeVerdict::No, Some(FailureClass::Protocol)),
        (302, ProbeVerdict::No, Some(FailureClass::Protocol)),
    ] {
        internet.fault("/v2/", 1, Fault::Status(status));
        let finding = look(&internet, probe);
        assert_eq!((finding.verdict, finding.kind()), (verdict, kind), "{status}");
    }
    assert!(internet.slept().is_empty(), "nothing is waited for");
}

#[test]
fn clock() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| {
        reach::clock(&front(registry), Environment::now(registry.client.transport()))
    };
    is(&look(&internet, probe), ProbeVerdict::Unknown, "sends no date");
    for (date, verdict, says) in [
        ("Fri, 02 Jan 2026 03:04:05 GMT", ProbeVerdict::Ok, "agrees"),
        ("Fri, 02 Jan 2026 03:04:30 GMT", ProbeVerdict::Ok, "agrees"),
        ("Fri, 02 Jan 2026 03:14:05 GMT", ProbeVerdict::No, "is 600 s ahead of"),
        ("Fri, 02 Jan 2026 03:02:05 GMT", ProbeVerdict::No, "is 120 s behind"),
        ("yesterday", ProbeVerdict::Unknown, "sends no date"),
    ] {
        internet.fault("/v2/", 1, Fault::Header("date", date.to_owned()));
        is(&look(&internet, probe), verdict, says);
    }
}

#[test]
fn sign_in() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| access::sign_in(registry, &front(registry));
    is(&look(&internet, probe), ProbeVerdict::Ok, "requires no sign-in");
    for (challenge, verdict, says) in [
        (
            r#"Bearer realm="https://auth.example.com/token""#,
            ProbeVerdict::Ok,
            "from https://auth.example.com, which gets",
        ),
        (
            r#"Bearer realm="https://auth.example.net/token""#,
            ProbeVerdict::No,
            "auth.example.net, another site, to which no credentials",
        ),
        (r#"Bearer realm="http://auth.example.com/token""#, ProbeVerdict::No, "a realm that is refused"),
        (r#"Bearer realm="https://169.254.169.254/token""#, ProbeVerdict::No, "a realm that is refused"),
        (r#"Basic realm="x""#, ProbeVerdict::Ok, "user and password"),
        (r#"Negotiate, Basic realm="x""#, ProbeVerdict::Ok, "user and password"),
        ("Negotiate", ProbeVerdict::No, "registry clients do not have: negotiate"),
        ("", ProbeVerdict::No, "without a challenge"),
    ] {
        internet.fault("/v2/", 1, answer(401, &[("www-authenticate", challenge)]));
        is(&look(&internet, probe), verdict, says);
    }
    let elsewhere = r#"Bearer realm="https://auth.example.net/token""#;
    internet.fault("/v2/", 1, answer(401, &[("www-authenticate", elsewhere)]));
    let realm = "auth.example.net".to_owned();
    assert_eq!(look(&internet, probe).hint, Some(Hint::TrustRealm { realm }));
    let trusted = ["auth.example.net".to_owned()];
    internet.fault("/v2/", 1, answer(401, &[("www-authenticate", r#"Bearer realm="https://auth.example.net/token""#)]));
    is(&look_as(&internet, StoredCredentials::None, &trusted, probe), ProbeVerdict::Ok, "gets the credentials");
}

#[test]
fn credentials() {
    let kept = || StoredCredentials::From("config.json".to_owned());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| block_on(access::credentials(registry, &front(registry)));
    let open = internet(site());
    is(&look(&open, probe), ProbeVerdict::Ok, "not required");
    is(&look_as(&open, kept(), &[], probe), ProbeVerdict::Unknown, "from config.json were not asked for");
    is(
        &look_as(&open, StoredCredentials::Failed("why".to_owned()), &[], probe),
        ProbeVerdict::No,
        "could not be asked for: why",
    );

    let challenge = bearer("https://auth.example.com/token", HOST);
    for (account, is_kept, verdict, says) in [
        (None, false, ProbeVerdict::Ok, "anonymous access works"),
        (Some("keeper:s3cret"), true, ProbeVerdict::Ok, "from config.json are accepted"),
        (Some("keeper:other"), true, ProbeVerdict::No, "from config.json do not help"),
        (Some("keeper:s3cret"), false, ProbeVerdict::No, "are required"),
    ] {
        let auth = Auth::Bearer { challenge: challenge.clone(), account };
        let closed = internet(site().auth(auth.clone()));
        closed.site("auth.example.com", Site::new().auth(auth));
        let credentials = if is_kept { kept() } else { StoredCredentials::None };
        let finding = look_as(&closed, credentials, &[], probe);
        is(&finding, verdict, says);
        assert_eq!(finding.kind(), (verdict == ProbeVerdict::No).then_some(FailureClass::Authentication));
        assert!(!finding.says.contains("s3cret"));
    }
    let basic = internet(site().auth(Auth::Basic("keeper:s3cret")));
    is(&look_as(&basic, kept(), &[], probe), ProbeVerdict::Ok, "are accepted");
    is(&look(&basic, probe), ProbeVerdict::No, "are required");
}

#[test]
fn manifest_and_head() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| {
        let head = block_on(reading::fetch_head(registry));
        let (finding, sample) = block_on(reading::manifest(registry, &head));
        let sample = sample.unwrap();
        (finding, reading::head(&head, &sample), sample.blob)
    };
    let (manifest, head, blob) = look(&internet, probe);
    is(&manifest, ProbeVerdict::Ok, "is sha256:");
    is(&head, ProbeVerdict::Ok, "HEAD returns the digest");
    assert!(blob.is_some_and(|blob| blob.media_type.as_str().contains("layer")));
    let other = Fault::Header("docker-content-digest", format!("sha256:{}", "0".repeat(64)));
    for (fault, verdict, says) in [
        (Fault::NoHeader("docker-content-digest"), ProbeVerdict::No, "no Docker-Content-Digest"),
        (Fault::Status(405), ProbeVerdict::No, "HEAD is answered 405"),
        (other, ProbeVerdict::No, "another digest"),
        (Fault::NoAnswer(ErrorKind::Interrupted), ProbeVerdict::Unknown, "could not be determined"),
    ] {
        internet.fault("HEAD ", 1, fault);
        is(&look(&internet, probe).1, verdict, says);
    }
    internet.fault("/manifests/", 9, Fault::Status(404));
    let read = |registry: &ExaminedRegistry<'_, Internet>| {
        let head = block_on(reading::fetch_head(registry));
        block_on(reading::manifest(registry, &head))
    };
    let (finding, sample) = look(&internet, read);
    is(&finding, ProbeVerdict::No, "manifest not found");
    assert_eq!((finding.kind(), sample.is_none()), (Some(FailureClass::NotFound), true));
    let internet = self::internet(site());
    internet.fault("HEAD ", 1, answer(429, &[("retry-after", "30")]));
    let (finding, sample) = look(&internet, read);
    is(&finding, ProbeVerdict::No, "too many requests");
    assert_eq!((finding.kind(), sample.is_none(), internet.log().len()), (Some(FailureClass::RateLimit), true, 1));
    assert!(internet.slept().is_empty());
}

#[test]
fn conditional() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| {
        let head = block_on(reading::fetch_head(registry));
        let sample = block_on(reading::manifest(registry, &head)).1.unwrap();
        block_on(reading::conditional(registry, &head, &sample))
    };
    is(&look(&internet, probe), ProbeVerdict::No, "ignores If-None-Match");
    let asked = internet.log().pop().unwrap();
    let digest = content().roots[0].blob.digest.clone();
    assert_eq!(asked.headers["if-none-match"], format!("\"{digest}\""));
    // Of the two the second is the question.
    internet.fault("HEAD ", 1, Fault::Header("etag", "\"tag\"".to_owned())).fault("HEAD ", 1, Fault::Status(304));
    is(&look(&internet, probe), ProbeVerdict::Ok, "304");
    assert_eq!(internet.log().pop().unwrap().headers["if-none-match"], "\"tag\"");
    internet.fault("HEAD ", 1, Fault::Status(400)).fault("HEAD ", 1, Fault::Status(400));
    is(&look(&internet, probe), ProbeVerdict::Unknown, "400");
}

fn blob() -> Descriptor {
    let manifest: serde_json::Value = serde_json::from_slice(&content().roots[0].blob.bytes).unwrap();
    let layer = &manifest["layers"][0];
    let media_type = porthole_core::media_type::MediaType::OCI_LAYER_GZIP;
    Descriptor::new(media_type, layer["digest"].as_str().unwrap().parse().unwrap(), layer["size"].as_u64().unwrap())
}

#[test]
fn ranges() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| block_on(reading::range(registry, &blob()));
    is(&look(&internet, probe), ProbeVerdict::Ok, "sends parts of blobs");
    internet.fault("/blobs/", 9, Fault::IgnoreRange);
    is(&look(&internet, probe), ProbeVerdict::No, "whole blobs only");
    let internet = self::internet(site());
    internet.fault("/blobs/", 9, Fault::Header("content-range", format!("bytes 0-9/{}", blob().size)));
    is(&look(&internet, probe), ProbeVerdict::No, "answers a range wrongly");
    let internet = self::internet(site());
    internet.fault("/blobs/", 9, Fault::Status(404));
    is(&look(&internet, probe), ProbeVerdict::Unknown, "could not be determined");
}

#[test]
fn blobs() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| block_on(reading::blobs(registry, &blob()));
    is(&look(&internet, probe), ProbeVerdict::Ok, "from the registry itself");
    for (location, verdict, says) in [
        ("https://cdn.example.net/x?sig=secret", ProbeVerdict::Ok, "from https://cdn.example.net, which"),
        ("/elsewhere", ProbeVerdict::Ok, "after a redirect"),
        ("http://cdn.example.net/x", ProbeVerdict::No, "a place that is refused"),
        ("https://10.0.0.1/x", ProbeVerdict::No, "a place that is refused"),
    ] {
        internet.fault("/blobs/", 1, Fault::Redirect(location.to_owned()));
        let finding = look(&internet, probe);
        is(&finding, verdict, says);
        assert!(!finding.says.contains("secret"));
    }
    assert_eq!(internet.count("cdn.example.net"), 0, "no realm is asked");
    internet.fault("/blobs/", 1, Fault::Status(403));
    is(&look(&internet, probe), ProbeVerdict::No, "are answered 403");
}

#[test]
fn quota() {
    let internet = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| reading::quota(&block_on(reading::fetch_head(registry)));
    is(&look(&internet, probe), ProbeVerdict::Unknown, "states no limit");
    for (headers, verdict, says) in [
        (
            [("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")],
            ProbeVerdict::Ok,
            "76 of 100 pulls",
        ),
        ([("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "0")], ProbeVerdict::No, "used up"),
        ([("ratelimit-limit", "100"), ("other", "")], ProbeVerdict::Unknown, "of 100 pulls"),
        ([("ratelimit-limit", "many"), ("other", "")], ProbeVerdict::Unknown, "states no limit"),
    ] {
        internet.fault("HEAD ", 1, answer(200, &headers));
        is(&look(&internet, probe), verdict, says);
    }
    internet.fault("HEAD ", 1, Fault::Status(429));
    is(&look(&internet, probe), ProbeVerdict::No, "used up");
}

#[test]
fn catalog() {
    let listed = internet(site());
    let probe = |registry: &ExaminedRegistry<'_, Internet>| block_on(lists::catalog(registry));
    let (finding, first) = look(&listed, probe);
    is(&finding, ProbeVerdict::Ok, "lists its repositories");
    assert_eq!(first.as_deref(), Some("a/b"));
    for status in [401, 403, 404, 405] {
        let (finding, first) = look(&internet(site().without_catalog(status)), probe);
        is(&finding, ProbeVerdict::No, "lists no repositories");
        assert_eq!(first, None);
    }
    listed.fault("_catalog", 1, Fault::Body(b"<html>".to_vec())).fault("_catalog", 1, Fault::Status(500));
    is(&look(&listed, probe).0, ProbeVerdict::No, "does not answer with a list");
    is(&look(&listed, probe).0, ProbeVerdict::Unknown, "500");
}

#[test]
fn referrers() {
    let subject = content().roots[0].blob.digest.parse().unwrap();
    let probe = |registry: &ExaminedRegistry<'_, Internet>| block_on(lists::referrers(registry, &subject));
    is(&look(&internet(site().with_referrers()), probe), ProbeVerdict::Ok, "has the referrers API");
    let without = internet(site());
    is(&look(&without, probe), ProbeVerdict::No, "found by the fallback tag");
    without.fault("/referrers/", 1, Fault::Status(500));
    is(&look(&without, probe), ProbeVerdict::Unknown, "500");
}

const READ: (&str, &str) = ("access-control-allow-origin", "*");
const EXPOSE: (&str, &str) = ("access-control-expose-headers", "Docker-Content-Digest, WWW-Authenticate");
const CHALLENGE: (&str, &str) = ("www-authenticate", r#"Bearer realm="https://auth.example.com/token",service="s""#);
const ALLOW: (&str, &str) = ("access-control-allow-headers", "Accept, Authorization");

#[test]
fn pages() {
    let probe = |registry: &ExaminedRegistry<'_, Internet>| block_on(page::page(registry));
    let verdicts = |findings: [ProbeFinding; 2]| findings.map(|finding| finding.verdict);
    let closed = internet(site());
    let [page, preflight] = look(&closed, probe);
    is(&page, ProbeVerdict::No, "the page needs the relay");
    is(&preflight, ProbeVerdict::No, "signing in from the page needs the relay");
    assert_eq!(closed.log()[0].headers["origin"], PAGE);

    for (read, preflight, token, expected, says) in [
        (answer(200, &[READ]), answer(405, &[]), None, [ProbeVerdict::Ok, ProbeVerdict::No], "no relay is needed"),
        (
            answer(200, &[(READ.0, PAGE)]),
            answer(204, &[READ, ALLOW]),
            None,
            [ProbeVerdict::Ok, ProbeVerdict::Ok],
            "no relay is needed",
        ),
        (
            answer(200, &[(READ.0, "https://other.example")]),
            answer(204, &[READ]),
            None,
            [ProbeVerdict::No, ProbeVerdict::No],
            "does not allow this origin",
        ),
        (
            answer(401, &[READ, CHALLENGE]),
            answer(204, &[READ, ALLOW]),
            None,
            [ProbeVerdict::No, ProbeVerdict::Ok],
            "does not expose WWW-Authenticate",
        ),
        (
            answer(401, &[READ, EXPOSE, CHALLENGE]),
            answer(401, &[READ]),
            None,
            [ProbeVerdict::No, ProbeVerdict::No],
            "the preflight",
        ),
        (
            answer(401, &[READ, EXPOSE, CHALLENGE]),
            answer(200, &[READ, ALLOW]),
            Some(answer(200, &[])),
            [ProbeVerdict::No, ProbeVerdict::Ok],
            "has a token server that does not allow",
        ),
        (
            answer(401, &[READ, EXPOSE, CHALLENGE]),
            answer(200, &[READ, ALLOW]),
            Some(answer(200, &[READ])),
            [ProbeVerdict::Ok, ProbeVerdict::Ok],
            "sign in and read it",
        ),
        (
            answer(401, &[READ, EXPOSE, ("www-authenticate", "Basic realm=x")]),
            answer(200, &[READ, ALLOW]),
            None,
            [ProbeVerdict::Ok, ProbeVerdict::Ok],
            "sign in and read it",
        ),
        // A star does not stand for Authorization.
        (
            answer(200, &[READ]),
            answer(200, &[READ, (ALLOW.0, "*")]),
            None,
            [ProbeVerdict::Ok, ProbeVerdict::No],
            "no relay is needed",
        ),
    ] {
        let internet = internet(site());
        internet.site("auth.example.com", Site::new());
        internet.fault("GET https://r.example.com", 1, read).fault("OPTIONS ", 1, preflight);
        if let Some(token) = token {
            internet.fault("/token", 1, token);
        }
        let findings = look(&internet, probe);
        is(&findings[0], expected[0], says);
        assert_eq!(verdicts(findings), expected, "{says}");
    }
}

fn uploads(internet: &Internet, from: bool) -> Vec<ProbeFinding> {
    let to: Reference = format!("{HOST}/scratch").parse().unwrap();
    look(internet, |registry| {
        let blob = blob();
        block_on(writing::uploads(registry, &to, from.then_some((&registry.reference, &blob))))
    })
}

#[test]
fn writing() {
    let verdicts = |findings: &[ProbeFinding]| {
        findings.iter().map(|finding| (finding.probe.name(), finding.verdict)).collect::<Vec<_>>()
    };
    let all = ["upload", "chunks", "resume", "cancel", "whole", "mount", "delete"];
    for from in [false, true] {
        let internet = internet(site());
        assert_eq!(verdicts(&uploads(&internet, from)), all.map(|probe| (probe, ProbeVerdict::Ok)));
        let left = internet
            .look(HOST, |site| (site.open_uploads(), site.content("scratch").map_or(0, |content| content.blobs.len())));
        assert_eq!(left, Some((0, usize::from(from))), "what was mounted belongs to others as well");
        let again = uploads(&internet, from);
        is(&again[5], ProbeVerdict::Ok, "as far as one shows that was there already");
    }
}

#[test]
fn writing_that_fails() {
    let find = |uploads: Uploads, deletes: Deletes, fault: Option<(&str, Fault)>, probe: &str| {
        let internet = internet(site().uploads(uploads).deletes(deletes));
        if let Some((part, fault)) = fault {
            internet.fault(part, 1, fault);
        }
        let findings = self::uploads(&internet, true);
        // A session without a location cannot be cancelled.
        let lost =
            findings.iter().any(|finding| finding.probe == ProbeName::Upload && finding.verdict == ProbeVerdict::No);
        assert!(lost || internet.look(HOST, Site::open_uploads) == Some(0), "{findings:?}");
        findings.into_iter().find(|finding| finding.probe.name() == probe).unwrap()
    };
    let no = |uploads: Uploads, probe: &str| find(uploads, Deletes::All, None, probe);
    let broken =
        |part: &str, fault: Fault, probe: &str| find(Uploads::default(), Deletes::All, Some((part, fault)), probe);
    is(&no(Uploads { no_mount: true, ..Uploads::default() }, "mount"), ProbeVerdict::No, "sent again");
    is(&no(Uploads { mount_status: Some(401), ..Uploads::default() }, "mount"), ProbeVerdict::No, "401");
    is(
        &no(Uploads { only_chunks: true, ..Uploads::default() }, "whole"),
        ProbeVerdict::No,
        "not taken in one piece (405",
    );
    is(&no(Uploads { most: Some(1000), ..Uploads::default() }, "chunks"), ProbeVerdict::No, "416");
    is(&no(Uploads { least: Some(100_000), ..Uploads::default() }, "chunks"), ProbeVerdict::Ok, "are accepted");
    is(&no(Uploads { least: Some(1 << 40), ..Uploads::default() }, "chunks"), ProbeVerdict::Unknown, "too much to try");
    is(&broken("PATCH ", Fault::NoHeader("range"), "chunks"), ProbeVerdict::No, "does not report its offset");
    is(&broken("GET ", Fault::Status(404), "resume"), ProbeVerdict::No, "(404)");
    is(&broken("POST ", Fault::Status(403), "upload"), ProbeVerdict::No, "403");
    assert_eq!(broken("POST ", Fault::Status(403), "upload").kind(), Some(FailureClass::Authentication));
    is(&broken("POST ", Fault::NoHeader("location"), "upload"), ProbeVerdict::No, "sends no Location");
    is(
        &broken("POST ", Fault::Header("location", "http://10.0.0.1/x".to_owned()), "upload"),
        ProbeVerdict::No,
        "refused",
    );
    let kept = find(Uploads::default(), Deletes::Nothing, None, "delete");
    is(&kept, ProbeVerdict::No, "1024 bytes of noise stay");
}

#[test]
fn the_whole_card() {
    let internet = internet(site());
    let examine = |named, write: Option<&Reference>| {
        look(&internet, |registry| {
            let ExaminedRegistry { client, reference, base, trusted, insecure, page, .. } = registry;
            let (reference, base, credentials) = (reference.clone(), base.clone(), StoredCredentials::None);
            let registry =
                ExaminedRegistry { client, reference, base, trusted, credentials, insecure: *insecure, page };
            block_on(porthole_registry::doctor::examine(registry, named, write))
        })
    };
    let card = examine(NamedPart::Registry, None);
    assert_eq!(card.image.as_deref(), Some("r.example.com/a/b:1"));
    assert!(card.failure().is_none());
    let writes = |internet: &Internet| internet.count("POST ") + internet.count("PUT ") + internet.count("DELETE ");
    assert_eq!(writes(&internet), 0);
    let probes: Vec<&str> = card.findings.iter().map(|finding| finding.probe.name()).collect();
    assert_eq!(
        probes,
        [
            "connection",
            "version",
            "clock",
            "sign-in",
            "credentials",
            "catalog",
            "manifest",
            "quota",
            "head",
            "conditional",
            "referrers",
            "range",
            "blobs",
            "page",
            "preflight"
        ]
    );
    internet.fault("/v2/", 99, Fault::NoAnswer(ErrorKind::Connect));
    let card = examine(NamedPart::Image, None);
    assert_eq!(
        (card.findings.len(), card.failure().map(|(_, failure)| failure.kind)),
        (1, Some(FailureClass::Network))
    );
}
