//! A map of files: areas that are proportional to sizes, laid out as squarely as they can be (Bruls, Huizing and van Wijk, "Squarified
//! treemaps", 2000).

use crate::protocol::{FileMap, MapTile, RowKind};
use porthole_core::{
    path,
    tar::Kind,
    tree::{Content, FileTree, NodeId, Row, Sort, View},
};

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Area {
    /// The area inside the frame and the heading.
    fn inside(self) -> Self {
        let heading = if self.height > 2.0 * HEADING && self.width > LABELLED { HEADING } else { FRAME };
        Self {
            x: self.x + FRAME,
            y: self.y + heading,
            width: (self.width - 2.0 * FRAME).max(0.0),
            height: (self.height - heading - FRAME).max(0.0),
        }
    }

    fn pixels(self) -> f64 {
        self.width * self.height
    }

    fn is_seen(self) -> bool {
        self.width >= SMALLEST && self.height >= SMALLEST
    }
}

/// Figures that areas are proportional to, other than sizes: one of each node, with what is below it.
pub(crate) struct Weights<'v, 't, F> {
    view: &'v View<'t>,
    below: Vec<u64>,
    of: F,
}

impl<'v, 't, F: Fn(Content) -> u64> Weights<'v, 't, F> {
    /// Adds up the weights of all contents that a view shows.
    pub(crate) fn new(tree: &FileTree, view: &'v View<'t>, of: F) -> Self {
        let mut below = vec![0_u64; tree.len()];
        for node in tree.nodes().rev() {
            let own = view.contents(node).into_iter().map(&of).fold(0, u64::saturating_add);
            let Some(sum) = below.get_mut(node.0 as usize) else { continue };
            *sum = sum.saturating_add(own);
            let sum = *sum;
            if let Some(above) = below.get_mut(tree.parent_of(node).0 as usize) {
                *above = above.saturating_add(sum);
            }
        }
        Self { view, below, of }
    }

    /// The weight of a row; `place` is how many rows with content its node has before it.
    fn of(&self, row: &Row, place: usize) -> u64 {
        let own = self.view.contents(row.node);
        if row.kind == Kind::Directory {
            let own = own.into_iter().map(&self.of).fold(0, u64::saturating_add);
            return self.below.get(row.node.0 as usize).copied().unwrap_or_default().saturating_sub(own);
        }
        own.get(place).map_or(0, |content| (self.of)(*content))
    }
}

/// Lays out what a view shows at and below a directory in an area of pixels, by sizes unless there are weights.
pub(crate) fn map<F: Fn(Content) -> u64>(
    view: &View<'_>,
    at: NodeId,
    (width, height): (u32, u32),
    weights: Option<&Weights<'_, '_, F>>,
) -> FileMap {
    let area = Area { x: 0.0, y: 0.0, width: width.into(), height: height.into() };
    let mut map = FileMap { total: 0, tiles: Vec::new() };
    // Directories that may be divided: their node, the area inside, their depth, and their tile.
    let mut pending = vec![(at, area, 0, None::<usize>)];
    // The largest first, so that only the smallest find no room.
    while let Some(largest) =
        (0..pending.len()).max_by(|a, b| pending[*a].1.pixels().total_cmp(&pending[*b].1.pixels()))
    {
        let (node, area, depth, parent) = pending.swap_remove(largest);
        let rows = sized(view, node, weights);
        let sizes: Vec<u64> = rows.iter().map(|row| row.total).collect();
        if parent.is_none() {
            map.total = sizes.iter().sum();
        }
        for (row, area) in rows.iter().zip(squarify(&sizes, area)) {
            if map.tiles.len() >= TILES {
                return map;
            }
            if !area.is_seen() {
                break;
            }
            if let Some(parent) = parent.and_then(|parent| map.tiles.get_mut(parent)) {
                parent.divided = true;
            }
            let inside = area.inside();
            if row.has_children && inside.pixels() >= DIVIDED && inside.is_seen() {
                pending.push((row.node, inside, depth + 1, Some(map.tiles.len())));
            }
            map.tiles.push(tile(row, area, depth));
        }
    }
    map
}

/// What is directly in a directory and has bytes, the largest first.
fn sized<F: Fn(Content) -> u64>(view: &View<'_>, at: NodeId, weights: Option<&Weights<'_, '_, F>>) -> Vec<Row> {
    let mut rows = view.children(at, Sort::Size);
    if let Some(weights) = weights {
        let (mut of, mut place) = (NodeId::ROOT, 0);
        for row in &mut rows {
            place = if row.node == of { place } else { 0 };
            of = row.node;
            row.total = weights.of(row, place);
            place += usize::from(row.kind == Kind::File);
        }
    }
    rows.retain(|row| row.total > 0);
    rows.sort_by_key(|row| std::cmp::Reverse(row.total));
    rows
}

