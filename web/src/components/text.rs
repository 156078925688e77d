//! Text with line numbers: wrapped or not, with search and a way to a line.

use super::{
    field::PlaceField,
    paint::{clear, paint},
    words::shown,
};
use js_sys::JsString;
use porthole_viewer::state::Action;
use porthole_viewer::words::{TextPiece, count};
use std::{ops::Range, rc::Rc};
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

/// Height of a line in pixels, as in the style sheet.
const LINE: u32 = 18;
/// Lines that are wrapped at most: each is two elements.
const WRAPPED: usize = 5_000;

/// Properties of [`TextView`].
#[derive(Properties, PartialEq)]
pub struct TextViewProps {
    /// The text, in which nothing hides.
    pub text: Rc<str>,
    /// Pieces of it that are drawn in colours.
    pub pieces: Rc<[TextPiece]>,
    /// A line to be marked, counted from 1.
    pub line: Option<u32>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// Text with line numbers.
#[component]
pub fn TextView(props: &TextViewProps) -> Html {
    let code = use_node_ref();
    let wrap = use_state(|| false);
    let query = use_state(String::new);
    let text = &props.text;
    let total = use_memo(Rc::clone(text), |text| text.lines().count().max(1));
    let hits = use_memo((Rc::clone(text), (*query).clone()), |(text, query)| find(text, query, lower_case));
    let line = props.line.filter(|&line| line as usize <= *total);
    use_effect_with((line, Rc::clone(text), *wrap), {
        let code = code.clone();
        move |(line, _, wrap)| {
            if let (Some(line), Some(code)) = (*line, code.cast::<HtmlElement>()) {
                show(&code, line, *wrap);
            }
        }
    });
    let go = props.dispatch.reform(|line: u32| Action::Line(Some(line)));
    let step = {
        let (hits, go) = (Rc::clone(&hits), go.clone());
        Callback::from(move |forward: bool| {
            if let Some(hit) = next(&hits, line, forward) {
                go.emit(hit);
            }
        })
    };
    let on_query = {
        let query = query.clone();
        move |event: InputEvent| query.set(event.target_unchecked_into::<HtmlInputElement>().value())
    };
    let on_key = {
        let (text, go) = (Rc::clone(text), go.clone());
        move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                event.prevent_default();
                // The field may hold more than what was drawn last.
                let typed = event.target_unchecked_into::<HtmlInputElement>().value();
                let hits = find(&text, &typed, lower_case);
                if let Some(hit) = next(&hits, line, !event.shift_key()) {
                    go.emit(hit);
                }
            }
        }
    };
    let on_goto = {
        let (go, total) = (go.clone(), *total);
        move |typed: String| {
            if let Ok(line) = typed.trim().parse::<u32>() {
                go.emit(line.clamp(1, u32::try_from(total).unwrap_or(u32::MAX)));
            }
        }
    };
    let found = match (query.is_empty(), hits.len()) {
        (true, _) => String::new(),
        (_, 0) => "nothing found".to_owned(),
        (_, all) => {
            let place = line.and_then(|line| hits.binary_search(&line).ok());
            place.map_or_else(|| format!("{} lines", count(all as u64)), |place| format!("{} of {all}", place + 1))
        }
    };
    let on_wrap = {
        let wrap = wrap.clone();
        move |_| wrap.set(!*wrap)
    };
    let long = *total > WRAPPED;
    html! {
        <div class="textview">
            <div class="bar" role="group" aria-label="Text">
                <input id="find" type="search" placeholder="find in this file" aria-label="Find in this file" autocomplete="off" spellcheck="false"
                    oninput={on_query} onkeydown={on_key} />
                <button class="small" aria-label="Previous match" disabled={hits.is_empty()} onclick={step.reform(|_| false)}>{ "↑" }</button>
                <button class="small" aria-label="Next match" disabled={hits.is_empty()} onclick={step.reform(|_| true)}>{ "↓" }</button>
                <span class="dim num found" role="status">{ found }</span>
                <PlaceField id="goto" label="Go to line" placeholder="line" value={line.map(|line| line.to_string()).unwrap_or_default()} on_change={on_goto} />
                <button id="wrap" class="small" aria-pressed={wrap.to_string()} disabled={long}
                    title={if long { "Only texts of up to 5 000 lines are wrapped" } else { "Wrap long lines" }} onclick={on_wrap}>{ "Wrap" }</button>
            </div>
            if *wrap && !long {
                <Wrapped text={Rc::clone(text)} {line} {code} />
            } else {
                <Plain text={Rc::clone(text)} pieces={Rc::clone(&props.pieces)} {line} {code} {go} />
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct BodyProps {
    text: Rc<str>,
    #[prop_or_default]
    pieces: Rc<[TextPiece]>,
    line: Option<u32>,
    code: NodeRef,
    #[prop_or_default]
    go: Callback<u32>,
}

/// Every line as long as it is. Two elements, however many lines there are.
#[component]
fn Plain(props: &BodyProps) -> Html {
    let on_number = {
        let go = props.go.clone();
        move |event: MouseEvent| {
            let line = u32::try_from(event.offset_y()).unwrap_or_default() / LINE + 1;
            go.emit(line);
        }
    };
    let body = use_node_ref();
    let starts = use_memo(Rc::clone(&props.text), |text| line_starts(text));
    let colour = {
        let (code, body, pieces) = (props.code.clone(), body.clone(), Rc::clone(&props.pieces));
        move || {
            if let (Some(code), Some(body)) = (code.cast::<HtmlElement>(), body.cast::<HtmlElement>()) {
                paint(&pieces, &body, &shown_units(&code, &starts));
            }
        }
    };
    use_effect_with((Rc::clone(&props.text), Rc::clone(&props.pieces)), {
        let colour = colour.clone();
        move |_| {
            colour();
            clear
        }
    });
    let onscroll = move |_: Event| colour();
    html! {
        <div class="code" ref={props.code.clone()} {onscroll} tabindex="0" role="region" aria-label="Content" data-line={props.line.map(|line| line.to_string())}>
            if let Some(line) = props.line {
                <i class="mark" aria-hidden="true" ~style={format!("top:{}px", (line - 1) * LINE)} />
            }
            <pre class="numbers" aria-hidden="true" title="Link to a line" onclick={on_number}>{ numbers(&props.text) }</pre>
            <pre id="text" ref={body}>{ &*props.text }</pre>
        </div>
    }
}

/// Long lines broken to the width of the pane.
#[component]
fn Wrapped(props: &BodyProps) -> Html {
    let lines = (1_u32..).zip(props.text.lines()).map(|(number, text)| {
        let marked = (props.line == Some(number)).then_some("true");
        html! { <><span class="number" aria-hidden="true">{ number }</span><code data-number={number.to_string()} data-marked={marked}>{ text }</code></> }
    });
    html! { <div class="code wrapped" ref={props.code.clone()} tabindex="0" role="region" aria-label="Content">{ for lines }</div> }
}

/// Scrolls to a line, and puts it where its neighbours are seen.
fn show(code: &HtmlElement, line: u32, wrap: bool) {
    let line_top = i32::try_from((line - 1) * LINE).unwrap_or(i32::MAX);
    let element = code.query_selector(&format!("[data-number='{line}']")).ok().flatten().filter(|_| wrap);
    let top =
        element.and_then(|element| element.dyn_into::<HtmlElement>().ok()).map_or(line_top, |line| line.offset_top());
    let (from, height) = (code.scroll_top(), code.client_height());
    if top < from || top + LINE as i32 > from + height {
        code.set_scroll_top((top - height / 2).max(0));
    }
}

/// Where each line starts, in units of UTF-16.
fn line_starts(text: &str) -> Vec<u32> {
    let mut at = 0;
    let mut starts = vec![0];
    for character in text.chars() {
        at += character.len_utf16() as u32;
        if character == '\n' {
            starts.push(at);
        }
    }
    starts
}

/// The part of the text around the lines on the screen.
fn shown_units(code: &HtmlElement, starts: &[u32]) -> Range<u32> {
    let line = |pixels: i32| usize::try_from(pixels / LINE as i32).unwrap_or_default();
    let (first, last) = (line(code.scroll_top()), line(code.scroll_top() + code.client_height()));
    let from = starts.get(first.saturating_sub(AROUND)).copied().unwrap_or_default();
    from..starts.get(last + AROUND).copied().unwrap_or(u32::MAX)
}

/// Lines that are coloured above and below the screen.
const AROUND: usize = 40;

/// Lines that contain a text, case ignored. `lower` writes a text in lower case, line by line.
fn find(text: &str, query: &str, lower: impl Fn(&str) -> String) -> Vec<u32> {
    let query = lower(&shown(query));
    if query.is_empty() {
        return Vec::new();
    }
    let text = lower(text);
    (1_u32..).zip(text.lines()).filter(|(_, line)| line.contains(&query)).map(|(number, _)| number).collect()
}

/// The browser has the tables of Unicode, which would enlarge this program.
fn lower_case(text: &str) -> String {
    JsString::from(text).to_lower_case().into()
}

/// The match after or before a line, round the ends.
fn next(hits: &[u32], line: Option<u32>, forward: bool) -> Option<u32> {
    let line = line.unwrap_or(0);
    if forward {
        hits.iter().find(|&&hit| hit > line).or_else(|| hits.first()).copied()
    } else {
        hits.iter().rev().find(|&&hit| hit < line).or_else(|| hits.last()).copied()
    }
}

/// One number a line.
fn numbers(text: &str) -> String {
    let lines = text.lines().count().max(1);
    (1..=lines).fold(String::with_capacity(lines * 5), |all, line| all + &line.to_string() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered() {
        assert_eq!(numbers(""), "1\n");
        assert_eq!(numbers("a\nb\n"), "1\n2\n");
        assert_eq!(numbers("a\n\nb"), "1\n2\n3\n");
    }

    #[test]
    fn lines_start_where_a_browser_counts() {
        assert_eq!(line_starts("a\n\u{1f511}b\n"), [0, 2, 6]);
    }

    #[test]
    fn matches_go_round() {
        let hits = find("Listen 80\n# listen\nname", "LISTEN", str::to_lowercase);
        assert_eq!(hits, [1, 2]);
        assert_eq!(next(&hits, None, true), Some(1));
        assert_eq!(next(&hits, Some(1), true), Some(2));
        assert_eq!(next(&hits, Some(2), true), Some(1));
        assert_eq!(next(&hits, Some(1), false), Some(2));
        assert_eq!(next(&[], Some(1), true), None);
        assert!(find("a", "", str::to_lowercase).is_empty());
    }
}
