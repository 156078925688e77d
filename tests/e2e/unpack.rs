//! porthole unpacks and exports the same files as umoci, and the target appears complete or not at all.

use crate::images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD};
use porthole_testkit::image::{Compression, Image, Layer};
use porthole_tests::{
    Result,
    images::{DEBIAN, SAMPLE, layout, pseudo_random, truth},
    program::{fixtures, ours, run},
    rootfs,
    servers::{Access, Registry, Scratch, Storage},
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Type and mode, owner, device, time, target of a symbolic link, and number of names.
type Facts = (u32, (u32, u32), u64, (i64, i64), PathBuf, u64);

/// Everything below a directory.
fn read(root: &Path) -> Result<BTreeMap<PathBuf, Facts>> {
    rootfs::walk(root, |metadata, target| {
        let names = if metadata.is_dir() { 1 } else { metadata.nlink() };
        let (owner, time) = ((metadata.uid(), metadata.gid()), (metadata.mtime(), metadata.mtime_nsec()));
        (metadata.mode(), owner, metadata.rdev(), time, target, names)
    })
}

fn compare(who: &str, got: &Path, expected: &Path) -> Result<()> {
    let (ours, theirs) = (read(got)?, read(expected)?);
    let mut wrong = Vec::new();
    for path in ours.keys().chain(theirs.keys()) {
        let (one, other) = (ours.get(path), theirs.get(path));
        // The upper bits of the mode are the type.
        let is_file = one.is_some_and(|facts| facts.0 & 0o170_000 == 0o100_000);
        let differs = one != other || is_file && fs::read(got.join(path))? != fs::read(expected.join(path))?;
        if differs {
            wrong.push(format!("{}: {one:?}, expected {other:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{who}: {} of {} differ:\n{}", wrong.len(), theirs.len(), wrong.join("\n"));
    assert!(theirs.len() > 50, "{who}: {} files", theirs.len());
    Ok(())
}

fn done(arguments: &[&str]) -> Result<()> {
    let output = Command::new(ours("porthole")?).arg("--no-cache").args(arguments).output()?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{talk}", output.status);
    Ok(())
}

#[test]
fn unpacked_images_are_what_umoci_unpacks() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let scratch = Scratch::new("unpack")?;
    let sources = [
        (format!("{}/{SEVEN_LAYERS}", registry.host()), DEBIAN),
        (format!("{}/{SEVEN_LAYERS_ZSTD}", registry.host()), DEBIAN),
        (format!("oci:{}:latest", layout(&fixtures(), DEBIAN).display()), DEBIAN),
        (format!("oci:{}:latest", layout(&fixtures(), SAMPLE).display()), SAMPLE),
    ];
    for (source, image) in &sources {
        let directory = scratch.path().join("rootfs");
        done(&["unpack", "--devices", source, &directory.display().to_string()])?;
        compare(source, &directory, &truth(&fixtures(), image, "latest"))?;
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

#[test]
fn tar_unpacks_an_export_to_the_same_files() -> Result<()> {
    let scratch = Scratch::new("export")?;
    let path = |name: &str| scratch.path().join(name).display().to_string();
    done(&["export", &format!("oci:{}:latest", layout(&fixtures(), DEBIAN).display()), "-o", &path("image.tar")])?;
    let directory = scratch.path().join("files");
    fs::create_dir(&directory)?;
    let into = directory.display().to_string();
    run("tar", ["--numeric-owner", "-xpf", &path("image.tar"), "-C", &into])?;
    compare("tar", &directory, &truth(&fixtures(), DEBIAN, "latest"))
}

#[test]
fn a_pull_unpacks_what_umoci_unpacks() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let scratch = Scratch::new("unpack")?;
    let path = |name: &str| scratch.path().join(name).display().to_string();
    for name in [SEVEN_LAYERS, SEVEN_LAYERS_ZSTD] {
        let reference = format!("{}/{name}", registry.host());
        done(&["pull", "--store", &path("store"), "--devices", "--unpack", &path("rootfs"), &reference])?;
        compare(name, &scratch.path().join("rootfs"), &truth(&fixtures(), DEBIAN, "latest"))?;
        done(&["verify", "--store", &path("store"), &format!("store:{reference}")])?;
        fs::remove_dir_all(path("rootfs"))?;
    }
    Ok(())
}

/// A layout with an image of a few thousand files in two layers.
fn many_files(folder: &Path) -> Result<PathBuf> {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    let mut lower = layer("ADD");
    for number in 0..1_000 {
        lower = lower.file(format!("usr/share/{}/{number}", number % 50), pseudo_random(number));
    }
    let mut upper = layer("RUN").opaque("usr/share/7").whiteout("usr/share/8");
    for number in 0..300 {
        upper = upper.symlink(format!("usr/lib/{number}"), "../share/9/9");
    }
    let layout = folder.join("layout");
    Image::new().layer(lower).layer(upper).build().into_content("1").write_layout(&layout)?;
    Ok(layout)
}

/// Runs a command that creates `rootfs` in a folder, and kills it at several points of its run time.
fn kill_at(points: usize, folder: &Path, arguments: &[&str]) -> Result<()> {
    let rootfs = folder.join("rootfs");
    let truth = Scratch::new("truth")?;
    let truth = truth.path().join("rootfs");
    let start = || -> Result<_> {
        let mut command = Command::new(ours("porthole")?);
        command.args(["--no-cache", "--quiet"]).args(arguments).arg(&rootfs);
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
    };
    let finish = || -> Result<Duration> {
        let started = Instant::now();
        assert!(start()?.wait()?.success(), "{arguments:?}");
        let took = started.elapsed();
        if !truth.exists() {
            run("cp", ["-a".as_ref(), rootfs.as_os_str(), truth.as_os_str()])?;
        }
        compare("a run after killed ones", &rootfs, &truth)?;
        let names: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
        assert_eq!(names, ["rootfs"], "what killed runs left is gone");
        fs::remove_dir_all(&rootfs)?;
        Ok(took)
    };
    let whole = finish()?;
    let mut killed = 0;
    for point in pseudo_random(points) {
        let mut child = start()?;
        thread::sleep(whole.mul_f64(f64::from(point) / 255.0).min(Duration::from_secs(2)));
        child.kill()?;
        killed += usize::from(!child.wait()?.success());
        if rootfs.exists() {
            compare("a run that came to its end", &rootfs, &truth)?;
            fs::remove_dir_all(&rootfs)?;
        }
    }
    assert!(killed > 0, "none was killed on its way");
    finish().map(|_| ())
}

#[test]
fn an_unpack_that_is_killed_is_never_seen_half_done() -> Result<()> {
    let (scratch, files) = (Scratch::new("killed")?, Scratch::new("files")?);
    let source = format!("oci:{}", many_files(files.path())?.display());
    kill_at(50, scratch.path(), &["unpack", &source])
}

#[test]
fn a_pull_that_is_killed_while_it_unpacks_shows_nothing() -> Result<()> {
    let (scratch, files) = (Scratch::new("killed")?, Scratch::new("files")?);
    let storage = Storage::new()?;
    storage.push(&[(&many_files(files.path())?, "1", "many/files:1")])?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let (store, reference) = (files.path().join("store"), format!("{}/many/files:1", registry.host()));
    kill_at(20, scratch.path(), &["pull", "--store", &store.display().to_string(), &reference, "--unpack"])
}
