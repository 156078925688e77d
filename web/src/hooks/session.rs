//! The thread that does the work: messages out at once, messages in at most once a frame.

use super::opened::Opened;
use crate::protocol::{bytes_of, read};
use porthole_core::failure::FailureClass;
use porthole_viewer::protocol::{Command, Event, FailureNotice};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{MessageEvent, Worker};
use yew::Callback;

/// Where Trunk puts the session worker, beside the page.
const SCRIPT: &str = "session_loader.js";
/// How long messages wait while the page is hidden and has no frames, in milliseconds.
const HIDDEN_WAIT: i32 = 250;

/// The session worker. Commands wait until it listens; events are handed over together, once a frame, so that however many arrive the
/// page is drawn once.
pub struct Session {
    worker: Option<Worker>,
    state: Rc<RefCell<Inbox>>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

#[derive(Default)]
struct Inbox {
    ready: bool,
    outbox: Vec<JsValue>,
    said: Vec<JsValue>,
    scheduled: bool,
}

impl Session {
    /// Starts the worker. If it cannot be started, `events` gets a failure of no look; if it breaks later, `died` is called.
    pub fn start(events: Callback<Vec<Event>>, died: Callback<()>) -> Self {
        let state = Rc::new(RefCell::new(Inbox::default()));
        let on_frame: Closure<dyn FnMut()> = {
            let (state, events) = (Rc::clone(&state), events.clone());
            Closure::new(move || {
                let said = {
                    let mut state = state.borrow_mut();
                    state.scheduled = false;
                    std::mem::take(&mut state.said)
                };
                let decoded: Vec<Event> = said.iter().filter_map(read).collect();
                if !decoded.is_empty() {
                    events.emit(decoded);
                }
            })
        };
        let worker = Worker::new(SCRIPT);
        let on_message = {
            let (state, worker) = (Rc::clone(&state), worker.clone().ok());
            Closure::new(move |message: MessageEvent| {
                let mut state = state.borrow_mut();
                if !state.ready {
                    state.ready = true;
                    for command in std::mem::take(&mut state.outbox) {
                        post(worker.as_ref(), &command);
                    }
                }
                state.said.push(message.data());
                if !state.scheduled {
                    state.scheduled = true;
                    schedule(on_frame.as_ref().unchecked_ref());
                }
            })
        };
        let on_error = {
            let (state, events) = (Rc::clone(&state), events.clone());
            Closure::new(move |_| {
                if state.borrow().ready {
                    died.emit(());
                } else {
                    events.emit(vec![no_worker()]);
                }
            })
        };
        match &worker {
            Ok(worker) => {
                worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
                worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
            }
            Err(_) => events.emit(vec![no_worker()]),
        }
        Self { worker: worker.ok(), state, _on_message: on_message, _on_error: on_error }
    }

    /// Sends a command now, or as soon as the session listens.
    pub fn send(&self, command: &Command) {
        self.post(bytes_of(command));
    }

    /// Hands over a file or a folder of this machine, for the looks that follow. Only handles are copied.
    pub fn give(&self, opened: &Opened) {
        self.post(js_sys::Array::of2(&opened.name.as_str().into(), &opened.handle).into());
    }

    /// Has the person choose a place for a file, where the browser can, and sends the command that writes it. Must be called soon after
    /// a click.
    pub fn save_to(&self, name: &str, command: Command) {
        let Some(choice) = pick(name) else { return self.send(&command) };
        let worker = self.worker.clone();
        spawn_local(async move {
            // An error means that nothing was chosen.
            if let Ok(place) = JsFuture::from(choice).await {
                post(worker.as_ref(), &js_sys::Array::of2(&JsValue::NULL, &place));
                post(worker.as_ref(), &bytes_of(&command));
            }
        });
    }

    fn post(&self, message: JsValue) {
        let mut state = self.state.borrow_mut();
        if state.ready {
            post(self.worker.as_ref(), &message);
        } else {
            state.outbox.push(message);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.set_onmessage(None);
            worker.set_onerror(None);
            worker.terminate();
        }
    }
}

/// The dialog of the browser for a place to save to, if it has one.
fn pick(name: &str) -> Option<js_sys::Promise> {
    let window = web_sys::window()?;
    let dialog = js_sys::Reflect::get(&window, &"showSaveFilePicker".into()).ok()?;
    let options = js_sys::Object::new();
    js_sys::Reflect::set(&options, &"suggestedName".into(), &name.into()).ok()?;
    dialog.dyn_ref::<js_sys::Function>()?.call1(&window, &options).ok()?.dyn_into().ok()
}

fn post(worker: Option<&Worker>, message: &JsValue) {
    if let Some(worker) = worker {
        // Bytes and files can always be cloned: this cannot fail.
        let _ = worker.post_message(message);
    }
}

/// Calls back before the next frame; a hidden page has none, so there after a while.
fn schedule(callback: &js_sys::Function) {
    let Some(window) = web_sys::window() else { return };
    let hidden = window.document().is_some_and(|document| document.hidden());
    let scheduled = if hidden {
        window.set_timeout_with_callback_and_timeout_and_arguments_0(callback, HIDDEN_WAIT)
    } else {
        window.request_animation_frame(callback)
    };
    let _ = scheduled;
}

/// The session never came up.
fn no_worker() -> Event {
    let text = "This page could not run its session worker, which fetches and checks images. Reload the page; if that does not help, \
         files beside it are missing, or this browser has no WebAssembly SIMD.";
    Event::Failure { look: 0, failure: Box::new(FailureNotice::plain(FailureClass::Other, text)) }
}
