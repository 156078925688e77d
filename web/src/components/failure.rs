//! Failures: the party, the step, the remedies.

use super::{chain::shorten_digests, words::bdi};
use crate::hooks::file;
use porthole_core::failure::FailureClass;
use porthole_viewer::protocol::{FailureCause, FailureNotice, ProofStep, Remedy};
use porthole_viewer::session::GIVEN;
use porthole_viewer::state::{Action, Dialog, worst};
use std::collections::BTreeMap;
use yew::prelude::*;

/// The worst failure as an alert, with the others below it.
///
/// `failure` is what ended the look, and `layers` is what is wrong with single layers.
pub fn failures(
    failure: Option<&FailureNotice>,
    layers: &BTreeMap<u32, FailureNotice>,
    dispatch: &Callback<Action>,
) -> Html {
    let Some(worst) = worst(failure, layers) else { return Html::default() };
    let others = layers.values().filter(|failure| *failure != worst);
    let others: Html = others.map(|failure| html! { <li>{ bdi(&failure.text) }</li> }).collect();
    let mismatch = worst.mismatch.as_ref().map(|(expected, got)| {
        html! {
            <dl>
                <dt>{ "expected" }</dt><dd>{ bdi(expected) }</dd>
                <dt>{ "got" }</dt><dd>{ bdi(got) }</dd>
            </dl>
        }
    });
    let buttons = worst.remedies.iter().filter(|remedy| !matches!(remedy, Remedy::Text { .. }));
    let remedies = buttons.clone().enumerate().map(|(index, remedy)| button(remedy, index == 0, dispatch));
    let words = worst.remedies.iter().filter_map(|remedy| match remedy {
        Remedy::Text { text } => Some(html! { <p>{ bdi(text) }</p> }),
        _ => None,
    });
    html! {
        <section class="alert" role="alert" data-kind={worst.kind.word()} data-cause={worst.cause.map(FailureCause::as_str)}
            data-host={worst.registry.clone()}>
            <h2>{ bdi(&title(worst)) }</h2>
            <p>{ bdi(&if mismatch.is_some() { shorten_digests(&worst.text) } else { worst.text.clone() }) }</p>
            if worst.layer.is_some() {
                <p>{ "None of this layer's files are listed." }</p>
            }
            { for mismatch }
            { for words }
            if buttons.count() > 0 {
                <div class="actions">{ for remedies }</div>
            }
            <ul class="more">{ others }</ul>
        </section>
    }
}

/// The heading: the step that failed, and the verdict in a few words.
fn title(failure: &FailureNotice) -> String {
    let what = match (failure.layer, failure.step) {
        (Some(layer), _) => format!("Layer {}", layer + 1),
        (None, Some(ProofStep::Tag)) => "This reference".to_owned(),
        (None, Some(ProofStep::Index)) => "The index".to_owned(),
        (None, Some(ProofStep::Manifest)) => "The manifest".to_owned(),
        (None, Some(ProofStep::Config)) => "The config".to_owned(),
        (None, Some(ProofStep::Layers)) => "A layer".to_owned(),
        (None, None) => String::new(),
    };
    let registry = failure.registry.as_deref().unwrap_or("the registry");
    let offers = |wanted: fn(&Remedy) -> bool| failure.remedies.iter().any(wanted);
    if offers(|remedy| matches!(remedy, Remedy::ChooseImage { images } if !images.is_empty())) {
        return "Which image of this file?".to_owned();
    }
    match failure.cause {
        Some(FailureCause::NoCors) => return format!("{registry} does not let a page read it"),
        Some(FailureCause::DeadHost) => return format!("Nothing answers at {registry}"),
        Some(FailureCause::DeadRelay) => return "The relay does not answer".to_owned(),
        Some(FailureCause::Offline) => return "This device has no network".to_owned(),
        Some(FailureCause::Preflight) => return format!("{registry} does not let a page sign in"),
        None => {}
    }
    match failure.kind {
        FailureClass::NotFound if offers(|remedy| *remedy == Remedy::ChooseFile) => "Choose the file again".to_owned(),
        FailureClass::Platform => "No image for this platform".to_owned(),
        _ if registry == GIVEN && failure.layer.is_none() && failure.mismatch.is_none() => {
            "This file cannot be opened".to_owned()
        }
        FailureClass::Malformed if what.is_empty() => "Not what was promised".to_owned(),
        FailureClass::Malformed => format!("{what} is not what was promised"),
        FailureClass::Authentication if was_refused(failure) => format!("{registry} refused these credentials"),
        FailureClass::Authentication if offers(|remedy| matches!(remedy, Remedy::SignIn { .. })) => {
            format!("{registry} asks you to sign in")
        }
        FailureClass::Authentication => format!("This page cannot sign in to {registry}"),
        FailureClass::NotFound if what.is_empty() => format!("Not found at {registry}"),
        FailureClass::NotFound => format!("{what} was not found at {registry}"),
        FailureClass::RateLimit => format!("{registry} limits the rate of requests"),
        FailureClass::Input => "This is not an image reference".to_owned(),
        FailureClass::Limit if what.is_empty() => "More than a limit allows".to_owned(),
        FailureClass::Limit => format!("{what} is more than a limit allows"),
        FailureClass::Network | FailureClass::Protocol | FailureClass::Other if what.is_empty() => {
            "This did not work".to_owned()
        }
        FailureClass::Network | FailureClass::Protocol | FailureClass::Other => format!("{what} could not be read"),
    }
}

