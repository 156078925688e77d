//! Images in files, held in memory: one image as a directory, as an archive and as a docker-archive gives the same blobs.

mod files;

use files::{Dropped, now, open, open_as, open_dir, pack};
use porthole_core::platform::Platform;
use porthole_core::{
    digest::{Digest, Verifier},
    image::Image,
    layout::ChoiceError,
    limits::Limits,
    manifest::{Document, Manifest, Parsed},
};
use porthole_core::{failure::Classify, hint::Hint};
use porthole_inspect::{
    layer::{self, LayerJob},
    local::{BareLayer, Error, LocalFormat, unpack, whole_compression},
    resolve::{PlatformChoice, resolve},
};
use porthole_source::{BlobStream, Capability, ImageSource, ReadAt, SourceKind, Unsupported};
use porthole_testkit::image::{self as testkit, Built, Compression, Content, Family, Layer};
use porthole_testkit::sink::Ignore;
use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

type Images = Dropped<Vec<u8>>;

fn built() -> Built {
    let base = Layer::new("COPY rootfs /").dir("etc").file("etc/motd", "hello\n").file("big", vec![7; 200_000]);
    let top = Layer::new("RUN rm /etc/motd").whiteout("etc/motd").compression(Compression::Zstd);
    testkit::Image::new().layer(base).layer(top).build()
}

fn manifest(images: &Images, name: Option<&str>) -> Parsed<Manifest> {
    let descriptor = images.find(name).expect("the name is known");
    match now(images.read_document(&descriptor)).expect("a document") {
        Document::Manifest(manifest) => manifest,
        Document::Index(_) => panic!("an index"),
    }
}

fn bytes_of(file: &impl ReadAt, offset: u64) -> Vec<u8> {
    let mut bytes = vec![0; (file.size() - offset) as usize];
    now(file.read_exact_at(offset, &mut bytes)).expect("bytes");
    bytes
}

/// Every layer's bytes, verified.
fn layers(images: &Images, name: Option<&str>) -> (Image, Vec<Vec<u8>>) {
    let manifest = manifest(images, name);
    let config = now(images.read_small(&manifest.value.config)).expect("a config");
    let image = Image::assemble(manifest, config).expect("an image");
    let read = |layer: &porthole_core::image::Layer| {
        let blob = now(images.open_blob(&layer.descriptor.digest)).expect("a blob");
        let bytes = bytes_of(&blob, 0);
        assert_eq!(blob.size(), layer.descriptor.size);
        Verifier::check(&layer.descriptor.digest, blob.size(), &bytes).expect("the bytes of the descriptor");
        bytes
    };
    let bytes = image.layers.iter().map(read).collect();
    (image, bytes)
}

