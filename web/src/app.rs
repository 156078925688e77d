//! The page as a whole: it holds the state, carries out effects and shows one of two pages.

use crate::components::dialogs::dialog;
use crate::hooks::{clock, file, opened, session::Session, storage};
use crate::pages::{inspect::Inspect, start::start_page};
use porthole_viewer::address::Address;
use porthole_viewer::protocol::{Command, RelaySettings};
use porthole_viewer::session::given_reference;
use porthole_viewer::state::{Action, Effect, State, recent_text};
use std::rc::Rc;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use yew::prelude::*;

/// How long a saved file stays at its address, in milliseconds.
const KEPT: i32 = 60_000;
/// How long the address waits for the selection to rest, in milliseconds: browsers refuse a page that rewrites it too often.
const ADDRESS_WAIT: i32 = 300;

/// The root component of the page.
pub struct App {
    state: Rc<State>,
    session: Session,
    files: opened::OpenedFiles,
    on_file: Callback<Vec<opened::Opened>>,
    /// Made once: a part that is given the same one is not drawn again for it.
    dispatch: Callback<Action>,
    address: Option<clock::Pause>,
    marked: Marks,
    _on_hash: Closure<dyn FnMut()>,
}

/// What was marked on the timeline in a look.
#[derive(Default)]
struct Marks {
    look: u32,
    rows: bool,
    all: bool,
}

impl Component for App {
    type Message = Action;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        storage::show_theme(&storage::theme());
        let relay = storage::relay_settings();
        let session = start(ctx, &relay);
        let files = opened::OpenedFiles::default();
        let on_file = {
            let (files, link) = (Rc::clone(&files), ctx.link().clone());
            Callback::from(move |opened: Vec<opened::Opened>| {
                let mut names = Vec::new();
                for opened in opened {
                    names.push(opened.name.clone());
                    opened::keep(&files, opened);
                }
                let mut names = names.into_iter();
                if let Some(first) = names.next() {
                    link.send_message(Action::File(first));
                }
                if let Some(second) = names.next() {
                    link.send_message(Action::Compare { with: given_reference(&second), platform: None });
                }
            })
        };
        file::take_drops(on_file.clone(), ctx.link().callback(Action::DropFailed));
        let on_hash = {
            let link = ctx.link().clone();
            Closure::new(move || link.send_message(Action::Address(Box::new(address()))))
        };
        if let Some(window) = web_sys::window() {
            let _ = window.add_event_listener_with_callback("hashchange", on_hash.as_ref().unchecked_ref());
        }
        ctx.link().send_message(Action::Address(Box::new(address())));
        Self {
            state: Rc::new(State {
                relay_settings: relay,
                recent: Rc::new(storage::recent()),
                keeps_recent: storage::keeps_recent(),
                trust_root: storage::trust_root().into(),
                ..State::default()
            }),
            session,
            files,
            on_file,
            dispatch: ctx.link().callback(|action| action),
            address: None,
            marked: Marks::default(),
            _on_hash: on_hash,
        }
    }

    fn update(&mut self, ctx: &Context<Self>, action: Action) -> bool {
        if matches!(action, Action::Address(_)) {
            // What waits to be written belongs to the address before.
            self.address = None;
        }
        if matches!(action, Action::File(_)) {
            self.files.borrow().iter().for_each(|opened| self.session.give(opened));
        }
        for effect in Rc::make_mut(&mut self.state).update(action) {
            self.carry_out(ctx, effect);
        }
        true
    }

    fn view(&self, _ctx: &Context<Self>) -> Html {
        let dispatch = self.dispatch.clone();
        let state = Rc::clone(&self.state);
        let page = if state.inspects() {
            html! { <Inspect {state} dispatch={dispatch.clone()} /> }
        } else {
            start_page(&state, &dispatch)
        };
        html! {
            <>
                { page }
                { file::inputs(self.on_file.clone()) }
                { dialog(&self.state, &dispatch) }
            </>
        }
    }

    fn rendered(&mut self, _ctx: &Context<Self>, _first: bool) {
        let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
        document.set_title(&self.state.title());
        if let Some(body) = document.body() {
            let _ = body.set_attribute("data-page", if self.state.inspects() { "inspect" } else { "start" });
        }
        self.mark();
    }
}

