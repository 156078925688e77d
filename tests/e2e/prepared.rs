//! Layers with a table of contents: listed at once, audited on request.

use porthole_testkit::image::{Format, Layer, Prepared, PreparedLayer};
use porthole_tests::{
    Result,
    images::pseudo_random,
    page::Page,
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};

/// A layer of several megabytes in twelve files.
fn layer() -> Layer {
    let noise = pseudo_random(6_000_000);
    (0..12).fold(Layer::new("COPY data /data").dir("data"), |layer, number| {
        layer.file(format!("data/file-{number:02}"), &noise[number * 500_000..][..500_000])
    })
}

/// A registry with an image of this layer, and the page.
struct Opened {
    page: Page,
    registry: Registry,
    _host: Nginx,
    _storage: Storage,
}

const NAME: &str = "prepared/image:1";

fn open(layer: &PreparedLayer) -> Result<Opened> {
    let scratch = Scratch::new("prepared")?;
    let layout = scratch.path().join("layout");
    PreparedLayer::image(std::slice::from_ref(layer), "1").write_layout(&layout)?;
    let storage = Storage::new()?;
    storage.push(&[(&layout, "1", NAME)])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{NAME}", registry.host()))?;
    page.complete()?;
    Ok(Opened { page, registry, _host: host, _storage: storage })
}

impl Opened {
    fn paths(&self) -> Result<Vec<String>> {
        self.page.browser().click("#expand-all")?;
        let rows = self.page.rows()?;
        Ok(rows.into_iter().map(|row| row.path).collect())
    }

    fn state(&self, selector: &str) -> Result<Option<String>> {
        self.page.browser().attribute(selector, "data-state")
    }

    fn fetched(&self) -> Result<u64> {
        let bytes = self.page.browser().attribute("#fetched", "data-bytes")?;
        Ok(bytes.ok_or("the page does not say what it fetched")?.parse()?)
    }

    /// Starts the audit and waits for its result.
    fn audit(&self) -> Result<String> {
        self.page.browser().click("[data-action='audit']")?;
        self.page.until("the layer is read", |page| {
            Ok(page.browser().attribute("[data-layer='0']", "data-state")?.filter(|state| state == "verified"))
        })?;
        self.page.complete()?;
        self.page.browser().text("[data-layer='0']")
    }
}

#[test]
fn a_prepared_layer_is_listed_at_once_and_never_called_verified() -> Result<()> {
    for format in [Format::EStargz, Format::ZstdChunked] {
        let layer = layer();
        let opened = open(&Prepared::new(&layer, format).chunks_of(100_000).build())?;
        assert_eq!(opened.state("[data-layer='0']")?.as_deref(), Some("listed"));
        assert_eq!(opened.state("#chain")?.as_deref(), Some("listed"));
        assert_eq!(opened.page.steps()?["layers"], json!("listed"));
        assert!(opened.fetched()? < 100_000, "{} bytes for a list", opened.fetched()?);
        assert!(opened.page.browser().text("[data-layer='0']")?.contains("not checked against the archive"));
        let listed = opened.paths()?;
        assert_eq!(listed.len(), 13, "{listed:?}");

        let told = opened.audit()?;
        assert!(told.contains("agrees with the archive"), "{told}");
        assert_eq!(opened.state("#chain")?.as_deref(), Some("verified"));
        let of_archive: Vec<String> = opened.paths()?.into_iter().filter(|path| !path.contains("stargz")).collect();
        assert_eq!(of_archive, listed);
        assert!(opened.registry.said().is_empty() || !opened.registry.said().contains("panic"));
    }
    Ok(())
}

#[test]
fn a_table_that_hides_a_file_is_found_out() -> Result<()> {
    let layer = layer();
    let hide = |toc: &mut Value| {
        if let Some(entries) = toc["entries"].as_array_mut() {
            entries.retain(|entry| entry["name"].as_str().is_none_or(|name| !name.ends_with("file-07")));
        }
    };
    let opened = open(&Prepared::new(&layer, Format::EStargz).chunks_of(100_000).edit(hide).build())?;
    assert!(!opened.paths()?.contains(&"data/file-07".to_owned()));
    let told = opened.audit()?;
    assert!(told.contains("disagrees on data/file-07"), "{told}");
    assert!(opened.paths()?.contains(&"data/file-07".to_owned()), "now the archive is listed");
    Ok(())
}