/// Whether credentials were sent and refused.
fn was_refused(failure: &FailureNotice) -> bool {
    failure.remedies.iter().any(|remedy| matches!(remedy, Remedy::SignIn { refused: true, .. }))
}

fn reload() {
    if let Some(window) = web_sys::window() {
        let _ = window.location().reload();
    }
}

fn button(remedy: &Remedy, first: bool, dispatch: &Callback<Action>) -> Html {
    let (action, words, done) = match remedy {
        Remedy::UseRelay { registry, available: true } => {
            ("use-relay", "Use the relay".to_owned(), Action::UseRelay(registry.clone()))
        }
        Remedy::UseRelay { .. } => ("use-relay", "Choose a relay".to_owned(), Action::Dialog(Some(Dialog::Settings))),
        Remedy::SignIn { registry, refused } => {
            let dialog = Dialog::SignIn { registry: registry.clone(), refused: *refused };
            ("sign-in", if *refused { "Sign in again" } else { "Sign in" }.to_owned(), Action::Dialog(Some(dialog)))
        }
        Remedy::Retry { after: Some(seconds) } if *seconds > 0 => {
            ("retry", format!("Try again (not before {seconds} s)"), Action::Retry)
        }
        Remedy::AllowForeign { hosts } => {
            ("allow-foreign", format!("Fetch it from {hosts}"), Action::AllowForeign(hosts.clone()))
        }
        Remedy::Retry { .. } => ("retry", "Try again".to_owned(), Action::Retry),
        Remedy::ChoosePlatform { available } => {
            return available.iter().map(|platform| platform_button(platform, dispatch)).collect();
        }
        Remedy::ChooseImage { images } => {
            return images.iter().map(|image| image_button(image, dispatch)).collect();
        }
        Remedy::ChooseFile => {
            return html! { <button class={first.then_some("primary")} data-action="choose-file" onclick={|_| file::choose()}>{ "Choose a file" }</button> };
        }
        Remedy::Reload => {
            return html! { <button class={first.then_some("primary")} data-action="reload" onclick={|_| reload()}>{ "Reload the page" }</button> };
        }
        Remedy::Text { .. } => return Html::default(),
    };
    html! { <button class={first.then_some("primary")} data-action={action} onclick={dispatch.reform(move |_| done.clone())}>{ words }</button> }
}

fn image_button((name, reference): &(String, String), dispatch: &Callback<Action>) -> Html {
    let chosen = reference.clone();
    let onclick = dispatch.reform(move |_| Action::Look(chosen.clone()));
    html! { <button data-action="choose-image" data-reference={reference.clone()} {onclick}>{ bdi(name) }</button> }
}

fn platform_button(platform: &str, dispatch: &Callback<Action>) -> Html {
    let chosen = platform.to_owned();
    let onclick = dispatch.reform(move |_| Action::Platform(chosen.clone()));
    html! { <button data-action="choose-platform" data-platform={platform.to_owned()} {onclick}>{ platform }</button> }
}
