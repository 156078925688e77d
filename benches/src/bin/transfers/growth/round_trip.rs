//! A far registry, nearer or farther.

use super::{Figures, ROUNDS};
use crate::{
    measure::Usage,
    wan::{CURL, Call, Counts, PULL, Scene, Shape, Site, THREE, Work, turn},
};
use porthole_benches::median;
use porthole_tests::{Result, servers::Scratch};
use std::path::Path;

const CALLS: &[Call] = &[
    Call { program: "curl", work: Work::Pull, line: CURL },
    Call { program: "porthole pull", work: Work::Pull, line: PULL },
    Call { program: "porthole inspect", work: Work::Inspect, line: "$PORTHOLE --quiet inspect $FROM" },
];

pub(super) fn delay(milliseconds: &[u64], home: &Path) -> Result<Vec<Figures>> {
    let scratch = Scratch::within(home, "delay")?;
    let image = THREE.make(&scratch.path().join("layout"))?;
    let mut site = Site::new(home, &image)?;
    let mut figures = Vec::new();
    for &round_trip in milliseconds {
        let scene =
            Scene { name: "delay", shape: Shape { round_trip, rate: 1000, lost: 0 }, image: &THREE, calls: CALLS };
        for call in CALLS {
            let mut turns = Vec::new();
            for _ in 0..ROUNDS {
                site.shape(scene.shape)?;
                turns.push(turn(&site, &scene, call, &image, home)?);
            }
            let median = |figure: fn(&(Usage, Counts)) -> f64| median(turns.iter().map(figure).collect());
            figures.push(Figures {
                program: call.program,
                size: round_trip,
                wall: median(|(usage, _)| usage.wall),
                cpu: median(|(usage, _)| usage.cpu),
                peak: median(|(usage, _)| usage.peak as f64 / 1e6),
                moved: Some(median(|(_, counts)| counts.received as f64)),
            });
        }
    }
    Ok(figures)
}
