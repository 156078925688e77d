//! Test images for the transfer benchmarks: Debian packages, a layer of large files, a layer of many small files.

use porthole_benches::Work;
use porthole_core::digest::{Algorithm, Digest};
use porthole_tests::{
    Result,
    images::{code_name, package_sources, pseudo_random},
    program::{find, run},
    servers::Scratch,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Recipe of an image of a given size.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    /// Debian packages of each layer, installed with their dependencies.
    packages: &'static [&'static str],
    /// Size of each layer of large files in megabytes.
    large: &'static [usize],
}

/// The image for the `resume` benchmark.
pub(crate) const SINGLE: &str = "single";

pub(crate) const RECIPES: &[Recipe] = &[
    Recipe { name: "small", packages: &["libc6,perl-base,dash,tzdata"], large: &[4] },
    Recipe {
        name: "medium",
        packages: &["libc6,perl-base,dash,tzdata", "python3,perl,git,g++,openssh-client,vim"],
        large: &[330],
    },
    // One blob of more than 300 MB.
    Recipe { name: SINGLE, packages: &[], large: &[640] },
    Recipe {
        name: "large",
        packages: &["libc6,perl-base,dash,tzdata", "python3,perl,git,g++,openssh-client,vim"],
        large: &[330, 1000],
    },
];

/// An image in an OCI layout, tagged `bench`.
pub(crate) struct Image {
    pub(crate) name: &'static str,
    pub(crate) layout: PathBuf,
    pub(crate) digest: String,
    pub(crate) media_type: String,
    /// Digests of the configuration and the layers.
    pub(crate) blobs: Vec<String>,
    /// Digests of the layers, bottom first.
    pub(crate) layers: Vec<String>,
    /// Size of all blobs in bytes.
    pub(crate) packed: u64,
    /// Size of all uncompressed layers in bytes.
    pub(crate) unpacked: u64,
    pub(crate) entries: u64,
}

/// Source of the recipe: cached images are rebuilt when it changes.
const SOURCE: &str = include_str!("image.rs");

impl Recipe {
    /// The image; builds it if it is not cached.
    pub(crate) fn image(&self, images: &Path) -> Result<Image> {
        let (folder, stamp) = (images.join(self.name), images.join(self.name).join("recipe"));
        if !fs::read_to_string(&stamp).is_ok_and(|made| made == SOURCE) {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            self.make(images, &folder.join("layout"))?;
            fs::write(folder.join("about.json"), about(&folder.join("layout"))?.to_string())?;
            fs::write(stamp, SOURCE)?;
        }
        self.open(&folder)
    }

    fn make(&self, images: &Path, layout: &Path) -> Result<()> {
        let layout = layout.display().to_string();
        let image = format!("{layout}:bench");
        run("umoci", ["init", "--layout", &layout])?;
        run("umoci", ["new", "--image", &image])?;
        let add = |archive: &Path, what: &str| {
            let archive = archive.display().to_string();
            run("umoci", ["raw", "add-layer", "--image", &image, "--history.created_by", what, &archive])
        };
        for packages in self.packages {
            add(&programs(images, packages)?, &format!("RUN apt-get install {packages}"))?;
        }
        let scratch = Scratch::within(images, "layer")?;
        for (number, &megabytes) in self.large.iter().enumerate() {
            let root = scratch.path().join("large");
            large_files(&root.join(format!("srv/data-{number}")), megabytes)?;
            add(&archive(&root)?, "COPY data /srv")?;
            fs::remove_dir_all(root)?;
        }
        let root = scratch.path().join("small");
        small_files(&root)?;
        add(&archive(&root)?, "COPY application /opt")?;
        let root = scratch.path().join("removed");
        for name in ["usr/share/.wh.doc", "usr/share/.wh.man", "opt/application/.wh.module-7", "srv/data-0/.wh.file-1"]
        {
            let path = root.join(name);
            fs::create_dir_all(path.parent().ok_or("a path has a parent")?)?;
            fs::write(path, "")?;
        }
        add(&archive(&root)?, "RUN rm -r /usr/share/doc /usr/share/man")?;
        run("umoci", ["gc", "--layout", &layout])?;
        Ok(())
    }

    fn open(&self, folder: &Path) -> Result<Image> {
        let layout = folder.join("layout");
        let about: Value = serde_json::from_slice(&fs::read(folder.join("about.json"))?)?;
        let (digest, manifest) = manifest(&layout)?;
        let digest_of = |blob: &Value| blob["digest"].as_str().unwrap_or_default().to_owned();
        let layers: Vec<_> = manifest["layers"].as_array().into_iter().flatten().collect();
        let blobs: Vec<_> = std::iter::once(&manifest["config"]).chain(layers.iter().copied()).collect();
        Ok(Image {
            name: self.name,
            digest,
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            packed: blobs.iter().filter_map(|blob| blob["size"].as_u64()).sum(),
            blobs: blobs.into_iter().map(digest_of).collect(),
            layers: layers.into_iter().map(digest_of).collect(),
            unpacked: about["unpacked"].as_u64().unwrap_or_default(),
            entries: about["entries"].as_u64().unwrap_or_default(),
            layout,
        })
    }
}

