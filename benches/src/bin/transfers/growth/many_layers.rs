//! An image of many small layers, in a registry on this machine.

use super::{Figures, rounds};
use crate::{measure, round::REPOSITORY, wan};
use porthole_tests::{
    Result,
    program::{find, ours},
    servers::{Access, Registry, Scratch, Storage},
};
use std::path::Path;

/// Bytes of a layer.
const LAYER: usize = 100_000;

pub(super) fn layers(counts: &[u64], home: &Path, scratch: &Path) -> Result<Vec<Figures>> {
    let porthole = ours("porthole")?.display().to_string();
    let mut figures = Vec::new();
    for &count in counts {
        let place = Scratch::within(home, "layers")?;
        let layout = place.path().join("layout");
        let made = wan::write("layers", &vec![LAYER; usize::try_from(count)?], &layout)?;
        let storage = Storage::within(place.path())?;
        storage.push(&[(&layout, "bench", &format!("{REPOSITORY}:bench"))])?;
        let registry = Registry::start(&storage, &Access::Open)?;
        let image = format!("{}/{REPOSITORY}:bench", registry.host());
        let blobs = made.blobs.join(",");
        let pulled = |line: String| format!("rm -rf pulled; {line}");
        let mut programs = vec![
            (
                "curl",
                pulled(format!(
                    "mkdir pulled; curl -fsS --parallel -o 'pulled/#1' 'http://{}/v2/{REPOSITORY}/blobs/{{{blobs}}}'",
                    registry.host()
                )),
            ),
            ("porthole pull", pulled(format!("{porthole} --quiet pull {image} oci:pulled:bench"))),
            (
                "porthole ls",
                format!("{porthole} --quiet --no-cache ls {image} > listed; test $(wc -l < listed) -eq {count}"),
            ),
        ];
        if find("skopeo").is_ok() {
            let line = format!(
                "skopeo --insecure-policy copy --quiet --src-tls-verify=false docker://{image} oci:pulled:bench"
            );
            programs.push(("skopeo", pulled(line)));
        }
        let moved = || Ok(Some(measure::traffic(registry.process())?.1));
        figures.extend(rounds(count, &programs, scratch, moved)?);
    }
    Ok(figures)
}
