//! What a front end shows of a container image, with no browser and no terminal in it.
//!
//! A front end gives a [`Session`](session::Session) a transport with a clock, a [`Pool`](session::Pool) of layer workers and a
//! [`Front`](session::Front) that takes events. It sends [`Command`](protocol::Command)s and shows
//! [`Event`](protocol::Event)s: the chain of proof, progress, rows of the file tree, the content of a file, failures with
//! their remedies. [`State`](state::State) keeps what the events say, and turns what a person does into commands.
//!
//! - [`session`] owns credentials, routes, the file tree and every query. All of its work is one future.
//! - [`worker`] reads one layer: fetches the blob, verifies it, scans it. All of its work is one future. [`contents`] is the engine
//!   that looks into files meanwhile.
//! - [`protocol`] has what goes to and from a session, and [`message`] turns that into bytes for another thread and back.
//! - [`state`] and [`address`] are the model of a page: what it shows, its URL fragment, the equal command line.
//! - [`listing`] puts a file tree into rows, and [`words`] puts values into words.
//!
//! Nothing here spawns, blocks or knows its target. A front end polls the two futures, on one thread.
//!
//! The calling loop, over registries in memory and without layer workers:
//!
//! ```
//! use porthole_registry::{Options, Registry};
//! use porthole_testkit::{image::{Image, Layer}, registry::{Internet, Site}};
//! use porthole_viewer::{
//!     protocol::{Command, Event, EvidenceJob, FileView},
//!     session::{self, ArchiveFile, Front, GivenFile, Pool, SavedFile, ScratchFile, Session},
//!     worker::WorkerOrder,
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
mod bill;
mod chain;
mod compare;
pub mod contents;
mod errands;
mod failure;
mod given;
mod highlight;
mod hits;
mod index;
mod kept;
mod layer;
pub mod listing;
mod look;
pub mod message;
mod mode;
mod names;
mod outline;
mod overview;
mod pace;
mod packages;
mod pool;
mod prepared;
mod pretty;
mod probe;
pub mod protocol;
mod router;
mod secrets;
pub mod session;
mod shell;
mod sieve;
mod sifted;
mod signed;
mod size;
mod special;
mod stack;
pub mod state;
mod summary;
mod time;
mod treemap;
mod waste;
pub mod worker;

/// Values in words and marks, as the page shows them.
pub mod words {
    pub use crate::{
        highlight::{PieceKind, TextPiece, highlight},
        mode::mode,
        outline::{OUTLINE_DEPTH, OUTLINE_NODES, OutlineNode, outline},
        pretty::{Token, TokenKind, pretty, visible, visible_bytes},
        size::{count, percent, size},
        time::{day, iso, moment},
    };
}
