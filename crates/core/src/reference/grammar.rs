//! Character rules for the parts of a reference, each one pass over the bytes.

use super::error::Rule;

/// Whether the text is 64 lower-case hex digits: an image id, which Docker does not accept as a name.
pub(super) fn is_identifier(text: &[u8]) -> bool {
    text.len() == 64 && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether the text is `host[:port]`, where the host is a domain name, an IPv4 address or an IPv6 address in brackets.
pub(super) fn is_domain(text: &[u8]) -> bool {
    let (host, port) = match text.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|&b| b == b']') else { return false };
            let (address, after) = (&rest[..end], &rest[end + 1..]);
            if address.is_empty() || !address.iter().all(|b| b.is_ascii_hexdigit() || *b == b':') {
                return false;
            }
            match after {
                [] => return true,
                [b':', port @ ..] => return is_port(port),
                _ => return false,
            }
        }
        None => super::split_once(text, b':'),
    };
    host.split(|&b| b == b'.').all(is_label) && port.is_none_or(is_port)
}

fn is_label(text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first(), text.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

fn is_port(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Whether the text is one component of a repository.
pub(super) fn is_path_component(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        let word = rest.iter().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let separator = match rest {
            [] => return true,
            [b'.', ..] => 1,
            [b'_', b'_', ..] => 2,
            [b'_', ..] => 1,
            [b'-', ..] => rest.iter().take_while(|&&b| b == b'-').count(),
            _ => return false,
        };
        rest = &rest[separator..];
    }
}

/// The rule that an invalid `domain` breaks.
pub(super) fn domain_rule(domain: &[u8]) -> Rule {
    if domain.starts_with(b"[") {
        return Rule::Address;
    }
    let (host, port) = super::split_once(domain, b':');
    if host.is_empty() {
        Rule::Empty
    } else if !host.split(|&b| b == b'.').all(is_label) {
        Rule::Host
    } else if port.is_some_and(|port| !is_port(port)) {
        Rule::Port
    } else {
        Rule::Host
    }
}

/// The rule that an invalid `component` of `path` breaks.
pub(super) fn component_rule(component: &[u8], path: &[u8]) -> Rule {
    if path.is_empty() {
        Rule::Empty
    } else if component.is_empty() {
        Rule::EmptyComponent
    } else if component.iter().any(u8::is_ascii_uppercase) {
        Rule::LowerCase
    } else if component.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(b)) {
        Rule::Separator
    } else {
        Rule::RepositoryCharacter
    }
}

/// The rule that `tag` breaks, apart from its length.
pub(super) fn tag_rule(tag: &[u8]) -> Option<Rule> {
    match tag {
        [] => Some(Rule::Empty),
        [b'.' | b'-', ..] => Some(Rule::TagStart),
        _ if tag.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)) => None,
        _ => Some(Rule::TagCharacter),
    }
}
