//! Runs every committed input and every seed through its target.

use porthole_fuzz::{TARGETS, corpus, seeds};
use std::{panic, thread};

#[test]
fn committed_inputs_pass() {
    let failed: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = TARGETS.iter().map(|&(name, run)| scope.spawn(move || replay(name, run))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a target's thread ends")).collect()
    });
    assert!(failed.is_empty(), "{} inputs fail: {}", failed.len(), failed.join(", "));
}

/// The inputs that panic, each as `target/input`.
fn replay(target: &str, run: fn(&[u8])) -> Vec<String> {
    let committed = corpus::read(target).expect("the corpus can be read");
    let seeds = seeds::of(target).expect("the vectors can be read");
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let fails = |bytes: &[u8]| panic::catch_unwind(|| run(bytes)).is_err();
    let inputs = committed.into_iter().chain(seeds);
    inputs.filter(|(_, bytes)| fails(bytes)).map(|(name, _)| format!("{target}/{name}")).collect()
}
