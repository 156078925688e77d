//! Labels of domain names in ASCII (RFC 3492).

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const FIRST_BIAS: u32 = 72;
const FIRST: u32 = 128;

/// The label itself if it is ASCII, else its `xn--` form. It must be lower case and in normal form C already.
pub(super) fn label(label: &str) -> String {
    if label.is_ascii() { label.to_owned() } else { format!("xn--{}", encode(label)) }
}

/// The encoder of section 6.3.
fn encode(label: &str) -> String {
    let characters: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = out.len() as u32;
    let (mut handled, mut next, mut delta, mut bias) = (basic, FIRST, 0, FIRST_BIAS);
    if basic > 0 {
        out.push('-');
    }
    while let Some(&least) = characters.iter().filter(|&&character| character >= next).min() {
        delta += (least - next) * (handled + 1);
        next = least;
        for &character in &characters {
            if character < next {
                delta += 1;
            }
            if character == next {
                push(&mut out, delta, bias);
                bias = adapted(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        next += 1;
    }
    out
}

/// A number of variable length.
fn push(out: &mut String, mut number: u32, bias: u32) {
    for position in (BASE..).step_by(BASE as usize) {
        let threshold = position.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if number < threshold {
            break;
        }
        out.push(digit(threshold + (number - threshold) % (BASE - threshold)));
        number = (number - threshold) / (BASE - threshold);
    }
    out.push(digit(number));
}

/// `a` to `z`, then `0` to `9` (section 5).
fn digit(value: u32) -> char {
    char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[value as usize])
}

/// Section 6.1.
fn adapted(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / count;
    let mut bias = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        bias += BASE;
    }
    bias + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_list() {
        for (text, ascii) in [
            ("com", "com"),
            ("公司", "xn--55qx5d"),
            ("食狮", "xn--85x722f"),
            ("中国", "xn--fiqs8s"),
            ("bücher", "xn--bcher-kva"),
            ("østre-toten", "xn--stre-toten-zcb"),
            ("السعودية", "xn--mgberp4a5d4ar"),
            // Section 7.1 (L): "3<nen>B<gumi><kinpachi><sensei>", in lower case.
            ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
        ] {
            assert_eq!(label(text), ascii);
        }
    }
}
