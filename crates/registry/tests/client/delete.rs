//! Tags, manifests and referrers that are taken out of a registry.

use crate::{ACCOUNT, HOST, REALM, client, reference, tagged, with_password};
use porthole_core::{digest::Digest, manifest::Document};
use porthole_registry::{
    Error, Options, Registry,
    client::{Deletion, Destination, Untagged},
    endpoint::referrers::fallback_tag,
};
use porthole_testkit::{
    executor::block_on,
    image::{Blob, Built, Content, Family, Image, Layer},
    registry::{Auth, Deletes, Fault, Internet, Site, bearer},
};

fn image(family: Family) -> Built {
    Image::new().family(family).layer(Layer::new("COPY a /").file("a", "b")).build()
}

/// One image under two tags.
fn twice(family: Family) -> Content {
    let image = image(family);
    let mut content = image.clone().into_content("1");
    content.add_root("2", image.manifest);
    content
}

fn serving(content: Content, deletes: Deletes) -> Internet {
    let internet = Internet::new();
    internet.site(HOST, Site::new().repository("a/b", content).deletes(deletes));
    internet
}

fn tags(internet: &Internet) -> Vec<String> {
    let name = |root: &porthole_testkit::image::Root| root.name.clone();
    internet.look(HOST, |site| site.content("a/b").unwrap().roots.iter().filter_map(name).collect()).unwrap()
}

fn document(registry: &Registry<Internet>) -> Document {
    block_on(registry.fetch_document(&tagged())).unwrap()
}

#[test]
fn a_tag_goes_alone() {
    for (deletes, way) in [
        (Deletes::All, Untagged::ByName),
        (Deletes::Digests(405), Untagged::WithDecoy),
        (Deletes::Digests(400), Untagged::WithDecoy),
    ] {
        for family in [Family::Oci, Family::Docker] {
            let internet = serving(twice(family), deletes);
            let registry = client(&internet);
            let before = document(&registry);
            assert_eq!(block_on(registry.delete_tag(&tagged(), "1", &before)).unwrap(), way, "{deletes:?}");
            assert_eq!(tags(&internet), ["2"], "{deletes:?}");
            let other = block_on(registry.fetch_document(&reference("r.example.com/a/b:2"))).unwrap();
            assert_eq!(other.raw().digest(), before.raw().digest());
        }
    }
}

#[test]
fn a_registry_that_deletes_nothing_is_left_as_it_is() {
    let internet = serving(twice(Family::Oci), Deletes::Nothing);
    let registry = client(&internet);
    let before = document(&registry);
    let error = block_on(registry.delete_tag(&tagged(), "1", &before)).unwrap_err();
    assert!(matches!(error, Error::Status { status: 405, .. }), "{error}");
    assert_eq!((internet.count("PUT "), internet.count("POST ")), (0, 0));
    assert_eq!(tags(&internet), ["1", "2"]);
    let gone = block_on(registry.delete_manifest(&tagged(), &before.raw().digest().to_string())).unwrap();
    assert_eq!(gone, Deletion::Unsupported { message: "UNSUPPORTED: says the registry".into() });
}

#[test]
fn a_tag_whose_decoy_stays_is_put_back() {
    let internet = serving(twice(Family::Oci), Deletes::Digests(405));
    let registry = client(&internet);
    let before = document(&registry);
    // The first is refused because it is a tag, the second finds nothing, the third would delete the decoy.
    internet.fault("DELETE ", 1, Fault::Status(405)).fault("DELETE ", 1, Fault::Status(404));
    internet.fault("DELETE ", 1, Fault::Status(403));
    let error = block_on(registry.delete_tag(&tagged(), "1", &before)).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    assert_eq!(document(&registry).raw().digest(), before.raw().digest());
    assert_eq!(internet.count("DELETE "), 3);
}

#[test]
fn a_digest_goes_with_its_tags() {
    let internet = serving(twice(Family::Oci), Deletes::Digests(405));
    let registry = client(&internet);
    let digest = *document(&registry).raw().digest();
    assert_eq!(block_on(registry.find_tags(&tagged(), &digest, 2)).unwrap().unwrap(), ["1", "2"]);
    assert_eq!(block_on(registry.find_tags(&tagged(), &digest, 1)).unwrap(), None);
    assert_eq!(block_on(registry.find_tags(&tagged(), &Digest::sha256(b""), 2)).unwrap().unwrap().len(), 0);
    let next = Fault::Header("link", "</v2/a/b/tags/list?last=2>; rel=next".to_owned());
    internet.fault("/tags/list?n=3", 1, next);
    assert_eq!(block_on(registry.find_tags(&tagged(), &digest, 2)).unwrap(), None, "there are more");
    assert_eq!(internet.count("/tags/list?last"), 0);
    assert_eq!(block_on(registry.delete_manifest(&tagged(), &digest.to_string())).unwrap(), Deletion::Done);
    assert!(tags(&internet).is_empty());
    let error = block_on(registry.delete_manifest(&tagged(), &digest.to_string())).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn a_token_to_delete_is_asked_for() {
    let internet = Internet::new();
    let auth = Auth::Bearer { challenge: bearer(REALM, HOST), account: ACCOUNT };
    internet.site(HOST, Site::new().repository("a/b", twice(Family::Oci)).auth(auth.clone()));
    internet.site("auth.example.com", Site::new().auth(auth));
    let registry = with_password(&internet, Options::default());
    assert_eq!(block_on(registry.delete_manifest(&tagged(), "1")).unwrap(), Deletion::Done);
    assert_eq!(internet.count("scope=repository:a/b:delete,pull"), 1);
    assert_eq!(internet.count("push"), 0, "no wider scope is asked for");
}

/// A manifest that refers to another.
fn referrer(subject: &Blob, note: &str) -> Blob {
    let text = serde_json::json!({
        "schemaVersion": 2, "mediaType": subject.media_type, "artifactType": "application/x.note",
        "config": subject.descriptor(), "layers": [subject.descriptor()], "subject": subject.descriptor(),
        "annotations": { "note": note },
    });
    Blob::new(&subject.media_type, text.to_string().into_bytes())
}

#[test]
fn the_fallback_tag_forgets_who_is_gone() {
    for deletes in [Deletes::All, Deletes::Digests(405), Deletes::Nothing] {
        let mut content = twice(Family::Oci);
        let subject = content.roots[0].blob.clone();
        let notes = [referrer(&subject, "one"), referrer(&subject, "two")];
        for note in &notes {
            content.add_blob(note.clone());
        }
        let internet = serving(content, deletes);
        let registry = client(&internet);
        let to = Destination::new(tagged());
        let digest: Digest = subject.digest.parse().unwrap();
        let listed = || block_on(registry.fetch_referrers(&tagged(), &digest)).unwrap().len();
        for note in &notes {
            let raw = porthole_core::manifest::Raw::trust_on_first_use(note.bytes.clone());
            block_on(registry.add_fallback(&to, &digest, &Document::parse(raw, None).unwrap())).unwrap();
        }
        assert_eq!(listed(), 2);
        let forget =
            |note: &Blob| block_on(registry.remove_fallback(&tagged(), &digest, &note.digest.parse().unwrap()));
        assert!(forget(&notes[0]).unwrap());
        assert_eq!(listed(), 1);
        assert!(!forget(&notes[0]).unwrap(), "it is not there");
        assert!(forget(&notes[1]).unwrap());
        assert_eq!(listed(), 0);
        let stays = tags(&internet).contains(&fallback_tag(&digest));
        assert_eq!(stays, deletes == Deletes::Nothing, "an empty list goes if it can");
    }
}
