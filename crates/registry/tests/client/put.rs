//! Manifests, tags and lists of referrers: what is put, and what may stand in the way.

use crate::{
    HOST,
    push::{blob, destination, registry},
    tagged,
};
use porthole_core::{
    digest::Digest,
    manifest::{Document, Raw},
    media_type::MediaType,
};
use porthole_registry::{Error, Options, Registry};
use porthole_testkit::{
    executor::block_on,
    registry::{Fault, Uploads},
};

#[test]
fn manifests() {
    let internet = registry(Uploads::default());
    let client = Registry::new(internet.clone(), Options::default());
    let (descriptor, bytes) = blob();
    let text = format!(
        r#"{{ "schemaVersion": 2,  "config": {{"mediaType":"x/y","digest":"{0}","size":1}}, "layers": [{{"mediaType":"x/y","digest":"{0}","size":1}}] }}"#,
        descriptor.digest
    );
    let raw = Raw::trust_on_first_use(text.clone().into_bytes());
    let put = |tag| block_on(client.put_manifest(&destination(), &raw, &MediaType::OCI_MANIFEST, tag));
    assert!(matches!(put(Some("1")), Err(Error::NotFound { .. })), "its blobs are missing");
    block_on(client.upload_blob(&destination(), &descriptor, &bytes, None, None, &mut |_| {})).unwrap();
    internet.fault("PUT ", 2, Fault::Status(503));
    assert!(!put(Some("1")).unwrap());
    put(None).unwrap();
    assert_eq!(block_on(client.head_manifest(&destination(), "1")).unwrap(), Some(*raw.digest()));
    assert_eq!(block_on(client.head_manifest(&destination(), "2")).unwrap(), None);
    block_on(client.check_tag(&destination(), &raw, "1")).unwrap();
    let last = internet.log().into_iter().rfind(|asked| asked.method == "PUT").unwrap();
    assert_eq!(last.body, text.as_bytes());
    assert_eq!(last.headers["content-type"], MediaType::OCI_MANIFEST.as_str());

    let other = Digest::sha256(b"other").to_string();
    internet.fault("PUT ", 1, Fault::Header("docker-content-digest", other.clone()));
    assert!(matches!(put(Some("1")), Err(Error::Contradiction { .. })));
    internet.fault("HEAD ", 1, Fault::Header("docker-content-digest", other));
    assert!(matches!(block_on(client.check_tag(&destination(), &raw, "1")), Err(Error::Contradiction { .. })));
    internet.fault("HEAD ", 1, Fault::NoHeader("docker-content-digest"));
    block_on(client.check_tag(&destination(), &raw, "1")).unwrap();
}

/// A registry that says 201 and names another digest has stored something else.
#[test]
fn a_created_blob_with_another_digest_is_no_success() {
    let internet = registry(Uploads::default());
    let client = Registry::new(internet.clone(), Options::default());
    let (descriptor, bytes) = blob();
    let other = Digest::sha256(b"other").to_string();
    for chunk in [None, Some(descriptor.size / 2 + 1)] {
        internet.fault("PUT ", 1, Fault::Header("docker-content-digest", other.clone()));
        let uploaded = block_on(client.upload_blob(&destination(), &descriptor, &bytes, chunk, None, &mut |_| {}));
        assert!(matches!(uploaded, Err(Error::Contradiction { .. })), "{chunk:?}: {uploaded:?}");
    }
    internet.fault("PUT ", 1, Fault::Header("docker-content-digest", "nonsense".to_owned()));
    block_on(client.upload_blob(&destination(), &descriptor, &bytes, None, None, &mut |_| {})).unwrap();
}

#[test]
fn many_tags() {
    let (descriptor, bytes) = blob();
    let text = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"x/y","digest":"{0}","size":1}},"layers":[{{"mediaType":"x/y","digest":"{0}","size":1}}]}}"#,
        descriptor.digest
    );
    let raw = Raw::trust_on_first_use(text.into_bytes());
    let tags = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (tags_but, fault, names, puts) in [
        (None, None, &["1"][..], 1),
        // Nothing is confirmed: one request for each tag, after the first one by digest.
        (None, None, &["1", "2", "3"], 4),
        (Some("-"), None, &["1", "2", "3"], 1),
        (Some("2"), None, &["1", "2", "3"], 2),
        (Some("-"), None, &[], 1),
        // The request for several tags is not understood.
        (None, Some(400), &["1", "2"], 3),
    ] {
        let internet = registry(Uploads { tags_but, ..Uploads::default() });
        let client = Registry::new(internet.clone(), Options::default());
        block_on(client.upload_blob(&destination(), &descriptor, &bytes, None, None, &mut |_| {})).unwrap();
        if let Some(status) = fault {
            internet.fault("?tag=", 1, Fault::Status(status));
        }
        block_on(client.put_tagged(&destination(), &raw, &MediaType::OCI_MANIFEST, &tags(names))).unwrap();
        for name in names {
            block_on(client.check_tag(&destination(), &raw, name)).unwrap();
        }
        let asked =
            internet.log().into_iter().filter(|asked| asked.method == "PUT" && asked.url.contains("/manifests/"));
        assert_eq!(asked.count(), puts, "{names:?}");
    }
}

