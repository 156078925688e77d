//! The comparison of a bill of materials with the packages of the image.

use super::{
    probe::{instruction, layer_chip},
    words::bdi,
};
use crate::hooks::text_file::text_input;
use porthole_viewer::protocol::{
    BillDifference, BillFact, BillWindow, EvidenceState, ImageSummary, PackageQuery, PackageWindow,
};
use porthole_viewer::state::{Action, EvidenceFound};
use porthole_viewer::words::count;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// What the view needs.
pub struct BillsView<'a> {
    /// The image of the look.
    pub image: Option<&'a ImageSummary>,
    /// Which packages the address shows.
    pub query: &'a PackageQuery,
    /// The packages that were read.
    pub window: &'a PackageWindow,
    /// The evidence attached to the image.
    pub evidence: Option<&'a EvidenceFound>,
    /// Receives the actions of the component.
    pub dispatch: &'a Callback<Action>,
}

/// A choice of bills, and the differences from the one that was chosen.
pub fn bills(props: &BillsView<'_>) -> Html {
    let BillsView { query, window, dispatch, .. } = *props;
    let chosen = query.against.as_str();
    let on_choose = {
        let (query, dispatch) = (query.clone(), dispatch.clone());
        move |event: Event| {
            let against = event.target_unchecked_into::<HtmlSelectElement>().value();
            dispatch.emit(Action::ShowPackages(PackageQuery { against, ..query.clone() }));
        }
    };
    let given = dispatch.reform(|(name, text)| Action::GiveBill(name, text));
    let wish = props.evidence.map(|found| found.wish.clone()).unwrap_or_default();
    let find = dispatch.reform(move |_| Action::Evidence(wish.clone()));
    let is_running = props.evidence.is_some_and(|found| found.state == EvidenceState::Running);
    let known = window.bills.iter().any(|bill| bill.name == chosen);
    let stray = (!known && !chosen.is_empty()).then(|| BillFact { name: chosen.to_owned(), ..BillFact::default() });
    let options = window.bills.iter().chain(&stray).map(|bill| {
        html! { <option value={bill.name.clone()} selected={bill.name == chosen}>{ title(bill) }</option> }
    });
    html! {
        <>
            <div class="chips bills" role="group" aria-label="Bills of materials">
                <select id="bill" class="mono" aria-label="Compare with a bill of materials" onchange={on_choose}>
                    <option value="" selected={chosen.is_empty()}>{ "no comparison with a bill of materials" }</option>
                    { for options }
                </select>
                <button type="button" id="find-bills" disabled={is_running} onclick={find}>{ "Find attached ones" }</button>
                { text_input("bill-file", "A bill from a file (SPDX or CycloneDX)", given) }
            </div>
            { note(props) }
            if let Some(compared) = &window.compared { { comparison(compared, props) } }
        </>
    }
}

/// `SPDX-2.3, 405 entries, sha256:0123456789ab`
fn title(bill: &BillFact) -> String {
    let name = match bill.name.split_at_checked(DIGEST_START) {
        Some((start, _)) if bill.name.starts_with("sha") => start,
        _ => &bill.name,
    };
    match bill.format.as_str() {
        "" => name.to_owned(),
        format => format!("{format}, {} entries, {name}", count(bill.entries)),
    }
}

/// Characters of a digest in a list.
const DIGEST_START: usize = 19;

/// Why there is no comparison.
fn note(props: &BillsView<'_>) -> Html {
    let BillsView { window, evidence, .. } = *props;
    let chosen = &props.query.against;
    let problem = window.bills.iter().find(|bill| bill.name == *chosen).and_then(|bill| bill.problem.as_deref());
    let words = match (evidence.map(|found| &found.state), problem) {
        (_, Some(problem)) => problem,
        (Some(EvidenceState::Running), None) => "Looking…",
        (Some(EvidenceState::Refused(why)), None) => why,
        (Some(EvidenceState::Failed(failure)), None) => &failure.text,
        (Some(EvidenceState::Done(_)), None) if evidence.is_some_and(|found| found.by_rule) => {
            return Html::default();
        }
        (Some(EvidenceState::Done(_)), None) if window.bills.is_empty() => "No bill of materials is attached.",
        (_, None) if !chosen.is_empty() && window.compared.is_none() => "This bill of materials is not loaded.",
        _ => return Html::default(),
    };
    html! { <p class="note" role="status" id="bill-note">{ bdi(words) }</p> }
}

fn comparison(compared: &BillWindow, props: &BillsView<'_>) -> Html {
    let differences = compared.versions + compared.only_bill + compared.only_image;
    let others = match compared.others {
        0 => String::new(),
        others => format!(" {} entries of the bill are no packages that are read here.", count(others)),
    };
    let words = format!(
        "{} packages agree, {} differ in version, {} only in the bill, {} only in the image.{others}",
        count(compared.same),
        count(compared.versions),
        count(compared.only_bill),
        count(compared.only_image),
    );
    html! {
        <>
            <p class="verdict" role="status" id="compared" data-same={compared.same.to_string()} data-different={differences.to_string()}>{ words }</p>
            if !compared.rows.is_empty() {
                <table class="packages">
                    <thead><tr>
                        <th scope="col">{ "Name" }</th><th scope="col">{ "In the bill" }</th><th scope="col">{ "In the image" }</th>
                        <th scope="col" class="kind">{ "Type" }</th><th scope="col" class="layer">{ "Layer" }</th>
                    </tr></thead>
                    <tbody>{ for compared.rows.iter().map(|row| difference(row, props)) }</tbody>
                </table>
            }
            if (compared.rows.len() as u64) < compared.matches {
                <button id="more" onclick={props.dispatch.reform(|_| Action::MorePackages)}>{ "Show more" }</button>
            }
        </>
    }
}

fn difference(row: &BillDifference, props: &BillsView<'_>) -> Html {
    let version = |version: &Option<String>| match version {
        Some(version) => bdi(version),
        None => html! { <span class="dim">{ "–" }</span> },
    };
    let (class, word) = match (&row.listed, &row.installed) {
        (Some(_), Some(_)) => ("modified", "version"),
        (Some(_), None) => ("deleted", "only-bill"),
        _ => ("added", "only-image"),
    };
    html! {
        <tr data-difference={word} data-package={row.name.clone()}>
            <td class={classes!("mono", class)}>{ bdi(&row.name) }</td>
            <td class="mono">{ version(&row.listed) }</td>
            <td class="mono">{ version(&row.installed) }if let Some(by) = row.removed_by { <div class="deleted">{ format!("removed by layer {}", by + 1) }</div> }</td>
            <td class="kind">{ &row.kind }</td>
            <td class="layer">{ for row.layer.map(|layer| layer_chip(layer, instruction(props.image, layer), props.dispatch)) }</td>
        </tr>
    }
}
