//! The header of a GGUF file (ggml: GGUF specification, versions 2 and 3): a model of llama.cpp.

use super::ArtifactFact;

/// Reads the version, the number of tensors and the keys that describe the model, as far as `head` reaches: the lists of
/// tokens that follow are long.
pub(super) fn facts(head: &[u8]) -> Vec<ArtifactFact> {
    let mut facts = Vec::new();
    // A header that is cut off ends the list of facts; that is no fault.
    let _ = read(&mut Reader(head), &mut facts);
    facts
}

fn read(reader: &mut Reader<'_>, facts: &mut Vec<ArtifactFact>) -> Option<()> {
    reader.take(4)?;
    let version = reader.u32()?;
    facts.push(ArtifactFact::new("format", format!("GGUF {version}")));
    if !matches!(version, 2 | 3) {
        return None;
    }
    facts.push(ArtifactFact::new("tensors", reader.u64()?.to_string()));
    let keys = reader.u64()?;
    for _ in 0..keys {
        let key = reader.text()?;
        let value = reader.value()?;
        if let Some(value) = value.filter(|_| wanted(&key)) {
            facts.push(ArtifactFact::new(key, value));
        }
    }
    Some(())
}

/// Keys that say what the model is. Those of its architecture begin with the architecture's name.
fn wanted(key: &str) -> bool {
    key.starts_with("general.")
        || [".context_length", ".embedding_length", ".block_count", ".attention.head_count", ".expert_count"]
            .iter()
            .any(|end| key.ends_with(end))
        || matches!(key, "tokenizer.ggml.model" | "tokenizer.chat_template")
}

/// Takes little-endian values from the front.
struct Reader<'h>(&'h [u8]);

impl<'h> Reader<'h> {
    fn take(&mut self, bytes: usize) -> Option<&'h [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.u64()?).ok()?;
        Some(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// The next value of any type, in words; `Some(None)` for a list, which is passed over.
    fn value(&mut self) -> Option<Option<String>> {
        let kind = self.u32()?;
        if kind == LIST {
            return self.skip_list().map(|()| None);
        }
        self.plain(kind).map(Some)
    }

    fn plain(&mut self, kind: u32) -> Option<String> {
        Some(match kind {
            0 => self.array::<1>()?[0].to_string(),
            1 => i8::from_le_bytes(self.array()?).to_string(),
            2 => u16::from_le_bytes(self.array()?).to_string(),
            3 => i16::from_le_bytes(self.array()?).to_string(),
            4 => self.u32()?.to_string(),
            5 => i32::from_le_bytes(self.array()?).to_string(),
            6 => f32::from_le_bytes(self.array()?).to_string(),
            7 => (self.array::<1>()?[0] != 0).to_string(),
            TEXT => self.text()?,
            10 => self.u64()?.to_string(),
            11 => i64::from_le_bytes(self.array()?).to_string(),
            12 => f64::from_le_bytes(self.array()?).to_string(),
            _ => return None,
        })
    }

    /// Skips a list. `None` for a list of lists: the specification allows it, and no model has one.
    fn skip_list(&mut self) -> Option<()> {
        let kind = self.u32()?;
        let length = self.u64()?;
        if let Some(size) = size_of(kind) {
            let bytes = length.checked_mul(size)?;
            self.take(usize::try_from(bytes).ok()?)?;
            return Some(());
        }
        if kind != TEXT {
            return None;
        }
        // Each text takes at least eight bytes, so the end of the head bounds the loop.
        for _ in 0..length {
            let bytes = usize::try_from(self.u64()?).ok()?;
            self.take(bytes)?;
        }
        Some(())
    }
}

/// Bytes of a value of this type; `None` if values differ in size.
fn size_of(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

const TEXT: u32 = 8;
const LIST: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn key(name: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [&text(name)[..], &kind.to_le_bytes(), value].concat()
    }

    fn header() -> Vec<u8> {
        let tokens = [&TEXT.to_le_bytes()[..], &2u64.to_le_bytes(), &text("a"), &text("bc")].concat();
        let scores = [&6u32.to_le_bytes()[..], &3u64.to_le_bytes(), &[0; 12]].concat();
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend_from_slice(&291u64.to_le_bytes());
        bytes.extend_from_slice(&6u64.to_le_bytes());
        bytes.extend(key("general.architecture", TEXT, &text("llama")));
        bytes.extend(key("llama.context_length", 4, &8192u32.to_le_bytes()));
        bytes.extend(key("tokenizer.ggml.tokens", LIST, &tokens));
        bytes.extend(key("tokenizer.ggml.scores", LIST, &scores));
        bytes.extend(key("llama.rope.freq_base", 6, &1f32.to_le_bytes()));
        bytes.extend(key("general.file_type", 4, &15u32.to_le_bytes()));
        bytes
    }

    #[test]
    fn keys_that_describe_the_model_are_read_over_lists() {
        let told: Vec<_> = facts(&header()).into_iter().map(|fact| format!("{}={}", fact.name, fact.value)).collect();
        let expected = [
            "format=GGUF 3",
            "tensors=291",
            "general.architecture=llama",
            "llama.context_length=8192",
            "general.file_type=15",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_cut_off_or_mad_ends_the_list() {
        let whole = header();
        for end in 0..whole.len() {
            assert!(facts(&whole[..end]).len() <= 5);
        }
        let mut mad = whole.clone();
        mad[16..24].fill(0xff);
        assert_eq!(facts(&mad).len(), 5);
        let long = [&b"GGUF\x03\0\0\0"[..], &[0; 8], &1u64.to_le_bytes(), &[0xff; 40]].concat();
        assert_eq!(facts(&long).len(), 2);
        assert_eq!(facts(b"GGUF\x01\0\0\0").len(), 1);
    }
}
