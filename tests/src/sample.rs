//! The sample image embedded in the page. The build is reproducible.
//!
//! Five layers with typical instructions cover gzip and zstd, whiteouts, an opaque directory, hard and symbolic links,
//! a set-user-ID file and a non-ASCII name.

use crate::Result;
use porthole_testkit::image::{Compression, Content, Entry, Image, Layer};
use serde_json::json;
use std::path::Path;

/// Path of the archive in the page's sources.
pub const PATH: &str = "web/sample/sample.tar";
/// The reference that the page shows for it.
pub const REFERENCE: &str = "sample.localhost/porthole/sample:latest";

/// Writes the sample to the workspace. Returns its size in bytes.
pub fn write(workspace: &Path) -> Result<usize> {
    let archive = image().layout_tar();
    let path = workspace.join(PATH);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if std::fs::read(&path).ok().as_deref() != Some(&archive) {
        std::fs::write(&path, &archive)?;
    }
    Ok(archive.len())
}

/// Builds the image.
pub fn image() -> Content {
    Image::new()
        .config(json!({
            "User": "keeper",
            "ExposedPorts": { "8080/tcp": {} },
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "PORT=8080"],
            "Entrypoint": ["/srv/harbour/serve"],
            "Cmd": ["--port", "8080"],
            "WorkingDir": "/srv/harbour",
            "Labels": { "org.opencontainers.image.title": "Porthole sample" },
        }))
        .layer(base())
        .layer(packages())
        .layer(application())
        .layer(clean_up())
        .layer(charts())
        .build()
        .into_content(REFERENCE)
}

