//! The session worker: one for the page. The page only draws what it is sent.

use crate::{
    pool::{Said, Workers},
    protocol::{decode, encode},
    transport::Fetch,
    worker,
};
use js_sys::{Array, Uint8Array};
use porthole_core::{limits::Limits, platform::Platform};
use porthole_registry::{Options, Registry};
use porthole_viewer::{
    protocol::{Event, FailureKind, FailureNotice},
    session::{self, Front, SavedFile, Session},
};
use std::{cell::OnceCell, rc::Rc};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

/// Listens to the page until the worker is ended.
pub fn run() {
    worker::on_panic(|text| tell(&internal(text)));
    let known: Rc<OnceCell<Rc<TabSession>>> = Rc::default();
    let hear = {
        let known = Rc::clone(&known);
        move |number, said| {
            let Some(session) = known.get() else { return };
            match said {
                Said::Report(report) => session.hear(number, *report),
                Said::Ended => session.bury(number),
            }
        }
    };
    let session = Rc::new(Session::new(
        Registry::new(Fetch, Options { short_accept: true, ..Options::default() }),
        Workers::start(hear),
        Tab,
        session::SessionOptions {
            limits: Limits::of_a_tab(),
            page: SAMPLE.into(),
            ..session::SessionOptions::default()
        },
    ));
    let _ = known.set(Rc::clone(&session));
    let driven = Rc::clone(&session);
    spawn_local(async move { driven.run().await });
    spawn_local(async move {
        session.set_platforms(default_platforms().await);
        worker::listen(move |message| match message.as_string().as_deref().and_then(decode) {
            Some(command) => session.obey(command),
            None => tell(&internal("the page sent what its session does not understand".into())),
        });
        tell(&Event::Ready);
    });
}

/// The layout that ships inside the page.
static SAMPLE: &[u8] = include_bytes!("../sample/sample.tar");

type TabSession = Session<Fetch, Workers, Tab>;

/// The page, as its session sees it.
struct Tab;

impl Front for Tab {
    type File = Parts;

    fn tell(&self, event: Event) {
        tell(&event);
    }

    fn save(&self) -> Parts {
        Parts(Array::new())
    }
}

/// A file that is being saved. Its bytes are the browser's, outside the memory of this worker.
struct Parts(Array);

impl SavedFile for Parts {
    fn write(&mut self, bytes: &[u8]) {
        self.0.push(&Uint8Array::from(bytes));
    }

    fn finish(self) -> Result<String, String> {
        let failed = |_: JsValue| "this browser cannot keep the file".to_owned();
        let options = web_sys::BlobPropertyBag::new();
        // Never anything that a browser would open.
        options.set_type("application/octet-stream");
        let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&self.0, &options).map_err(failed)?;
        web_sys::Url::create_object_url_with_blob(&blob).map_err(failed)
    }
}

/// Linux on this machine's architecture where the browser gives it, then on the one that most images are made for.
async fn default_platforms() -> Vec<Platform> {
    let amd64 = Platform::new("linux", "amd64", None);
    match worker::architecture().await.as_deref() {
        Some("arm") => vec![Platform::new("linux", "arm64", None), amd64],
        _ => vec![amd64],
    }
}

fn internal(text: String) -> Event {
    let text =
        if text.contains("internal error") { text } else { format!("internal error (a bug in porthole): {text}") };
    Event::Failure { look: 0, failure: Box::new(FailureNotice::plain(FailureKind::Other, text)) }
}

fn tell(event: &Event) {
    worker::post(&encode(event).into());
}
