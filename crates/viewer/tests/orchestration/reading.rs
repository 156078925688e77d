//! Files that are read: the pieces that are drawn in colours, and where symbolic links lead.

use crate::stage::*;
use porthole_testkit::image::{Image, Layer};
use porthole_viewer::{
    protocol::{ShownContent, ViewMode},
    state::Action,
    words::PieceKind,
};

/// A link of the upper layer leads through a directory of the lower one that is a link itself.
fn linked() -> Image {
    let lower = Layer::new("COPY a /").file("opt/v1/run", "#!/bin/sh\nexit 0 # done\n").symlink("opt/current", "v1");
    let upper = Layer::new("COPY b /")
        .symlink("bin/run", "../opt/current/run")
        .symlink("bin/gone", "/opt/v2/run")
        .symlink("bin/loop", "loop");
    Image::new().layer(lower).layer(upper)
}

fn follow(stage: &mut Stage, path: &str) {
    stage.act(Action::Select(Some(path.into())));
    stage.act(Action::FollowLink);
}

#[test]
fn a_link_is_followed_through_all_layers() {
    let mut stage = Stage::looking(linked().build().into_content("1"));
    follow(&mut stage, "bin/run");
    assert_eq!(stage.state.route.path.as_deref(), Some("opt/v1/run"));
    assert_eq!(stage.state.selected_file(), Some("opt/v1/run"));

    for (path, why) in [
        ("bin/gone", "bin/gone leads to opt/v2/run, which is not in this image"),
        ("bin/loop", "bin/loop leads through more links than a kernel follows"),
    ] {
        follow(&mut stage, path);
        assert_eq!(stage.state.notice.as_deref(), Some(why));
        assert_eq!(stage.state.route.path.as_deref(), Some(path));
    }

    // What only one layer shows may be elsewhere in the merged view.
    stage.act(Action::Layer(1));
    assert_eq!(stage.state.route.view, ViewMode::Only);
    follow(&mut stage, "bin/run");
    assert_eq!((stage.state.route.view, stage.state.route.path.as_deref()), (ViewMode::Merged, Some("opt/v1/run")));

    let sent = stage.events.len();
    stage.act(Action::FollowLink);
    assert_eq!(stage.events.len(), sent, "a file has no target");
}

#[test]
fn the_pieces_of_a_script_come_with_its_text() {
    let mut stage = Stage::looking(linked().build().into_content("1"));
    stage.act(Action::Select(Some("opt/v1/run".into())));
    let ShownContent::Text { text, pieces, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    let words: Vec<_> = pieces
        .iter()
        .map(|piece| (piece.kind, &text[piece.start as usize..(piece.start + piece.length) as usize]))
        .collect();
    let expected = [
        (PieceKind::Comment, "#!/bin/sh"),
        (PieceKind::Keyword, "exit"),
        (PieceKind::Number, "0"),
        (PieceKind::Comment, "# done"),
    ];
    assert_eq!(words, expected);
}
