//! The width of the right pane, which a person drags or moves by keys. In pixels.

/// Narrowest width of the pane.
pub(crate) const NARROWEST: i32 = 260;
/// Widest width of the pane in any window.
pub(crate) const WIDEST: i32 = 1_000;
/// Width that stays for the layers and the tree.
const REST: i32 = 560;
/// Distance by which an arrow key moves the edge.
const STEP: i32 = 24;

/// The widest that the pane may be in a window of this width, so that the layers and some of the tree stay in sight.
pub(crate) fn widest(window: i32) -> i32 {
    window.saturating_sub(REST).clamp(NARROWEST, WIDEST)
}

/// The width that the pane gets in a window of this width where another one is wanted.
pub(crate) fn fitting(wanted: i32, window: i32) -> i32 {
    wanted.clamp(NARROWEST, widest(window))
}

/// The width that a key of the edge asks for; `None` for a key that means nothing there. The pane is on the right: it grows to the left.
pub(crate) fn by_key(key: &str, now: i32) -> Option<i32> {
    match key {
        "ArrowLeft" => Some(now.saturating_add(STEP)),
        "ArrowRight" => Some(now.saturating_sub(STEP)),
        "Home" => Some(NARROWEST),
        "End" => Some(WIDEST),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pane_leaves_room_for_the_tree_in_every_window() {
        for (wanted, window, width) in [
            (400, 1_280, 400),
            (900, 1_280, 720),
            (5_000, 3_000, WIDEST),
            (10, 1_280, NARROWEST),
            (-500, 1_280, NARROWEST),
            (400, 320, NARROWEST),
            (i32::MAX, i32::MIN, NARROWEST),
        ] {
            assert_eq!(fitting(wanted, window), width, "{wanted} in {window}");
        }
    }

    #[test]
    fn the_edge_moves_by_keys_to_the_side_that_they_point_to() {
        assert_eq!(by_key("ArrowLeft", 400), Some(424));
        assert_eq!(by_key("ArrowRight", 400), Some(376));
        assert_eq!((by_key("Home", 400), by_key("End", 400)), (Some(NARROWEST), Some(WIDEST)));
        for other in ["ArrowUp", "Enter", "a", ""] {
            assert_eq!(by_key(other, 400), None, "{other}");
        }
        let across =
            |key| std::iter::repeat_n(key, 99).fold(400, |now, key| fitting(by_key(key, now).unwrap_or(now), 1_280));
        assert_eq!((across("ArrowLeft"), across("ArrowRight")), (720, NARROWEST));
    }
}