#[test]
fn a_tag_that_cannot_be_moved_and_need_not_be() {
    let internet = registry(Uploads { immutable: true, ..Uploads::default() });
    let client = Registry::new(internet.clone(), Options::default());
    let (descriptor, bytes) = blob();
    block_on(client.upload_blob(&destination(), &descriptor, &bytes, None, None, &mut |_| {})).unwrap();
    let manifest = |more: &str| {
        let part = format!(r#"{{"mediaType":"x/y","digest":"{}","size":1}}"#, descriptor.digest);
        Raw::trust_on_first_use(
            format!(r#"{{"schemaVersion":2,"config":{part},"layers":[{part}]{more}}}"#).into_bytes(),
        )
    };
    let put = |raw| block_on(client.put_manifest(&destination(), &raw, &MediaType::OCI_MANIFEST, Some("1")));
    put(manifest("")).unwrap();
    put(manifest("")).unwrap();
    let error = put(manifest(r#","annotations":{"a":"b"}"#)).unwrap_err();
    assert!(matches!(error, Error::Status { status: 400, .. }), "{error}");
}

#[test]
fn lists_of_referrers_are_not_overwritten() {
    let (descriptor, bytes) = blob();
    let part = format!(r#"{{"mediaType":"x/y","digest":"{}","size":1}}"#, descriptor.digest);
    let subject = Digest::sha256(b"subject");
    let referrer = |name: &str| {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{part},"layers":[{part}],"annotations":{{"name":"{name}"}},
                "subject":{{"mediaType":"x/y","digest":"{subject}","size":7}}}}"#
        );
        Document::parse(Raw::trust_on_first_use(text.into_bytes()), None).unwrap()
    };
    let tag = subject.to_string().replace(':', "-");
    let one = referrer("one");
    let theirs = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{}}}]}}"#,
        MediaType::OCI_INDEX,
        one.media_type(),
        one.raw().digest(),
        one.raw().size()
    );
    for (faults, puts) in [
        (vec![], 1),
        // Another client was faster.
        (vec![("PUT ", Fault::Status(412))], 2),
        (vec![("PUT ", Fault::Status(412)), ("PUT ", Fault::Status(412)), ("PUT ", Fault::Status(412))], 4),
        // Another client was slower.
        (
            vec![
                ("HEAD ", Fault::Header("docker-content-digest", subject.to_string())),
                ("GET ", Fault::Body(theirs.into_bytes())),
            ],
            2,
        ),
    ] {
        let internet = registry(Uploads::default());
        let client = Registry::new(internet.clone(), Options::default());
        block_on(client.upload_blob(&destination(), &descriptor, &bytes, None, None, &mut |_| {})).unwrap();
        for name in ["one", "two"] {
            let document = referrer(name);
            block_on(client.put_manifest(&destination(), document.raw(), document.media_type(), None)).unwrap();
            if name == "two" {
                internet.fault(
                    &format!("GET https://{HOST}/v2/a/b/manifests/{tag}"),
                    1,
                    Fault::Header("etag", "\"x\"".into()),
                );
                for (method, fault) in faults.clone() {
                    internet.fault(&format!("{method}https://{HOST}/v2/a/b/manifests/{tag}"), 1, fault);
                }
            }
            let before = internet.count("PUT ");
            block_on(client.add_fallback(&destination(), &subject, &document)).unwrap();
            if name == "two" {
                assert_eq!(internet.count("PUT ") - before, puts);
            }
        }
        let conditions: Vec<_> = internet
            .log()
            .iter()
            .filter_map(|asked| asked.headers.get("if-match").or_else(|| asked.headers.get("if-none-match")).cloned())
            .collect();
        assert_eq!(conditions[..2], ["*", "\"x\""]);
        let listed = block_on(client.fetch_referrers(&tagged(), &subject)).unwrap();
        assert_eq!(listed.len(), 2);
    }
}
