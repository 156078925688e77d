//! A bucket of an object store with the interface of S3, behind the directory: what one relay has fetched, others with the same bucket
//! find there.
//!
//! A blob is put there when it is on disk and its digest matched, by one request that names the hash of its body: the store refuses
//! another body, and an object that did not arrive whole does not exist. What comes back is hashed again on its way to the disk. So a
//! store that lies costs time, and one that is slow, full or gone costs a pause, in which registries are asked as if there were none.

mod account;
mod sign;

use super::{Name, Stored, place::Reached, shelf};
use crate::{
    headers,
    log::Log,
    metrics::BucketCounts,
    pieces,
    upstream::{self, drain},
};
use account::Account;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use porthole_core::digest::Algorithm;
use porthole_native::{Native, NativeBody, Timeouts};
use porthole_registry::{
    retry::Rate,
    transport::{Chunks, Error, ErrorKind, Patience, Payload, PayloadSource, Request, Transport},
};
use sign::{Signed, Stamp, UNSIGNED};
use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{Semaphore, mpsc};

/// A bucket, and what is known of it.
pub(crate) struct Bucket {
    native: Native,
    place: Reached,
    account: Account,
    log: Log,
    /// Blobs that wait to be put there, and those that are on their way.
    queue: Arc<Semaphore>,
    lanes: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: BucketCounts,
    /// Until when the bucket is not asked for a blob again.
    absent: HashMap<Name, Instant>,
    /// Until when nothing is read, and nothing written.
    paused: [Option<Instant>; 2],
    noted: Option<Instant>,
}

