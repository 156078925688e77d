//! What porthole unpacks and exports is, file by file, what umoci unpacks.

use crate::images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD};
use porthole_tests::{
    Result,
    images::{DEBIAN, SAMPLE, layout, truth},
    program::{fixtures, ours, run},
    servers::{Access, Registry, Scratch},
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Type and mode, owner, device, time, target of a symbolic link, and how many names it has.
type Facts = (u32, (u32, u32), u64, (i64, i64), PathBuf, u64);

/// Everything below a directory.
fn walk(root: &Path) -> Result<BTreeMap<PathBuf, Facts>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let metadata = path.symlink_metadata()?;
            let target = if metadata.is_symlink() { fs::read_link(&path)? } else { PathBuf::new() };
            let names = if metadata.is_dir() { 1 } else { metadata.nlink() };
            let (owner, time) = ((metadata.uid(), metadata.gid()), (metadata.mtime(), metadata.mtime_nsec()));
            found.insert(
                path.strip_prefix(root)?.to_owned(),
                (metadata.mode(), owner, metadata.rdev(), time, target, names),
            );
            if metadata.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(found)
}

fn compare(who: &str, got: &Path, expected: &Path) -> Result<()> {
    let (ours, theirs) = (walk(got)?, walk(expected)?);
    let mut wrong = Vec::new();
    for path in ours.keys().chain(theirs.keys()) {
        let (one, other) = (ours.get(path), theirs.get(path));
        // The type is in the upper bits of the mode.
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
