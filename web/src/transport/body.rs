//! A response body, read through one buffer that is used again and again.

use super::{Error, global::AbortGuard, stalled, words};
use js_sys::{Promise, Reflect, Uint8Array};
use porthole_registry::transport::{Body, BodyOutcome, Ending, ErrorKind};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::ReadableStream;

/// Bytes of the buffer that travels between the platform and us: large enough for the speed of the default reader, and
/// the garbage collector never sees a chunk.
const BUFFER: u32 = 256 << 10;

/// A body that aborts its request when dropped.
pub struct FetchBody {
    reader: Option<Reader>,
    /// Bytes read from the platform and not yet from us.
    rest: Option<Uint8Array>,
    guard: AbortGuard,
    note: Note,
}

/// What is reported of the end, once.
struct Note {
    ending: Option<Ending>,
    bytes: u64,
    length: Option<u64>,
}

impl Note {
    fn tell(&mut self, outcome: BodyOutcome) {
        if let Some(ending) = self.ending.take() {
            ending.tell(self.bytes, outcome);
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let whole = self.length == Some(self.bytes);
        self.tell(if whole { BodyOutcome::Complete } else { BodyOutcome::Dropped });
    }
}

enum Reader {
    /// A reader of a byte stream, and the buffer to lend to its next read.
    Byob(JsReader, Option<Uint8Array>),
    /// A reader that makes a new chunk for every read.
    Default(JsReader),
}

#[wasm_bindgen]
extern "C" {
    type JsStream;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn get_reader(this: &JsStream, options: &JsValue) -> Result<JsReader, JsValue>;

    type JsReader;
    #[wasm_bindgen(method, catch)]
    fn read(this: &JsReader) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = read)]
    fn read_into(this: &JsReader, view: &Uint8Array) -> Result<Promise, JsValue>;
}

impl FetchBody {
    /// `ending` hears of the end; `length` is what the answer says that the body has.
    pub(super) fn new(
        stream: Option<ReadableStream>,
        guard: AbortGuard,
        ending: Option<Ending>,
        length: Option<u64>,
    ) -> Self {
        let reader = stream.and_then(|stream| {
            let stream: JsStream = stream.unchecked_into();
            let options = js_sys::Object::new();
            let asked = Reflect::set(&options, &"mode".into(), &"byob".into());
            match stream.get_reader(&options) {
                Ok(reader) if asked.is_ok() => Some(Reader::Byob(reader, None)),
                _ => stream.get_reader(&JsValue::UNDEFINED).ok().map(Reader::Default),
            }
        });
        Self { reader, rest: None, guard, note: Note { ending, bytes: 0, length } }
    }

    async fn read_chunk(&mut self) -> Result<Option<Uint8Array>, Error> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let watch = self.guard.watch();
        let promise = match reader {
            Reader::Byob(reader, lent) => {
                let view = lent.take().unwrap_or_else(|| Uint8Array::new_with_length(BUFFER));
                reader.read_into(&view)
            }
            Reader::Default(reader) => reader.read(),
        };
        let answer = match promise {
            Ok(promise) => JsFuture::from(promise).await,
            Err(error) => Err(error),
        };
        let late = watch.stop();
        let answer = answer.map_err(|error| {
            if late { stalled() } else { Error { kind: ErrorKind::Interrupted, message: words(&error) } }
        })?;
        let chunk = Reflect::get(&answer, &"value".into()).ok().and_then(|value| value.dyn_into::<Uint8Array>().ok());
        let done = Reflect::get(&answer, &"done".into()).is_ok_and(|done| done.is_truthy());
        if done {
            self.reader = None;
            return Ok(None);
        }
        Ok(chunk)
    }

    /// Takes the buffer back for the next read.
    fn give_back(&mut self, view: &Uint8Array) {
        if let Some(Reader::Byob(_, lent)) = &mut self.reader {
            *lent = Some(Uint8Array::new(&view.buffer()));
        }
    }
}

impl Body for FetchBody {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let chunk = loop {
            let chunk = match self.rest.take() {
                Some(rest) => rest,
                None => match self.read_chunk().await {
                    Ok(Some(chunk)) => {
                        self.note.bytes += u64::from(chunk.length());
                        chunk
                    }
                    Ok(None) => {
                        self.note.tell(BodyOutcome::Complete);
                        return Ok(0);
                    }
                    Err(error) => {
                        self.note.tell(BodyOutcome::Failed(error.clone()));
                        return Err(error);
                    }
                },
            };
            if chunk.length() > 0 {
                break chunk;
            }
            self.give_back(&chunk);
        };
        let length = chunk.length() as usize;
        if length <= buffer.len() {
            chunk.copy_to(&mut buffer[..length]);
            self.give_back(&chunk);
            return Ok(length);
        }
        let taken = buffer.len();
        chunk.subarray(0, taken as u32).copy_to(buffer);
        self.rest = Some(chunk.subarray(taken as u32, length as u32));
        Ok(taken)
    }
}
