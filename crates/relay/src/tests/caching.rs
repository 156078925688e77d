//! What browsers and proxies may keep.

use super::*;

#[tokio::test]
async fn answers_say_how_long_they_may_be_kept_and_by_whom() {
    let upstream = Upstream::start(|head| {
        if head.contains("/manifests/absent") {
            return reply("404 Not Found", &["Cache-Control: public"], "");
        }
        reply("200 OK", &[&format!("Docker-Content-Digest: {DIGEST}"), "Cache-Control: max-age=7"], "{}")
    })
    .await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns]).await;
    let by_digest = "max-age=31536000, immutable";
    for (target, signed_in, expected) in [
        (format!("blobs/{DIGEST}"), false, format!("public, {by_digest}")),
        (format!("blobs/{DIGEST}"), true, format!("private, {by_digest}")),
        (format!("manifests/{DIGEST}"), false, format!("public, {by_digest}")),
        (format!("manifests/{DIGEST}"), true, format!("private, {by_digest}")),
        ("manifests/1".to_owned(), false, "no-cache".to_owned()),
        ("manifests/1".to_owned(), true, "private, no-cache".to_owned()),
        ("manifests/absent".to_owned(), true, "no-store".to_owned()),
        ("tags/list".to_owned(), false, "no-store".to_owned()),
    ] {
        let headers: &[&str] = if signed_in { &["Authorization: Bearer x"] } else { &[] };
        let answer = relay.ask("GET", &format!("/v2/a/{target}?ns={ns}"), headers).await;
        assert_eq!(answer.header("cache-control"), Some(expected.as_str()), "{target}");
        let varies = answer.head.to_ascii_lowercase().contains("vary: authorization");
        assert_eq!(varies, expected != "no-store", "{target}: {answer:?}");
    }
}

/// The second visit of the page costs no manifest again, even where the registry knows no conditional requests.
#[tokio::test]
async fn a_manifest_by_tag_has_a_tag_of_its_own() {
    let upstream = Upstream::start(|_| reply("200 OK", &[&format!("Docker-Content-Digest: {DIGEST}")], "{}")).await;
    let ns = upstream.address.to_string();
    let relay = Running::start(&["--allow-private", &ns]).await;
    let target = format!("/v2/a/manifests/1?ns={ns}");
    let etag = format!("\"{DIGEST}\"");
    assert_eq!(relay.get(&target).await.header("etag"), Some(etag.as_str()));
    let same = relay.ask("GET", &target, &[&format!("If-None-Match: {etag}")]).await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(etag.as_str())));
    let other = relay.ask("GET", &target, &["If-None-Match: \"x\""]).await;
    assert_eq!((other.status, other.body.len()), (200, 2));
}
