//! Draws pieces of a text in colours without an element for each: the browser's registry of highlights takes ranges of one text node.

use js_sys::{Array, Function, Object, Reflect};
use porthole_viewer::words::{PieceKind, TextPiece};
use std::ops::Range;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::HtmlElement;

/// Colours the pieces that lie in a part of the text, and no others. A browser without such a registry shows the text as it is.
pub(super) fn paint(pieces: &[TextPiece], body: &HtmlElement, part: &Range<u32>) {
    let Some(node) = body.first_child() else { return };
    let from = pieces.partition_point(|piece| piece.start + piece.length <= part.start);
    let shown: Vec<_> = pieces[from..].iter().take_while(|piece| piece.start < part.end).collect();
    for kind in PieceKind::ALL {
        let ranges: Array =
            shown.iter().filter(|piece| piece.kind == kind).filter_map(|piece| range(&node, piece)).collect();
        let _ = set(kind, &ranges);
    }
}

/// Removes the colours of all kinds.
pub(super) fn clear() {
    for kind in PieceKind::ALL {
        let _ = set(kind, &Array::new());
    }
}

fn set(kind: PieceKind, ranges: &Array) -> Option<()> {
    let global = js_sys::global();
    let css = Reflect::get(&global, &"CSS".into()).ok()?;
    let registry = Reflect::get(&css, &"highlights".into()).ok().filter(|registry| !registry.is_undefined())?;
    let highlight: Function = Reflect::get(&global, &"Highlight".into()).ok()?.dyn_into().ok()?;
    let highlight = Reflect::construct(&highlight, ranges).ok()?;
    let set: Function = Reflect::get(&registry, &"set".into()).ok()?.dyn_into().ok()?;
    set.call2(&registry, &kind.name().into(), &highlight).ok().map(drop)
}

fn range(node: &web_sys::Node, piece: &TextPiece) -> Option<JsValue> {
    let constructor: Function = Reflect::get(&js_sys::global(), &"StaticRange".into()).ok()?.dyn_into().ok()?;
    let options = Object::new();
    let ends =
        [("startContainer", "startOffset", piece.start), ("endContainer", "endOffset", piece.start + piece.length)];
    for (container, offset, at) in ends {
        Reflect::set(&options, &container.into(), node).ok()?;
        Reflect::set(&options, &offset.into(), &at.into()).ok()?;
    }
    Reflect::construct(&constructor, &Array::of1(&options)).ok()
}
