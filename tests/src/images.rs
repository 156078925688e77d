//! Images for the end-to-end tests: a real Debian image of seven layers, the same with zstd layers, and one for several
//! platforms.
//!
//! Each is an OCI layout in the fixtures folder, with the tree that `umoci unpack` creates from it alongside.

use crate::{Result, program::run};
use porthole_testkit::image::{Built, Content, Entry, Image, Layer};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, lchown, symlink},
    path::{Path, PathBuf},
};

/// The image of seven layers, compressed with gzip.
pub const DEBIAN: &str = "debian";
/// The same image with zstd layers.
pub const DEBIAN_ZSTD: &str = "debian-zstd";
/// An image for three platforms.
pub const PLATFORMS: &str = "platforms";
/// The platforms of that image, as users write them, with their tags in the layout.
pub const PLATFORM_TAGS: &[(&str, &str)] =
    &[("linux/amd64", "amd64"), ("linux/arm64/v8", "arm64"), ("linux/arm/v7", "arm")];
/// The page's sample with gzip layers only, because umoci cannot read zstd.
pub const SAMPLE: &str = "sample";

/// Source of the recipe: cached images are rebuilt when it changes.
const RECIPE: &str = concat!(include_str!("images.rs"), include_str!("sample.rs"));

/// Path of an image's layout in the fixtures folder.
pub fn layout(fixtures: &Path, image: &str) -> PathBuf {
    fixtures.join(image).join("layout")
}

/// Path of the tree that umoci unpacked from a tag of an image.
pub fn truth(fixtures: &Path, image: &str, tag: &str) -> PathBuf {
    fixtures.join(image).join(tag).join("rootfs")
}

/// The manifest digest of a tag.
pub fn manifest_digest(fixtures: &Path, image: &str, tag: &str) -> Result<String> {
    let index: Value = serde_json::from_slice(&fs::read(layout(fixtures, image).join("index.json"))?)?;
    let named = |manifest: &&Value| manifest["annotations"]["org.opencontainers.image.ref.name"] == tag;
    let manifest = index["manifests"].as_array().into_iter().flatten().find(named).ok_or("no such tag")?;
    Ok(manifest["digest"].as_str().ok_or("a descriptor has a digest")?.to_owned())
}

/// Builds the images that are missing or whose recipe changed.
pub fn make(fixtures: &Path) -> Result<()> {
    let stamp = fixtures.join("recipe");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == RECIPE) {
        return Ok(());
    }
    fs::create_dir_all(fixtures)?;
    for image in [DEBIAN, DEBIAN_ZSTD, PLATFORMS, SAMPLE, "bundle", "scratch", "storage"] {
        if fixtures.join(image).exists() {
            fs::remove_dir_all(fixtures.join(image))?;
        }
    }
    debian(fixtures)?;
    zstd_twin(fixtures)?;
    platforms(fixtures)?;
    sample(fixtures)?;
    fs::write(stamp, RECIPE)?;
    Ok(())
}

