//! Bytes in hexadecimal, from any offset of a file.

use super::field::PlaceField;
use porthole_viewer::protocol::{SHOWN_BYTES, ShownPart};
use porthole_viewer::state::Action;
use porthole_viewer::words::count;
use web_sys::Element;
use yew::prelude::*;

/// Lines of sixteen bytes in hexadecimal, with ways to other bytes of the file. `wide` says that there is room for such lines.
pub(super) fn hexadecimal(hex: &str, part: ShownPart, wide: bool, dispatch: &Callback<Action>) -> Html {
    let ShownPart { from, shown, size, .. } = part;
    let end = from + shown;
    let before = (from > 0).then(|| from.saturating_sub(SHOWN_BYTES));
    let after = (end < size).then_some(end);
    let go = |to: Option<u64>| dispatch.reform(move |_: MouseEvent| Action::Offset(to));
    let on_offset = {
        let dispatch = dispatch.clone();
        move |typed: String| {
            if let Some(offset) = offset(&typed) {
                dispatch.emit(Action::Offset(Some(offset.min(size.saturating_sub(1)))));
            }
        }
    };
    // Where there is nothing left to scroll, the key leads to other bytes.
    let on_key = {
        let dispatch = dispatch.clone();
        move |event: KeyboardEvent| {
            let pane = event.target_unchecked_into::<Element>();
            let to = match &*event.key() {
                "PageDown" if pane.scroll_top() + pane.client_height() + 2 > pane.scroll_height() => after,
                "PageUp" if pane.scroll_top() == 0 => before,
                _ => None,
            };
            if to.is_some() {
                event.prevent_default();
                pane.set_scroll_top(if to == before { pane.scroll_height() } else { 0 });
                dispatch.emit(Action::Offset(to));
            }
        }
    };
    html! {
        <div class="textview">
            <div class="bar" role="group" aria-label="Bytes">
                <button class="small" aria-label="Previous bytes" disabled={before.is_none()} onclick={go(before)}>{ "↑" }</button>
                <button class="small" aria-label="Next bytes" disabled={after.is_none()} onclick={go(after)}>{ "↓" }</button>
                <PlaceField id="offset" label="Go to offset, in decimal or with 0x" value={format!("{from:#x}")} on_change={on_offset} />
                <span class="dim num found" role="status">{ count(from) }{ " to " }{ count(end) }{ " of " }{ count(size) }</span>
                <button id="whole" class="small" title="Show the file by its type" onclick={go(None)}>{ "Default" }</button>
            </div>
            <div class="code" tabindex="0" role="region" aria-label="Content" onkeydown={on_key}>
                <pre id="hex">{ if wide { hex.to_owned() } else { halves(hex) } }</pre>
            </div>
        </div>
    }
}

/// An offset as typed.
fn offset(typed: &str) -> Option<u64> {
    let typed = typed.trim();
    match typed.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => typed.parse().ok(),
    }
}

/// Lines of sixteen bytes as lines of eight, which fit beside the tree with their ASCII.
fn halves(hex: &str) -> String {
    let mut lines = String::with_capacity(hex.len() * 5 / 4);
    for line in hex.lines() {
        let parts = (line.get(..8), line.get(10..34), line.get(34..58), line.get(59..));
        let (Some(offset), Some(first), Some(second), Some(ascii)) = parts else {
            lines.push_str(line);
            lines.push('\n');
            continue;
        };
        let (left, right) = ascii.split_at(ascii.len().min(8));
        lines.push_str(&format!("{offset}  {first} {left}\n"));
        if !right.is_empty() {
            let offset = u64::from_str_radix(offset, 16).unwrap_or_default() + 8;
            lines.push_str(&format!("{offset:08x}  {second} {right}\n"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_decimal_or_hexadecimal() {
        assert_eq!(
            [offset(" 42"), offset("0x1000"), offset("0x"), offset("-1"), offset("")],
            [Some(42), Some(4096), None, None, None]
        );
    }

    #[test]
    fn eight_bytes_a_line() {
        let sixteen = "00000010  7f 45 4c 46 20 61 6e 64 20 73 6f 6d 65 20 6d 6f  .ELF and some mo\n\
                       00000020  72 65                                            re\n";
        let eight = "00000010  7f 45 4c 46 20 61 6e 64  .ELF and\n\
                     00000018  20 73 6f 6d 65 20 6d 6f   some mo\n\
                     00000020  72 65                    re\n";
        assert_eq!(halves(sixteen), eight);
    }
}
