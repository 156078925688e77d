//! Fields that keep what a user types: Yew resets `value` whenever the page is drawn.

use crate::hooks::clock::Pause;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Properties of [`FilterField`].
#[derive(Properties, PartialEq)]
pub struct FilterFieldProps {
    /// Id of the element.
    pub id: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What it shows while it is empty.
    pub placeholder: &'static str,
    /// More about what it understands.
    #[prop_or_default]
    pub title: Option<&'static str>,
    /// The filter that is in force.
    pub value: String,
    /// Takes the text once no key was pressed for a while.
    pub on_typed: Callback<String>,
}

/// The field. It takes a new `value`, but not while a person types: no drawing sets back what was typed.
#[component]
pub fn FilterField(props: &FilterFieldProps) -> Html {
    let field = use_node_ref();
    let pause = use_mut_ref(|| None);
    let typing = use_mut_ref(|| false);
    use_effect_with(props.value.clone(), {
        let (field, typing) = (field.clone(), typing.clone());
        move |value| {
            if !*typing.borrow() {
                write(&field, value);
            }
        }
    });
    let on_typed = props.on_typed.clone();
    let oninput = move |event: InputEvent| {
        let text = event.target_unchecked_into::<HtmlInputElement>().value();
        let (on_typed, typing) = (on_typed.clone(), typing.clone());
        *typing.borrow_mut() = true;
        *pause.borrow_mut() = Pause::new(WAIT, move || {
            *typing.borrow_mut() = false;
            on_typed.emit(text);
        });
    };
    let (id, label, placeholder, title) = (props.id, props.label, props.placeholder, props.title);
    html! {
        <input {id} ref={field} type="search" class="mono" aria-label={label} {placeholder} {title} autocomplete="off" autocapitalize="off" spellcheck="false" {oninput} />
    }
}

/// Milliseconds without a key before a filter is applied.
const WAIT: i32 = 20;

/// Properties of [`PlaceField`].
#[derive(Properties, PartialEq)]
pub struct PlaceFieldProps {
    /// Id of the element.
    pub id: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What it shows while it is empty.
    #[prop_or_default]
    pub placeholder: Option<&'static str>,
    /// The place that is shown.
    pub value: String,
    /// Takes the text when Enter is pressed, or the field is left.
    pub on_change: Callback<String>,
}

/// A field that leads to a line or an offset. It takes a new `value` when the place changes.
#[component]
pub fn PlaceField(props: &PlaceFieldProps) -> Html {
    let field = use_node_ref();
    use_effect_with(props.value.clone(), {
        let field = field.clone();
        move |value| write(&field, value)
    });
    let onchange = props.on_change.reform(|event: Event| event.target_unchecked_into::<HtmlInputElement>().value());
    let (id, label, placeholder) = (props.id, props.label, props.placeholder);
    html! { <input {id} ref={field} type="text" inputmode="numeric" aria-label={label} {placeholder} autocomplete="off" spellcheck="false" {onchange} /> }
}

/// Gives a field a text.
pub fn write(field: &NodeRef, text: &str) {
    if let Some(input) = field.cast::<HtmlInputElement>() {
        input.set_value(text);
    }
}