/// What is done with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Bucket {
    /// A bucket with these credentials, or those that the environment names.
    ///
    /// # Errors
    /// No credentials were found.
    pub(crate) fn open(
        place: Reached,
        credentials: Option<PathBuf>,
        environment: &dyn Fn(&str) -> Option<String>,
        native: Native,
        log: Log,
    ) -> Result<Self, String> {
        let account = Account::find(credentials, environment)?;
        let (queue, lanes) = (Arc::new(Semaphore::new(WAITING)), Semaphore::new(LANES));
        Ok(Self { native, place, account, log, queue, lanes, state: Mutex::default() })
    }

    /// How long a store may take, where a registry could be asked instead.
    pub(crate) fn timeouts() -> Timeouts {
        let rate = Rate { bytes: LEAST, window: WINDOW };
        Timeouts { connect: Duration::from_secs(2), stall: Duration::from_secs(5), rate }
    }

    /// A blob or the part of it that a `Range` names; `None` if the bucket does not have it, or cannot be asked now.
    pub(super) async fn get(&self, name: &Name, range: Option<&HeaderValue>) -> Option<Stored> {
        if !self.may(Access::Read) || self.state().absent.get(name).is_some_and(|until| *until > Instant::now()) {
            return None;
        }
        match self.ask(name, range).await {
            Ok(Some(stored)) => {
                self.state().counts.hits += 1;
                Some(stored)
            }
            Ok(None) => {
                self.state().counts.misses += 1;
                self.lacks(name, ABSENT);
                None
            }
            Err(why) => {
                self.failed(Access::Read, &why);
                None
            }
        }
    }

    /// Puts a blob there, whose digest was checked, while others wait for nothing.
    pub(super) fn put(self: &Arc<Self>, name: Name, file: File, size: u64) {
        let place = Arc::clone(&self.queue).try_acquire_owned().ok();
        let Some(place) = place.filter(|_| size <= LARGEST && self.may(Access::Write)) else {
            self.state().counts.skipped += 1;
            return;
        };
        let bucket = Arc::clone(self);
        tokio::spawn(async move {
            let _place = place;
            let _lane = bucket.lanes.acquire().await;
            match bucket.send_whole(&name, file, size).await {
                Ok(()) => {
                    let mut state = bucket.state();
                    state.counts.stored += 1;
                    state.absent.remove(&name);
                }
                Err(why) => bucket.failed(Access::Write, &why),
            }
        });
    }

    /// Removes a blob that came back with other bytes, and does not ask for it meanwhile.
    pub(super) fn distrust(self: &Arc<Self>, name: Name) {
        self.lacks(&name, WRONG);
        self.state().counts.wrong += 1;
        self.note(format_args!("the bucket of the cache gave other bytes than {}", name.digest));
        let bucket = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(why) = bucket.send(Method::DELETE, &name, None, EMPTY, Payload::default()).await {
                bucket.failed(Access::Write, &why);
            }
        });
    }

    /// Counts a failure, and leaves the store alone for a moment.
    pub(super) fn failed(&self, access: Access, why: &str) {
        let mut state = self.state();
        state.counts.failed[access as usize] += 1;
        state.paused[access as usize] = Some(Instant::now() + PAUSE);
        drop(state);
        let verb = match access {
            Access::Read => "read",
            Access::Write => "written",
        };
        self.note(format_args!("the bucket of the cache cannot be {verb}: {why}"));
    }

    pub(super) fn counts(&self) -> BucketCounts {
        self.state().counts
    }

    async fn ask(&self, name: &Name, range: Option<&HeaderValue>) -> Result<Option<Stored>, String> {
        let response = self.send(Method::GET, name, range, EMPTY, Payload::default()).await?;
        let length = response.body().remaining();
        match (response.status(), range) {
            (StatusCode::OK, None) => {
                let size = length.ok_or("expected a length")?;
                Ok(Some(Stored { body: response.into_body(), part: 0..size, size }))
            }
            (StatusCode::PARTIAL_CONTENT, Some(range)) => {
                let there = response.headers().get(header::CONTENT_RANGE).and_then(headers::content_range_part);
                let (Some((part, Some(size))), Some(range)) = (there, headers::parse_range(range)) else {
                    return Err("expected a range of a known size".to_owned());
                };
                if pieces::span(range, size) != part || length != Some(part.end - part.start) {
                    return Err("expected the range that was asked for".to_owned());
                }
                Ok(Some(Stored { body: response.into_body(), part, size }))
            }
            // The registry says so, too.
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => Ok(None),
            (StatusCode::NOT_FOUND, _) => match refused(response).await {
                why if why.contains("NoSuchBucket") => Err(why),
                _ => Ok(None),
            },
            _ => Err(refused(response).await),
        }
    }

    async fn send_whole(&self, name: &Name, file: File, size: u64) -> Result<(), String> {
        let hash = match name.digest.algorithm() {
            Algorithm::Sha256 => name.digest.hex(),
            _ => UNSIGNED.to_owned(),
        };
        let content = Payload::Stream(Arc::new(Content { file: Arc::new(file), size }));
        let response = self.send(Method::PUT, name, None, &hash, content).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        drain(response.into_body()).await;
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        name: &Name,
        range: Option<&HeaderValue>,
        hash: &str,
        body: Payload,
    ) -> Result<Response<NativeBody>, String> {
        let request = self.sign(method, name, range, hash, body).await?;
        let again = request.clone();
        match self.native.send(request).await {
            // The other end may have closed an idle connection just now.
            Err(error) if error.kind == ErrorKind::Interrupted => self.native.send(again).await,
            answer => answer,
        }
        .map_err(|error| error.to_string())
    }

    async fn sign(
        &self,
        method: Method,
        name: &Name,
        range: Option<&HeaderValue>,
        hash: &str,
        body: Payload,
    ) -> Result<Request, String> {
        let credentials = self.account.credentials().await;
        let Reached { url, path, region } = &self.place;
        let path = sign::encode_path(&format!("{path}blobs/{}/{}", name.host, shelf::file_name(&name.digest)));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (stamp, host) = (Stamp::at(since.as_secs()), url.origin().authority());
        let mut signed = vec![("host", host.as_str()), ("x-amz-content-sha256", hash), ("x-amz-date", &stamp.text)];
        signed.extend(credentials.token.as_deref().map(|token| ("x-amz-security-token", token)));
        let parts = Signed { method: method.as_str(), path: &path, query: "", headers: &signed, payload: hash };
        let authorization = sign::authorization(&parts, &credentials, region, &stamp);

        let first = if method == Method::GET { FIRST } else { COMMITTED };
        let url = url.join(&path).map_err(|error| error.to_string())?;
        let mut request =
            upstream::request(&method, &url, http::HeaderMap::new(), body).map_err(|refusal| refusal.message)?;
        request.extensions_mut().insert(Patience(first));
        let sent = request.headers_mut();
        for (name, value) in signed.into_iter().skip(1).chain([("authorization", authorization.as_str())]) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| "expected credentials that a header can hold")?;
            value.set_sensitive(true);
            sent.insert(name, value);
        }
        sent.extend(range.map(|range| (header::RANGE, range.clone())));
        Ok(request)
    }

    /// Whether it was not found failing just now.
    fn may(&self, access: Access) -> bool {
        self.state().paused[access as usize].is_none_or(|until| until <= Instant::now())
    }

    fn lacks(&self, name: &Name, time: Duration) {
        let mut state = self.state();
        if state.absent.len() >= REMEMBERED {
            state.absent.retain(|_, until| *until > Instant::now());
            if state.absent.len() >= REMEMBERED {
                state.absent.clear();
            }
        }
        state.absent.insert(name.clone(), Instant::now() + time);
    }

    /// A line in the log, one a minute at most.
    fn note(&self, text: std::fmt::Arguments<'_>) {
        let now = Instant::now();
        let due = self.state().noted.is_none_or(|noted| noted + BETWEEN_NOTES <= now);
        if due {
            self.state().noted = Some(now);
            self.log.note(format_args!("warning: {text}"));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words of a refusal: its status, and the store's code for it.
async fn refused(response: Response<NativeBody>) -> String {
    let status = response.status();
    let body = upstream::read(response.into_body(), ERROR_BYTES).await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| Some(rest.split_once("</Code>")?.0));
    match code.filter(|code| code.bytes().all(|b| b.is_ascii_alphanumeric())) {
        Some(code) => format!("{status} ({code})"),
        None => status.to_string(),
    }
}

/// A blob on disk as the body of a request.
struct Content {
    file: Arc<File>,
    size: u64,
}

impl PayloadSource for Content {
    fn length(&self) -> Option<u64> {
        Some(self.size)
    }

    fn open(&self) -> Box<dyn Chunks> {
        let (sender, receiver) = mpsc::channel(1);
        let (read, size) = (pieces::of_file(Arc::clone(&self.file)), self.size);
        tokio::spawn(async move {
            pieces::send(read, 0..size, || PIECE, &sender).await;
        });
        Box::new(Opened(receiver))
    }
}

struct Opened(mpsc::Receiver<Result<Bytes, Error>>);

impl Chunks for Opened {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        self.0.poll_recv(cx).map(Option::transpose)
    }
}

/// The hash of no body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// What S3 takes in one request.
const LARGEST: u64 = 5 << 30;
const PIECE: usize = 64 << 10;
const ERROR_BYTES: u64 = 8 << 10;
/// Blobs at once on their way to the bucket, and those that wait for it: each holds a file open.
const LANES: usize = 4;
const WAITING: usize = 64;
/// For a store to begin its answer to a read, and to one that it keeps.
const FIRST: Duration = Duration::from_secs(3);
const COMMITTED: Duration = Duration::from_secs(30);
/// The least rate of a blob, in bytes a second over the window.
const LEAST: u64 = 64 << 10;
const WINDOW: Duration = Duration::from_secs(10);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(10);
/// For which a blob is not asked for again that the bucket does not have, or has wrong.
const ABSENT: Duration = Duration::from_secs(30);
const WRONG: Duration = Duration::from_secs(600);
const REMEMBERED: usize = 64 << 10;
const BETWEEN_NOTES: Duration = Duration::from_secs(60);
