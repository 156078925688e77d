//! The edge of the right pane: dragged, or moved by keys.

use crate::hooks::storage;
use crate::pane::{self, NARROWEST, WIDEST};
use web_sys::HtmlElement;
use yew::prelude::*;

/// Properties of [`Splitter`].
#[derive(Properties, PartialEq)]
pub struct SplitterProps {
    /// Width of the pane; `None` as the style sheet has it.
    pub width: Option<i32>,
    /// Takes another width.
    pub on_width: Callback<i32>,
}

/// The edge of the right pane.
#[component]
pub fn Splitter(props: &SplitterProps) -> Html {
    let node = use_node_ref();
    let dragging = use_mut_ref(|| false);
    let set = props.on_width.reform(|width: i32| {
        let width = pane::fitting(width, window_width());
        storage::keep_pane(width);
        width
    });
    let width = props.width;
    let drawn = use_state(|| None);
    {
        // The style sheet's width is known only once the pane is drawn.
        let (node, drawn) = (node.clone(), drawn.clone());
        use_effect_with(width, move |_| drawn.set(measured(&node)));
    }
    let now = {
        let node = node.clone();
        move || width.unwrap_or_else(|| measured(&node).unwrap_or(NARROWEST))
    };
    let onkeydown = {
        let set = set.clone();
        move |event: KeyboardEvent| {
            let Some(wanted) = pane::by_key(&event.key(), now()) else { return };
            event.prevent_default();
            set.emit(wanted);
        }
    };
    let onpointerdown = {
        let (node, dragging) = (node.clone(), dragging.clone());
        move |event: PointerEvent| {
            if let Some(node) = node.cast::<HtmlElement>() {
                let _ = node.set_pointer_capture(event.pointer_id());
                *dragging.borrow_mut() = true;
            }
        }
    };
    let onpointermove = {
        let dragging = dragging.clone();
        move |event: PointerEvent| {
            if *dragging.borrow() {
                set.emit(window_width() - event.client_x());
            }
        }
    };
    let onlostpointercapture = move |_: PointerEvent| *dragging.borrow_mut() = false;
    html! {
        <div class="splitter" ref={node} role="separator" aria-orientation="vertical" aria-label="Width of the right pane" tabindex="0"
            aria-valuemin={NARROWEST.to_string()} aria-valuemax={pane::widest(window_width()).to_string()}
            aria-valuenow={width.or(*drawn).map(|width| pane::fitting(width, window_width()).to_string())}
            {onkeydown} {onpointerdown} {onpointermove} {onlostpointercapture} />
    }
}

/// The width of the pane as it is drawn.
fn measured(node: &NodeRef) -> Option<i32> {
    let edge = node.cast::<HtmlElement>()?;
    Some(window_width() - edge.offset_left() - edge.offset_width())
}

fn window_width() -> i32 {
    let width = web_sys::window().and_then(|window| window.inner_width().ok()).and_then(|width| width.as_f64());
    #[expect(clippy::cast_possible_truncation, reason = "no window has more than 2^31 pixels")]
    width.map_or(WIDEST, |width| width.round() as i32)
}