#[test]
fn a_layout_directory_and_its_archive_hold_the_same() {
    let built = built();
    let content = built.clone().into_content("v1");
    let directory = open_dir(content.layout_files()).unwrap();
    let archive = open(content.layout_tar()).unwrap();
    assert_eq!((directory.format(), archive.format()), (LocalFormat::OciLayout, LocalFormat::OciArchive));
    for images in [directory, archive] {
        let names: Vec<_> = images.names().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [Some("v1".to_owned())]);
        for name in [None, Some("v1"), Some(built.manifest.digest.as_str())] {
            let (image, bytes) = layers(&images, name);
            assert_eq!(image.manifest.raw.bytes(), built.manifest.bytes);
            assert_eq!(bytes, built.layers.iter().map(|layer| layer.blob.bytes.clone()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_directory_of_skopeo_holds_one_image() {
    let (built, other) = (built(), testkit::Image::new().layer(Layer::new("COPY b /").file("b", "b")).build());
    let mut files = BTreeMap::from([("version".to_owned(), b"Directory Transport Version: 1.1\n".to_vec())]);
    for image in [&built, &other] {
        for blob in image.layers.iter().map(|layer| &layer.blob).chain([&image.config]) {
            files.insert(blob.digest[7..].to_owned(), blob.bytes.clone());
        }
        files.insert(format!("{}.manifest.json", &image.manifest.digest[7..]), image.manifest.bytes.clone());
    }
    files.insert("manifest.json".into(), built.manifest.bytes.clone());
    let images = open_dir(files.clone()).unwrap();
    assert_eq!(images.format(), LocalFormat::SkopeoDirectory);
    let (image, bytes) = layers(&images, None);
    assert_eq!(image.manifest.raw.bytes(), built.manifest.bytes);
    assert_eq!(bytes, built.layers.iter().map(|layer| layer.blob.bytes.clone()).collect::<Vec<_>>());

    files.insert("manifest.json".into(), testkit::index(&[built.clone(), other.clone()]).bytes);
    let images = open_dir(files.clone()).unwrap();
    let Document::Index(index) = now(images.read_document(&images.find(None).unwrap())).unwrap() else {
        panic!("index")
    };
    for (child, image) in index.value.manifests.iter().zip([&built, &other]) {
        assert_eq!(now(images.read_document(child)).unwrap().raw().bytes(), image.manifest.bytes);
    }

    files.insert("version".into(), b"2".to_vec());
    assert!(open_dir(files).unwrap_err().to_string().contains("skopeo copy"));
}

#[test]
fn a_blob_is_read_from_any_offset() {
    let built = built();
    let content = built.clone().into_content("v1");
    let docker = Content::docker_archive(&[("x:1", &built)]);
    for (images, expected) in [
        (open_dir(content.layout_files()).unwrap(), &built.layers[0].blob.bytes),
        (open(content.layout_tar()).unwrap(), &built.layers[0].blob.bytes),
        (open(docker).unwrap(), &built.layers[0].tar),
    ] {
        let images = Arc::new(images);
        let manifest = manifest(&images, None);
        let layer = &manifest.value.layers[0];
        let image = images.image(images.find(None).unwrap());
        for offset in [0, 1, 300, expected.len() - 1, expected.len()] {
            let blob = now(images.open_blob(&layer.digest)).unwrap();
            assert_eq!((blob.size(), &bytes_of(&blob, offset as u64)[..]), (layer.size, &expected[offset..]));
            let mut stream = now(image.open_blob(layer, offset as u64..layer.size)).unwrap();
            assert_eq!(read_all(&mut stream), expected[offset..]);
        }
        let mut part = now(image.open_blob(layer, 5..25)).unwrap();
        assert_eq!(read_all(&mut part), expected[5..25]);
        let behind = layer.size + 1;
        let error = now(image.open_blob(layer, behind..behind + 1)).err();
        assert!(
            matches!(error, Some(Error::Source(porthole_source::Error::Offset { offset, .. })) if offset == behind)
        );
        let missing = now(images.open_blob(&Digest::sha256(b"no"))).err();
        assert!(missing.is_some_and(|error| error.is_missing_blob()));
    }
}

fn read_all<S: BlobStream>(stream: &mut S) -> Vec<u8>
where
    S::Error: std::fmt::Debug,
{
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match now(stream.read(&mut buffer)).expect("memory is readable") {
            0 => return bytes,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

#[test]
fn a_docker_archive_gets_a_manifest() {
    let built = built();
    let archive = Content::docker_archive(&[("x:1", &built)]);
    let images = open(archive.clone()).unwrap();
    assert_eq!(images.format(), LocalFormat::DockerArchive);
    for name in [None, Some("x:1"), Some("docker.io/library/x:1")] {
        let (image, bytes) = layers(&images, name);
        assert_eq!(image.config_raw.bytes(), built.config.bytes);
        assert_eq!(bytes, built.layers.iter().map(|layer| layer.tar.clone()).collect::<Vec<_>>());
        let digests: Vec<_> = image.layers.iter().map(|layer| layer.descriptor.digest.to_string()).collect();
        assert_eq!(digests, built.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>());
    }
    let again = open(archive).unwrap();
    assert_eq!(again.find(None).unwrap(), images.find(None).unwrap());
}

#[test]
fn layers_of_a_docker_archive_may_be_compressed_or_links() {
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
    let images = open(archive.into_inner().unwrap()).unwrap();
    assert_eq!(images.names()[0].0, None);
    let (image, bytes) = layers(&images, None);
    assert_eq!(bytes, [base.blob.bytes.clone(), top.blob.bytes.clone()]);
    let digests: Vec<_> = image.layers.iter().map(|layer| layer.descriptor.digest.to_string()).collect();
    assert_eq!(digests, [base.blob.digest.clone(), top.blob.digest.clone()]);
}

#[test]
fn several_images_need_a_name() {
    let (first, second) = (built(), testkit::Image::new().layer(Layer::new("COPY b /").file("b", "b")).build());
    let mut content = first.clone().into_content("v1");
    content.add_image(&second);
    content.add_root("v2", second.manifest.clone());
    let images = open(content.layout_tar()).unwrap();
    let error = images.find(None).unwrap_err();
    assert_eq!(error.to_string(), "several images: name one of v1, v2");
    assert!(!error.hints().is_empty());
    let error = images.find(Some("v3")).unwrap_err();
    assert_eq!(error.to_string(), "no image is named `v3`; available: v1, v2");
    assert_eq!(images.find(Some("v2")).unwrap().digest.to_string(), second.manifest.digest);

    content.add_root("v1", second.manifest.clone());
    let error = open(content.layout_tar()).unwrap().find(Some("v1")).unwrap_err();
    assert!(matches!(error, Error::Choice(ChoiceError::SameName { digests, .. }) if digests.len() == 2));

    let images = open(Content::docker_archive(&[("x:1", &first), ("y:1", &second)])).unwrap();
    let error = images.find(None).unwrap_err();
    assert!(matches!(error, Error::Choice(ChoiceError::Several { available }) if available == ["x:1", "y:1"]));
    assert_eq!(layers(&images, Some("y:1")).1, [second.layers[0].tar.clone()]);
}

#[test]
fn entries_without_names_for_platforms_are_one_image() {
    let of = |architecture: &str| {
        let layer = Layer::new("COPY a /").file("a", architecture);
        testkit::Image::new().platform("linux", architecture, None).layer(layer).build()
    };
    let (amd64, arm64) = (of("amd64"), of("arm64"));
    let with_index = |entries: &[String]| {
        let mut content = amd64.clone().into_content("v1");
        content.add_image(&arm64);
        let mut files = content.layout_files();
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        files.insert("index.json".to_owned(), index.clone().into_bytes());
        (files, index)
    };
    let (files, index) = with_index(&[amd64.descriptor().to_string(), arm64.descriptor().to_string()]);
    let archive: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    for images in [open_dir(files.clone()).unwrap(), open(pack(&archive)).unwrap()] {
        let images = Arc::new(images);
        let root = images.find(None).unwrap();
        assert_eq!(root.digest, Digest::sha256(index.as_bytes()));
        let choice = PlatformChoice::named(Platform::new("linux", "arm64", None));
        let resolved = now(resolve(&images.image(root), &choice, &mut |_| {})).unwrap();
        assert_eq!(resolved.image.manifest.raw.digest().to_string(), arm64.manifest.digest);
        let named = images.find(Some(&amd64.manifest.digest)).unwrap();
        assert_eq!(named.digest.to_string(), amd64.manifest.digest);
    }
    // Entries for the same platform are two images, and those that do not say what they are for are no such image.
    let mut same = arm64.descriptor();
    same["platform"] = amd64.descriptor()["platform"].clone();
    let (files, _) = with_index(&[amd64.descriptor().to_string(), same.to_string()]);
    let error = open_dir(files).unwrap().find(None).unwrap_err();
    assert!(matches!(error, Error::Choice(ChoiceError::Several { .. })), "{error}");
    let mut bare = arm64.descriptor();
    bare.as_object_mut().unwrap().remove("platform");
    let (files, _) = with_index(&[amd64.descriptor().to_string(), bare.to_string()]);
    let error = open_dir(files).unwrap().find(None).unwrap_err();
    assert!(matches!(error, Error::Choice(ChoiceError::Several { .. })), "{error}");
}

/// An archive that is an OCI layout and a docker-archive, with the files that `change` leaves.
fn both(content: &Content, archived: &[(&str, &Built)], change: impl Fn(&mut BTreeMap<String, Vec<u8>>)) -> Vec<u8> {
    let mut files = content.layout_files();
    let mut entries = Vec::new();
    for (name, image) in archived {
        let layers = image.layers.iter().map(|layer| {
            let path = format!("blobs/sha256/{}", &layer.diff_id[7..]);
            files.insert(path.clone(), layer.tar.clone());
            path
        });
        let layers: Vec<_> = layers.map(|path| format!("\"{path}\"")).collect();
        let config = format!("blobs/sha256/{}", &image.config.digest[7..]);
        files.insert(config.clone(), image.config.bytes.clone());
        let layers = layers.join(",");
        entries.push(format!(r#"{{"Config":"{config}","RepoTags":["{name}"],"Layers":[{layers}]}}"#));
    }
    files.insert("manifest.json".into(), format!("[{}]", entries.join(",")).into_bytes());
    change(&mut files);
    pack(&files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect::<Vec<_>>())
}

#[test]
fn an_archive_with_both_descriptions_holds_the_images_of_both() {
    let (first, second) = (built(), testkit::Image::new().layer(Layer::new("COPY b /").file("b", "b")).build());
    let content = first.clone().into_content("v1");
    let same = open(both(&content, &[("x:1", &first)], |_| {})).unwrap();
    assert_eq!((same.format(), same.names().len()), (LocalFormat::OciArchive, 1));
    assert_eq!(same.find(None).unwrap().digest.to_string(), first.manifest.digest);

    let two = open(both(&content, &[("x:1", &first), ("y:1", &second)], |_| {})).unwrap();
    let error = two.find(None).unwrap_err();
    assert!(
        matches!(&error, Error::Choice(ChoiceError::Several { available }) if *available == ["v1", "y:1"]),
        "{error}"
    );
    assert_eq!(layers(&two, Some("y:1")).1, [second.layers[0].tar.clone()]);
    assert_eq!(layers(&two, Some("v1")).0.manifest.raw.bytes(), first.manifest.bytes);

    let expected = Some(LocalFormat::OciArchive);
    let bytes = both(&content, &[("y:1", &second)], |_| {});
    assert!(open(bytes.clone()).unwrap().find(None).is_err());
    assert!(open_as(bytes, expected, Limits::default()).unwrap().find(None).is_ok());

    let gone = format!("blobs/sha256/{}", &first.manifest.digest[7..]);
    let one = open(both(&content, &[("y:1", &second)], |files| drop(files.remove(&gone)))).unwrap();
    assert_eq!(layers(&one, None).1, [second.layers[0].tar.clone()]);

    let foreign = |files: &mut BTreeMap<String, Vec<u8>>| drop(files.insert("manifest.json".into(), b"{}".to_vec()));
    assert_eq!(layers(&open(both(&content, &[], foreign)).unwrap(), None).1.len(), 2);
}

#[test]
fn an_index_with_missing_children_is_the_image_of_manifest_json() {
    let (first, second) = (built(), testkit::Image::new().layer(Layer::new("COPY b /").file("b", "b")).build());
    let content = Content::of_index("v1", &[first.clone(), second.clone()]);
    let gone = format!("blobs/sha256/{}", &second.manifest.digest[7..]);
    let images = open(both(&content, &[("x:1", &first)], |files| drop(files.remove(&gone)))).unwrap();
    assert_eq!(images.names().len(), 1);
    assert!(matches!(now(images.read_document(&images.find(None).unwrap())), Ok(Document::Index(_))));
}

#[test]
fn indexes_of_an_archive_with_both_descriptions_have_the_limit_of_nesting() {
    let built = built();
    let mut content = Content::default();
    content.add_image(&built);
    let inner = testkit::index_of(Family::Oci, vec![built.descriptor()]);
    let outer = testkit::index_of(Family::Oci, vec![inner.descriptor()]);
    content.add_blob(inner).add_root("v1", outer);
    for (index_depth, fits) in [(2, true), (1, false)] {
        let mut limits = Limits::default();
        limits.index_depth = index_depth;
        match open_as(both(&content, &[("x:1", &built)], |_| {}), None, limits) {
            Ok(images) => assert!(fits && images.names().len() == 1),
            Err(error) => {
                assert!(!fits && matches!(error, Error::Nesting(_)), "{error}");
                assert_eq!(error.hints(), [Hint::raise("index_depth", 1, 0)]);
            }
        }
    }
}

#[test]
fn a_manifest_without_the_layers_of_its_image_is_made_from_manifest_json() {
    let built = built();
    let config = built.config.descriptor();
    let bytes = format!(r#"{{"schemaVersion":2,"config":{config}}}"#).into_bytes();
    let mut empty = built.clone();
    empty.manifest = testkit::Blob::new(&built.manifest.media_type, bytes);
    let content = empty.into_content("v1");
    let images = open(both(&content, &[("x:1", &built)], |_| {})).unwrap();
    for name in [None, Some("v1"), Some("x:1")] {
        assert_eq!(layers(&images, name).1, built.layers.iter().map(|layer| layer.tar.clone()).collect::<Vec<_>>());
    }
}

#[test]
fn changed_documents_are_refused() {
    let built = built();
    let mut files = built.clone().into_content("v1").layout_files();
    let descriptor = open_dir(files.clone()).unwrap().find(None).unwrap();
    let read = |files| now(open_dir(files).unwrap().read_document(&descriptor)).unwrap_err();
    let path = format!("blobs/sha256/{}", descriptor.digest.hex());
    let mut bytes = built.manifest.bytes.clone();
    *bytes.last_mut().unwrap() ^= 1;
    files.insert(path.clone(), bytes.clone());
    assert!(matches!(read(files.clone()), Error::Source(porthole_source::Error::Mismatch { .. })));
    bytes.push(b' ');
    files.insert(path.clone(), bytes);
    assert!(matches!(read(files.clone()), Error::Source(porthole_source::Error::Mismatch { .. })));
    files.remove(&path);
    assert!(read(files).is_missing_blob());

    let config = [("config.json", &b"{}"[..]), ("manifest.json", br#"[{"Config":"config.json","Layers":["a"]}]"#)];
    let error = open(pack(&config)).unwrap_err();
    assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
    let name = format!("{}.json", "0".repeat(64));
    let manifest = format!(r#"[{{"Config":"{name}","Layers":[]}}]"#);
    let renamed = [(name.as_str(), &built.config.bytes[..]), ("manifest.json", manifest.as_bytes())];
    let error = open(pack(&renamed)).unwrap_err();
    assert!(error.to_string().contains("config does not match its name"), "{error}");
}

#[test]
fn what_is_not_an_image_is_refused_in_words() {
    let say = |bytes| open(bytes).unwrap_err().to_string();
    assert!(open_dir(Default::default()).unwrap_err().to_string().starts_with("not an image: "));
    assert!(say(b"hello".to_vec()).starts_with("archive is broken: "));
    assert!(say(Vec::new()).starts_with("not an image: "));
    assert!(say(pack(&[("a", b"b")])).starts_with("not an image: "));
    let first = [("repositories", &br#"{"x":{"1":"ab"}}"#[..]), ("ab/VERSION", b"1.0"), ("ab/json", b"{}")];
    assert!(say(pack(&first)).contains("got the format of `docker save` before Docker 1.10"));
    let mut cut = built().into_content("v1").layout_tar();
    cut.truncate(cut.len() / 2);
    assert!(say(cut).starts_with("archive is broken: "));
    let version = [("oci-layout", &br#"{"imageLayoutVersion":"2.0.0"}"#[..]), ("index.json", b"{}")];
    assert!(say(pack(&version)).contains("imageLayoutVersion"));
}

#[test]
fn a_compressed_archive_is_named_with_the_command_that_unpacks_it() {
    for (magic, name) in [
        (&b"\x1f\x8b\x08\0"[..], "gzip"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh91AY&SY", "bzip2"),
    ] {
        let error = open(magic.to_vec()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("archive is compressed with {name}")), "{error}");
        let hint = error.hints()[0].to_string();
        assert_eq!(hint, format!("unpack it first: {name} -d FILE"));
    }
}

#[test]
fn a_format_that_is_expected_is_the_one_that_is_read() {
    let built = built();
    let content = built.clone().into_content("v1");
    let oci = content.layout_tar();
    let docker = Content::docker_archive(&[("x:1", &built)]);
    for (archive, format, fits) in [
        (&oci, LocalFormat::OciArchive, true),
        (&oci, LocalFormat::DockerArchive, false),
        (&oci, LocalFormat::OciLayout, false),
        (&docker, LocalFormat::DockerArchive, true),
        (&docker, LocalFormat::OciArchive, false),
    ] {
        match open_as(archive.clone(), Some(format), Limits::default()) {
            Ok(images) => assert!(fits && images.format() == format),
            Err(error) => assert!(!fits && matches!(error, Error::NotAnImage { .. }), "{format:?}: {error}"),
        }
    }
}

#[test]
fn an_image_in_files_is_a_source() {
    let built = built();
    let images = Arc::new(open(built.clone().into_content("v1").layout_tar()).unwrap());
    let image = images.image(images.find(None).unwrap());
    assert_eq!(image.kind(), SourceKind::OciArchive);
    assert_eq!(image.pinned().map(|digest| digest.to_string()), Some(built.manifest.digest.clone()));
    let root = now(image.root()).unwrap();
    assert_eq!(root.raw().bytes(), built.manifest.bytes);
    assert_eq!(now(image.root_descriptor()).unwrap().digest, *root.raw().digest());
    assert_eq!(now(image.referrers(root.raw().digest())).unwrap().len(), 1);
    let bare = now(image.bare_size()).unwrap_err();
    assert!(matches!(bare, Error::Source(porthole_source::Error::Unsupported(_))));
}

#[test]
fn a_bare_layer_has_bytes_and_no_manifest() {
    let bytes = built().layers[0].blob.bytes.clone();
    let layer = BareLayer::new(bytes.clone(), "layer.tar.gz", Limits::default());
    assert_eq!(now(layer.bare_size()).unwrap(), bytes.len() as u64);
    assert_eq!(read_all(&mut now(layer.open_bare(10..bytes.len() as u64)).unwrap()), bytes[10..]);
    let error = now(layer.root()).unwrap_err();
    let Error::Source(porthole_source::Error::Unsupported(Unsupported { what, .. })) = error else { panic!("{error}") };
    assert_eq!(what, Capability::Documents);
}

#[test]
fn a_single_layer_is_an_image_whose_documents_are_made() {
    let layer = Layer::new("COPY").file("a", "b");
    let built = testkit::Image::new().layer(layer).build().layers.remove(0);
    let mut hashed = Vec::new();
    let images: Arc<Images> = Arc::new(
        now(Images::of_layer(built.blob.bytes.clone(), Some(&built.tar), "layer.tar.gz", Limits::default(), |bytes| {
            hashed.push(bytes)
        }))
        .unwrap(),
    );
    assert_eq!(images.format(), LocalFormat::Layer);
    let total = (built.blob.bytes.len() + built.tar.len()) as u64;
    assert_eq!(hashed.last(), Some(&total));
    let image = images.image(images.find(None).unwrap());
    let choice = PlatformChoice::fallback(Platform::new("linux", "amd64", None));
    let resolved = now(resolve(&image, &choice, &mut |_| {})).unwrap();
    let [only] = resolved.image.layers.as_slice() else { panic!("{resolved:?}") };
    assert_eq!(only.descriptor.digest.to_string(), built.blob.digest);
    assert_eq!(only.diff_id.unwrap().to_string(), built.diff_id);
    assert!(resolved.image.deviations().is_empty(), "{:?}", resolved.image.deviations());
    let job = LayerJob::of(&resolved.image.layers).remove(0);
    let report = now(layer::read(&image, &job, &mut Ignore, |_| ControlFlow::Continue(())));
    assert!(report.unwrap().verified());
}

#[test]
fn what_is_compressed_as_a_whole_is_unpacked() {
    let plain = vec![b'x'; 700_000];
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = compression.compress(&plain);
        let found = now(whole_compression(&packed, "a.tar.gz")).unwrap().expect("a compression");
        let (mut unpacked, mut read) = (Vec::new(), 0);
        let write = async |bytes: &[u8], position| {
            unpacked.extend_from_slice(bytes);
            read = position;
            Ok::<(), Error>(())
        };
        now(unpack(&packed, "a.tar.gz", found, &Limits::default(), write)).unwrap();
        assert!(unpacked == plain);
        assert_eq!(read, packed.len() as u64);
        let mut small = Limits::default();
        small.unpacked_bytes = 1000;
        let error = now(unpack(&packed, "a.tar.gz", found, &small, async |_: &[u8], _| Ok::<(), Error>(())));
        assert!(error.unwrap_err().to_string().contains("unpacked_bytes"));
    }
    assert_eq!(now(whole_compression(&b"plain".to_vec(), "a")).unwrap(), None);
}
