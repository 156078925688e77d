//! Text from outside: labels, instructions, error bodies. It may hold anything.

use porthole_viewer::words::visible;
use yew::prelude::*;

/// Characters of a tooltip.
const TIP: usize = 400;

/// The text with glyphs for what would show as nothing or turn the text around it, isolated from its neighbours.
pub fn bdi(text: &str) -> Html {
    html! { <bdi>{ shown(text) }</bdi> }
}

/// The same without an element.
pub fn shown(text: &str) -> String {
    visible(text)
}

/// A text of several lines, whose line ends and tabs stay.
pub fn lines(text: &str) -> String {
    let shown = text.split_inclusive(['\n', '\t']).map(|line| match line.strip_suffix(['\n', '\t']) {
        Some(rest) => visible(rest) + &line[rest.len()..],
        None => visible(line),
    });
    shown.collect()
}

/// A tooltip, which browsers draw as high as its text is long.
pub fn tip(text: &str) -> String {
    let shown = lines(text);
    match shown.char_indices().nth(TIP) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// A number as a program reads it. The browser writes it: code that does would be a part of the first program.
pub fn decimal(number: f64) -> String {
    js_sys::Number::from(number).to_string_with_radix(10).map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_hide_is_shown_and_tooltips_end() {
        assert_eq!(lines("a\u{202e}b\n\tc\u{1b}[0m"), "a\\u202eb\n\tc\\u001b[0m");
        assert_eq!(tip(&"é".repeat(TIP + 1)).chars().count(), TIP + 1);
        assert_eq!(tip("short"), "short");
        assert_eq!(shown("linux/amd64\u{2066}"), "linux/amd64\\u2066");
        assert_eq!(tip("a\u{202e}\u{e0041}"), "a\\u202e\\udb40\\udc41");
    }
}
