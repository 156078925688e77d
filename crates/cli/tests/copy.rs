//! `porthole copy` between scripted registries.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod scripted;

use porthole_testkit::{
    image::{Blob, Content, Image, Layer},
    registry::{Fault, Site},
};
use scripted::{Server, done, ends, porthole};
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image, a signature of it and a signature of the signature; `tagged`: both listed by fallback tags.
fn signed(tagged: bool) -> (Content, [Blob; 3]) {
    let noise: Vec<u8> = (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let image = Image::new().layer(Layer::new("ADD a").file("a", noise)).build();
    let mut content = image.clone().into_content("1");
    let mut chain = vec![image.manifest.clone()];
    for text in ["of the image", "of the signature"] {
        let (config, payload) =
            (Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec()), Blob::new("text/plain", text.into()));
        let subject = chain.last().unwrap();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.signature",
            "config": config.descriptor(), "layers": [payload.descriptor()], "subject": subject.descriptor(),
        });
        let manifest = Blob::new(MANIFEST, manifest.to_string().into_bytes());
        if tagged {
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest.descriptor()] });
            content.add_root(&subject.digest.replace(':', "-"), Blob::new(INDEX, index.to_string().into_bytes()));
        }
        content.add_blob(config).add_blob(payload).add_blob(manifest.clone());
        chain.push(manifest);
    }
    (content, chain.try_into().unwrap())
}

fn has(server: &Server, digest: &str) -> bool {
    server.look(|site| site.content("c/d").is_some_and(|content| content.blobs.contains_key(digest)))
}

#[test]
fn referrers_come_along_whichever_way_they_are_told() {
    for (from_api, to_api) in [(true, true), (true, false), (false, true), (false, false)] {
        let (content, chain) = signed(!from_api);
        let site = |api: bool| if api { Site::new().with_referrers() } else { Site::new() };
        let from = Server::new(site(from_api).repository("a/b", content));
        let to = Server::new(site(to_api));
        let home = tempfile::tempdir().unwrap();
        let (source, target) = (format!("{}/a/b:1", from.authority()), format!("{}/c/d:2", to.authority()));
        done(home.path(), &format!("copy {source} {target}"));
        assert!(has(&to, &chain[0].digest) && !has(&to, &chain[1].digest));
        let copied = done(home.path(), &format!("copy --referrers {source} {target}"));
        assert_eq!(copied["documents"], 2, "{copied}");
        assert!(chain.iter().all(|blob| has(&to, &blob.digest)));
        let fallback: Vec<Value> = to.look(|site| {
            let roots = &site.content("c/d").unwrap().roots;
            let tag = |blob: &Blob| blob.digest.replace(':', "-");
            let of = |blob| roots.iter().find(|root| root.name == Some(tag(blob)));
            chain.iter().filter_map(of).map(|root| serde_json::from_slice(&root.blob.bytes).unwrap()).collect()
        });
        if to_api {
            assert_eq!(fallback.len(), 0, "a registry that knows subjects needs no tags for them");
        } else {
            assert_eq!(fallback.len(), 2);
            for (index, referrer) in fallback.iter().zip(&chain[1..]) {
                assert_eq!(index["manifests"][0]["digest"], referrer.digest);
                assert_eq!(index["manifests"][0]["artifactType"], "application/x.signature");
            }
        }
        let again = done(home.path(), &format!("copy --referrers {source} {target}"));
        assert_eq!((&again["documents"], &again["sent"]), (&0.into(), &0.into()), "{again}");
    }
}

#[test]
fn a_source_that_breaks_goes_on_and_one_that_lies_is_found_out() {
    let (content, [manifest, ..]) = signed(false);
    let layer = content.blobs.values().max_by_key(|blob| blob.bytes.len()).unwrap().clone();
    let home = tempfile::tempdir().unwrap();
    let from = Server::new(Site::new().repository("a/b", content));
    let to = Server::new(Site::new());
    let copy = format!("copy {}/a/b:1 {}/c/d:2", from.authority(), to.authority());
    let mut lie = layer.bytes.clone();
    *lie.last_mut().unwrap() ^= 1;
    from.internet.fault(&layer.digest, 1, Fault::Body(lie));
    ends(&porthole(home.path(), &copy), 7, "source has other bytes than its image says");
    assert!(!has(&to, &layer.digest) && !has(&to, &manifest.digest));
    from.internet.fault(&layer.digest, 1, Fault::ResetAfter(1000)).fault(&layer.digest, 1, Fault::ResetAfter(70_000));
    to.internet.fault("PUT ", 1, Fault::CutAfter(5000));
    done(home.path(), &copy);
    assert!(has(&to, &layer.digest) && has(&to, &manifest.digest));
}

#[test]
fn destinations_that_are_no_registries() {
    let home = tempfile::tempdir().unwrap();
    for destination in ["oci:layout", "store:x", "docker-archive:x.tar", "./x"] {
        ends(&porthole(home.path(), &format!("copy a/b {destination}")), 2, "expected a reference to copy to");
    }
}
