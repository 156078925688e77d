//! Layers, tables of contents and files, read from sources that behave and from registries that break off.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    descriptor::Descriptor,
    layer::Finding,
    limits::Limits,
    platform::Platform,
    reference::Reference,
    seek::IndexOptions,
    tar::{Entry, EntrySink, Flow},
    tree::Content as Place,
};
use porthole_inspect::{
    layer::{self, LayerJob},
    open::{self, At, FileLookup, FileParts, LoneLayer, resolve_path},
    resolve::{PlatformChoice, resolve},
    seek::SeekIndex,
    toc::{self, AuditedToc, TocAudits, TocSearch},
};
use porthole_registry::{Options, Registry, client::RemoteImage};
use porthole_source::{BlobStream, Capability, ImageSource, SourceKind, Unsupported};
use porthole_testkit::{
    executor::block_on,
    image::{Compression, Content, Format, Image, Layer, Prepared, PreparedLayer},
    registry::{Fault, Internet, Site},
    source::MemoryImage,
};
use std::{ops::ControlFlow, sync::Arc};

/// The whole of a file.
const ALL: std::ops::Range<u64> = 0..u64::MAX;

/// Bytes that do not compress.
fn noise(bytes: u32) -> Vec<u8> {
    let mut state = 2_463_534_242_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..bytes).map(next).collect()
}

fn layer() -> Layer {
    Layer::new("ADD").dir("etc").file("etc/motd", "hello\n").file("big", noise(600_000)).symlink("link", "etc/motd")
}

fn content() -> Content {
    Image::new().layer(layer().compression(Compression::Gzip)).build().into_content("1")
}

fn job<S: ImageSource>(source: &S) -> LayerJob {
    let choice = PlatformChoice::fallback(Platform::new("linux", "amd64", None));
    let resolved = block_on(resolve(source, &choice, &mut |_| {})).unwrap();
    LayerJob::of(&resolved.image.layers).remove(0)
}

fn remote(content: &Content) -> (Internet, RemoteImage<Arc<Registry<Internet>>>) {
    let internet = Internet::new();
    internet.site("r.example.com", Site::new().repository("a/b", content.clone()));
    let reference: Reference = "r.example.com/a/b:1".parse().unwrap();
    let client = Registry::new(internet.clone(), Options::default());
    (internet, RemoteImage::new(Arc::new(client), reference))
}

/// Entries of a layer by their paths, without their content.
#[derive(Default)]
struct Listing(LoneLayer);

impl EntrySink for Listing {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.0.add(0, entry, &Limits::default()).unwrap();
        Flow::Continue
    }
}

impl Listing {
    fn file(&self, path: &str) -> Place {
        match resolve_path(&self.0, path.as_bytes(), true) {
            Ok((_, At::File(place))) => place,
            other => panic!("expected a file at {path}, got {other:?}"),
        }
    }
}

fn indexed<S: ImageSource>(source: &S, job: &LayerJob) -> (Listing, SeekIndex<Vec<u8>>) {
    let mut listing = Listing::default();
    let mut bytes = Vec::new();
    let append = |part: &[u8]| bytes.extend_from_slice(part);
    let options = IndexOptions::default();
    let read = layer::read_with_index(source, job, options, append, &mut listing, |_| ControlFlow::Continue(()));
    let (report, end) = block_on(read).map_err(|_| "the source is sound").unwrap();
    assert!(report.verified(), "{:?}", report.findings);
    let end = end.unwrap();
    bytes.extend_from_slice(&end.tail);
    bytes[..end.header.len()].copy_from_slice(&end.header);
    (listing, block_on(SeekIndex::open(bytes)).unwrap())
}

#[test]
fn a_layer_is_read_and_verified_in_any_pieces() {
    for most in [1000, 4096, 1 << 20] {
        let source = MemoryImage::new(content(), "1").pieces(most);
        let (listing, _) = indexed(&source, &job(&source));
        assert_eq!(listing.0.at(b"etc"), Some(At::Directory));
        assert_eq!(listing.file("link"), listing.file("etc/motd"));
    }
}

#[test]
fn what_ends_early_is_said_by_the_report() {
    let source = MemoryImage::new(content(), "1");
    let job = job(&source);
    let descriptor = job.descriptor.clone().unwrap();
    let source = source.cut(&descriptor.digest, 1000);
    let mut listing = Listing::default();
    let read = layer::read(&source, &job, &mut listing, |_| ControlFlow::Continue(()));
    let report = block_on(read).unwrap();
    assert!(
        matches!(job.findings(&report)[..], [Finding::Digest { .. }, Finding::Size { got: 1000, .. }, ..]),
        "{:?}",
        report.findings
    );
    assert!(matches!(job.judge(report.findings), layer::Verdict::Wrong(_)));
}

