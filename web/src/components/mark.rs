//! The mark: a porthole, two circles and a waterline.

use yew::prelude::*;

/// The mark, with this width and height in pixels. Its name is written beside it, so a screen reader passes over it.
pub fn mark(size: u32) -> Html {
    let size = size.to_string();
    html! {
        <svg class="mark" width={size.clone()} height={size} viewBox="0 0 32 32" fill="none" stroke="currentColor"
            stroke-width="2.2" stroke-linecap="round" aria-hidden="true">
            <circle cx="16" cy="16" r="14" />
            <circle cx="16" cy="16" r="8.6" />
            <path d="M7.6 17.2c2.2-1.5 3.8-1.5 5.8-.3s4 1.2 6-.2 3.3-1 5-.1" />
            <path d="M16 2.2v1.6M16 28.2v1.6M2.2 16h1.6M28.2 16h1.6" />
        </svg>
    }
}
