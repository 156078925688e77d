#![allow(clippy::single_range_in_vec_init, reason = "lists of one range are meant")]

use super::*;

const MIB: u64 = 1 << 20;

fn open(plan: &mut PullPlan, sizes: &[u64]) {
    for (number, size) in sizes.iter().enumerate() {
        plan.opened(number, [0..*size]);
    }
}

fn fetch(plan: &mut PullPlan) -> Fetch {
    match plan.step() {
        Some(PullStep::Fetch(fetch)) => fetch,
        other => panic!("{other:?}"),
    }
}

fn well(plan: &mut PullPlan, fetch: &Fetch, seconds: f64) {
    assert!(plan.ended(fetch, [], End::Well { seconds }));
}

#[test]
fn small_blobs_have_a_slot_and_large_ones_take_turns() {
    let sizes = [10 * MIB, 1000, 20 * MIB, 30 * MIB, 2000];
    let mut plan = PullPlan::new(sizes, 3);
    assert_eq!(plan.step(), Some(PullStep::Open { blob: 1 }));
    open(&mut plan, &sizes);
    let small = fetch(&mut plan);
    assert_eq!((small.blob, small.range.clone()), (1, 0..1000));
    assert_eq!(fetch(&mut plan).blob, 0, "the first");
    assert_eq!(fetch(&mut plan).blob, 3, "the largest");
    assert_eq!(plan.step(), None);
    well(&mut plan, &small, 0.1);
    let small = fetch(&mut plan);
    assert_eq!(small.blob, 4);
    well(&mut plan, &small, 0.1);
    assert_eq!(fetch(&mut plan).blob, 2);
    assert_eq!(plan.step(), None);
}

#[test]
fn a_large_blob_comes_in_ranges_once_the_registry_has_heeded_one() {
    let mut plan = PullPlan::new([100 * MIB], 4);
    open(&mut plan, &[100 * MIB]);
    let first = fetch(&mut plan);
    assert_eq!(first.range, 0..8 * MIB);
    assert_eq!(plan.step(), None, "not known yet");
    assert_eq!(plan.answered(&first, false), None);
    let others = [fetch(&mut plan), fetch(&mut plan), fetch(&mut plan)];
    assert_eq!(others.each_ref().map(|other| other.range.start / MIB), [8, 16, 24]);
    assert_eq!(plan.step(), None);
    well(&mut plan, &first, 0.5);
    let next = fetch(&mut plan);
    assert_eq!(next.range, 32 * MIB..48 * MIB, "it was fast");
}

#[test]
fn near_the_end_ranges_are_shorter() {
    let mut plan = PullPlan::new([40 * MIB], 4);
    open(&mut plan, &[40 * MIB]);
    let first = fetch(&mut plan);
    plan.answered(&first, false);
    let lengths: Vec<_> =
        (0..3).map(|_| fetch(&mut plan)).map(|next| (next.range.end - next.range.start) / MIB).collect();
    assert_eq!(lengths, [8, 6, 4]);
}

#[test]
fn a_registry_that_ignores_ranges_is_asked_once() {
    let mut plan = PullPlan::new([100 * MIB, 50 * MIB], 4);
    plan.opened(0, [MIB..2 * MIB, 3 * MIB..100 * MIB]);
    plan.opened(1, [0..50 * MIB]);
    let first = fetch(&mut plan);
    assert_eq!(first.range, MIB..2 * MIB);
    assert_eq!(plan.answered(&first, true), Some(MIB..100 * MIB));
    let other = fetch(&mut plan);
    assert_eq!((other.blob, other.range.clone()), (1, 0..50 * MIB));
    assert_eq!(plan.answered(&other, false), None, "all of it was asked for");
    assert_eq!(plan.step(), None);
    // Nothing is asked for twice that has come.
    assert!(plan.ended(&first, [5 * MIB..6 * MIB, 7 * MIB..8 * MIB], End::Well { seconds: 1.0 }));
    assert_eq!(fetch(&mut plan).range, 5 * MIB..8 * MIB);
}

#[test]
fn too_much_halves_once_however_many_hear_it() {
    let mut plan = PullPlan::new([1000 * MIB], 8);
    open(&mut plan, &[1000 * MIB]);
    let first = fetch(&mut plan);
    plan.answered(&first, false);
    let mut running: Vec<_> = std::iter::once(first).chain((0..7).map(|_| fetch(&mut plan))).collect();
    for refused in running.drain(..) {
        assert!(plan.ended(&refused, [refused.range.clone()], End::TooMuch));
    }
    running.extend((0..4).map(|_| fetch(&mut plan)));
    assert_eq!(running[0].range, 0..8 * MIB, "the first again");
    assert_eq!(plan.step(), None, "four at once");
    running.drain(..).for_each(|next| well(&mut plan, &next, 5.0));
    running.extend((0..5).map(|_| fetch(&mut plan)));
    assert_eq!(plan.step(), None, "five at once");
    // A request that was admitted late shows it too.
    assert!(plan.refused(&running[4]) && plan.refused(&running[3]));
    assert_eq!(plan.width, 2, "those sent before the last word say nothing new");
    running.drain(..).for_each(|next| assert!(plan.ended(&next, [], End::Well { seconds: 5.0 })));
    plan.width = 2;
    let (one, other) = (fetch(&mut plan), fetch(&mut plan));
    assert!(plan.ended(&one, [], End::TooMuch));
    well(&mut plan, &other, 5.0);
    plan.width = 1;
    let last = fetch(&mut plan);
    assert!(!plan.ended(&last, [], End::TooMuch), "one at a time is too much as well");
}

#[test]
fn an_odd_answer_ends_ranges_and_a_second_one_the_pull() {
    let mut plan = PullPlan::new([100 * MIB], 4);
    open(&mut plan, &[100 * MIB]);
    let first = fetch(&mut plan);
    plan.answered(&first, false);
    let second = fetch(&mut plan);
    assert!(plan.ended(&second, [second.range.clone()], End::Odd));
    assert_eq!(plan.step(), None, "not beside another one");
    well(&mut plan, &first, 1.0);
    let rest = fetch(&mut plan);
    assert_eq!(rest.range, 8 * MIB..100 * MIB);
    assert!(!plan.ended(&rest, [], End::Odd));
}

#[test]
fn what_others_get_is_looked_for_again() {
    let mut plan = PullPlan::new([1000, 2000], 2);
    assert_eq!(plan.step(), Some(PullStep::Open { blob: 0 }));
    plan.parked(0);
    assert_eq!(plan.step(), Some(PullStep::Open { blob: 1 }));
    plan.opened(1, []);
    assert_eq!(plan.step(), None);
    assert!(plan.waits() && plan.look_again());
    assert_eq!(plan.step(), Some(PullStep::Open { blob: 0 }));
    plan.closed(0);
    assert!(!plan.waits());
    plan.anew(1);
    assert_eq!(plan.step(), Some(PullStep::Open { blob: 1 }));
    plan.closed(1);
    assert!(plan.is_done());
}
