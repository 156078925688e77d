//! Every HTTP exchange of the look, with its meaning in words.

use super::{
    config::CopyText,
    words::{bdi, shown},
};
use porthole_viewer::protocol::WireLine;
use porthole_viewer::state::{Action, WireShown};
use std::rc::Rc;
use yew::prelude::*;

/// Properties of [`Wire`].
#[derive(Properties, PartialEq)]
pub struct WireProps {
    /// The log of requests.
    pub wire: Option<Rc<WireShown>>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// Lines that are drawn at first, and more at each request.
const MORE: usize = 300;

/// The exchanges as a waterfall.
#[component]
pub fn Wire(props: &WireProps) -> Html {
    let limit = use_state(|| MORE);
    let Some(wire) = &props.wire else {
        return html! { <p class="note" role="status">{ "No exchange so far: an image of this machine is read without any." }</p> };
    };
    let more = {
        let limit = limit.clone();
        move |_| limit.set(*limit + MORE)
    };
    let save = props.dispatch.reform(|_| Action::SaveWire);
    let lines = wire.lines.iter().take(*limit).enumerate().map(|(place, line)| {
        html! { <Line key={place} line={Rc::clone(line)} span={wire.span} /> }
    });
    html! {
        <div class="document wire" tabindex="0" role="region" aria-label="Wire">
            <p class="totals"><b id="wire-totals">{ &wire.totals }</b><button id="save-har" onclick={save}>{ "Save HAR" }</button></p>
            <ol>{ for lines }</ol>
            if wire.lines.len() > *limit {
                <button onclick={more}>{ "Show more" }</button>
            }
            <p class="dim">{ "A browser hides redirects and preflights from a page, and header fields that the server does not expose. The command below shows them all. Secrets are masked." }</p>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct LineProps {
    line: Rc<WireLine>,
    span: u32,
}

/// One line; what it consists of is drawn when it is opened.
#[component]
fn Line(props: &LineProps) -> Html {
    let open = use_state(|| false);
    let line = &props.line;
    let at = format!("{} ms", line.at);
    if line.asked.is_empty() {
        return html! { <li class="note"><span class="num">{ at }</span><span>{ bdi(&line.meaning) }</span></li> };
    }
    let toggle = {
        let open = open.clone();
        move |_| open.set(!*open)
    };
    let state = if line.wrong {
        "wrong"
    } else if line.size.is_empty() {
        "open"
    } else {
        "done"
    };
    html! {
        <li class={state} data-status={line.status.clone()}>
            <button class="plain" aria-expanded={open.to_string()} onclick={toggle}>
                <span class="num">{ at }</span>
                <span class="what">{ bdi(&line.meaning) }<small class="mono">{ bdi(&line.asked) }</small></span>
                <span class="num status">{ &line.status }</span>
                <span class="num">{ &line.size }</span>
                <span class="num">{ format!("{} ms", line.took) }</span>
                { bar(line, props.span) }
            </button>
            if *open {
                <dl class="facts">
                    { for line.facts.iter().map(|(name, value)| html! { <><dt>{ bdi(name) }</dt><dd class="mono">{ bdi(value) }</dd></> }) }
                </dl>
                <p class="curl"><code class="mono">{ shown(&line.curl) }</code><CopyText text={line.curl.clone()} label="Copy the curl line" /></p>
            }
        </li>
    }
}

/// Where in the whole the line lies: the wait for an answer, then its body.
fn bar(line: &WireLine, span: u32) -> Html {
    let whole = u64::from(span.max(1));
    let place = |at: u32| u64::from(at) * 1000 / whole;
    let [start, answered, end] = [line.at, line.at + line.waited, line.at + line.took].map(place);
    let rect = |class: &'static str, from: u64, to: u64| {
        html! { <rect {class} x={from.to_string()} y="0" width={to.saturating_sub(from).max(2).to_string()} height="6" /> }
    };
    html! {
        <svg viewBox="0 0 1002 6" preserveAspectRatio="none" aria-hidden="true">
            { rect("wait", start, answered) }
            if end > answered { { rect("body", answered, end) } }
        </svg>
    }
}