fn tile(row: &Row, area: Area, depth: u32) -> MapTile {
    MapTile {
        path: path::escape(&row.path).into_owned(),
        name: path::escape(&row.name).into_owned(),
        kind: if row.kind == Kind::Directory { RowKind::Dir } else { RowKind::File },
        bytes: row.total,
        layer: row.layer,
        depth,
        divided: false,
        place: [area.x, area.y, area.width, area.height].map(|pixels| pixels as f32),
    }
}

/// Divides an area by sizes, which come the largest first. The areas fill it without a gap.
#[expect(clippy::cast_precision_loss, reason = "a part of a byte is no pixel")]
fn squarify(sizes: &[u64], area: Area) -> Vec<Area> {
    let mut left: f64 = sizes.iter().map(|size| *size as f64).sum();
    let (mut rest, mut areas, mut start) = (area, Vec::with_capacity(sizes.len()), 0);
    while start < sizes.len() && left > 0.0 {
        let scale = rest.width * rest.height / left;
        let side = rest.width.min(rest.height);
        // A row along the shorter side takes one more as long as its worst proportion gets better.
        let mut end = start + 1;
        let mut sum = sizes[start] as f64;
        while end < sizes.len() {
            let more = sum + sizes[end] as f64;
            let (first, last) = (sizes[start] as f64 * scale, sizes[end] as f64 * scale);
            if worst(first, last, more * scale, side) > worst(first, sizes[end - 1] as f64 * scale, sum * scale, side) {
                break;
            }
            (sum, end) = (more, end + 1);
        }
        let thickness = if side > 0.0 { sum * scale / side } else { 0.0 };
        let mut at = 0.0;
        for size in &sizes[start..end] {
            let length = side * (*size as f64) / sum;
            areas.push(if rest.width >= rest.height {
                Area { x: rest.x, y: rest.y + at, width: thickness, height: length }
            } else {
                Area { x: rest.x + at, y: rest.y, width: length, height: thickness }
            });
            at += length;
        }
        if rest.width >= rest.height {
            (rest.x, rest.width) = (rest.x + thickness, (rest.width - thickness).max(0.0));
        } else {
            (rest.y, rest.height) = (rest.y + thickness, (rest.height - thickness).max(0.0));
        }
        (left, start) = (left - sum, end);
    }
    // A size that is too small to be represented gets no area.
    areas.resize(sizes.len(), Area { width: 0.0, height: 0.0, ..rest });
    areas
}

/// The worst proportion in a row: of its largest or its smallest part.
fn worst(largest: f64, smallest: f64, sum: f64, side: f64) -> f64 {
    let (side, sum) = (side * side, sum * sum);
    (side * largest / sum).max(sum / (side * smallest))
}