impl Image {
    /// Its size for display.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} layers, {:.0} MB packed, {:.0} MB in {} entries",
            self.layers.len(),
            self.packed as f64 / 1e6,
            self.unpacked as f64 / 1e6,
            self.entries,
        )
    }
}

/// Makes a folder of blobs an OCI layout, where the manifest of this descriptor has the name `bench`.
pub(crate) fn name_it(layout: &Path, manifest: &Value) -> Result<()> {
    let mut manifest = manifest.clone();
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "bench" });
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string())?)
}

/// The digest and content of the layout's only manifest.
fn manifest(layout: &Path) -> Result<(String, Value)> {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let digest = index["manifests"][0]["digest"].as_str().ok_or("a layout without an image")?.to_owned();
    let bytes = fs::read(layout.join("blobs").join(digest.replace(':', "/")))?;
    if Digest::of(Algorithm::Sha256, &bytes).to_string() != digest {
        return Err("a layout with a wrong manifest".into());
    }
    Ok((digest, serde_json::from_slice(&bytes)?))
}

/// Totals of the layers of an image.
fn about(layout: &Path) -> Result<Value> {
    let (mut unpacked, mut entries) = (0, 0);
    for layer in manifest(layout)?.1["layers"].as_array().into_iter().flatten() {
        let digest = layer["digest"].as_str().ok_or("a descriptor has a digest")?;
        let blob = fs::read(layout.join("blobs").join(digest.replace(':', "/")))?;
        let done = Work::Verify.run(&blob).ok_or("a layer that is not read")?;
        unpacked += done.unpacked;
        entries += done.entries;
    }
    Ok(json!({ "unpacked": unpacked, "entries": entries }))
}

/// Debian packages unpacked into one tar. Building it is slow and needs a mirror, so it is kept when this recipe
/// changes.
fn programs(images: &Path, packages: &str) -> Result<PathBuf> {
    let mut bootstrap = vec![
        "--variant=extract".to_owned(),
        // Creating device nodes needs a privilege that not every machine grants.
        "--skip=output/dev".to_owned(),
        format!("--include={packages}"),
        code_name()?,
    ];
    let name = packages.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let archive = images.join(format!("{name}.tar"));
    if !archive.exists() {
        let half = archive.with_extension("half.tar");
        bootstrap.push(half.display().to_string());
        bootstrap.extend(package_sources());
        run("mmdebstrap", &bootstrap)?;
        fs::rename(half, &archive)?;
    }
    Ok(archive)
}

/// `megabytes` of data in files of 10 MB, half of it incompressible.
fn large_files(folder: &Path, megabytes: usize) -> Result<()> {
    let noise = pseudo_random(2_000_000);
    let text: Vec<u8> =
        (0..500_000 / 40).flat_map(|line| format!("{line:>10} a text that compresses well\n").into_bytes()).collect();
    fs::create_dir_all(folder)?;
    for number in 0..megabytes.div_ceil(10) {
        let mut file = fs::File::create(folder.join(format!("file-{number}")))?;
        for part in 0..10 {
            let start = (number * 131 + part * 65_537) % 1_400_000;
            file.write_all(&noise[start..start + 500_000])?;
            file.write_all(&text)?;
        }
    }
    Ok(())
}

/// A typical application: many small files, some of them links.
fn small_files(root: &Path) -> Result<()> {
    let application = root.join("opt/application");
    for module in 0..40 {
        let folder = application.join(format!("module-{module}"));
        fs::create_dir_all(&folder)?;
        for file in 0..50 {
            fs::write(folder.join(format!("file-{file}.js")), source(module, file))?;
        }
        std::os::unix::fs::symlink("file-0.js", folder.join("index.js"))?;
        fs::hard_link(folder.join("file-1.js"), folder.join("copy.js"))?;
    }
    Ok(())
}

/// A file of the layer of small files, which is the last but one.
pub(crate) const FILE: &str = "opt/application/module-3/file-7.js";

/// The content of [`FILE`].
pub(crate) fn file() -> String {
    source(3, 7)
}

fn source(module: usize, file: usize) -> String {
    format!("export const value{file} = {module};\n").repeat(1 + file * 2)
}

/// A reproducible tar of a folder, next to it.
fn archive(root: &Path) -> Result<PathBuf> {
    let archive = root.with_extension("tar");
    let arguments = ["--create", "--sort=name", "--numeric-owner", "--owner=0", "--group=0", "--mtime=@1700000000"];
    let mut command = std::process::Command::new(find("tar")?);
    command.args(arguments).arg("--file").arg(&archive).arg("--directory").arg(root).args(entries(root)?);
    if command.status()?.success() { Ok(archive) } else { Err(format!("{command:?} failed").into()) }
}

fn entries(root: &Path) -> Result<Vec<std::ffi::OsString>> {
    let mut names = fs::read_dir(root)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