impl App {
    /// Marks the first rows and the last ones, once they are drawn: the parts are drawn before the whole.
    fn mark(&mut self) {
        let (look, rows) = (self.state.look, &self.state.rows);
        if self.marked.look != look {
            self.marked = Marks { look, ..Marks::default() };
        }
        if !self.marked.rows && !rows.rows.is_empty() {
            self.marked.rows = true;
            clock::mark("porthole:rows");
        }
        if !self.marked.all && rows.complete {
            self.marked.all = true;
            clock::mark("porthole:all");
        }
    }

    fn carry_out(&mut self, ctx: &Context<Self>, effect: Effect) {
        match effect {
            Effect::Restart => {
                self.session = start(ctx, &self.state.relay_settings);
                self.files.borrow().iter().for_each(|file| self.session.give(file));
            }
            Effect::Send(command) => self.session.send(&command),
            Effect::Push(route) => {
                self.address = None;
                show_address(&route, web_sys::History::push_state_with_url);
            }
            Effect::Replace(route) => {
                self.address = clock::Pause::new(ADDRESS_WAIT, move || {
                    show_address(&route, web_sys::History::replace_state_with_url)
                });
            }
            Effect::KeepRecent(recent, keep) => storage::keep_recent(&recent_text(&recent), keep),
            Effect::KeepTrustRoot(text) => storage::keep_trust_root(&text),
            Effect::KeepPolicy(text) => storage::keep_policy(&text),
            Effect::Keep(relay) => storage::keep_relay_settings(&relay),
            Effect::SaveArchive { name, format } => {
                self.session.save_to(&name, Command::SaveArchive { format });
            }
            Effect::Save { url, name } => save(&url, &name),
            Effect::Entered => clock::mark("porthole:enter"),
        }
    }
}

/// Starts a session, and sends it the address of the page.
fn start(ctx: &Context<App>, relay: &RelaySettings) -> Session {
    let session = Session::start(ctx.link().callback(Action::Events), ctx.link().callback(|()| Action::SessionDied));
    session.send(&Command::Start { base: base(), relay: relay.clone() });
    session.send(&Command::SetPolicy { text: storage::policy() });
    session
}

/// Has the browser save what is at an address of this page.
fn save(url: &str, name: &str) {
    let document = web_sys::window().and_then(|window| window.document());
    let link = document.and_then(|document| document.create_element("a").ok());
    if let Some(link) = link.and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = link.set_attribute("href", url);
        let _ = link.set_attribute("download", name);
        link.click();
        // The browser has taken the file by then; the address would keep its bytes as long as the page lives.
        let url = url.to_owned();
        std::mem::forget(clock::Pause::new(KEPT, move || {
            let _ = web_sys::Url::revoke_object_url(&url);
        }));
    }
}

/// The page's own address, without what it looks at.
fn base() -> String {
    let base =
        web_sys::window().and_then(|window| window.document()).and_then(|document| document.base_uri().ok().flatten());
    base.unwrap_or_default().split('#').next().unwrap_or_default().to_owned()
}

fn address() -> Address {
    let hash = web_sys::window().and_then(|window| window.location().hash().ok());
    Address::parse(&hash.unwrap_or_default())
}

type Write = fn(&web_sys::History, &JsValue, &str, Option<&str>) -> Result<(), JsValue>;

/// Writes the address without telling ourselves: neither way fires `hashchange`.
fn show_address(route: &Address, write: Write) {
    if let Some(Ok(history)) = web_sys::window().map(|window| window.history()) {
        let text = route.to_string();
        let _ = write(&history, &JsValue::NULL, "", Some(if text.is_empty() { "#" } else { &text }));
    }
}
