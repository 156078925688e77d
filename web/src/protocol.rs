//! Encoding of the messages between the threads of the page.
//!
//! Page and session exchange commands and events, each as one array of bytes ([`porthole_viewer::message`]). Session and layer workers
//! exchange orders and reports, each as a pair: its bytes, and what it carries (a batch of entries, an index, a blob) as a
//! buffer that changes hands without a copy.

use js_sys::{Array, ArrayBuffer, Uint8Array};
use porthole_viewer::{
    message::{decode, encode},
    worker::{WorkerOrder, WorkerReport},
};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast as _, JsValue};

/// A message that may carry bytes beside its fields.
pub trait Carries: Serialize + DeserializeOwned {
    /// Takes the bytes out.
    fn take_bytes(&mut self) -> Option<Vec<u8>>;

    /// Puts the bytes back.
    fn put_bytes(&mut self, bytes: Vec<u8>);
}

impl Carries for WorkerOrder {
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Read(job) => job.blob.take(),
            Self::Request { .. } | Self::Config { .. } | Self::Beside { .. } | Self::Cancel { .. } => None,
        }
    }

    fn put_bytes(&mut self, bytes: Vec<u8>) {
        if let Self::Read(job) = self {
            job.blob = Some(bytes);
        }
    }
}

impl Carries for WorkerReport {
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Entries { batch: bytes, .. } | Self::Index { index: bytes, .. } => Some(std::mem::take(bytes)),
            _ => None,
        }
    }

    fn put_bytes(&mut self, bytes: Vec<u8>) {
        if let Self::Entries { batch, .. } | Self::Index { index: batch, .. } = self {
            *batch = bytes;
        }
    }
}

/// A message as `postMessage` takes it: what to send, and what of it to transfer.
pub fn pack(mut message: impl Carries) -> (JsValue, JsValue) {
    let bytes = message.take_bytes().map(|bytes| Uint8Array::from(bytes.as_slice()).buffer());
    let pair = Array::of1(&bytes_of(&message));
    let transfer = Array::new();
    if let Some(bytes) = bytes {
        pair.push(&bytes);
        transfer.push(&bytes);
    }
    (pair.into(), transfer.into())
}

/// A message that [`pack`] made; `None` is a bug on the other side.
pub fn unpack<M: Carries>(message: JsValue) -> Option<M> {
    let pair: Array = message.dyn_into().ok()?;
    let mut message: M = read(&pair.get(0))?;
    if let Some(bytes) = pair.get(1).dyn_ref::<ArrayBuffer>() {
        message.put_bytes(Uint8Array::new(bytes).to_vec());
    }
    Some(message)
}

/// A message as `postMessage` takes it, if it carries nothing.
pub fn bytes_of(message: &impl Serialize) -> JsValue {
    Uint8Array::from(encode(message).as_slice()).into()
}

