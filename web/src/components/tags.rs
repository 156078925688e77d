//! The tags of the repository, and the repositories of the registry.

use super::field::FilterField;
use super::words::bdi;
use porthole_viewer::address::{Address, Tab};
use porthole_viewer::protocol::{
    ImageSummary, NameList, NameQuery, NameRow, NameSort, NameState, NameWindow, TagFacts,
};
use porthole_viewer::state::{Action, NameAction, State};
use porthole_viewer::words::{count, size};
use std::rc::Rc;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Properties of [`Tags`].
#[derive(Properties, PartialEq)]
pub struct TagsProps {
    /// The image of the look, if it is in a registry.
    pub image: Option<Rc<ImageSummary>>,
    /// Which names the address shows.
    pub query: NameQuery,
    /// Those that are known.
    pub names: Option<Rc<NameWindow>>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

impl TagsProps {
    /// What the state knows of names.
    pub fn of(state: &State, dispatch: Callback<Action>) -> Self {
        let image = state.image.clone().filter(|_| state.has_registry());
        Self { image, query: state.route.names.clone(), names: state.names.clone(), dispatch }
    }
}

/// Which names, and a table of them.
#[component]
pub fn Tags(props: &TagsProps) -> Html {
    let (query, act) = (&props.query, props.dispatch.reform(Action::Names));
    let Some(image) = &props.image else {
        return html! { <p class="note">{ "An image that is in a registry has tags beside it." }</p> };
    };
    let lists = [(NameList::Tags, "Tags", "tags"), (NameList::Repositories, "Repositories", "repositories")];
    let lists = lists.map(|(list, words, name)| {
        let wanted = NameQuery { list, filter: String::new(), ..query.clone() };
        let onclick = act.reform(move |_| NameAction::Show(wanted.clone()));
        html! { <button data-names={name} aria-pressed={(query.list == list).to_string()} {onclick}>{ words }</button> }
    });
    let on_typed = {
        let query = query.clone();
        act.reform(move |filter| NameAction::Show(NameQuery { filter, ..query.clone() }))
    };
    let on_sort = {
        let (query, act) = (query.clone(), act.clone());
        move |event: Event| {
            let version = event.target_unchecked_into::<HtmlSelectElement>().value() == "version";
            let sort = if version { NameSort::Version } else { NameSort::Registry };
            act.emit(NameAction::Show(NameQuery { sort, ..query.clone() }));
        }
    };
    let place = match query.list {
        NameList::Tags => format!("{}/{}", image.registry, image.repository),
        NameList::Repositories => image.registry.clone(),
    };
    html! {
        <div class="document waste probe" tabindex="0" role="region" aria-label="Tags">
            <h2 class="mono place">{ bdi(&place) }</h2>
            <div class="chips">
                <div class="group" role="group" aria-label="Which list">{ for lists }</div>
                <FilterField id="names" label="Name contains" placeholder="name contains" value={query.filter.clone()} {on_typed} />
                <select id="order" aria-label="Order" onchange={on_sort}>
                    <option value="" selected={query.sort == NameSort::Registry}>{ "as listed" }</option>
                    <option value="version" selected={query.sort == NameSort::Version}>{ "newest version first" }</option>
                </select>
                if let Some(names) = &props.names {
                    <span class="dim num" role="status" id="matches" data-count={names.matches.to_string()} data-state={state_name(&names.state)}>{ words(names) }</span>
                }
            </div>
            if let Some(names) = &props.names { { found(names, image, &act) } }
        </div>
    }
}

fn found(names: &NameWindow, image: &ImageSummary, act: &Callback<NameAction>) -> Html {
    let of_tags = names.list == NameList::Tags;
    html! {
        <>
            if let NameState::Failed(failure) = &names.state {
                <section class="alert" role="alert" data-kind={failure.kind.word()}>
                    <p>{ bdi(&failure.text) }</p>
                    <div class="actions"><button onclick={act.reform(|_| NameAction::Again)}>{ "Try again" }</button></div>
                </section>
            }
            if !names.rows.is_empty() {
                <table class="names">
                    <thead><tr>
                        <th scope="col">{ if of_tags { "Tag" } else { "Repository" } }</th>
                        if of_tags { <th scope="col">{ "Stands for" }</th> }
                    </tr></thead>
                    <tbody>{ for names.rows.iter().map(|name| row(name, names.list, image, act)) }</tbody>
                </table>
            }
            if (names.rows.len() as u64) < names.matches {
                <button id="more" onclick={act.reform(|_| NameAction::More)}>{ "Show more" }</button>
            }
        </>
    }
}

fn row(row: &NameRow, list: NameList, image: &ImageSummary, act: &Callback<NameAction>) -> Html {
    let reference = match list {
        NameList::Tags => format!("{}/{}:{}", image.registry, image.repository, row.name),
        NameList::Repositories => format!("{}/{}", image.registry, row.name),
    };
    let shown = list == NameList::Tags && image.tag.as_ref() == Some(&row.name);
    let tab = if list == NameList::Tags { Tab::Files } else { Tab::Tags };
    let address = Address { tab, ..Address::of(reference) };
    html! {
        <tr data-name={row.name.clone()}>
            <td class="mono"><a href={address.to_string()} aria-current={shown.then_some("true")}>{ bdi(&row.name) }</a></td>
            if list == NameList::Tags { <td>{ facts(row, act) }</td> }
        </tr>
    }
}

fn facts(row: &NameRow, act: &Callback<NameAction>) -> Html {
    match &row.facts {
        None => {
            let tag = row.name.clone();
            let onclick = act.reform(move |_| NameAction::Ask(tag.clone()));
            html! { <button class="small" aria-label={format!("Look up {}", row.name)} {onclick}>{ "Look up" }</button> }
        }
        Some(TagFacts::Asking) => html! { <span class="dim">{ "…" }</span> },
        Some(TagFacts::Failed(why)) => html! { <span class="deleted">{ bdi(why) }</span> },
        Some(TagFacts::Known(digest, created, bytes)) => html! {
            <>
                <code data-digest={digest.clone()}>{ bdi(digest) }</code>
                { for created.as_ref().map(|created| html! { <span class="dim">{ " made " }{ bdi(created) }</span> }) }
                { for bytes.map(|bytes| html! { <span class="dim num">{ ", " }{ size(bytes) }</span> }) }
            </>
        },
    }
}

fn state_name(state: &NameState) -> &'static str {
    match state {
        NameState::Running => "running",
        NameState::Done => "done",
        NameState::Failed(_) => "failed",
    }
}

/// `3 of 120 shown`, while pages arrive `so far`.
fn words(names: &NameWindow) -> String {
    let far = if names.state == NameState::Running { " so far" } else { "" };
    format!("{} of {}{far}", count(names.matches), count(names.total))
}
