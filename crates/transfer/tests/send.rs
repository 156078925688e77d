//! Futures of `inspect` over this machine's sources can move between threads.

use porthole_core::{
    seek::IndexOptions,
    tar::{Entry, EntrySink, Flow},
};
use porthole_inspect::{
    layer::{self, LayerJob},
    open::FileParts,
    resolve::{PlatformChoice, resolve},
    toc::{self, TocAudits, TocSearch},
};
use porthole_transfer::Source;
use std::ops::ControlFlow;

fn assert_send<F: Send>(_: &F) {}

struct Sink;

impl EntrySink for Sink {
    fn entry(&mut self, _: Entry) -> Flow {
        Flow::Continue
    }
}

/// Compiled, never run: the bounds are the test.
#[allow(dead_code, reason = "its types are the test")]
fn futures_are_send(source: &Source, choice: &PlatformChoice, job: &LayerJob, parts: FileParts) {
    assert_send(&resolve(source, choice, &mut |_| {}));
    let watch = |_| ControlFlow::Continue(());
    assert_send(&layer::read(source, job, &mut Sink, watch));
    assert_send(&layer::read_with_index(source, job, IndexOptions::default(), |_| {}, &mut Sink, watch));
    assert_send(&toc::fetch(source, job, TocSearch::All));
    assert_send(&TocAudits::default().begin(source, job));
    assert_send(&parts.read(source, job.descriptor.as_ref(), |_| ControlFlow::Continue(())));
}