/// A Debian root filesystem, and typical Dockerfile instructions on top.
fn debian(fixtures: &Path) -> Result<()> {
    let archive = root_archive(fixtures)?;
    let mut build = Build::start(fixtures)?;
    build.archive(&archive, "ADD rootfs.tar /")?;
    build.step("RUN dpkg --install /root/*.deb", install)?;
    build.step("RUN rm -rf /root/*.deb /usr/share/doc /var/cache/debconf", |root| {
        for package in fs::read_dir(root.join("root"))? {
            let package = package?;
            if package.file_name().to_string_lossy().ends_with(".deb") {
                fs::remove_file(package.path())?;
            }
        }
        fs::remove_dir_all(root.join("usr/share/doc"))?;
        fs::remove_dir_all(root.join("var/cache/debconf"))?;
        Ok(())
    })?;
    build.step("COPY harbour /opt/harbour", application)?;
    build.opaque("RUN build-charts --replace /opt/harbour/charts", "opt/harbour/charts", |charts| {
        fs::create_dir_all(charts.join("deep/deeper"))?;
        fs::write(charts.join("approach.svg"), "<svg/>".repeat(500))?;
        fs::write(charts.join("deep/deeper/basin.svg"), "<svg/>")?;
        Ok(())
    })?;
    build.step("RUN replace-kinds", |root| {
        let harbour = root.join("opt/harbour");
        fs::remove_file(harbour.join("a-file"))?;
        fs::create_dir(harbour.join("a-file"))?;
        fs::write(harbour.join("a-file/inside"), "now a directory")?;
        fs::remove_dir_all(harbour.join("a-directory"))?;
        symlink("data", harbour.join("a-directory"))?;
        fs::write(harbour.join("again"), "written a second time")?;
        Ok(())
    })?;
    build.step("RUN chmod 750 /opt/harbour/data && chown 1000:1000 /opt/harbour/serve", |root| {
        let harbour = root.join("opt/harbour");
        fs::set_permissions(harbour.join("data"), fs::Permissions::from_mode(0o750))?;
        lchown(harbour.join("serve"), Some(1000), Some(1000))?;
        fs::set_permissions(harbour.join("serve"), fs::Permissions::from_mode(0o6755))?;
        Ok(())
    })?;
    build.finish()
}

/// A small Debian root filesystem in one tar. Building it is slow and needs a mirror, so it is kept when the layers
/// above it change.
fn root_archive(fixtures: &Path) -> Result<PathBuf> {
    let (archive, stamp) = (fixtures.join("root.tar"), fixtures.join("root.recipe"));
    let mut bootstrap = vec![
        "--variant=minbase".to_owned(),
        // Creating device nodes needs a privilege that not every machine grants.
        "--skip=output/dev".to_owned(),
        "--customize-hook=chroot \"$1\" sh -c 'cd /root && apt-get download less tzdata'".to_owned(),
        "--dpkgopt=path-exclude=/usr/share/locale/*".to_owned(),
        code_name()?,
        archive.display().to_string(),
    ];
    bootstrap.extend(package_sources());
    let recipe = bootstrap.join("\n");
    if !archive.exists() || fs::read_to_string(&stamp).ok().as_ref() != Some(&recipe) {
        run("mmdebstrap", &bootstrap)?;
        fs::write(stamp, recipe)?;
    }
    Ok(archive)
}

/// Installs the packages downloaded to root's home.
fn install(root: &Path) -> Result<()> {
    // dpkg needs /dev/null; without device nodes a regular file must do.
    let null = root.join("dev/null");
    fs::create_dir_all(root.join("dev"))?;
    fs::write(&null, "")?;
    let install = "dpkg --install /root/*.deb";
    let root = root.display().to_string();
    run(
        "env",
        [
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND=noninteractive",
            "chroot",
            &root,
            "sh",
            "-c",
            install,
        ],
    )?;
    Ok(fs::remove_file(null)?)
}

fn application(root: &Path) -> Result<()> {
    let harbour = root.join("opt/harbour");
    for folder in ["charts/old/older", "data", "empty", "a-directory/below", "Grüße", "日本語/海図"] {
        fs::create_dir_all(harbour.join(folder))?;
    }
    fs::set_permissions(harbour.join("data"), fs::Permissions::from_mode(0o1777))?;
    fs::write(harbour.join("serve"), "#!/bin/sh\nexec true\n")?;
    fs::set_permissions(harbour.join("serve"), fs::Permissions::from_mode(0o4755))?;
    fs::hard_link(harbour.join("serve"), harbour.join("serve-also"))?;
    fs::hard_link(harbour.join("serve"), harbour.join("Grüße/serve"))?;
    symlink("../serve", harbour.join("Grüße/läuft"))?;
    symlink("/nowhere/at/all", harbour.join("dangling"))?;
    fs::write(harbour.join("a-file"), "a file")?;
    fs::write(harbour.join("again"), "written once")?;
    fs::write(harbour.join("a-directory/below/gone"), "gone soon")?;
    fs::write(harbour.join("charts/old/older/draft.svg"), "<svg/>")?;
    fs::write(harbour.join("charts/draft.svg"), "<svg/>")?;
    fs::write(harbour.join("日本語/海図/港.txt"), "港")?;
    fs::write(harbour.join("with space and 'quotes' \"here\" \\ back"), "")?;
    fs::write(harbour.join(format!("a-long-name-{}", "0123456789".repeat(20))), "long")?;
    fs::write(harbour.join("large"), pseudo_random(3_000_000))?;
    Ok(())
}