/// A message that [`bytes_of`] made; `None`: it is something else.
pub fn read<M: DeserializeOwned>(message: &JsValue) -> Option<M> {
    decode(&message.dyn_ref::<Uint8Array>()?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::failure::FailureClass;
    use porthole_registry::trace::RecordedExchange;
    use porthole_viewer::{
        protocol::{
            Chain, Changes, Command, ContentFateFact, Event, FailureCause, FailureNotice, FileView, LostPart,
            ProbeKind, ProbeProgress, ProbeState, ProbeSums, ProbeWish, ProofStep, RegistryRoute, RelayMode,
            RelaySettings, Remedy, RouteReason, RowSort, RowWindow, SearchQuery, Secret, ShownFate, ViewMode, WireLine,
            WireLog,
        },
        worker::{BlobRequest, KeptIndex, LayerFindings, ReadJob, WorkerOrder, WorkerReport},
    };

    fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: T) {
        assert_eq!(decode::<T>(&encode(&message)), Some(message));
    }

    #[test]
    fn commands_survive_the_trip() {
        let relay = RelaySettings { mode: RelayMode::Always, url: "https://relay.example".into() };
        survives(Command::Start { base: "https://page.example/x/".into(), relay: relay.clone() });
        let view = FileView {
            mode: ViewMode::UpTo,
            layer: Some(3),
            layer_digest: Some("sha256:00".into()),
            sort: RowSort::Size,
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
            route: RegistryRoute::Relay,
            reason: RouteReason::KnownWithoutCors,
        });
        survives(Event::Chain { look: 1, chain: Chain::begin("latest") });
        let remedies = vec![
            Remedy::UseRelay { registry: "r.example".into(), available: false },
            Remedy::ChoosePlatform { available: vec!["linux/amd64".into()] },
            Remedy::Retry { after: Some(5) },
        ];
        let mismatch = Some(("a".into(), "b".into()));
        let plain = FailureNotice::plain(FailureClass::Malformed, "no");
        let failure =
            Box::new(FailureNotice { remedies, mismatch, step: Some(ProofStep::Layers), layer: Some(0), ..plain });
        survives(Event::Failure { look: 1, failure });
        let line =
            WireLine { at: 1, asked: "GET x".into(), facts: vec![("a".into(), "b".into())], ..WireLine::default() };
        let log = Box::new(WireLog { lines: vec![(3, line)], span: 4, totals: "5".into() });
        survives(Event::Wire { look: 1, log });
        survives(Event::Rows { look: 1, window: RowWindow { total: u64::MAX, revision: 7, ..RowWindow::default() } });
    }

    #[test]
    fn events_of_probes_survive_the_trip() {
        let progress = ProbeProgress {
            kind: ProbeKind::Search,
            run: 1,
            state: ProbeState::Refused("no".into()),
            read: u64::MAX,
            total: 2,
            ended: 3,
            layers: 4,
            lost: vec![LostPart { layer: None, text: "lost".into() }],
            skipped: vec![(5, "skipped".into())],
            sums: ProbeSums { found: 6, ..ProbeSums::default() },
            held: 7,
        };
        survives(Event::Probe { look: 1, progress: Box::new(progress) });
        let fate = |fate| ContentFateFact { layer: 1, content: u64::MAX, fate, view: ViewMode::Deleted };
        let fates = [ShownFate::Visible, ShownFate::Deleted(2), ShownFate::Replaced(3), ShownFate::Unknown];
        survives(Event::Fates { look: 1, kind: ProbeKind::Search, run: 2, fates: fates.map(fate).into() });
    }

    #[test]
    fn orders_and_reports_survive_the_trip() {
        let request =
            BlobRequest { url: "https://r.example/".into(), headers: vec![("range".into(), "bytes=1-".into())] };
        survives(WorkerOrder::Read(Box::new(ReadJob {
            job: 1,
            blob: None,
            request: Some(request.clone()),
            elsewhere: vec!["https://files.example/".into()],
            registry: Some("r.example".into()),
            digest: "sha256:00".into(),
            size: u64::MAX,
            diff_id: None,
            media_type: "application/vnd.oci.image.layer.v1.tar".into(),
            promised: true,
            file: None,
            kept: Some(KeptIndex { url: Some("blob+x".into()), size: u64::MAX }),
            audit: Some([("a".to_owned(), "b".to_owned())].into()),
            beside: true,
            probe: Some(ProbeWish::Search(SearchQuery { pattern: "\u{1f511}".into(), ..SearchQuery::default() })),
        })));
        survives(WorkerOrder::Request { job: 1, request });
        survives(WorkerOrder::Beside { job: 1 });
        survives(WorkerReport::Done { job: 1, findings: LayerFindings { verified: true, ..LayerFindings::default() } });
        let get = http::Request::get("https://r.example/").body(Default::default()).unwrap();
        let at = std::time::Duration::from_millis(1);
        let exchange = Box::new(RecordedExchange::of_request("r.example", "blob", "sha256:00", &get, at));
        survives(WorkerReport::Wire { job: 1, number: 2, exchange });
        survives(WorkerReport::Stuck { job: 1, cause: Some(FailureCause::Preflight) });
        assert_eq!(decode::<WorkerOrder>(b"{}"), None);
        assert_eq!(decode::<WorkerOrder>(b""), None);
    }

    #[test]
    fn secrets_are_not_printed() {
        let password = Secret("hunter2".into());
        let command = Command::SignIn { registry: "r.example".into(), username: "u".into(), password };
        assert!(!format!("{command:?}").contains("hunter2"));
        let headers = vec![("authorization".into(), "Bearer hunter2".into())];
        assert!(!format!("{:?}", BlobRequest { url: "https://r.example/".into(), headers }).contains("hunter2"));
    }
}
