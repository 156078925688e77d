//! The same image as a directory, an archive and a docker-archive gives the same blobs.

use porthole_core::{
    digest::{Digest, Verifier},
    image::Image,
    layout::ChoiceError,
    manifest::{Document, Manifest, Parsed},
};
use porthole_store::{Error, Format, Local};
use porthole_testkit::image::{self as testkit, Built, Compression, Content, Layer};
use std::{fs, io::Read, path::Path};
use tempfile::TempDir;

fn built() -> Built {
    let base = Layer::new("COPY rootfs /").dir("etc").file("etc/motd", "hello\n").file("big", vec![7; 200_000]);
    let top = Layer::new("RUN rm /etc/motd").whiteout("etc/motd").compression(Compression::Zstd);
    testkit::Image::new().layer(base).layer(top).build()
}

fn manifest(local: &Local, name: Option<&str>) -> Parsed<Manifest> {
    let descriptor = local.find(name).expect("the name is known");
    match local.read_document(&descriptor).expect("a document") {
        Document::Manifest(manifest) => manifest,
        Document::Index(_) => panic!("an index"),
    }
}

/// The bytes of every layer, verified against digest and size.
fn layers(local: &Local, name: Option<&str>) -> (Image, Vec<Vec<u8>>) {
    let manifest = manifest(local, name);
    let config = local.read_small(&manifest.value.config).expect("a config");
    let image = Image::assemble(manifest, config).expect("an image");
    let read = |layer: &porthole_core::image::Layer| {
        let (size, mut reader) = local.open_blob(&layer.descriptor.digest, 0).expect("a blob");
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("bytes");
        assert_eq!(size, layer.descriptor.size);
        Verifier::check(&layer.descriptor.digest, size, &bytes).expect("the bytes of the descriptor");
        bytes
    };
    let bytes = image.layers.iter().map(read).collect();
    (image, bytes)
}

fn file(dir: &TempDir, name: &str, bytes: Vec<u8>) -> std::path::PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).expect("the directory takes files");
    path
}

fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, *bytes).expect("a Vec takes every byte");
    }
    archive.into_inner().expect("a Vec takes every byte")
}

