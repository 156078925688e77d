//! The files as a map: the area of each is proportional to its bytes, its colour is its layer.

use super::words::{bdi, decimal};
use porthole_viewer::protocol::{FileMap, MapMeasure, MapTile, RowKind};
use porthole_viewer::state::Action;
use porthole_viewer::words::{size, visible};
use std::rc::Rc;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;
use yew::prelude::*;

/// Properties of [`Map`].
#[derive(Properties, PartialEq)]
pub struct MapProps {
    /// The map, once it is laid out.
    pub map: Option<Rc<FileMap>>,
    /// Room for it in pixels, as far as the session knows.
    pub room: Option<(u32, u32)>,
    /// The directory that fills it; `/` is the root.
    pub at: String,
    /// What areas are proportional to.
    pub measure: MapMeasure,
    /// Path of the selected entry.
    pub selected: Option<String>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The map, with the way to where it is above it.
#[component]
pub fn Map(props: &MapProps) -> Html {
    let (node, active) = (use_node_ref(), use_state(|| 0));
    let dispatch = &props.dispatch;
    // The panel has its size when it is drawn.
    use_effect({
        let (node, room, dispatch) = (node.clone(), props.room, dispatch.clone());
        move || {
            let size = node.cast::<HtmlElement>().map(|node| (node.client_width(), node.client_height()));
            let size = size.and_then(|(width, height)| Some((width.try_into().ok()?, height.try_into().ok()?)));
            if let Some((width, height)) = size.filter(|size| Some(*size) != room) {
                dispatch.emit(Action::MapSize(width, height));
            }
        }
    });
    let tiles: &[MapTile] = props.map.as_ref().map_or(&[], |map| &map.tiles);
    let onkeydown = {
        let (active, at, dispatch, count) = (active.clone(), props.at.clone(), dispatch.clone(), tiles.len());
        let target: Option<(String, RowKind)> = tiles.get(*active).map(|tile| (tile.path.clone(), tile.kind));
        move |event: KeyboardEvent| {
            let to = match event.key().as_str() {
                "ArrowRight" | "ArrowDown" => (*active + 1).min(count.saturating_sub(1)),
                "ArrowLeft" | "ArrowUp" => active.saturating_sub(1),
                "Home" => 0,
                "Enter" | " " => {
                    event.prevent_default();
                    return target.iter().for_each(|(path, kind)| dispatch.emit(open(path, *kind)));
                }
                "Backspace" => return dispatch.emit(Action::Map(Some(above(&at)))),
                _ => return,
            };
            event.prevent_default();
            active.set(to);
            let document = web_sys::window().and_then(|window| window.document());
            let tile = document.and_then(|document| document.get_element_by_id(&format!("tile-{to}")));
            // An element of SVG takes the focus as one of HTML does.
            if let Some(tile) = tile {
                let _ = tile.unchecked_into::<HtmlElement>().focus();
            }
        }
    };
    let measures = [
        (MapMeasure::Size, "size", "Area = bytes of the files", "Size"),
        (MapMeasure::Download, "download", "Area = about how many bytes of the layers hold them", "Download"),
    ];
    let measures = measures.into_iter().map(|(measure, name, title, words)| {
        let onclick = dispatch.reform(move |_| Action::MapMeasure(measure));
        html! { <button class="small" data-measure={name} aria-pressed={(props.measure == measure).to_string()} {title} {onclick}>{ words }</button> }
    });
    let (width, height) = props.room.unwrap_or((1, 1));
    let mut layers: Vec<u32> = tiles.iter().filter(|tile| !tile.divided).map(|tile| tile.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    html! {
        <div class="map">
            <div class="bar">
                <nav class="crumbs" aria-label="Where the map is">{ for crumbs(&props.at, dispatch) }</nav>
                if let Some(map) = &props.map { <span class="dim num" id="map-total" data-bytes={map.total.to_string()}>{ size(map.total) }</span> }
                <div class="group" role="group" aria-label="Areas by">{ for measures }</div>
                <span class="legend">{ "Layer " }{ for layers.iter().map(|layer| html! { <b class={colour(*layer)}>{ layer + 1 }</b> }) }</span>
            </div>
            <div class="room" ref={node}>
                if tiles.is_empty() {
                    <p class="note" role="status">{ if props.map.is_some() { "No file here has a byte." } else { "The map is drawn when all layers are read." } }</p>
                } else {
                    <svg id="map" viewBox={format!("0 0 {width} {height}")} role="group" aria-label="Map of files" {onkeydown}>
                        { for tiles.iter().enumerate().map(|(index, tile)| draw(index, tile, *active == index, props.selected.as_ref() == Some(&tile.path), dispatch)) }
                    </svg>
                }
            </div>
        </div>
    }
}

fn draw(index: usize, tile: &MapTile, active: bool, selected: bool, dispatch: &Callback<Action>) -> Html {
    let [x, y, width, height] = tile.place.map(f64::from);
    let directory = tile.kind == RowKind::Dir;
    let words = format!(
        "{}{}, {}, layer {}",
        visible(&tile.path),
        if directory { "/" } else { "" },
        size(tile.bytes),
        tile.layer + 1
    );
    let (path, kind) = (tile.path.clone(), tile.kind);
    let onclick = dispatch.reform(move |_| open(&path, kind));
    // Letters of this size are about seven pixels wide.
    let letters = ((width - 8.0) / 6.6).max(0.0) as usize;
    let name = visible(&tile.name);
    let fits = height >= 15.0 && letters >= 3;
    let shown = if name.chars().count() <= letters {
        name
    } else {
        name.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
    };
    html! {
        <g id={format!("tile-{index}")} role="button" tabindex={if active { "0" } else { "-1" }} aria-pressed={selected.to_string()}
            data-tile={tile.path.clone()} data-bytes={tile.bytes.to_string()} class={if tile.divided { "tile dir" } else { colour(tile.layer) }} {onclick}>
            <title>{ words }</title>
            <rect x={decimal(x)} y={decimal(y)} width={decimal(width)} height={decimal(height)} />
            if fits { <text x={decimal(x + 4.0)} y={decimal(y + 12.0)} aria-hidden="true">{ shown }</text> }
        </g>
    }
}

/// A directory fills the map, a file is selected.
fn open(path: &str, kind: RowKind) -> Action {
    if kind == RowKind::Dir { Action::Map(Some(path.to_owned())) } else { Action::Select(Some(path.to_owned())) }
}

fn colour(layer: u32) -> &'static str {
    ["tile l0", "tile l1", "tile l2", "tile l3", "tile l4", "tile l5", "tile l6", "tile l7"][layer as usize % 8]
}

/// The directory above.
fn above(at: &str) -> String {
    at.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty()).unwrap_or("/").to_owned()
}

/// A button for each directory on the way.
fn crumbs(at: &str, dispatch: &Callback<Action>) -> Vec<Html> {
    let mut paths = vec![("/".to_owned(), "/".to_owned())];
    for name in at.split('/').filter(|name| !name.is_empty()) {
        let path = match paths.last() {
            Some((above, _)) if above != "/" => format!("{above}/{name}"),
            _ => name.to_owned(),
        };
        paths.push((path, name.to_owned()));
    }
    let last = paths.len() - 1;
    let crumb = |(index, (path, name)): (usize, (String, String))| {
        let onclick = dispatch.reform(move |_| Action::Map(Some(path.clone())));
        html! { <button class="plain mono" aria-current={(index == last).then_some("true")} {onclick}>{ bdi(&name) }</button> }
    };
    paths.into_iter().enumerate().map(crumb).collect()
}

#[cfg(test)]
mod tests {
    use super::above;

    #[test]
    fn the_directory_above() {
        assert_eq!(["/", "usr", "usr/lib", "usr/lib/x"].map(above), ["/", "/", "usr", "usr/lib"]);
    }
}
