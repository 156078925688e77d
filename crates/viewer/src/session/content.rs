//! The content of files: a range of a layer, checked span by span or chunk by chunk before anything is shown.

use super::{Errand, Front, PageImage, SavedFile, Session, Work};
use crate::{
    highlight::highlight,
    look::{Access, LookBody},
    outline::outline,
    pool::Pool,
    pretty::visible,
    protocol::{Event, SHOWN_BYTES, ShownContent, ShownPart},
};
use porthole_core::{
    descriptor::Descriptor,
    layer::LayerNumber,
    path,
    reference::Reference,
    seek::{self, Opening, Seekable},
    tree::Content,
};
use porthole_inspect::{
    open::{Error as PartsError, FileParts},
    seek::Error as IndexError,
    text_diff::is_text,
};
use porthole_registry::{
    client::RemoteImage,
    transport::{Environment, Transport},
};
use porthole_source::ImageSource;
use std::ops::{ControlFlow, Range};

/// Bytes of a text that are shown.
const TEXT: usize = 256 << 10;
/// Bytes of a line of hexadecimal digits.
const LINE: u64 = 16;
/// A whole file.
pub(super) const ALL: Range<u64> = 0..u64::MAX;
/// Bytes of a file that is saved: it is put together in memory.
const SAVE: u64 = 1 << 30;

/// The requested part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Its beginning, if that is cheap.
    Start,
    /// Its beginning, at any cost.
    StartAnyway,
    /// Some bytes from this offset on, if that is cheap or `true` comes with it.
    Bytes(u64, bool),
    /// All of it, to be saved.
    All,
}

impl Want {
    /// The bytes from an offset on, or the beginning.
    pub(super) fn part(from: Option<u64>, anyway: bool) -> Self {
        match (from, anyway) {
            (Some(from), anyway) => Self::Bytes(from, anyway),
            (None, true) => Self::StartAnyway,
            (None, false) => Self::Start,
        }
    }

    /// Whether it is read at any cost.
    fn is_anyway(self) -> bool {
        !matches!(self, Self::Start | Self::Bytes(_, false))
    }
}

/// A file that is about to be read.
pub(super) struct SourceFile {
    parts: FileParts,
    /// Where the image is part of the front end.
    page: Option<PageImage>,
    reference: Reference,
    layer: Descriptor,
    size: u64,
    /// The part of it that is read.
    part: Range<u64>,
    /// Bytes that must be fetched to see the beginning of that part.
    cost: u64,
    /// Bytes that must be fetched to see all of that part.
    length: u64,
}

impl SourceFile {
    /// Bytes that must be fetched to see the beginning of what is read of it.
    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// Bytes that must be fetched to see all of what is read of it.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// A file whose beginning was read.
pub(super) struct BegunFile {
    /// Number of the look.
    pub(super) look: u32,
    /// Path, escaped as `porthole ls --json` prints it.
    pub(super) path: String,
    pub(super) content: FileContent,
    /// Its first bytes.
    pub(super) head: Vec<u8>,
    /// At any cost.
    pub(super) anyway: bool,
}

/// A content of an image, and what is needed to read it.
#[derive(Clone)]
pub(super) struct FileContent {
    content: Content,
    access: Option<Access>,
    page: Option<PageImage>,
    reference: Reference,
    layer: Descriptor,
}

impl FileContent {
    /// `None`: its layer is not one of the image.
    pub(super) fn of(body: &LookBody, content: Content) -> Option<Self> {
        let layer = body.resolved.image.layers.get(content.layer as usize)?.descriptor.clone();
        let page = body.page.as_ref().map(|page| page.image.clone());
        let (access, reference) = (body.access(content.layer).cloned(), body.reference.clone());
        Some(Self { content, access, page, reference, layer })
    }

