//! The relay that serves the front end, if one does.

use super::{Front, Session};
use crate::{pool::Pool, protocol::Event, router::Relay};
use porthole_registry::transport::{Body as _, Environment, Request, Transport};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Asks once whether a relay serves this front end.
    pub(super) async fn learn_relay(&self) {
        let relay = self.is_served().await.then(|| Relay { url: self.place(), same_origin: true });
        let mut desk = self.desk.borrow_mut();
        if !std::mem::replace(&mut desk.asked_for_relay, true) {
            desk.router.set_serving(relay);
            drop(desk);
            self.tell_relay();
        }
    }

    /// Whether a relay answers beside the front end.
    pub(super) async fn is_served(&self) -> bool {
        let note = self.fetch_note(&format!("{}/relay.json", self.place())).await;
        note.is_some_and(|note| note.trim_ascii_start().starts_with(b"{"))
    }

    /// Where the front end is, without its file.
    pub(super) fn place(&self) -> String {
        let desk = self.desk.borrow();
        let base = desk.base.split(['?', '#']).next().unwrap_or_default();
        base[..base.rfind('/').map_or(0, |slash| slash)].to_owned()
    }

    /// A small file that the page's own host serves beside the page; `None` if there is none.
    pub(super) async fn fetch_note(&self, url: &str) -> Option<Vec<u8>> {
        let request: Request = http::Request::get(url).body(Default::default()).ok()?;
        let response = self.registry.transport().send(request).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let (mut body, mut note, mut buffer) = (response.into_body(), Vec::new(), vec![0; NOTE]);
        loop {
            match body.read(&mut buffer).await.ok()? {
                0 => return Some(note),
                read if note.len() + read > NOTE => return None,
                read => note.extend_from_slice(&buffer[..read]),
            }
        }
    }

    pub(super) fn tell_relay(&self) {
        let relay = self.desk.borrow().router.relay();
        let same_origin = relay.as_ref().is_some_and(|relay| relay.same_origin);
        self.front.tell(Event::Relay { url: relay.map(|relay| relay.url), same_origin });
    }
}

/// Bytes of `relay.json` that are read.
const NOTE: usize = 64 << 10;
