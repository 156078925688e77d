//! Lines in the contents of all layers, deleted files included.

use super::field::write;
use super::probe::{cost, fate, fate_name, files_of, instruction, layer_heading, more, status, switch};
use porthole_viewer::protocol::{ImageSummary, ProbeKind, SearchHit, SearchQuery};
use porthole_viewer::state::{Action, ProbeCost, ProbedRows, State};
use porthole_viewer::words::count;
use std::rc::Rc;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Properties of [`Search`].
#[derive(Properties, PartialEq)]
pub struct SearchProps {
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// What the address searches for.
    pub query: SearchQuery,
    /// What a search reads.
    pub cost: Option<ProbeCost>,
    /// What the last search found so far.
    pub found: Option<Rc<ProbedRows<SearchHit>>>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

impl SearchProps {
    /// What the state knows of the search.
    pub fn of(state: &State, dispatch: Callback<Action>) -> Self {
        Self {
            image: state.image.clone(),
            query: state.route.search.clone(),
            cost: state.probe_cost(),
            found: state.search.clone(),
            dispatch,
        }
    }
}

/// A form, and the lines that were found.
#[component]
pub fn Search(props: &SearchProps) -> Html {
    let fields = use_memo((), |()| Fields::default());
    let shown = use_state(|| SHOWN);
    // Not drawn: a drawing would set back what is being typed.
    use_effect_with(props.query.clone(), {
        let fields = Rc::clone(&fields);
        move |query| fields.write(query)
    });
    let onsubmit = {
        let (dispatch, fields, shown) = (props.dispatch.clone(), Rc::clone(&fields), shown.setter());
        move |event: SubmitEvent| {
            event.prevent_default();
            shown.set(SHOWN);
            dispatch.emit(Action::Search(fields.read()));
        }
    };
    let option = |name: &'static str, words: &'static str, field: &NodeRef| {
        html! { <label><input type="checkbox" id={name} ref={field.clone()} />{ " " }{ words }</label> }
    };
    let progress = props.found.as_ref().and_then(|found| found.progress.clone());
    let on_more = {
        let shown = shown.clone();
        Callback::from(move |_| shown.set(*shown + SHOWN))
    };
    html! {
        <div class="document waste probe" tabindex="0" role="region" aria-label="Search">
            <form role="search" aria-label="Contents" {onsubmit}>
                <div class="with">
                    <label for="find">{ "Search contents" }</label>
                    <input id="find" class="mono" ref={fields.pattern.clone()} placeholder="text in any file of any layer" autocomplete="off" autocapitalize="off" spellcheck="false" />
                    { switch(ProbeKind::Search, "Search", props.image.is_some(), progress.as_deref(), &props.dispatch) }
                </div>
                <div class="chips">
                    { option("expression", "regular expression", &fields.expression) }
                    { option("ignore-case", "ignore case", &fields.ignore_case) }
                    { option("utf16", "UTF-16 too", &fields.utf16) }
                    <label>{ "files " }<input id="glob" class="mono" ref={fields.glob.clone()} placeholder="*.conf, etc/**" autocomplete="off" autocapitalize="off" spellcheck="false" /></label>
                </div>
            </form>
            if let (Some(found), Some(progress)) = (&props.found, &progress) {
                { status(progress, &words(progress.sums.found, progress.sums.files)) }
                { hits(found, *shown, props) }
                { more(*shown, progress.held, progress.sums.found, on_more) }
            } else {
                { cost(props.cost) }
                <p class="dim">{ "Every version of every file is searched, those included that a later layer deleted or replaced." }</p>
            }
        </div>
    }
}

/// Rows that are drawn at first, and more at each request.
const SHOWN: usize = 300;

#[derive(Default, PartialEq)]
struct Fields {
    pattern: NodeRef,
    glob: NodeRef,
    expression: NodeRef,
    ignore_case: NodeRef,
    utf16: NodeRef,
}

impl Fields {
    fn write(&self, query: &SearchQuery) {
        write(&self.pattern, &query.pattern);
        write(&self.glob, &query.glob);
        let options =
            [(&self.expression, query.expression), (&self.ignore_case, query.ignore_case), (&self.utf16, query.utf16)];
        for (field, on) in options {
            if let Some(input) = field.cast::<HtmlInputElement>() {
                input.set_checked(on);
            }
        }
    }

    fn read(&self) -> SearchQuery {
        let text = |field: &NodeRef| field.cast::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
        let on = |field: &NodeRef| field.cast::<HtmlInputElement>().is_some_and(|input| input.checked());
        SearchQuery {
            pattern: text(&self.pattern),
            expression: on(&self.expression),
            ignore_case: on(&self.ignore_case),
            utf16: on(&self.utf16),
            glob: text(&self.glob).trim().to_owned(),
        }
    }
}

/// `12 lines in 3 files`
fn words(lines: u64, files: u64) -> String {
    match lines {
        0 => "No line matches".to_owned(),
        1 => "1 line in 1 file".to_owned(),
        lines => format!("{} lines in {}", count(lines), files_of(files)),
    }
}

/// The lines below their files, and those below their layers.
fn hits(found: &ProbedRows<SearchHit>, shown: usize, props: &SearchProps) -> Vec<Html> {
    let rows: Vec<(u32, &SearchHit)> = found.rows().take(shown).collect();
    let layers = rows.chunk_by(|(a, _), (b, _)| a == b).map(|rows| {
        let layer = rows[0].0;
        let files = rows.chunk_by(|(_, a), (_, b)| a.content == b.content).map(|rows| file(layer, rows, found, props));
        html! {
            <section key={layer}>
                { layer_heading(layer, instruction(props.image.as_deref(), layer), &props.dispatch) }
                { for files }
            </section>
        }
    });
    layers.collect()
}

fn file(layer: u32, rows: &[(u32, &SearchHit)], found: &ProbedRows<SearchHit>, props: &SearchProps) -> Html {
    let first = rows[0].1;
    let became = found.fate(layer, first.content);
    let link = found.link(layer, first.content, &first.path);
    let open = |line: Option<u32>| {
        let link = link.clone();
        props.dispatch.reform(move |_| Action::Open(link.clone(), line))
    };
    let lines = rows.iter().map(|(_, hit)| {
        let line = u32::try_from(hit.line).ok();
        html! {
            <li data-hit={hit.line.to_string()}>
                <button class="hit" onclick={open(line)}><span class="number">{ count(hit.line) }</span>
                    <code><bdi>{ &hit.before }<mark>{ &hit.matched }</mark>{ &hit.after }</bdi></code>
                    if let Some(encoding) = &hit.encoding { <span class="dim">{ encoding }</span> }
                </button>
            </li>
        }
    });
    html! {
        <div class="file" data-found-path={first.path.clone()} data-layer={(layer + 1).to_string()} data-fate={fate_name(became)}>
            <h3><button class="plain mono" title="Show the file" onclick={open(None)}><bdi>{ &first.path }</bdi></button>{ fate(became) }</h3>
            <ol>{ for lines }</ol>
        </div>
    }
}
