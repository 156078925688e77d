//! The base image: what the builder states, and what the layers prove.

use super::{
    chain::shorten,
    words::{bdi, tip},
};
use porthole_viewer::protocol::{BaseLayers, OverviewFacts};
use porthole_viewer::state::Action;
use std::rc::Rc;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Properties of [`Base`].
#[derive(Properties, PartialEq)]
pub struct BaseProps {
    /// The image at a glance.
    pub overview: Rc<OverviewFacts>,
    /// What was found, or why it could not be read.
    pub base: Option<Rc<Result<BaseLayers, String>>>,
    /// The image that is named as the base.
    pub named: Option<String>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The base image. Its documents are read only on request.
#[component]
pub fn Base(props: &BaseProps) -> Html {
    let input = use_node_ref();
    let stated = props.overview.base.as_ref();
    let name = stated.and_then(|base| match (&base.name, &base.digest) {
        (Some(name), Some(digest)) if !name.contains('@') => Some(format!("{name}@{digest}")),
        (name, _) => name.clone(),
    });
    let onsubmit = {
        let (dispatch, input) = (props.dispatch.clone(), input.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(input) = input.cast::<HtmlInputElement>() {
                dispatch.emit(Action::Base(input.value()));
            }
        }
    };
    let value = props.named.clone().or(name).unwrap_or_default();
    let stated = stated.map(|base| {
        let name = base.name.clone().or_else(|| base.digest.as_deref().map(shorten)).unwrap_or_default();
        html! { <p title={tip(base.digest.as_deref().unwrap_or_default())}>{ bdi(&name) }<span class="dim">{ ", as its builder states" }</span></p> }
    });
    html! {
        <section class="base" aria-label="Base image">
            <h3 class="heading">{ "Base image" }</h3>
            { for stated }
            { for props.base.as_deref().map(found) }
            <form class="line" {onsubmit}>
                <input id="base" ref={input} type="text" aria-label="Base image to compare the layers with" placeholder="an image that it may be built on"
                    autocomplete="off" spellcheck="false" autocapitalize="off" {value} />
                <button class="small" title="Reads the documents of that image, no layer">{ "Prove" }</button>
            </form>
        </section>
    }
}

fn found(base: &Result<BaseLayers, String>) -> Html {
    let base = match base {
        Ok(base) => base,
        Err(why) => return html! { <p class="finding" role="alert" data-base="failed">{ bdi(why) }</p> },
    };
    let state = if base.proved { "proved" } else { "no" };
    let layers =
        if base.layers == 1 { "its layer unpacks".to_owned() } else { format!("its {} layers unpack", base.layers) };
    let words = match (base.proved, base.layers) {
        (true, _) => format!(": proved, {layers} to the same as the lowest ones here"),
        (false, 0) => ": not proved, it has no layer".to_owned(),
        (false, all) => format!(": no, of its {all} layers {} unpack to the same as the lowest ones here", base.shared),
    };
    let opened = if base.opened { ". It was opened before in this tab" } else { "" };
    html! {
        <p role="status" data-base={state} data-shared={base.shared.to_string()} class={(!base.proved).then_some("finding")} title={tip(&base.resolved)}>
            <b>{ bdi(&base.given) }</b>{ words }{ opened }{ "." }
        </p>
    }
}
