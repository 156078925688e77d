//! JSON and XML as a tree of what they hold, to be folded. Names and values stay as their author wrote them, doubled names included.

use crate::pretty::{string_length, visible};
use serde::{Deserialize, Serialize, de::IgnoredAny};

/// Most nodes of an outline. A text with more is shown as plain text.
pub const OUTLINE_NODES: usize = 5_000;
/// Most levels of an outline.
pub const OUTLINE_DEPTH: usize = 100;

/// A value or an element. The nodes below it follow it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutlineNode {
    /// Levels above it.
    pub depth: u16,
    /// Its name, its place in a list, or its tag.
    pub name: String,
    /// Its value, if it has no nodes below it.
    pub value: String,
    /// How many nodes are directly below it; `None` for one that cannot have any.
    pub children: Option<u32>,
}

/// The outline of a whole text. Empty: it is neither JSON nor XML, has a single value, or exceeds a limit.
pub fn outline(text: &str) -> Vec<OutlineNode> {
    let trimmed = text.trim_start_matches('\u{feff}').trim_start();
    let nodes = match trimmed.bytes().next() {
        Some(b'{' | b'[') => json(trimmed),
        Some(b'<') => xml(trimmed),
        _ => None,
    };
    nodes.filter(|nodes| nodes.len() > 1).unwrap_or_default()
}

#[derive(Default)]
struct Writer {
    nodes: Vec<OutlineNode>,
    /// The nodes that are not closed.
    open: Vec<usize>,
}

impl Writer {
    /// Adds a node; one that can have others below it is open until it is closed. `None`: a limit is exceeded.
    fn add(&mut self, name: &str, value: &str, opens: bool) -> Option<()> {
        if self.nodes.len() >= OUTLINE_NODES || self.open.len() >= OUTLINE_DEPTH {
            return None;
        }
        if let Some(count) = self.parent().and_then(|parent| parent.children.as_mut()) {
            *count += 1;
        }
        let depth = self.open.len() as u16;
        let (name, value) = (visible(name), visible(value));
        self.nodes.push(OutlineNode { depth, name, value, children: opens.then_some(0) });
        if opens {
            self.open.push(self.nodes.len() - 1);
        }
        Some(())
    }

    fn parent(&mut self) -> Option<&mut OutlineNode> {
        self.nodes.get_mut(*self.open.last()?)
    }
}

fn json(text: &str) -> Option<Vec<OutlineNode>> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut writer = Writer::default();
    let (mut rest, mut name) = (text, None);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ if first.is_ascii_whitespace() => 1,
            _ => rest.find(['}', ']', ',', ' ', '\t', '\n', '\r']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            '}' | ']' => {
                writer.open.pop();
            }
            ',' | ':' | ' ' | '\t' | '\n' | '\r' => {}
            '"' if after.trim_ascii_start().starts_with(':') => name = Some(token.trim_matches('"').to_owned()),
            _ => {
                let place = || writer.nodes.get(*writer.open.last()?)?.children.map(|place| place.to_string());
                let name = name.take().or_else(place).unwrap_or_default();
                let opens = matches!(first, '{' | '[');
                writer.add(&name, if opens { "" } else { token }, opens)?;
            }
        }
    }
    Some(writer.nodes)
}

fn xml(text: &str) -> Option<Vec<OutlineNode>> {
    let mut writer = Writer::default();
    let mut names: Vec<&str> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (before, markup) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        let before = before.trim();
        if !before.is_empty() {
            // No text stands beside the outermost element.
            names.last()?;
            writer.add("", &one_line(before), false)?;
        }
        if markup.is_empty() {
            break;
        }
        let whole = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        if let Some((start, end)) = whole.into_iter().find(|(start, _)| markup.starts_with(start)) {
            let (inner, after) = markup[start.len()..].split_once(end)?;
            rest = after;
            match start {
                "<![CDATA[" => writer.add("", &one_line(inner), false)?,
                "<?" => {}
                _ => writer.add(start, &one_line(inner), false)?,
            }
            continue;
        }
        let end = tag_end(markup)?;
        let (tag, after) = (&markup[1..end], &markup[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            if names.pop()? != name.trim_end() {
                return None;
            }
            close(&mut writer);
        } else if !tag.starts_with('!') {
            let (tag, opens) = tag.strip_suffix('/').map_or((tag, true), |tag| (tag, false));
            let name = tag.split(|c: char| c.is_ascii_whitespace()).next().filter(|name| !name.is_empty())?;
            writer.add(&one_line(tag), "", opens)?;
            if opens {
                names.push(name);
            }
        }
    }
    names.is_empty().then_some(writer.nodes)
}

/// Text without line breaks, which mean no more than spaces.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The end of a tag: the first `>` outside of quotes.
fn tag_end(markup: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in markup.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Ends an element. One that holds a text alone becomes one node.
fn close(writer: &mut Writer) {
    let Some(at) = writer.open.pop() else { return };
    let text = writer.nodes.get(at + 1).filter(|text| text.name.is_empty() && text.children.is_none());
    if let Some(text) = text.filter(|_| writer.nodes.len() == at + 2).map(|text| text.value.clone())
        && let Some(node) = writer.nodes.get_mut(at)
    {
        (node.value, node.children) = (text, None);
        writer.nodes.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let line = |node: &OutlineNode| {
            let count = node.children.map(|count| format!(" ({count})")).unwrap_or_default();
            format!("{}{}={}{count}", " ".repeat(node.depth.into()), node.name, node.value)
        };
        outline(text).iter().map(line).collect()
    }

    #[test]
    fn json_keeps_order_doubled_names_and_numbers() {
        let text = r#"{"b": 1.0e+2, "a": [true, {"x:": "y,}"}, []], "b": null, "": "\u0041"}"#;
        let expected = [
            "= (4)",
            " b=1.0e+2",
            " a= (3)",
            "  0=true",
            "  1= (1)",
            r#"   x:="y,}""#,
            "  2= (0)",
            " b=null",
            // A name may be empty, which is not a place in a list.
            r#" ="\u0041""#,
        ];
        assert_eq!(lines(text), expected);
    }

    #[test]
    fn xml_has_elements_texts_and_comments() {
        let text = "<?xml version='1.0'?>\n<!DOCTYPE a>\n<a\n x=\"1>2\"><b>text</b><c/><!-- why --><d><e> 1 </e>t<![CDATA[<z>]]></d></a>\n";
        let expected = ["a x=\"1>2\"= (4)", " b=text", " c=", " <!--=why", " d= (3)", "  e=1", "  =t", "  =<z>"];
        assert_eq!(lines(text), expected);
    }

    #[test]
    fn what_is_not_well_formed_has_no_outline() {
        for text in ["", "text", "{\"a\":", "[1,]", "<a><b></a>", "<a", "<a></a>b", "<html><br><p>x</html>", "1", "{}"]
        {
            assert_eq!(lines(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn nothing_hides_in_an_outline() {
        assert_eq!(lines("{\"a\u{202e}\": \"\u{200b}\"}"), ["= (1)", r#" a\u202e="\u200b""#]);
    }

    #[test]
    fn an_outline_has_limits() {
        let list = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(outline(&list(OUTLINE_NODES - 1)).len(), OUTLINE_NODES);
        assert!(outline(&list(OUTLINE_NODES)).is_empty());
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(outline(&deep(OUTLINE_DEPTH - 1)).len(), OUTLINE_DEPTH);
        assert!(outline(&deep(OUTLINE_DEPTH + 1)).is_empty());
        assert!(outline(&"<a>".repeat(100_000)).is_empty());
    }
}
