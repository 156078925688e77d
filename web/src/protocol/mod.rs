//! What crosses between the threads of the page: twins of the core's values, converted by hand.
//!
//! App and session exchange [`Command`]s and [`Event`]s, each as one JSON string in one `postMessage`. The app waits
//! for [`Event::Ready`] before it sends anything: a message that arrives while a worker still compiles is lost.

pub mod batch;
mod content;
mod event;
mod failure;
mod image;
pub mod layer;
mod view;

pub use content::{Content, Part};
pub use event::{Chain, Event, LayerProgress, LayerState, Link, LinkState, Route, RouteReason, Selection, Sizes, Step};
pub use failure::{Failure, FailureKind, Remedy};
pub use image::{Document, HistoryEntry, ImageSummary, Instruction, Layer};
pub use view::{Change, Changes, Kind, Mode, Row, Rows, Sort, View};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

/// From the app to the session.
///
/// `look` is a number that the app chooses, greater for every new look; the session repeats it on every event that
/// belongs to that look, so that late answers can be told from current ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// First of all: settings, and the page's base URL (`document.baseURI`), beside which `relay.json` may be.
    Start {
        /// `document.baseURI`.
        base: String,
        /// What the person chose about relays.
        relay: RelaySettings,
    },
    /// Look inside an image. Ends the look before it.
    Look {
        /// Number of the look.
        look: u32,
        /// As typed; the session parses it.
        reference: String,
        /// `os/architecture[/variant]` as chosen; `None` lets the session choose.
        platform: Option<String>,
        /// View to begin with. `layer` may name a layer by digest where its number is not known yet.
        view: View,
        /// Escaped path to select and reveal as soon as it is known.
        path: Option<String>,
    },
    /// Stop whatever goes on.
    Cancel,
    /// Do the last look again, but read every layer whole, and compare those that have a table of contents with it.
    Audit {
        /// Number of the new look.
        look: u32,
    },
    /// Do the last look again, with everything learned since (credentials, relay).
    Retry {
        /// Number of the new look.
        look: u32,
    },
    /// The window of rows on the screen. Answered at once with [`Event::Rows`], and again whenever they change.
    Rows {
        /// First row.
        from: u64,
        /// One past the last row.
        to: u64,
    },
    /// Another mode, layer, order or filter.
    SetView {
        /// The whole new view.
        view: View,
    },
    /// Show what a directory holds.
    Expand {
        /// Escaped path.
        path: String,
    },
    /// Hide what a directory holds.
    Collapse {
        /// Escaped path.
        path: String,
    },
    /// Expand every directory.
    ExpandAll,
    /// Collapse every directory.
    CollapseAll,
    /// Select a path and expand its parents, or select nothing. Answered with [`Event::Selected`].
    Select {
        /// Escaped path.
        path: Option<String>,
    },
    /// The beginning of the file at a path. Answered with [`Event::Content`], once or more.
    Read {
        /// Escaped path.
        path: String,
        /// Even where that costs much.
        anyway: bool,
    },
    /// All of the file at a path, to be saved. Answered with [`Event::Content`].
    Save {
        /// Escaped path.
        path: String,
    },
    /// Credentials typed by the person; they stay in the session's memory. Does not look again: send `Retry`.
    SignIn {
        /// Logical registry.
        registry: String,
        /// User name.
        username: String,
        /// Password or token.
        password: Secret,
    },
    /// Answer to [`Event::AskRelayPassword`].
    AllowRelayPassword {
        /// Logical registry whose credentials are meant.
        registry: String,
        /// May they go through the relay?
        allow: bool,
    },
    /// Another choice about relays. Does not look again: send `Retry`.
    SetRelay {
        /// The whole choice.
        relay: RelaySettings,
    },
    /// Use the relay for this registry from now on. Does not look again: send `Retry`.
    UseRelay {
        /// Logical registry.
        registry: String,
    },
}

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the person chose about relays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RelaySettings {
    /// When to use a relay.
    pub mode: RelayMode,
    /// Base URL typed by the person; empty: the relay that serves this page, if one does.
    pub url: String,
}

