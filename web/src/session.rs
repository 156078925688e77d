//! The session worker: one for the page. The page only draws what it is sent.

use crate::{
    checker::Checker,
    disk::OnDisk,
    kept::OriginFiles,
    own,
    pool::{Said, Workers},
    protocol::{bytes_of, read},
    transport::Fetch,
    worker,
    written::{self, DiskFile, FileHandle},
};
use js_sys::{Array, Uint8Array};
use porthole_core::{failure::FailureClass, limits::Limits, platform::Platform};
use porthole_registry::{Options, Registry, trace::Recorder, transport::Environment as _};
use porthole_source::Place;
use porthole_viewer::{
    protocol::{Event, EvidenceJob, FailureNotice},
    session::{self, ArchiveFile as _, Front, GivenFile, GivenPlace, SavedFile, Session, given_reference},
};
use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, HashMap},
    rc::Rc,
};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::spawn_local;

/// Listens to the page until the worker is ended.
pub fn run() {
    worker::on_panic(|text| tell(&internal(text)));
    let files = Files::default();
    let place = ArchivePlace::default();
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
    let checker = {
        let (known, own): (_, Rc<OnceCell<Rc<Checker>>>) = (Rc::clone(&known), Rc::default());
        let ended = Rc::clone(&own);
        let checker = Rc::new(Checker::new(move |answer| {
            let Some(session) = known.get() else { return };
            match answer {
                Some(answer) => session.hear_evidence(answer),
                None => session.bury_evidence(),
            }
            // Not now: this is called by the worker that ends.
            let ended = Rc::clone(&ended);
            spawn_local(async move {
                if let Some(checker) = ended.get() {
                    checker.end();
                }
            });
        }));
        let _ = own.set(Rc::clone(&checker));
        checker
    };
    let recorder = Recorder::new(|| Fetch.now());
    let options = Options { short_accept: true, observer: recorder.observer(), ..Options::default() };
    let session = Rc::new(Session::new(
        Registry::new(Fetch, options),
        Workers::start(hear),
        Tab { files: Rc::clone(&files), checker: Rc::clone(&checker), place: Rc::clone(&place) },
        session::SessionOptions {
            limits: Limits::of_a_tab(),
            page: SAMPLE.into(),
            recorder,
            ..session::SessionOptions::default()
        },
    ));
    session.set_kept(Rc::new(OriginFiles::default()));
    let _ = known.set(Rc::clone(&session));
    let driven = Rc::clone(&session);
    spawn_local(async move { driven.run().await });
    spawn_local(own::sweep());
    spawn_local(async move {
        session.set_platforms(default_platforms().await);
        worker::listen(move |message| match read(&message) {
            Some(command) => session.obey(command),
            None => match (given(&message), written::handle(&message)) {
                (Some((name, file)), _) => {
                    files.borrow_mut().insert(given_reference(&name), (name, file));
                }
                (None, Some(handle)) => *place.borrow_mut() = Some(handle),
                (None, None) => tell(&internal("the page sent what its session does not understand".into())),
            },
        });
        tell(&Event::Ready);
    });
}

/// The layout that ships inside the page.
static SAMPLE: &[u8] = include_bytes!("../sample/sample.tar");

type TabSession = Session<Fetch, Workers, Tab>;

/// The page, as its session sees it.
struct Tab {
    files: Files,
    checker: Rc<Checker>,
    place: ArchivePlace,
}

/// Where a person wants the next archive.
type ArchivePlace = Rc<RefCell<Option<FileHandle>>>;

/// Files that a person opened, with their names, by the references that stand for them.
type Files = Rc<RefCell<HashMap<String, (String, Handles)>>>;

/// A file of this machine, or the files of a folder by their paths.
#[derive(Clone)]
enum Handles {
    File(web_sys::Blob),
    Folder(BTreeMap<String, web_sys::Blob>),
}

/// What the page hands over: a name and a file, or a name and an array of paths with files.
fn given(message: &JsValue) -> Option<(String, Handles)> {
    let pair: &Array = message.dyn_ref()?;
    let (name, handle) = (pair.get(0).as_string()?, pair.get(1));
    let Some(files) = handle.dyn_ref::<Array>() else { return Some((name, Handles::File(handle.dyn_into().ok()?))) };
    let file = |pair: JsValue| {
        let pair: Array = pair.dyn_into().ok()?;
        Some((pair.get(0).as_string()?, pair.get(1).dyn_into().ok()?))
    };
    Some((name, Handles::Folder(files.iter().filter_map(file).collect())))
}

impl Front for Tab {
    type File = Parts;
    type Archive = DiskFile;
    type Scratch = DiskFile;

    fn tell(&self, event: Event) {
        tell(&event);
    }

    fn save(&self) -> Parts {
        Parts(Array::new())
    }

    fn archive(&self) -> DiskFile {
        match self.place.borrow_mut().take() {
            Some(handle) => DiskFile::in_place(handle),
            None => DiskFile::in_storage(),
        }
    }

    async fn scratch(&self, bytes: u64) -> Result<DiskFile, String> {
        let mut file = DiskFile::in_storage();
        file.begin(bytes).await?;
        Ok(file)
    }

    fn check(&self, job: EvidenceJob) {
        self.checker.check(&job);
    }

    fn given(&self, reference: &str) -> Option<(String, GivenPlace)> {
        let (name, file) = self.files.borrow().get(reference)?.clone();
        let open = |file| GivenFile::new(OnDisk(file));
        let place = match file {
            Handles::File(file) => Place::File(open(file)),
            Handles::Folder(files) => {
                Place::Directory(files.into_iter().map(|(path, file)| (path, open(file))).collect())
            }
        };
        Some((name, place))
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
    Event::Failure { look: 0, failure: Box::new(FailureNotice::plain(FailureClass::Other, text)) }
}

fn tell(event: &Event) {
    worker::post(&bytes_of(event));
}
