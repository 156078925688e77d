//! What a front end shows of a container image, with no browser and no terminal in it.
//!
//! A front end gives a [`Session`](session::Session) a transport with a clock, a [`Pool`](pool::Pool) of layer workers and a
//! [`Front`](session::Front) that takes events. It sends [`Command`](protocol::Command)s and shows
//! [`Event`](protocol::Event)s: the chain of proof, progress, rows of the file tree, the content of a file, failures with
//! their remedies. [`State`](state::State) keeps what the events say, and turns what a person does into commands.
//!
//! - [`session`] owns credentials, routes, the file tree and every query. All of its work is one future.
//! - [`worker`] reads one layer: fetches the blob, verifies it, scans it. All of its work is one future.
//! - [`probe`] looks into the files of a layer while a worker reads it; [`contents`] is the engine that does so.
//! - [`state`], [`address`] and [`shell`] are the page's own model: state, URL fragment, the equal command line.
//! - [`message`] turns commands, events, orders and reports into bytes and back.
//! - [`outline`] folds JSON and XML; [`pretty`], [`size`], [`time`] and [`mode`] put values into words.
//!
//! Nothing here spawns, blocks or knows its target. A front end polls the two futures, on one thread.
//!
//! The calling loop, over registries in memory and without layer workers:
//!
//! ```
//! use porthole_registry::{Options, Registry};
//! use porthole_testkit::{image::{Image, Layer}, registry::{Internet, Site}};
//! use porthole_viewer::{
//!     given::GivenFile,
//!     layer::WorkerOrder,
//!     pool::Pool,
//!     protocol::{Command, Event, EvidenceJob, FileView},
//!     session::{self, ArchiveFile, Front, SavedFile, ScratchFile, Session},
//! };
//! use std::{cell::RefCell, future::Future, pin::pin, rc::Rc, task::{Context, Waker}};
//!
//! struct NoWorkers;
//! impl Pool for NoWorkers {
//!     fn size(&self) -> usize { 0 }
//!     fn send(&self, _: usize, _: WorkerOrder) {}
//!     fn end(&self, _: usize) {}
//!     fn restart(&self, _: usize) -> bool { false }
//! }
//!
//! struct Screen(Rc<RefCell<Vec<Event>>>);
//! impl Front for Screen {
//!     type File = NoFile;
//!     type Archive = NoFile;
//!     type Scratch = NoFile;
//!     fn tell(&self, event: Event) { self.0.borrow_mut().push(event) }
//!     fn save(&self) -> NoFile { NoFile }
//!     fn archive(&self) -> NoFile { NoFile }
//!     async fn scratch(&self, _: u64) -> Result<NoFile, String> { Ok(NoFile) }
//!     fn check(&self, _: EvidenceJob) {}
//! }
//! struct NoFile;
//! impl SavedFile for NoFile {
//!     fn write(&mut self, _: &[u8]) {}
//!     fn finish(self) -> Result<String, String> { Err("nothing is saved here".into()) }
//! }
//! impl ArchiveFile for NoFile {
//!     async fn begin(&mut self, _: u64) -> Result<(), String> { Err("nothing is saved here".into()) }
//!     async fn write(&mut self, _: &[u8]) -> Result<(), String> { Ok(()) }
//!     async fn finish(self) -> Result<Option<String>, String> { Err("nothing is saved here".into()) }
//! }
//!
//! impl ScratchFile for NoFile {
//!     async fn write(&mut self, _: &[u8]) -> Result<(), String> { Ok(()) }
//!     async fn finish(self) -> Result<GivenFile, String> { Err("nothing is unpacked here".into()) }
//! }
//!
//! let internet = Internet::new();
//! let image = Image::new().layer(Layer::new("COPY a /").file("a", "b")).build();
//! internet.site("r.example", Site::new().repository("a/b", image.into_content("1")));
//!
//! let events = Rc::new(RefCell::new(Vec::new()));
//! let registry = Registry::new(internet, Options::default());
//! let session = Session::new(registry, NoWorkers, Screen(Rc::clone(&events)), session::SessionOptions::default());
//! let (reference, view) = ("r.example/a/b:1".into(), FileView::default());
//! session.obey(Command::Look { look: 1, reference, platform: None, view, path: None });
//! let mut run = pin!(session.run());
//! for _ in 0..100 {
//!     let _ = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
//! }
//! assert!(events.borrow().iter().any(|event| matches!(event, Event::Image { image, .. } if image.layers.len() == 1)));
//! ```

pub mod address;
pub mod bill;
mod chain;
mod compare;
pub mod contents;
mod errands;
pub mod failure;
pub mod given;
pub mod highlight;
mod hits;
pub mod index;
pub mod kept;
pub mod layer;
pub mod listing;
pub mod look;
pub mod message;
pub mod mode;
mod names;
pub mod outline;
mod overview;
mod pace;
pub mod packages;
pub mod pane;
pub mod pool;
pub mod prepared;
pub mod pretty;
pub mod probe;
pub mod protocol;
pub mod router;
mod secrets;
pub mod session;
pub mod shell;
pub mod sieve;
mod sifted;
pub mod signed;
pub mod size;
pub mod special;
pub mod stack;
pub mod state;
pub mod summary;
pub mod time;
mod treemap;
mod waste;
pub mod worker;
