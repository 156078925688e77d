//! Rules about signatures: whose signature images of a registry must have.

use super::words::bdi;
use crate::hooks::text_file::text_input;
use porthole_viewer::protocol::{ImageSummary, PolicyFacts, SignerRule, SignerWish};
use porthole_viewer::state::{Action, PolicyAction};
use std::rc::Rc;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Properties of [`Policy`].
#[derive(Properties, PartialEq)]
pub struct PolicyProps {
    /// The image of the look.
    pub image: Option<Rc<ImageSummary>>,
    /// The rules about signatures.
    pub policy: Rc<PolicyFacts>,
    /// The rule about that image has these images.
    pub rule: Option<String>,
    /// Whose signature was asked for last.
    pub wish: SignerWish,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The rules, and a button that makes one of the signer who was named last.
#[component]
pub fn Policy(props: &PolicyProps) -> Html {
    let (image, dispatch) = (&props.image, &props.dispatch);
    let images = use_node_ref();
    let names = image.as_deref().map(names).unwrap_or_default();
    let on_demand = {
        let (images, wish) = (images.clone(), props.wish.clone());
        dispatch.reform(move |_| {
            let images = images.cast::<HtmlSelectElement>().map(|select| select.value()).unwrap_or_default();
            Action::Policy(PolicyAction::Demand(SignerRule { images, wish: wish.clone() }))
        })
    };
    let set = dispatch.reform(|(_, text)| Action::Policy(PolicyAction::Set(text)));
    let rules = props.policy.rules.iter().map(|rule| {
        let images = rule.images.clone();
        let waive = dispatch.reform(move |_| Action::Policy(PolicyAction::Waive(images.clone())));
        let current = (props.rule.as_ref() == Some(&rule.images)).then_some("true");
        html! {
            <li data-rule={rule.images.clone()} aria-current={current}>
                <span class="mono">{ bdi(&rule.images) }</span>{ " must be signed by " }<span class="mono">{ bdi(&signers(&rule.wish)) }</span>{ " " }
                <button type="button" class="small" aria-label={format!("Remove the rule about {}", rule.images)} onclick={waive}>{ "Remove" }</button>
            </li>
        }
    });
    let link = (!props.policy.text.is_empty())
        .then(|| format!("data:application/json,{}", String::from(js_sys::encode_uri_component(&props.policy.text))));
    html! {
        <details class="signer" id="policy" open={props.rule.is_some()}>
            <summary>{ format!("Rules ({})", props.policy.rules.len()) }</summary>
            <p class="dim">{ "Images that a rule is about are checked whenever they are opened: signatures are fetched, and nothing else. The rules stay in this browser; porthole verify --policy reads the same file." }</p>
            if let Some(problem) = &props.policy.problem { <p class="finding" role="alert">{ bdi(problem) }</p> }
            <ul class="rules">{ for rules }</ul>
            <div class="chips">
                if !names.is_empty() {
                    <select id="policy-images" class="mono" aria-label="Images that must be signed" ref={images}>
                        { for names.iter().map(|name| html! { <option value={name.clone()}>{ name }</option> }) }
                    </select>
                    <button type="button" id="policy-demand" disabled={props.wish.is_empty()} onclick={on_demand}>{ "Must be signed by the signer above" }</button>
                }
                { text_input("policy-file", "Rules from a file", set) }
                if let Some(link) = link { <a id="policy-save" download="policy.json" href={link}>{ "Save the rules" }</a> }
            </div>
        </details>
    }
}

/// What a rule can be about: the registry, each part of the repository's name, and all images.
fn names(image: &ImageSummary) -> Vec<String> {
    let whole = format!("{}/{}", image.registry, image.repository);
    let ends = whole.match_indices('/').map(|(at, _)| at).chain([whole.len()]);
    ends.map(|end| whole[..end].to_owned()).chain(["*".to_owned()]).collect()
}

/// `me@example.org, attested by https://accounts.example.org, or 1 key`
fn signers(wish: &SignerWish) -> String {
    let identity = |of: &porthole_viewer::protocol::SignerIdentity| {
        format!("{}, attested by {}", of.identity.text, of.issuer.text)
    };
    let keys = match wish.keys.len() {
        0 => None,
        1 => Some("a key".to_owned()),
        keys => Some(format!("one of {keys} keys")),
    };
    wish.identities.iter().map(identity).chain(keys).collect::<Vec<_>>().join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_about_a_registry_or_a_part_of_a_name() {
        let image = ImageSummary {
            registry: "r.example:5000".into(),
            repository: "team/app".into(),
            ..ImageSummary::default()
        };
        assert_eq!(names(&image), ["r.example:5000", "r.example:5000/team", "r.example:5000/team/app", "*"]);
    }
}
