//! The beginning of a name, typed to go to its row.

use porthole_viewer::words::visible;
use yew::prelude::*;

/// What was typed since the key that begins it.
#[derive(Default)]
pub(super) struct Ahead {
    text: String,
}

impl Ahead {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Takes a key. Returns from which row on to look for the name, where the keyboard is on row `active`; `None`: the key is not a
    /// character.
    pub(super) fn take(&mut self, key: &str, active: u64) -> Option<u64> {
        let mut characters = key.chars();
        match (characters.next(), characters.next()) {
            // The same letter again: the next such name.
            (Some(letter), None) if self.text.chars().eq([letter]) => Some(active + 1),
            (Some(letter), None) => {
                self.text.push(letter);
                // One letter leads away from a row that begins with it, more of them may fit where it is.
                Some(if self.text.len() == letter.len_utf8() { active + 1 } else { active })
            }
            _ if key == "Backspace" => {
                self.text.pop();
                Some(active)
            }
            _ => None,
        }
    }

    /// Draws what was typed, and that the row at the keyboard does not begin with it.
    pub(super) fn draw(&self, name: Option<&str>) -> Html {
        let (text, name) = (self.text.as_bytes(), name.map(str::as_bytes));
        let begins = |name: &[u8]| name.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text));
        // Letters beyond ASCII are compared by the session alone.
        let fits = !text.is_ascii() || name.is_none_or(begins);
        let words = format!("Go to {}…{}", visible(&self.text), if fits { "" } else { ": no such name" });
        html! { <p class="ahead" role="status" data-fits={fits.to_string()}>{ words }</p> }
    }
}

#[cfg(test)]
mod tests {
    use super::Ahead;

    #[test]
    fn letters_are_collected_and_the_same_one_again_goes_on() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.take("u", 4), Some(5));
        assert_eq!((ahead.take("u", 7), ahead.text()), (Some(8), "u"));
        assert_eq!((ahead.take("s", 7), ahead.text()), (Some(7), "us"));
        assert_eq!((ahead.take(" ", 7), ahead.text()), (Some(7), "us "));
        assert_eq!((ahead.take("Backspace", 9), ahead.text()), (Some(9), "us"));
        for key in ["Enter", "ArrowDown", "Escape", "Tab", "F5", ""] {
            assert_eq!(ahead.take(key, 1), None, "{key}");
        }
    }
}