    /// Bytes of the content.
    pub(super) fn size(&self) -> u64 {
        self.content.size
    }
}

/// Why nothing can be shown: whether the bytes are wrong, and the reason in words.
pub(super) type Failed = (bool, String);

pub(super) fn failed((wrong, text): Failed) -> ShownContent {
    ShownContent::Failed { wrong, text }
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Reads the file at a path, as the view of the look shows it, in place of the file that is being read.
    pub(super) fn read(&self, path: String, want: Want) {
        let look = self.desk.borrow().look.as_ref().map(|look| look.number);
        if let Some(look) = look {
            self.errands.begin(Errand::File, Work::Read { look, path, want });
        }
    }

    pub(super) async fn read_file(&self, look: u32, path: String, want: Want) {
        let tell = |content| {
            let (path, content) = (path.clone(), Box::new(content));
            self.front.tell(Event::Content { look, path, content });
        };
        let Some(content) = self.content(&path) else { return };
        let part = match want {
            Want::Bytes(from, _) => {
                let start = from / LINE * LINE;
                start..start.saturating_add(SHOWN_BYTES)
            }
            _ => ALL,
        };
        let file = match self.open(content.clone(), part).await {
            Ok(file) => file,
            Err(text) => return tell(ShownContent::Failed { wrong: false, text }),
        };
        if !want.is_anyway() && file.cost > self.options.unasked_bytes {
            return tell(ShownContent::Costly { bytes: file.cost });
        }
        if want == Want::All {
            return tell(self.save(file).await.unwrap_or_else(failed));
        }
        if let Want::Bytes(..) = want {
            // Those before are shown until then.
            return tell(self.show_bytes(file).await.unwrap_or_else(failed));
        }
        tell(ShownContent::Reading);
        match self.show(file, &path).await {
            Ok((shown, head)) => {
                tell(shown);
                let anyway = want == Want::StartAnyway;
                let begun = BegunFile { look, path, content, head, anyway };
                self.errands.begin(Errand::Facts, Work::Facts(Box::new(begun)));
            }
            Err(error) => tell(failed(error)),
        }
    }

    /// `None`: the path has no content.
    fn content(&self, path: &str) -> Option<FileContent> {
        let desk = self.desk.borrow();
        let look = desk.look.as_ref()?;
        let body = look.body.as_ref()?;
        FileContent::of(body, body.content(look.view(), &path::unescape(path)?)?)
    }

    /// What reads a part of a content.
    pub(super) async fn open(&self, content: FileContent, part: Range<u64>) -> Result<SourceFile, String> {
        let FileContent { content, access, page, reference, layer } = content;
        let (options, number) = (&self.options, LayerNumber::of_index(content.layer));
        let (parts, cost, length) = match access {
            Some(Access::Index(index)) => {
                let mut opening = Opening::at_offset(content.offset, &options.limits).part(part.clone());
                let reader = index.ask(|index| opening.step(index)).await.map_err(|error| match error {
                    IndexError::Read(_) | IndexError::Seek(seek::Error::Index(_)) if index.held().is_none() => {
                        format!("what was kept of layer {number} is damaged or gone: verify it again")
                    }
                    error => error.to_string(),
                })?;
                let range = reader.range();
                let length = range.end - range.start;
                // Reading stops when enough was seen.
                let from_start = index.facts().seekable() == Seekable::FromStart;
                let cost = if from_start { length } else { length.min(options.unasked_bytes) };
                (reader.into(), cost, length)
            }
            Some(Access::Toc(toc)) => {
                let parts = FileParts::by_toc(&toc, content, part.clone()).map_err(|error| error.to_string())?;
                (parts, 0, 0)
            }
            None => return Err(format!("layer {number} is not read, or too large for its index to be kept")),
        };
        let part = part.start.min(content.size)..part.end.min(content.size);
        Ok(SourceFile { parts, page, reference, layer, size: content.size, part, cost, length })
    }

    /// The beginning of the file at an escaped path, and the bytes that were read for it.
    pub(super) async fn show(&self, file: SourceFile, path: &str) -> Result<(ShownContent, Vec<u8>), Failed> {
        let (size, layer) = (file.size, file.layer.size);
        let mut bytes = Vec::new();
        let fetched = self
            .stream(file, |part| {
                bytes.extend_from_slice(part);
                bytes.len() < TEXT
            })
            .await?;
        let is_text = is_text(&bytes);
        let shown = bytes.get(..if is_text { TEXT } else { SHOWN_BYTES as usize }).unwrap_or(&bytes);
        let part = ShownPart { from: 0, shown: shown.len() as u64, size, fetched, layer };
        let shown = if is_text {
            let text = text(shown);
            let outline = if part.shown == size { outline(&text) } else { Vec::new() };
            ShownContent::Text { pieces: highlight(path, &text), outline, text, part }
        } else {
            ShownContent::Binary { hex: hex(0, shown), part }
        };
        Ok((shown, bytes))
    }

    /// The bytes of a part.
    async fn show_bytes(&self, file: SourceFile) -> Result<ShownContent, Failed> {
        let (from, size, layer) = (file.part.start, file.size, file.layer.size);
        let (bytes, fetched) = self.bytes(file).await?;
        let part = ShownPart { from, shown: bytes.len() as u64, size, fetched, layer };
        Ok(ShownContent::Binary { hex: hex(from, &bytes), part })
    }

    /// All bytes of what is read of a file, and how many were fetched for it.
    pub(super) async fn bytes(&self, file: SourceFile) -> Result<(Vec<u8>, u64), Failed> {
        let mut bytes = Vec::new();
        let fetched = self
            .stream(file, |part| {
                bytes.extend_from_slice(part);
                true
            })
            .await?;
        Ok((bytes, fetched))
    }

    /// All of a file, kept by the front end.
    async fn save(&self, file: SourceFile) -> Result<ShownContent, Failed> {
        let size = file.size;
        if size > SAVE {
            let text = format!(
                "a file of more than {SAVE} bytes is more than the page saves: the command line prints it whole"
            );
            return Err((false, text));
        }
        let mut kept = self.front.save();
        self.stream(file, |part| {
            kept.write(part);
            true
        })
        .await?;
        let url = kept.finish().map_err(|text| (false, text))?;
        Ok(ShownContent::Saved { url, size })
    }

    /// Gives the checked bytes of a file to `out`, which says whether it wants more. Returns the bytes fetched for it.
    pub(super) async fn stream(&self, file: SourceFile, out: impl FnMut(&[u8]) -> bool) -> Result<u64, Failed> {
        if file.part.is_empty() {
            return Ok(0);
        }
        let fetched = match &file.page {
            Some(page) => stream(page, &file.layer, file.parts, out).await.map(|_| 0),
            None => stream(&RemoteImage::new(&self.registry, file.reference), &file.layer, file.parts, out).await,
        }?;
        if let Some(look) = &mut self.desk.borrow_mut().look {
            look.fetched(fetched);
        }
        self.turn_soon();
        Ok(fetched)
    }
}

async fn stream<S: ImageSource>(
    source: &S,
    layer: &Descriptor,
    parts: FileParts,
    mut out: impl FnMut(&[u8]) -> bool,
) -> Result<u64, Failed> {
    let out = |part: &[u8]| if out(part) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    parts.read(source, Some(layer), out).await.map_err(|error| match error {
        PartsError::Source(error) => (false, error.to_string()),
        PartsError::Part(error) => (true, error.to_string()),
        PartsError::Chunk(error) => (true, error.to_string()),
    })
}

/// Text in which bytes that are not UTF-8, and invisible or direction-changing characters, are escapes.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for line in chunk.valid().split_inclusive(['\n', '\t']) {
            let (line, end) = match line.strip_suffix(['\n', '\t']) {
                Some(rest) => (rest, &line[rest.len()..]),
                None => (line, ""),
            };
            text.push_str(&visible(line.strip_suffix('\r').filter(|_| end == "\n").unwrap_or(line)));
            text.push_str(end);
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Sixteen bytes a line: where, hexadecimal, and as ASCII. The first is at this offset.
fn hex(from: u64, bytes: &[u8]) -> String {
    let line = |(number, line): (usize, &[u8])| {
        let digits: String = line.iter().map(|byte| format!("{byte:02x} ")).collect();
        let shown = |&byte: &u8| if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
        let ascii: String = line.iter().map(shown).collect();
        format!("{:08x}  {digits:<48} {ascii}\n", from + number as u64 * LINE)
    };
    bytes.chunks(LINE as usize).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shows_what_would_hide() {
        assert_eq!(text(b"a\tb\r\nc\x1b[0m\n"), "a\tb\nc\\u001b[0m\n");
        assert_eq!(text(b"\xff\xfe\xe2\x80\xaex"), "\\xff\\xfe\\u202ex");
        assert_eq!(text("é\\n\n".as_bytes()), "é\\n\n");
    }

    #[test]
    fn bytes_in_lines_of_sixteen() {
        let lines = hex(0, b"\x7fELF and some more");
        assert_eq!(
            lines,
            "00000000  7f 45 4c 46 20 61 6e 64 20 73 6f 6d 65 20 6d 6f  .ELF and some mo\n\
             00000010  72 65                                            re\n"
        );
    }
}