/// When to use a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayMode {
    /// Where a registry does not let a page read it.
    #[default]
    Auto,
    /// For every registry.
    Always,
    /// For none.
    Never,
}

/// The JSON of a command or event.
pub fn encode(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// A command or event from its JSON; `None` is a bug on the other side, or an old worker beside a new page.
pub fn decode<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use layer::{Findings, Job, Order, Report, Request};

    fn survives<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(message: T) {
        assert_eq!(decode::<T>(&encode(&message)), Some(message));
    }

    #[test]
    fn commands_survive_the_trip() {
        let relay = RelaySettings { mode: RelayMode::Always, url: "https://relay.example".into() };
        survives(Command::Start { base: "https://page.example/x/".into(), relay: relay.clone() });
        let view = View {
            mode: Mode::UpTo,
            layer: Some(3),
            layer_digest: Some("sha256:00".into()),
            sort: Sort::Size,
            filter: "é\"\\".into(),
            changes: Changes { added: false, ..Changes::default() },
        };
        let (reference, platform) = ("nginx".into(), Some("linux/arm64".into()));
        survives(Command::Look { look: 1, reference, platform, view: view.clone(), path: Some("a\\\\b".into()) });
        survives(Command::Rows { from: 0, to: u64::MAX });
        survives(Command::SetView { view });
        survives(Command::Select { path: None });
        let password = Secret("\u{1f511}".into());
        survives(Command::SignIn { registry: "r.example".into(), username: "u".into(), password });
        survives(Command::SetRelay { relay });
        for command in [
            Command::Cancel,
            Command::ExpandAll,
            Command::CollapseAll,
            Command::Retry { look: 2 },
            Command::Audit { look: 3 },
        ] {
            survives(command);
        }
    }

    #[test]
    fn events_survive_the_trip() {
        survives(Event::Ready);
        survives(Event::Connection {
            look: 1,
            registry: "r.example".into(),
            route: Route::Relay,
            reason: RouteReason::KnownWithoutCors,
        });
        survives(Event::Chain { look: 1, chain: Chain::begin("latest") });
        let remedies = vec![
            Remedy::UseRelay { registry: "r.example".into(), available: false },
            Remedy::ChoosePlatform { available: vec!["linux/amd64".into()] },
            Remedy::Retry { after: Some(5) },
        ];
        let mismatch = Some(("a".into(), "b".into()));
        let plain = Failure::plain(FailureKind::Digest, "no");
        let failure = Box::new(Failure { remedies, mismatch, step: Some(Step::Layers), layer: Some(0), ..plain });
        survives(Event::Failure { look: 1, failure });
        survives(Event::Rows { look: 1, window: Rows { total: u64::MAX, revision: 7, ..Rows::default() } });
    }

    #[test]
    fn orders_and_reports_survive_the_trip() {
        let request = Request { url: "https://r.example/".into(), headers: vec![("range".into(), "bytes=1-".into())] };
        survives(Order::Scan(Box::new(Job {
            job: 1,
            request: Some(request.clone()),
            digest: "sha256:00".into(),
            size: u64::MAX,
            diff_id: None,
            media_type: "application/vnd.oci.image.layer.v1.tar".into(),
            audit: Some([("a".to_owned(), "b".to_owned())].into()),
        })));
        survives(Order::Request { job: 1, request });
        survives(Report::Done { job: 1, findings: Findings { verified: true, ..Findings::default() } });
        survives(Report::Stuck { job: 1, kind: FailureKind::Preflight });
        assert_eq!(decode::<Order>("{}"), None);
        assert_eq!(decode::<Order>(""), None);
    }

    #[test]
    fn secrets_are_not_printed() {
        let password = Secret("hunter2".into());
        let command = Command::SignIn { registry: "r.example".into(), username: "u".into(), password };
        assert!(!format!("{command:?}").contains("hunter2"));
        let headers = vec![("authorization".into(), "Bearer hunter2".into())];
        assert!(!format!("{:?}", Request { url: "https://r.example/".into(), headers }).contains("hunter2"));
    }
}