fn base() -> Layer {
    let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
    let release = "NAME=\"Porthole sample\"\nID=sample\nVERSION_ID=1\nPRETTY_NAME=\"Porthole sample 1\"\n";
    let folders =
        ["dev", "etc", "home", "proc", "root", "srv", "sys", "usr", "usr/bin", "usr/lib", "usr/share", "usr/share/doc"];
    directories(Layer::new("ADD rootfs.tar.gz /"), &folders)
        .dir("usr/share/doc/base")
        .entry(Entry::dir("tmp").mode(0o1777))
        .dir("var")
        .dir("var/cache")
        .dir("var/lib")
        .dir("var/log")
        .symlink("bin", "usr/bin")
        .symlink("lib", "usr/lib")
        .file("etc/passwd", passwd)
        .file("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        .entry(Entry::file("etc/shadow", "root:*:19600:0:99999:7:::\n").mode(0o640))
        .file("etc/hostname", "porthole\n")
        .file("etc/os-release", release)
        .symlink("etc/mtab", "../proc/self/mounts")
        .entry(program("usr/bin/sh", "a shell would be here", 3_000))
        .entry(program("usr/bin/su", "becomes another user", 1_200).mode(0o4755))
        .entry(program("usr/bin/gzip", "gzip", 2_000))
        .entry(Entry::hardlink("usr/bin/gunzip", "usr/bin/gzip").mode(0o755))
        .file("usr/lib/libsample.so.1.0", text("a library", 9_000))
        .symlink("usr/lib/libsample.so.1", "libsample.so.1.0")
        .file("usr/share/doc/base/copyright", "Made for Porthole. Apache-2.0 OR MIT.\n")
        .file("var/log/install.log", "base installed\n")
        .then("CMD [\"/bin/sh\"]")
        .then("ENV TZ=UTC PORT=8080")
}

fn packages() -> Layer {
    let passwd = concat!(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "keeper:x:100:65534::/srv/harbour:/usr/sbin/nologin\n"
    );
    let layer = Layer::new("RUN /bin/sh -c pkg install --yes harbour-lights tzdata && adduser --system keeper");
    let layer =
        directories(layer, &["etc", "usr", "usr/bin", "usr/share", "usr/share/doc", "usr/share/doc/harbour-lights"]);
    let layer = directories(layer, &["usr/share/doc/tzdata", "usr/share/zoneinfo", "usr/share/zoneinfo/Europe"]);
    directories(
        layer,
        &["usr/share/zoneinfo/Atlantic", "var", "var/cache", "var/cache/pkg", "var/lib", "var/lib/pkg", "var/log"],
    )
    .file("etc/passwd", passwd)
    .symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    .entry(program("usr/bin/light", "light", 4_000))
    .file("usr/share/doc/harbour-lights/README", "light on | light off | light status\n")
    .file("usr/share/doc/tzdata/changelog", "zone data follows the sea\n".repeat(60))
    .file("usr/share/zoneinfo/Europe/Lisbon", "TZif2 WET-0WEST\n")
    .file("usr/share/zoneinfo/Europe/Berlin", "TZif2 CET-1CEST\n")
    .hardlink("usr/share/zoneinfo/Europe/Busingen", "usr/share/zoneinfo/Europe/Berlin")
    .file("usr/share/zoneinfo/Atlantic/Reykjavik", "TZif2 GMT0\n")
    .file("var/cache/pkg/harbour-lights_1.4.pkg", text("package", 24_000))
    .file("var/cache/pkg/tzdata_2024a.pkg", text("package", 48_000))
    .file("var/lib/pkg/status", "Package: harbour-lights\nVersion: 1.4\n\nPackage: tzdata\nVersion: 2024a\n")
    .file("var/log/install.log", "base installed\nharbour-lights 1.4 installed\ntzdata 2024a installed\n")
    .then("WORKDIR /srv/harbour")
}

fn application() -> Layer {
    let page = "<!doctype html>\n<title>Harbour</title>\n<link rel=stylesheet href=css/harbour.css>\n";
    let layer = Layer::new("COPY harbour /srv/harbour").compression(Compression::Zstd);
    directories(layer, &["srv", "srv/harbour", "srv/harbour/charts", "srv/harbour/static", "srv/harbour/static/css"])
        .entry(Entry::dir("srv/harbour/data").mode(0o750).owner(100, 65534))
        .entry(program("srv/harbour/serve", "serve", 12_000))
        .file("srv/harbour/harbour.toml", "[server]\nport = 8080\n\n[charts]\nfolder = \"charts\"\n")
        .file("srv/harbour/charts/draft-1.svg", chart(20))
        .file("srv/harbour/charts/draft-2.svg", chart(40))
        .file("srv/harbour/static/index.html", page)
        .file("srv/harbour/static/css/harbour.css", "body { background: #0b2436; color: #fff }\n")
        .file("srv/harbour/static/Grüße aus dem Hafen.txt", "Bis bald!\n")
        .symlink("srv/harbour/logs", "/var/log")
}

fn clean_up() -> Layer {
    let layer = Layer::new("RUN /bin/sh -c rm -rf /var/cache/pkg /usr/share/doc/tzdata && chmod u+s /usr/bin/light");
    directories(layer, &["usr", "usr/bin", "usr/share", "usr/share/doc", "var", "var/cache"])
        .whiteout("usr/share/doc/tzdata")
        .whiteout("var/cache/pkg")
        .entry(program("usr/bin/light", "light", 4_000).mode(0o4755))
}

fn charts() -> Layer {
    let settings = "[server]\nport = 8080\n\n[charts]\nfolder = \"charts\"\nbuilt = true\n";
    let layer = Layer::new("RUN /bin/sh -c harbour build-charts --replace").compression(Compression::Zstd);
    directories(layer, &["srv", "srv/harbour", "srv/harbour/charts"])
        .opaque("srv/harbour/charts")
        .file("srv/harbour/charts/approach.svg", chart(300))
        .file("srv/harbour/charts/basin.svg", chart(180))
        .file("srv/harbour/charts/海図.svg", chart(120))
        .file("srv/harbour/harbour.toml", settings)
        .then("EXPOSE map[8080/tcp:{}]")
        .then("USER keeper")
        .then("ENTRYPOINT [\"/srv/harbour/serve\"]")
        .then("CMD [\"--port\" \"8080\"]")
}

fn directories(layer: Layer, paths: &[&str]) -> Layer {
    paths.iter().fold(layer, |layer, path| layer.dir(path))
}

fn program(path: &str, what: &str, length: usize) -> Entry {
    Entry::file(path, text(what, length)).mode(0o755)
}

/// A text of about `length` bytes that looks like a script.
fn text(what: &str, length: usize) -> String {
    let mut text = format!("#!/bin/sh\n# {what}\n");
    let mut line = 0;
    while text.len() < length {
        line += 1;
        text.push_str(&format!("step {line} of {what}\n"));
    }
    text
}

/// An SVG coast line with `points` points.
fn chart(points: u32) -> String {
    let mut svg = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 400\"><path d=\"M0 200");
    for point in 1..=points {
        svg.push_str(&format!(" L{} {}", point * 1000 / points, 200 + (point * 37) % 120));
    }
    svg.push_str("\"/></svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, io::Read as _};

    /// Compressors may produce other bytes in a new version, so compare the configuration, which includes the diff_ids.
    #[test]
    fn the_committed_sample_is_the_one_built_here() {
        let committed = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PATH)).unwrap();
        assert_eq!(config(&committed), config(&image().layout_tar()), "run `cargo xtask fixtures` and commit {PATH}");
        assert!(committed.len() < 30_000, "the page carries the sample: {} bytes", committed.len());
    }

    #[test]
    fn building_twice_gives_the_same_bytes() {
        assert!(image().layout_tar() == image().layout_tar());
    }

    fn config(archive: &[u8]) -> serde_json::Value {
        let mut blobs = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            blobs.insert(entry.path().unwrap().to_string_lossy().into_owned(), bytes);
        }
        let follow = |descriptor: &serde_json::Value| -> serde_json::Value {
            let digest = descriptor["digest"].as_str().unwrap();
            serde_json::from_slice(&blobs[&format!("blobs/{}", digest.replace(':', "/"))]).unwrap()
        };
        let index: serde_json::Value = serde_json::from_slice(&blobs["index.json"]).unwrap();
        follow(&follow(&index["manifests"][0])["config"])
    }
}