#[test]
fn a_reading_ends_where_its_watcher_breaks_it() {
    let source = MemoryImage::new(content(), "1").pieces(1000);
    let mut pieces = 0;
    let watch = |_| {
        pieces += 1;
        if pieces == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let report = block_on(layer::read(&source, &job(&source), &mut Listing::default(), watch)).unwrap();
    assert_eq!((pieces, report.size), (3, 3000));
}

/// A blob is read over breaks: nothing is missing, nothing comes twice, and no request is wasted.
#[test]
fn a_blob_is_read_over_breaks() {
    let content = content();
    for (faults, requests) in [
        (vec![], 1),
        (vec![Fault::ResetAfter(1000)], 2),
        (vec![Fault::ResetAfter(0), Fault::ResetAfter(70_000)], 3),
        (vec![Fault::EndAfter(5000)], 2),
        (vec![Fault::Status(503), Fault::EndAfter(0)], 3),
        (vec![Fault::ResetAfter(1000), Fault::IgnoreRange], 2),
    ] {
        let (internet, source) = remote(&content);
        let job = job(&source);
        let digest = job.descriptor.as_ref().unwrap().digest.to_string();
        for fault in &faults {
            internet.fault(&digest, 1, fault.clone());
        }
        indexed(&source, &job);
        assert_eq!(internet.count(&digest), requests, "{faults:?}");
    }
}

#[test]
fn a_blob_that_is_too_short_is_asked_for_once_more() {
    let content = content();
    let (internet, source) = remote(&content);
    let job = job(&source);
    let digest = job.descriptor.as_ref().unwrap().digest.to_string();
    internet.change("r.example.com", |site| {
        site.content_mut("a/b").blobs.get_mut(&digest).unwrap().bytes.truncate(1000);
    });
    let mut listing = Listing::default();
    let read = layer::read(&source, &job, &mut listing, |_| ControlFlow::Continue(()));
    let report = block_on(read).unwrap();
    assert!(
        matches!(job.findings(&report)[..], [Finding::Digest { .. }, Finding::Size { got: 1000, .. }, ..]),
        "{:?}",
        report.findings
    );
    // The blob, its rest (416), and the whole blob: some registries refuse ranges of blobs that they have.
    assert_eq!(internet.count(&digest), 3);
}

fn bytes_of<S: ImageSource>(
    source: &S,
    job: &LayerJob,
    parts: FileParts,
) -> Result<(Vec<u8>, u64), open::Error<S::Error>> {
    let mut bytes = Vec::new();
    let received = block_on(parts.read(source, job.descriptor.as_ref(), |part| {
        bytes.extend_from_slice(part);
        ControlFlow::Continue(())
    }))?;
    Ok((bytes, received))
}

#[test]
fn a_file_is_read_by_the_index_of_its_layer() {
    let (internet, source) = remote(&content());
    let job = job(&source);
    let (listing, index) = indexed(&source, &job);
    let before = internet.log().len();
    let parts = block_on(FileParts::by_index(&index, listing.file("etc/motd"), ALL, source.limits())).unwrap();
    let (bytes, received) = bytes_of(&source, &job, parts).map_err(|error| error.to_string()).unwrap();
    assert_eq!(bytes, b"hello\n");
    assert!(received < job.descriptor.as_ref().unwrap().size);
    assert_eq!(internet.log().len(), before + 1);
    let parts = block_on(FileParts::by_index(&index, listing.file("big"), ALL, source.limits())).unwrap();
    assert_eq!(bytes_of(&source, &job, parts).map_err(|error| error.to_string()).unwrap().0, noise(600_000));
}

#[test]
fn a_part_of_a_file_costs_a_part_of_its_layer() {
    // A packed layer of this size would be read from its start.
    let plain = Image::new().layer(layer().compression(Compression::None)).build().into_content("1");
    let (internet, source) = remote(&plain);
    let job = job(&source);
    let (listing, index) = indexed(&source, &job);
    let whole = noise(600_000);
    for (part, most) in
        [(500_000..500_100, 300_000), (0..10, 300_000), (599_999..u64::MAX, 300_000), (600_000..700_000, 0)]
    {
        let before = internet.log().len();
        let parts = block_on(FileParts::by_index(&index, listing.file("big"), part.clone(), source.limits())).unwrap();
        let (bytes, received) = bytes_of(&source, &job, parts).map_err(|error| error.to_string()).unwrap();
        let [start, end] = [part.start, part.end].map(|at| whole.len().min(usize::try_from(at).unwrap()));
        assert!(bytes == whole[start..end], "{part:?}");
        assert!(received <= most, "{part:?}: {received} bytes");
        assert_eq!(internet.log().len(), before + usize::from(most > 0));
    }
}

#[test]
fn not_a_byte_of_a_changed_blob_is_given_out() {
    let content = content();
    let (internet, source) = remote(&content);
    let job = job(&source);
    let (listing, index) = indexed(&source, &job);
    let digest = job.descriptor.as_ref().unwrap().digest.to_string();
    internet.change("r.example.com", |site| {
        site.content_mut("a/b").blobs.get_mut(&digest).unwrap().bytes.iter_mut().for_each(|byte| *byte ^= 1);
    });
    let parts = block_on(FileParts::by_index(&index, listing.file("big"), ALL, source.limits())).unwrap();
    assert!(matches!(bytes_of(&source, &job, parts), Err(open::Error::Part(_))));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_transfer() {
    let source = MemoryImage::new(content(), "1").pieces(1000);
    let job = job(&source);
    let (listing, index) = indexed(&source, &job);
    let parts = block_on(FileParts::by_index(&index, listing.file("big"), ALL, source.limits())).unwrap();
    let mut seen = 0;
    let received = block_on(parts.read(&source, job.descriptor.as_ref(), |part| {
        seen += part.len();
        ControlFlow::Break(())
    }));
    assert!(seen > 0 && seen < 600_000);
    assert!(received.unwrap() < job.descriptor.unwrap().size);
}

fn prepared() -> PreparedLayer {
    Prepared::new(&layer(), Format::EStargz).build()
}

#[test]
fn a_prepared_layer_is_listed_and_its_files_are_read_by_chunks() {
    let (internet, source) = remote(&PreparedLayer::image(&[prepared()], "1"));
    let job = job(&source);
    let (toc, fetched) = block_on(toc::fetch(&source, &job, TocSearch::Trusted)).unwrap().unwrap();
    let size = job.descriptor.as_ref().unwrap().size;
    assert!(fetched < size);
    let mut listing = Listing::default();
    toc.replay(&mut listing);
    let before = internet.log().len();
    let parts = FileParts::by_toc(&toc, listing.file("etc/motd"), ALL).unwrap();
    let (bytes, received) = bytes_of(&source, &job, parts).map_err(|error| error.to_string()).unwrap();
    assert_eq!((bytes, internet.log().len()), (b"hello\n".to_vec(), before + 1));
    assert!(received < size);
}

#[test]
fn a_layer_without_an_image_is_probed_where_that_is_wanted() {
    let source = MemoryImage::bare(prepared().blob.bytes);
    let job = LayerJob::bare().remove(0);
    assert!(block_on(toc::fetch(&source, &job, TocSearch::Trusted)).unwrap().is_none());
    assert!(block_on(toc::fetch(&source, &job, TocSearch::Announced)).unwrap().is_some());
    assert!(source.opened().iter().all(|(digest, _)| digest.is_none()));
    let plain = MemoryImage::bare(layer().tar());
    assert!(block_on(toc::fetch(&plain, &job, TocSearch::All)).unwrap().is_none());
}

#[test]
fn a_table_of_contents_is_compared_with_its_layer() {
    let source = MemoryImage::new(PreparedLayer::image(&[prepared()], "1"), "1");
    let job = job(&source);
    let audits = TocAudits::default();
    let mut audit = block_on(audits.begin(&source, &job)).unwrap().unwrap();
    let read = layer::read(&source, &job, &mut audit, |_| ControlFlow::Continue(()));
    let report = block_on(read).unwrap();
    audits.end(&job, audit, &report);
    match audits.find(0) {
        Some(AuditedToc::Done { trusted: true, report, .. }) => assert!(report.disagreements.is_empty()),
        other => panic!("expected an audit, got {other:?}"),
    }
    assert!(audits.find(1).is_none());
}

#[test]
fn a_source_says_by_type_what_it_lacks() {
    let bare = MemoryImage::bare(Vec::new());
    let image = MemoryImage::new(content(), "1");
    let lacks = |error: porthole_source::Error| match error {
        porthole_source::Error::Unsupported(Unsupported { source_kind, what }) => (source_kind, what),
        error => panic!("expected what is not supported, got {error}"),
    };
    assert_eq!(lacks(block_on(bare.root()).unwrap_err()), (SourceKind::Layer, Capability::Documents));
    assert_eq!(lacks(block_on(image.bare_size()).unwrap_err()), (SourceKind::Layout, Capability::BareLayer));
    let (_, remote) = remote(&content());
    let error = block_on(remote.open_bare(0..1)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "a registry has no layer without an image");
}

#[test]
fn an_artifact_s_blob_need_not_be_an_archive() {
    let blob = Descriptor::new(
        porthole_core::media_type::MediaType::parse("application/x.text").unwrap(),
        porthole_core::digest::Digest::sha256(b"text"),
        4,
    );
    let job = LayerJob { layer: 0, descriptor: Some(blob), diff_id: None, promised: false, file: None };
    assert!(!job.is_archive());
    let mut content = content();
    content.add_blob(porthole_testkit::image::Blob::new("application/x.text", b"text".to_vec()));
    let source = MemoryImage::new(content, "1");
    let mut listing = Listing::default();
    let read = layer::read(&source, &job, &mut listing, |_| ControlFlow::Continue(()));
    let report = block_on(read).unwrap();
    assert!(matches!(job.judge(report.findings), layer::Verdict::NoFiles));
}

/// The stream of a source, to its end.
#[test]
fn a_stream_ends_with_its_range() {
    let source = MemoryImage::new(content(), "1");
    let descriptor = job(&source).descriptor.unwrap();
    let mut blob = block_on(source.open_blob(&descriptor, 10..25)).unwrap();
    let mut buffer = [0; 100];
    assert_eq!(block_on(blob.read(&mut buffer)).unwrap(), 15);
    assert_eq!(block_on(blob.read(&mut buffer)).unwrap(), 0);
}