/// Tiles that are drawn at most.
const TILES: usize = 1_200;
/// Square pixels from which on what is in a directory is drawn.
const DIVIDED: f64 = 120.0;
/// Pixels of the shortest side that is drawn.
const SMALLEST: f64 = 6.0;
/// Pixels around what is in a directory, and above it.
const FRAME: f64 = 2.0;
const HEADING: f64 = 16.0;
/// Pixels from which on a directory has its name above what is in it.
const LABELLED: f64 = 40.0;

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{
        tar::Entry,
        tree::{FileTree, Mode},
    };

    const AREA: Area = Area { x: 0.0, y: 0.0, width: 600.0, height: 400.0 };

    fn proportion(area: &Area) -> f64 {
        (area.width / area.height).max(area.height / area.width)
    }

    #[test]
    fn areas_are_proportional_square_and_fill_the_whole() {
        let sizes = [6, 6, 4, 3, 2, 2, 1];
        let areas = squarify(&sizes, AREA);
        assert_eq!(areas.len(), sizes.len());
        for (size, area) in sizes.iter().zip(&areas) {
            let share = area.width * area.height / (AREA.width * AREA.height);
            assert!((share - *size as f64 / 24.0).abs() < 1e-9, "{size}: {area:?}");
            assert!(proportion(area) < 3.5, "{size}: {area:?}");
            assert!(area.x >= 0.0 && area.x + area.width <= AREA.width + 1e-9);
            assert!(area.y >= 0.0 && area.y + area.height <= AREA.height + 1e-9);
        }
        // As in the paper: the two largest are above each other at the left.
        assert_eq!((areas[0].x, areas[1].x, areas[0].width), (0.0, 0.0, 300.0));
        for (number, area) in areas.iter().enumerate() {
            for other in &areas[number + 1..] {
                let beside = area.x + area.width <= other.x + 1e-9 || other.x + other.width <= area.x + 1e-9;
                let below = area.y + area.height <= other.y + 1e-9 || other.y + other.height <= area.y + 1e-9;
                assert!(beside || below, "{area:?} and {other:?}");
            }
        }
    }

    #[test]
    fn nothing_and_one_and_extremes() {
        assert_eq!(squarify(&[], AREA), []);
        assert_eq!(squarify(&[8], AREA), [AREA]);
        let areas = squarify(&[u64::MAX, 1], AREA);
        assert!(areas.len() == 2 && areas.iter().all(|area| area.width.is_finite() && area.height.is_finite()));
        let none = Area { width: 0.0, ..AREA };
        assert!(squarify(&[2, 1], none).iter().all(|area| area.width.is_finite() && area.height.is_finite()));
    }

    fn by_size(view: &View<'_>, size: (u32, u32)) -> FileMap {
        map(view, NodeId::ROOT, size, None::<&Weights<'_, '_, fn(Content) -> u64>>)
    }

    #[test]
    fn weights_of_every_version_are_added_up() {
        let mut tree = FileTree::new(100);
        let layers: [&[(&str, u64)]; 3] = [&[("a/x", 10), ("a/y", 20)], &[("a/x", 30)], &[("a/.wh.x", 0), ("b", 40)]];
        for (layer, files) in layers.iter().enumerate() {
            tree.begin(layer as u32);
            for (path, size) in *files {
                tree.apply(&Entry { size: *size, ..Entry::new(*path, Kind::File) }).expect("a file");
            }
            tree.commit();
        }
        // Each layer is packed better than the one below.
        let packed = |content: Content| content.size / [1, 2, 4][content.layer as usize];
        let tiles = |mode| {
            let view = tree.view(mode);
            let weights = Weights::new(&tree, &view, packed);
            let map = map(&view, NodeId::ROOT, (600, 400), Some(&weights));
            let tiles = map.tiles.into_iter().map(|tile| (tile.path, tile.bytes)).collect::<Vec<_>>();
            (map.total, tiles)
        };
        let tile = |path: &str, bytes| (path.to_owned(), bytes);
        assert_eq!(tiles(Mode::Merged), (30, vec![tile("a", 20), tile("b", 10), tile("a/y", 20)]));
        assert_eq!(tiles(Mode::Deleted), (25, vec![tile("a", 25), tile("a/x", 15), tile("a/x", 10)]));
    }

    fn tree(files: &[(&str, u64)]) -> FileTree {
        let mut tree = FileTree::new(100_000);
        tree.begin(0);
        for (path, size) in files {
            tree.apply(&Entry { size: *size, ..Entry::new(*path, Kind::File) }).expect("a file");
        }
        tree.commit();
        tree
    }

    #[test]
    fn directories_hold_their_files() {
        let tree = tree(&[("usr/lib/large", 600), ("usr/bin/a", 200), ("etc/b", 100), ("empty", 0)]);
        let map = by_size(&tree.view(Mode::Merged), (600, 400));
        assert_eq!(map.total, 900);
        let paths: Vec<&str> = map.tiles.iter().map(|tile| tile.path.as_str()).collect();
        assert_eq!(paths, ["usr", "etc", "usr/lib", "usr/bin", "usr/lib/large", "usr/bin/a", "etc/b"]);
        let [usr, lib] = [&map.tiles[0], &map.tiles[2]];
        assert!(lib.place[0] >= usr.place[0] && lib.place[1] >= usr.place[1]);
        assert!(lib.place[0] + lib.place[2] <= usr.place[0] + usr.place[2]);
        assert_eq!((usr.bytes, usr.kind, usr.depth, lib.depth), (800, RowKind::Dir, 0, 1));
        let divided = map.tiles.iter().filter(|tile| tile.divided).map(|tile| tile.path.as_str());
        assert_eq!(divided.collect::<Vec<_>>(), ["usr", "etc", "usr/lib", "usr/bin"]);
    }

    #[test]
    fn many_files_end_at_what_can_be_seen() {
        let names: Vec<String> = (0..20_000).map(|number| format!("d{}/f{number}", number % 7)).collect();
        let files: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 10)).collect();
        let map = by_size(&tree(&files).view(Mode::Merged), (800, 500));
        assert!(map.tiles.len() <= TILES, "{}", map.tiles.len());
        assert!(map.tiles.iter().all(|tile| tile.place[2] >= 6.0 && tile.place[3] >= 6.0));
    }
}
