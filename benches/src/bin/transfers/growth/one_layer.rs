//! A layer of many entries, and a layer of many bytes.

use super::{
    Figures,
    image::{SMALL, SMALL_PATH, append, layer_digest, write_layer, write_layout},
    rounds,
};
use crate::{measure, round::REPOSITORY};
use porthole_tests::{
    Result,
    program::ours,
    servers::{Access, Registry, Scratch, Storage},
};
use std::{fs, path::Path};

pub(super) fn entries(counts: &[u64], home: &Path, scratch: &Path) -> Result<Vec<Figures>> {
    let porthole = ours("porthole")?;
    let mut figures = Vec::new();
    for &count in counts {
        let layer = home.join(format!("entries-{count}.tar.gz"));
        if !layer.exists() {
            write_layer(&layer, |builder| {
                (0..count).try_for_each(|number| {
                    let folder = number / 80;
                    let path = format!("usr/lib/part-{}/folder-{folder}/file-{number}.so", folder / 80);
                    append(builder, &path, &[])
                })
            })?;
        }
        let layer = layer.display();
        let programs = [
            ("gzip, tar", format!("gzip -dc {layer} | tar -t | wc -l")),
            ("porthole", format!("{} --quiet ls layer:{layer} | wc -l", porthole.display())),
            ("porthole long", format!("{} --quiet ls --long layer:{layer} | wc -l", porthole.display())),
        ];
        figures.extend(rounds(count, &programs, scratch, || Ok(None))?);
    }
    Ok(figures)
}

pub(super) fn bytes(sizes: &[u64], home: &Path, scratch: &Path) -> Result<Vec<Figures>> {
    let porthole = ours("porthole")?.display().to_string();
    let mut figures = Vec::new();
    for &size in sizes {
        let layout = home.join(format!("bytes-{size}"));
        if !layout.join("index.json").exists() {
            write_layout(&layout, size)?;
        }
        let place = Scratch::within(home, "bytes")?;
        let storage = Storage::within(place.path())?;
        storage.push(&[(&layout, "bench", &format!("{REPOSITORY}:bench"))])?;
        let registry = Registry::start(&storage, &Access::Open)?;
        let image = format!("{}/{REPOSITORY}:bench", registry.host());
        let blob = layer_digest(&layout)?;
        let programs = [
            (
                "curl, tar",
                format!("curl -fsS http://{}/v2/{REPOSITORY}/blobs/{blob} | tar -xzO {SMALL_PATH}", registry.host()),
            ),
            ("porthole", format!("{porthole} --quiet cat {image} {SMALL_PATH}")),
        ];
        let variables =
            [("PATH", std::env::var("PATH")?), ("HOME", scratch.display().to_string()), ("LC_ALL", "C".to_owned())];
        let list = format!("{porthole} --quiet ls {image}");
        measure::run(&["sh".into(), "-ec".into(), list], &variables, scratch)?;
        let moved = || Ok(Some(measure::traffic(registry.process())?.1));
        figures.extend(rounds(size, &programs, scratch, moved)?);
        if fs::read(scratch.join(measure::OUTPUT))? != SMALL {
            return Err(format!("expected the content of {SMALL_PATH}").into());
        }
    }
    Ok(figures)
}
