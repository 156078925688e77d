//! Waste: sent once every layer is settled, and again whenever it is asked for.

use super::stage::{REFERENCE, Stage, content, registry};
use porthole_viewer::{
    protocol::{Command, Event},
    state::Action,
};

fn sent(stage: &Stage) -> usize {
    stage.events.iter().filter(|event| matches!(event, Event::Waste { .. })).count()
}

#[test]
fn waste_adds_up() {
    let mut stage = Stage::looking(content());
    stage.command(Command::Waste);
    stage.settle();
    assert_eq!(sent(&stage), 1);
    let waste = stage.state.waste.as_deref().expect("the waste");
    assert_eq!((waste.files, waste.visible, waste.wasted), (34, 24, 10));
    assert_eq!((waste.download, waste.unpacked), (stage.state.sizes.download, stage.state.sizes.unpacked));
    assert_eq!(waste.visible, stage.state.sizes.visible);
    assert!((waste.efficiency - 24.0 / 34.0).abs() < 1e-9 && !waste.definition.is_empty());
    assert!(!waste.compared, "the tab keeps no digests of files");
    let layers: Vec<_> = waste.layers.iter().map(|layer| (layer.wasted, layer.wastes, layer.deleted)).collect();
    assert_eq!(layers, [(10, 0, 0), (0, 10, 6)]);
    let paths: Vec<_> = waste.paths.iter().map(|of| (of.path.as_str(), of.cause.as_str(), of.bytes)).collect();
    assert_eq!(paths, [("etc/motd", "deleted", 6), ("etc/hosts", "overwritten", 4)]);
    assert_eq!((waste.paths_total, waste.copies_total), (2, 0));
    assert_eq!((&waste.paths[0].brought_by[..], waste.paths[0].wasted_by), (&[0][..], 1));
    assert_eq!(waste.layers[1].instruction.as_ref().map(|of| of.keyword.as_str()), Some("RUN"));
    assert!(waste.wasted_download <= waste.download);
}

#[test]
fn waste_that_is_wanted_early_comes_at_the_end() {
    let mut stage = Stage::new(&registry(content()));
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.state.image.is_some());
    stage.command(Command::Waste);
    assert_eq!(sent(&stage), 0);
    stage.settle();
    assert_eq!(sent(&stage), 1);
    let place = |wanted: fn(&Event) -> bool| stage.events.iter().position(wanted);
    assert!(
        place(|event| matches!(event, Event::Settled { .. })) < place(|event| matches!(event, Event::Waste { .. }))
    );
    stage.command(Command::Waste);
    stage.settle();
    assert_eq!(sent(&stage), 2);
    stage.look("r.example/a/b:none");
    assert_eq!(stage.state.waste, None, "another look has other waste");
}