#[test]
fn a_layout_directory_and_its_archive_hold_the_same() {
    let dir = TempDir::new().unwrap();
    let built = built();
    let content = built.clone().into_content("v1");
    content.write_layout(dir.path()).unwrap();
    let directory = Local::open(dir.path()).unwrap();
    let archive = Local::open(&file(&dir, "image.tar", content.layout_tar())).unwrap();
    assert_eq!((directory.format(), archive.format()), (Format::OciLayout, Format::OciArchive));
    for local in [directory, archive] {
        let names: Vec<_> = local.names().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [Some("v1".to_owned())]);
        for name in [None, Some("v1"), Some(built.manifest.digest.as_str())] {
            let (image, bytes) = layers(&local, name);
            assert_eq!(image.manifest.raw.bytes(), built.manifest.bytes);
            assert_eq!(bytes, built.layers.iter().map(|layer| layer.blob.bytes.clone()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_blob_is_read_from_any_offset() {
    let dir = TempDir::new().unwrap();
    let built = built();
    let content = built.clone().into_content("v1");
    content.write_layout(dir.path()).unwrap();
    let docker = Content::docker_archive(&[("x:1", &built)]);
    for (local, expected) in [
        (Local::open(dir.path()).unwrap(), &built.layers[0].blob.bytes),
        (Local::open(&file(&dir, "oci.tar", content.layout_tar())).unwrap(), &built.layers[0].blob.bytes),
        (Local::open(&file(&dir, "docker.tar", docker)).unwrap(), &built.layers[0].tar),
    ] {
        let manifest = manifest(&local, None);
        let digest = manifest.value.layers[0].digest;
        for offset in [0, 1, 300, expected.len() - 1, expected.len()] {
            let (size, mut reader) = local.open_blob(&digest, offset as u64).unwrap();
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!((size, &bytes[..]), (expected.len() as u64, &expected[offset..]));
        }
        let behind = expected.len() as u64 + 1;
        assert!(matches!(local.open_blob(&digest, behind), Err(Error::Offset { offset, .. }) if offset == behind));
        assert!(matches!(local.open_blob(manifest.raw.digest(), u64::MAX), Err(Error::Offset { .. })));
        assert!(matches!(local.open_blob(&Digest::sha256(b"no"), 0), Err(Error::BlobNotFound { .. })));
    }
}

#[test]
fn a_docker_archive_is_given_a_manifest() {
    let dir = TempDir::new().unwrap();
    let built = built();
    let archive = Content::docker_archive(&[("x:1", &built)]);
    let local = Local::open(&file(&dir, "docker.tar", archive.clone())).unwrap();
    assert_eq!(local.format(), Format::DockerArchive);
    for name in [None, Some("x:1"), Some("docker.io/library/x:1")] {
        let (image, bytes) = layers(&local, name);
        assert_eq!(image.config_raw.bytes(), built.config.bytes);
        assert_eq!(bytes, built.layers.iter().map(|layer| layer.tar.clone()).collect::<Vec<_>>());
        let digests: Vec<_> = image.layers.iter().map(|layer| layer.descriptor.digest.to_string()).collect();
        assert_eq!(digests, built.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>());
    }
    let again = Local::open(&file(&dir, "again.tar", archive)).unwrap();
    assert_eq!(again.find(None).unwrap(), local.find(None).unwrap());
}

#[test]
fn layers_of_a_docker_archive_may_be_compressed_or_links() {
    let dir = TempDir::new().unwrap();
    let built = built();
    let [base, top] = &built.layers[..] else { panic!("two layers") };
    let manifest = br#"[{"Config":"config.json","RepoTags":null,"Layers":["old/layer.tar","top.tar"]}]"#;
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, "old/layer.tar", "../new/layer.tar").unwrap();
    let files: [(&str, &[u8]); 4] = [
        ("./new/layer.tar", &base.blob.bytes),
        ("top.tar", &top.blob.bytes),
        ("config.json", &built.config.bytes),
        ("manifest.json", manifest),
    ];
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes).unwrap();
    }
    let local = Local::open(&file(&dir, "docker.tar", archive.into_inner().unwrap())).unwrap();
    assert_eq!(local.names()[0].0, None);
    let (image, bytes) = layers(&local, None);
    assert_eq!(bytes, [base.blob.bytes.clone(), top.blob.bytes.clone()]);
    let digests: Vec<_> = image.layers.iter().map(|layer| layer.descriptor.digest.to_string()).collect();
    assert_eq!(digests, [base.blob.digest.clone(), top.blob.digest.clone()]);
}

#[test]
fn several_images_need_a_name() {
    let dir = TempDir::new().unwrap();
    let (first, second) = (built(), testkit::Image::new().layer(Layer::new("COPY b /").file("b", "b")).build());
    let mut content = first.clone().into_content("v1");
    content.add_image(&second);
    content.add_root("v2", second.manifest.clone());
    let archive = file(&dir, "oci.tar", content.layout_tar());
    let local = Local::open(&archive).unwrap();
    let error = local.find(None).unwrap_err();
    assert_eq!(error.to_string(), "several images: name one of v1, v2");
    assert!(error.hint().is_some());
    let error = local.find(Some("v3")).unwrap_err();
    assert_eq!(error.to_string(), "no image is named `v3`; available: v1, v2");
    assert_eq!(local.find(Some("v2")).unwrap().digest.to_string(), second.manifest.digest);

    content.add_root("v1", second.manifest.clone());
    let local = Local::open(&file(&dir, "twice.tar", content.layout_tar())).unwrap();
    assert!(
        matches!(local.find(Some("v1")), Err(Error::Choice(ChoiceError::SameName { digests, .. })) if digests.len() == 2)
    );

    let docker = Content::docker_archive(&[("x:1", &first), ("y:1", &second)]);
    let local = Local::open(&file(&dir, "docker.tar", docker)).unwrap();
    assert!(
        matches!(local.find(None), Err(Error::Choice(ChoiceError::Several { available })) if available == ["x:1", "y:1"])
    );
    assert_eq!(layers(&local, Some("y:1")).1, [second.layers[0].tar.clone()]);
}

#[test]
fn changed_documents_are_refused() {
    let dir = TempDir::new().unwrap();
    let built = built();
    let content = built.clone().into_content("v1");
    content.write_layout(dir.path()).unwrap();
    let local = Local::open(dir.path()).unwrap();
    let descriptor = local.find(None).unwrap();
    let path = dir.path().join("blobs/sha256").join(descriptor.digest.hex());
    let mut bytes = built.manifest.bytes.clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(local.read_document(&descriptor), Err(Error::Mismatch(_))));
    bytes.push(b' ');
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(local.read_document(&descriptor), Err(Error::Mismatch(_))));
    fs::remove_file(&path).unwrap();
    assert!(matches!(local.read_document(&descriptor), Err(Error::BlobNotFound { .. })));

    let config = [("config.json", &b"{}"[..]), ("manifest.json", br#"[{"Config":"config.json","Layers":["a"]}]"#)];
    let error = Local::open(&file(&dir, "missing.tar", pack(&config))).unwrap_err();
    assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
    let name = format!("{}.json", "0".repeat(64));
    let manifest = format!(r#"[{{"Config":"{name}","Layers":[]}}]"#);
    let renamed = [(name.as_str(), &built.config.bytes[..]), ("manifest.json", manifest.as_bytes())];
    let error = Local::open(&file(&dir, "renamed.tar", pack(&renamed))).unwrap_err();
    assert!(error.to_string().contains("config does not match its name"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_do_not_lead_out_of_a_layout() {
    use std::os::unix::fs::symlink;
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let secret = file(&outside, "secret", b"secret".to_vec());
    built().into_content("v1").write_layout(dir.path()).unwrap();
    let local = Local::open(dir.path()).unwrap();
    let blob =
        |bytes: &[u8]| (Digest::sha256(bytes), dir.path().join("blobs/sha256").join(Digest::sha256(bytes).hex()));
    let (digest, path) = blob(b"secret");
    symlink(&secret, &path).unwrap();
    assert!(matches!(local.open_blob(&digest, 0), Err(Error::NotAFile { .. })));
    let (digest, path) = blob(b"directory");
    fs::create_dir(&path).unwrap();
    assert!(matches!(local.open_blob(&digest, 0), Err(Error::NotAFile { .. })));
    let (digest, path) = blob(b"inside");
    symlink("../../oci-layout", &path).unwrap();
    assert!(local.open_blob(&digest, 0).is_ok());
}

#[test]
fn a_path_that_is_not_an_image_is_rejected_with_a_reason() {
    let dir = TempDir::new().unwrap();
    let say = |path: &Path| Local::open(path).unwrap_err().to_string();
    assert!(say(dir.path()).starts_with("not an image: "));
    assert!(say(&dir.path().join("nothing")).starts_with("cannot read "));
    assert!(say(&file(&dir, "text", b"hello".to_vec())).starts_with("archive is broken: "));
    assert!(say(&file(&dir, "empty", Vec::new())).starts_with("not an image: "));
    assert!(say(&file(&dir, "other.tar", pack(&[("a", b"b")]))).starts_with("not an image: "));
    let gzip = Local::open(&file(&dir, "image.tar.gz", vec![0x1f, 0x8b, 8, 0])).unwrap_err();
    assert!(gzip.to_string().starts_with("archive is compressed with gzip"));
    assert!(gzip.hint().is_some());
    let mut cut = built().into_content("v1").layout_tar();
    cut.truncate(cut.len() / 2);
    assert!(say(&file(&dir, "cut.tar", cut)).starts_with("archive is broken: "));
    let version = [("oci-layout", &br#"{"imageLayoutVersion":"2.0.0"}"#[..]), ("index.json", b"{}")];
    assert!(say(&file(&dir, "version.tar", pack(&version))).contains("imageLayoutVersion"));
}

#[test]
fn an_explicit_format_is_used() {
    let dir = TempDir::new().unwrap();
    let built = built();
    let oci = file(&dir, "oci.tar", built.clone().into_content("v1").layout_tar());
    assert!(matches!(Local::open_as(&oci, Format::DockerArchive), Err(Error::NotAnImage { .. })));
    assert!(Local::open_as(&oci, Format::OciArchive).is_ok());
    let docker = file(&dir, "docker.tar", Content::docker_archive(&[("x:1", &built)]));
    assert!(matches!(Local::open_as(&docker, Format::OciArchive), Err(Error::NotAnImage { .. })));
}