/// Incompressible bytes, the same on every run.
pub fn pseudo_random(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

fn zstd_twin(fixtures: &Path) -> Result<()> {
    recompress(&layout(fixtures, DEBIAN), "latest", &layout(fixtures, DEBIAN_ZSTD), "zstd")
}

/// Three small images and an index over them.
fn platforms(fixtures: &Path) -> Result<()> {
    let folder = layout(fixtures, PLATFORMS);
    let images: Vec<Built> = PLATFORM_TAGS.iter().map(|(platform, tag)| for_platform(platform, tag)).collect();
    let mut content = Content::of_index("latest", &images);
    for (image, (_, tag)) in images.iter().zip(PLATFORM_TAGS) {
        content.add_root(tag, image.manifest.clone());
    }
    content.write_layout(&folder)?;
    for (_, tag) in PLATFORM_TAGS {
        unpack(&folder, tag, &fixtures.join(PLATFORMS).join(tag))?;
    }
    Ok(())
}

fn for_platform(platform: &str, tag: &str) -> Built {
    let parts: Vec<&str> = platform.split('/').collect();
    let readme = format!("built for {platform}\n").repeat(tag.len());
    let base = Layer::new("ADD rootfs.tar /")
        .dir("bin")
        .dir("etc")
        .dir("usr")
        .dir("usr/lib")
        .entry(Entry::dir("tmp").mode(0o1777))
        .file("etc/platform", platform)
        .entry(Entry::file(format!("usr/lib/only-{tag}.so"), &readme).mode(0o755))
        .entry(Entry::file("bin/su", &readme).mode(0o4755))
        .entry(Entry::hardlink("bin/su-also", "bin/su").mode(0o4755))
        .symlink("lib", "usr/lib");
    let top = Layer::new("RUN rmdir /tmp && size > /etc/größe").dir("etc").whiteout("tmp");
    let top = top.entry(Entry::file("etc/größe", tag).mode(0o600));
    Image::new().platform(parts[0], parts[1], parts.get(2).copied()).layer(base).layer(top).build()
}

/// The sample with gzip layers. umoci cannot read zstd; the tree is the same.
fn sample(fixtures: &Path) -> Result<()> {
    let (archive, folder) = (fixtures.join("sample.tar"), layout(fixtures, SAMPLE));
    fs::write(&archive, crate::sample::image().layout_tar())?;
    let source = format!("oci-archive:{}:{}", archive.display(), crate::sample::REFERENCE);
    compress(&source, &folder, "latest", "gzip")?;
    unpack(&folder, "latest", &fixtures.join(SAMPLE).join("latest"))?;
    Ok(fs::remove_file(archive)?)
}

fn recompress(from: &Path, tag: &str, to: &Path, format: &str) -> Result<()> {
    compress(&format!("oci:{}:{tag}", from.display()), to, tag, format)
}

/// Copies an image to a layout, with its layers recompressed.
fn compress(source: &str, layout: &Path, tag: &str, format: &str) -> Result<()> {
    fs::create_dir_all(layout)?;
    let destination = format!("oci:{}:{tag}", layout.display());
    run(
        "skopeo",
        [
            "--insecure-policy",
            "copy",
            "--quiet",
            "--dest-compress",
            "--dest-compress-format",
            format,
            source,
            &destination,
        ],
    )?;
    Ok(())
}

/// Unpacks a tag of a layout to a new bundle. The root filesystem is its folder `rootfs`.
pub fn unpack(layout: &Path, tag: &str, bundle: &Path) -> Result<()> {
    run("umoci", ["unpack", "--image", &format!("{}:{tag}", layout.display()), &bundle.display().to_string()])?;
    Ok(())
}

/// The Debian image during its build with umoci: a layout, and a root filesystem to modify.
struct Build {
    image: String,
    bundle: PathBuf,
    truth: PathBuf,
    scratch: PathBuf,
}

impl Build {
    fn start(fixtures: &Path) -> Result<Self> {
        let folder = layout(fixtures, DEBIAN);
        fs::create_dir_all(fixtures.join(DEBIAN))?;
        let image = format!("{}:latest", folder.display());
        run("umoci", ["init", "--layout", &folder.display().to_string()])?;
        run("umoci", ["new", "--image", &image])?;
        run(
            "umoci",
            [
                "config",
                "--image",
                &image,
                "--config.cmd",
                "/bin/sh",
                "--config.env",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            ],
        )?;
        let (bundle, scratch) = (fixtures.join("bundle"), fixtures.join("scratch"));
        Ok(Self { image, bundle, truth: fixtures.join(DEBIAN).join("latest"), scratch })
    }

    fn archive(&mut self, archive: &Path, instruction: &str) -> Result<()> {
        let archive = archive.display().to_string();
        run("umoci", ["raw", "add-layer", "--image", &self.image, "--history.created_by", instruction, &archive])?;
        run("umoci", ["unpack", "--image", &self.image, &self.bundle.display().to_string()])?;
        Ok(())
    }

    /// Adds a layer with the changes that `change` makes to the root filesystem.
    fn step(&mut self, instruction: &str, change: impl Fn(&Path) -> Result<()>) -> Result<()> {
        change(&self.bundle.join("rootfs"))?;
        let bundle = self.bundle.display().to_string();
        run(
            "umoci",
            ["repack", "--refresh-bundle", "--image", &self.image, "--history.created_by", instruction, &bundle],
        )?;
        Ok(())
    }

    /// Adds a layer that replaces a directory (an opaque marker).
    fn opaque(&mut self, instruction: &str, path: &str, fill: impl Fn(&Path) -> Result<()>) -> Result<()> {
        fs::create_dir_all(&self.scratch)?;
        fill(&self.scratch)?;
        let scratch = self.scratch.display().to_string();
        run(
            "umoci",
            [
                "insert",
                "--opaque",
                "--image",
                &self.image,
                "--history.created_by",
                instruction,
                &scratch,
                &format!("/{path}"),
            ],
        )?;
        // umoci cannot update a bundle to an image that it did not write.
        fs::remove_dir_all(&self.scratch)?;
        fs::remove_dir_all(&self.bundle)?;
        run("umoci", ["unpack", "--image", &self.image, &self.bundle.display().to_string()])?;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        fs::remove_dir_all(&self.bundle)?;
        run("umoci", ["unpack", "--image", &self.image, &self.truth.display().to_string()])?;
        run("umoci", ["gc", "--layout", self.image.trim_end_matches(":latest")])?;
        Ok(())
    }
}

/// The Debian release of this machine, or `stable`.
pub fn code_name() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release")?;
    let debian = release.lines().any(|line| line == "ID=debian");
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.filter(|_| debian).unwrap_or("stable").to_owned())
}

/// The package sources of this machine: a mirror that is reachable.
pub fn package_sources() -> Option<String> {
    let own = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    own.into_iter().find(|list| fs::read_to_string(list).is_ok_and(|text| text.contains("deb"))).map(str::to_owned)
}
