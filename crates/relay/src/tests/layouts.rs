use super::*;
use porthole_core::digest::Digest;
use serde_json::json;
use std::{fs, path::Path};

/// Writes an OCI layout with one layer; returns the digests of the manifest and of the layer.
fn write_layout(folder: &Path, layer: &[u8]) -> (Digest, Digest) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = Digest::sha256(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        digest
    };
    let describe = |kind: &str, digest: &Digest, size: usize| json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest.to_string(), "size": size });
    let layer_digest = put(layer);
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [layer_digest.to_string()] } });
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "config": describe("config.v1+json", &put(config.as_bytes()), config.len()),
        "layers": [describe("layer.v1.tar", &layer_digest, layer.len())],
    });
    let manifest = manifest.to_string();
    let digest = put(manifest.as_bytes());
    let mut root = describe("manifest.v1+json", &digest, manifest.len());
    root["annotations"] = json!({ "org.opencontainers.image.ref.name": "1.0" });
    fs::write(folder.join("index.json"), json!({ "schemaVersion": 2, "manifests": [root] }).to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    (digest, layer_digest)
}

#[tokio::test]
async fn an_archive_compressed_as_a_whole_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, blob) = write_layout(&folder.path().join("layout"), b"layer");
    let path = folder.path().join("app.tar.gz");
    let gzip = flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    archive.append_dir_all(".", folder.path().join("layout")).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    let relay = Running::start(&["--layout", path.to_str().unwrap()]).await;
    let about: serde_json::Value = serde_json::from_slice(&relay.get("/relay.json").await.body).unwrap();
    let name = about["layouts"][0].as_str().unwrap();
    let repository = name.strip_prefix("layout.localhost/").and_then(|name| name.strip_suffix(":1.0")).unwrap();
    let answer = relay.get(&format!("/v2/{repository}/manifests/1.0?ns=layout.localhost")).await;
    assert_eq!(Digest::sha256(&answer.body), manifest);
    let answer = relay.get(&format!("/v2/{repository}/blobs/{blob}?ns=layout.localhost")).await;
    assert_eq!(answer.body, b"layer");
}

#[tokio::test]
async fn a_layout_is_a_registry_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("My App");
    let layer: Vec<u8> = (0..400_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let (manifest, blob) = write_layout(&path, &layer);
    let relay = Running::start(&["--layout", path.to_str().unwrap(), "--allow", "ghcr.io"]).await;

    let about: serde_json::Value = serde_json::from_slice(&relay.get("/relay.json").await.body).unwrap();
    assert_eq!(about["layouts"], json!(["layout.localhost/my-app:1.0"]));
    assert_eq!(relay.get("/v2/_catalog?ns=layout.localhost").await.body, br#"{"repositories":["my-app"]}"#);
    let tags = relay.get("/v2/layout.localhost/my-app/tags/list").await;
    assert_eq!(tags.body, br#"{"name":"my-app","tags":["1.0"]}"#);

    for target in ["1.0".to_owned(), manifest.to_string()] {
        let answer = relay.get(&format!("/v2/my-app/manifests/{target}?ns=layout.localhost")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/vnd.oci.image.manifest.v1+json"));
        assert_eq!(answer.header("docker-content-digest"), Some(manifest.to_string().as_str()));
        assert_eq!(Digest::sha256(&answer.body), manifest);
    }

    let target = format!("/v2/my-app/blobs/{blob}?ns=layout.localhost");
    let answer = relay.get(&target).await;
    assert_eq!((answer.status, answer.body.len(), answer.header("content-length")), (200, layer.len(), Some("400000")));
    assert_eq!(Digest::sha256(&answer.body), blob);
    let answer = relay.ask("HEAD", &target, &[]).await;
    assert_eq!((answer.status, answer.body.len(), answer.header("content-length")), (200, 0, Some("400000")));
    for (range, status, content_range) in [
        ("bytes=10-19", 206, "bytes 10-19/400000"),
        ("bytes=399990-", 206, "bytes 399990-399999/400000"),
        ("bytes=399990-999999", 206, "bytes 399990-399999/400000"),
        ("bytes=-10", 206, "bytes 399990-399999/400000"),
        ("bytes=-999999", 206, "bytes 0-399999/400000"),
        ("bytes=400000-", 416, "bytes */400000"),
        ("bytes=-0", 416, "bytes */400000"),
    ] {
        let answer = relay.ask("GET", &target, &[&format!("Range: {range}")]).await;
        assert_eq!((answer.status, answer.header("content-range")), (status, Some(content_range)), "{range}");
        if let (206, Some((first, rest))) = (status, content_range["bytes ".len()..].split_once('-')) {
            let last: usize = rest.split('/').next().unwrap().parse().unwrap();
            assert_eq!(answer.body, layer[first.parse().unwrap()..=last], "{range}");
        }
    }
    let etag = format!("If-None-Match: \"{blob}\"");
    assert_eq!(relay.ask("GET", &target, &[&etag]).await.status, 304);
    assert_eq!(relay.ask("GET", &target, &["Range: bytes=0-1", "If-Range: \"other\""]).await.status, 200);

    for (target, code) in [
        ("/v2/other/manifests/1.0?ns=layout.localhost".to_owned(), "NAME_UNKNOWN"),
        ("/v2/my-app/manifests/2.0?ns=layout.localhost".to_owned(), "MANIFEST_UNKNOWN"),
        (format!("/v2/my-app/manifests/{blob}?ns=layout.localhost"), "MANIFEST_UNKNOWN"),
        (format!("/v2/my-app/blobs/{DIGEST}?ns=layout.localhost"), "BLOB_UNKNOWN"),
    ] {
        let answer = relay.get(&target).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, code), "{target}");
    }
    let token = relay.get("/token?scope=repository:layout.localhost/my-app:pull").await;
    assert_eq!(token.status, 200, "{token:?}");
}

/// The runtime has 512 threads for what may block.
#[tokio::test]
async fn readers_that_stopped_hold_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app");
    let layer = vec![0; 16 << 20];
    let (_, blob) = write_layout(&path, &layer);
    let relay = Running::start(&["--layout", path.to_str().unwrap()]).await;
    let mut stopped = Vec::new();
    for _ in 0..520 {
        let mut client = TcpStream::connect(relay.address).await.unwrap();
        let request =
            format!("GET /v2/app/blobs/{blob}?ns=layout.localhost HTTP/1.1\r\nHost: {}\r\n\r\n", relay.address);
        client.write_all(request.as_bytes()).await.unwrap();
        read_head(&mut client).await.unwrap();
        stopped.push(client);
    }
    let part = relay.ask("GET", &format!("/v2/app/blobs/{blob}?ns=layout.localhost"), &["Range: bytes=0-9"]).await;
    assert_eq!((part.status, part.body.len()), (206, 10));
}

#[tokio::test]
async fn what_is_no_image_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let args = Args::parse_from(["relay", "--layout", folder.path().to_str().unwrap()]);
    let error = Relay::new(args, "127.0.0.1:1".parse().unwrap()).err().unwrap();
    assert!(error.starts_with("--layout: "), "{error}");
}
