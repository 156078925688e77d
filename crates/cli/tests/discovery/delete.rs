//! `porthole delete`

use super::{Server, ends, expect};
use porthole_testkit::{
    image::{Blob, Compression, Content, Image, Layer},
    registry::{Deletes, Site},
};
use serde_json::json;

fn content() -> Content {
    let image = Image::new().layer(Layer::new("ADD a").compression(Compression::None).file("a", "a")).build();
    let mut content = image.clone().into_content("1");
    content.add_root("1.0", image.manifest);
    content
}

fn site(deletes: Deletes) -> Site {
    Site::new().repository("a/b", content()).deletes(deletes)
}

fn tags(server: &Server) -> Vec<String> {
    server.look(|site| site.content("a/b").unwrap().roots.iter().filter_map(|root| root.name.clone()).collect())
}

#[test]
fn tags_and_digests() {
    let digest = content().roots[0].blob.digest.clone();
    let server = Server::new(site(Deletes::All));
    let mut told = vec![server.told("delete REGISTRY/a/b:1"), server.told("delete --yes REGISTRY/a/b")];
    assert_eq!(tags(&server), ["1", "1.0"]);
    told.push(server.told("delete --yes REGISTRY/a/b:1"));
    assert_eq!(tags(&server), ["1.0"]);
    told.push(server.told("delete --yes --json REGISTRY/a/b:1.0"));
    told.push(server.told("delete --yes REGISTRY/a/b:1"));
    for deletes in [Deletes::Digests(405), Deletes::Nothing] {
        for command in ["delete --yes --json REGISTRY/a/b:1".to_owned(), format!("delete --yes REGISTRY/a/b@{digest}")]
        {
            server.becomes(site(deletes));
            told.push(server.told(&command));
        }
    }
    assert_eq!(tags(&server), ["1", "1.0"]);
    told.push(server.told("delete --yes store:a"));
    expect("delete", &told);
}

#[test]
fn a_subject_loses_its_referrer() {
    let mut content = content();
    let subject = content.roots[0].blob.clone();
    let note = json!({
        "schemaVersion": 2, "mediaType": subject.media_type, "artifactType": "application/x.note",
        "config": subject.descriptor(), "layers": [subject.descriptor()], "subject": subject.descriptor(),
    });
    let note = Blob::new(&subject.media_type, note.to_string().into_bytes());
    content.add_root("note", note.clone());
    let server = Server::new(Site::new().repository("a/b", content.clone()));
    content.write_layout(&server.path("layout")).unwrap();
    // A push to a registry without the API writes the fallback tag.
    let pushed = server.rows("push --referrers oci:layout:1 REGISTRY/a/c:1");
    assert_eq!(pushed[0]["digest"], subject.digest);
    assert_eq!(server.rows("referrers REGISTRY/a/c:1").len(), 1);
    let gone = server.rows(&format!("delete --yes REGISTRY/a/c@{}", note.digest));
    assert_eq!((&gone[0]["no_longer_refers_to"], &gone[0]["by"]), (&json!(subject.digest), &json!("digest")));
    assert!(server.rows("referrers REGISTRY/a/c:1").is_empty());
    // A registry with the API updates its list of referrers itself.
    server.becomes(Site::new().repository("a/b", content).with_referrers());
    let gone = server.rows(&format!("delete --yes REGISTRY/a/b@{}", note.digest));
    assert_eq!((&gone[0]["no_longer_refers_to"], &gone[0]["other_tags"]), (&json!(null), &json!(["note"])));
    ends(&server.run(&format!("manifest REGISTRY/a/b@{}", note.digest)), 4, "not found");
}
