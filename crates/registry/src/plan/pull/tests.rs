#![allow(clippy::single_range_in_vec_init, reason = "lists of one range are meant")]

use super::*;

const MIB: u64 = 1 << 20;

fn open(plan: &mut PullPlan, sizes: &[u64]) {
    for (number, size) in sizes.iter().enumerate() {
        plan.opened(number, [0..*size]);
    }
}

fn fetch(plan: &mut PullPlan) -> Fetch {
    match plan.step(0.0) {
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
    assert_eq!(plan.step(0.0), Some(PullStep::Open { blob: 1 }));
    open(&mut plan, &sizes);
    let small = fetch(&mut plan);
    assert_eq!((small.blob, small.range.clone()), (1, 0..1000));
    assert_eq!(fetch(&mut plan).blob, 0, "the first");
    assert_eq!(fetch(&mut plan).blob, 3, "the largest");
    assert_eq!(plan.step(0.0), None);
    well(&mut plan, &small, 0.1);
    let small = fetch(&mut plan);
    assert_eq!(small.blob, 4);
    well(&mut plan, &small, 0.1);
    assert_eq!(fetch(&mut plan).blob, 2);
    assert_eq!(plan.step(0.0), None);
}

#[test]
fn a_large_blob_comes_in_ranges_once_the_registry_has_heeded_one() {
    let mut plan = PullPlan::new([100 * MIB], 4);
    open(&mut plan, &[100 * MIB]);
    let first = fetch(&mut plan);
    assert_eq!(first.range, 0..8 * MIB);
    assert_eq!(plan.step(0.0), None, "not known yet");
    assert_eq!(plan.answered(&first, Some(true)), None);
    let others = [fetch(&mut plan), fetch(&mut plan), fetch(&mut plan)];
    assert_eq!(others.each_ref().map(|other| other.range.start / MIB), [8, 16, 24]);
    assert_eq!(plan.step(0.0), None);
    well(&mut plan, &first, 0.5);
    let next = fetch(&mut plan);
    assert_eq!(next.range, 32 * MIB..48 * MIB, "it was fast");
}

#[test]
fn near_the_end_ranges_are_shorter() {
    let mut plan = PullPlan::new([40 * MIB], 4);
    open(&mut plan, &[40 * MIB]);
    let first = fetch(&mut plan);
    plan.answered(&first, Some(true));
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
    assert_eq!(plan.answered(&first, Some(false)), Some(MIB..100 * MIB));
    let other = fetch(&mut plan);
    assert_eq!((other.blob, other.range.clone()), (1, 0..50 * MIB));
    assert_eq!(plan.answered(&other, None), None, "all of it was asked for");
    assert_eq!(plan.step(0.0), None);
    // Bytes that arrived are not requested again.
    assert!(plan.ended(&first, [5 * MIB..6 * MIB, 7 * MIB..8 * MIB], End::Well { seconds: 1.0 }));
    assert_eq!(fetch(&mut plan).range, 5 * MIB..8 * MIB);
}

#[test]
fn too_much_halves_once_however_many_hear_it() {
    let mut plan = PullPlan::new([1000 * MIB], 8);
    open(&mut plan, &[1000 * MIB]);
    let first = fetch(&mut plan);
    plan.answered(&first, Some(true));
    let mut running: Vec<_> = std::iter::once(first).chain((0..7).map(|_| fetch(&mut plan))).collect();
    for refused in running.drain(..) {
        assert!(plan.ended(&refused, [refused.range.clone()], End::TooMuch));
    }
    running.extend((0..4).map(|_| fetch(&mut plan)));
    assert_eq!(running[0].range, 0..8 * MIB, "the first again");
    assert_eq!(plan.step(0.0), None, "four at once");
    running.drain(..).for_each(|next| well(&mut plan, &next, 5.0));
    running.extend((0..5).map(|_| fetch(&mut plan)));
    assert_eq!(plan.step(0.0), None, "five at once");
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
    plan.answered(&first, Some(true));
    let second = fetch(&mut plan);
    assert!(plan.ended(&second, [second.range.clone()], End::Odd));
    assert_eq!(plan.step(0.0), None, "not beside another one");
    well(&mut plan, &first, 1.0);
    let rest = fetch(&mut plan);
    assert_eq!(rest.range, 8 * MIB..100 * MIB);
    assert!(!plan.ended(&rest, [], End::Odd));
}

#[test]
fn what_others_get_is_looked_for_again() {
    let mut plan = PullPlan::new([1000, 2000], 2);
    assert_eq!(plan.step(0.0), Some(PullStep::Open { blob: 0 }));
    plan.parked(0);
    assert_eq!(plan.step(0.0), Some(PullStep::Open { blob: 1 }));
    plan.opened(1, []);
    assert_eq!(plan.step(0.0), None);
    assert!(plan.waits() && plan.look_again());
    assert_eq!(plan.step(0.0), Some(PullStep::Open { blob: 0 }));
    plan.closed(0);
    assert!(!plan.waits());
    plan.anew(1);
    assert_eq!(plan.step(0.0), Some(PullStep::Open { blob: 1 }));
    plan.closed(1);
    assert!(plan.is_done());
}

/// Two blobs whose requests have all been sent, by a registry that sends ranges.
fn all_sent(sizes: &[u64]) -> (PullPlan, Vec<Fetch>) {
    let mut plan = PullPlan::new(sizes.iter().copied(), 4);
    open(&mut plan, sizes);
    let sent: Vec<_> = sizes.iter().map(|_| fetch(&mut plan)).collect();
    sent.iter().for_each(|fetch| assert_eq!(plan.answered(fetch, Some(true)), None));
    (plan, sent)
}

fn tail(plan: &mut PullPlan, now: f64) -> Fetch {
    match plan.step(now) {
        Some(PullStep::TakeOver(fetch)) => fetch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_second_half_of_what_comes_slowly_is_taken_over() {
    let (mut plan, sent) = all_sent(&[2 * MIB, 4 * MIB]);
    plan.moved(&sent[0], MIB, 0.0);
    plan.moved(&sent[1], MIB, 0.0);
    assert_eq!(plan.step(1.9), None, "too early to tell");
    let taken = tail(&mut plan, 2.0);
    assert_eq!((taken.blob, taken.range.clone()), (1, 5 * MIB / 2..4 * MIB), "it would end last");
    assert_eq!(plan.moved(&sent[1], 2 * MIB, 0.0), Some(5 * MIB / 2), "it ends there now");
    let other = tail(&mut plan, 2.0);
    assert_eq!((other.blob, other.range.clone()), (0, 3 * MIB / 2..2 * MIB));
    // The missing bytes of the first half are requested again, those of the other request are not.
    assert!(plan.ended(&sent[1], [2 * MIB..4 * MIB], End::Well { seconds: 2.0 }));
    assert_eq!(fetch(&mut plan).range, 2 * MIB..5 * MIB / 2);
    well(&mut plan, &taken, 1.0);
}

#[test]
fn tails_have_spare_requests_until_the_registry_refuses_one() {
    let sizes = [8 * MIB; 4];
    let (mut plan, sent) = all_sent(&sizes);
    sent.iter().for_each(|fetch| assert_eq!(plan.moved(fetch, MIB, 0.0), Some(8 * MIB)));
    assert!(matches!(plan.step(2.0), Some(PullStep::TakeOver(_))));
    assert!(matches!(plan.step(2.0), Some(PullStep::TakeOver(_))));
    assert_eq!(plan.step(2.0), None, "two beyond those at once");
    let (mut plan, sent) = all_sent(&sizes);
    assert!(plan.refused(&sent[0]));
    assert!(!plan.has_tails());
    assert_eq!(plan.step(9.0), None);
}

/// A request beyond those at once took a connection from blobs that were still to be asked for.
#[test]
fn no_tail_is_taken_over_before_everything_is_asked_for() {
    let mut plan = PullPlan::new([100 * MIB, 2 * MIB, 3 * MIB], 2);
    open(&mut plan, &[100 * MIB, 2 * MIB, 3 * MIB]);
    let first = fetch(&mut plan);
    plan.answered(&first, Some(true));
    let second = fetch(&mut plan);
    plan.moved(&first, MIB / 2, 0.0);
    assert!(!plan.has_tails());
    assert_eq!(plan.step(2.0), None);
    plan.closed(1);
    plan.closed(2);
    assert!(!plan.has_tails(), "the first blob is not all asked for");
    plan.opened(0, []);
    assert!(plan.has_tails());
    assert!(matches!(plan.step(2.0), Some(PullStep::TakeOver(_))), "{second:?}");
}

#[test]
fn a_request_without_a_byte_keeps_its_tail() {
    let (mut plan, sent) = all_sent(&[8 * MIB]);
    assert_eq!(plan.moved(&sent[0], 0, 0.0), Some(8 * MIB));
    assert_eq!(plan.step(2.5), None, "its answer has begun, and no rate is known");
    plan.moved(&sent[0], 1, 2.5);
    assert!(matches!(plan.step(2.5), Some(PullStep::TakeOver(_))));
}

#[test]
fn what_comes_fast_or_ends_soon_keeps_its_tail() {
    let (mut plan, sent) = all_sent(&[8 * MIB, 2 * MIB]);
    plan.moved(&sent[0], 5 * MIB, 0.0);
    plan.moved(&sent[1], 2 * MIB - 2 * TAIL + 1, 0.0);
    assert_eq!(plan.step(2.0), None);
    plan.moved(&sent[1], 2 * MIB - 2 * TAIL, 0.0);
    assert_eq!(plan.step(2.0), None, "a second more");
    assert_eq!(plan.step(2.9), None, "faster than half a MiB a second");
    assert_eq!(plan.step(9.0), None, "it stopped coming, and is sent again");
    plan.moved(&sent[1], 2 * MIB - 2 * TAIL, 9.0);
    assert!(matches!(plan.step(9.0), Some(PullStep::TakeOver(_))), "it comes slowly");
}

/// The last layer of a small image arrived at a third of the line's rate, because its connection had lost packets.
#[test]
fn a_connection_at_speed_takes_over_a_part_of_what_comes_fast() {
    let begin = || {
        let (mut plan, sent) = all_sent(&[10 * MIB, 6 * MIB]);
        sent.iter().for_each(|fetch| assert_eq!(plan.moved(fetch, 0, 0.25), Some(plan.blobs[fetch.blob].size)));
        plan.moved(&sent[0], 2 * MIB, 1.25);
        plan.moved(&sent[1], 6 * MIB, 1.25);
        (plan, sent)
    };
    let (mut plan, sent) = begin();
    assert_eq!(plan.step(1.25), None, "no connection is free");
    well(&mut plan, &sent[1], 1.25);
    let taken = tail(&mut plan, 1.25);
    assert_eq!(taken.range, 4 * MIB..10 * MIB, "it is three times as fast, so both end at the same time");
    assert_eq!(plan.moved(&sent[0], 2 * MIB, 1.25), Some(4 * MIB));
    assert_eq!(plan.step(1.25), None, "it is not free any more");
    // The connection whose range was cut is closed.
    plan.moved(&sent[0], 4 * MIB, 2.25);
    well(&mut plan, &sent[0], 2.25);
    plan.moved(&taken, 4 * MIB, 1.5);
    plan.moved(&taken, 5 * MIB, 2.25);
    assert_eq!(plan.step(2.25), None);

    let (mut plan, sent) = begin();
    well(&mut plan, &sent[1], 1.25);
    plan.moved(&sent[0], 9 * MIB, 1.25);
    assert_eq!(plan.step(1.25), None, "it ends in an eighth of a second");
    let (mut plan, sent) = begin();
    assert!(plan.ended(&sent[1], [0..6 * MIB], End::TooMuch));
    assert!(plan.free.is_empty(), "it has not ended well");
    let (mut plan, sent) = all_sent(&[SMALL - 1, 10 * MIB]);
    plan.moved(&sent[0], SMALL - 1, 0.25);
    well(&mut plan, &sent[0], 1.25);
    assert!(plan.free.is_empty(), "a short answer says nothing of the speed");
}

/// A request that was sent again asked for the tail that another one took over meanwhile, and its bytes arrived twice.
#[test]
fn a_request_that_is_sent_again_leaves_the_tail_that_was_taken_over() {
    let begin = || {
        let (mut plan, sent) = all_sent(&[6 * MIB, 3 * MIB]);
        sent.iter().for_each(|fetch| assert!(plan.moved(fetch, 0, 0.0).is_some()));
        plan.moved(&sent[0], 2 * MIB, 0.125);
        plan.moved(&sent[1], 3 * MIB, 0.125);
        well(&mut plan, &sent[1], 0.125);
        (plan, sent)
    };
    // It broke off, and a connection is free during the pause.
    let (mut plan, sent) = begin();
    let taken = tail(&mut plan, 0.75);
    assert_eq!(plan.resumed(&sent[0], 1.0), Some(taken.range.start));
    // A connection is free only after it was sent again.
    let (mut plan, sent) = begin();
    assert_eq!(plan.resumed(&sent[0], 1.0), Some(6 * MIB));
    assert_eq!(plan.step(1.25), None, "no byte of the new answer has arrived");
    plan.moved(&sent[0], 2 * MIB, 1.25);
    assert_eq!(plan.step(1.5), None);
    plan.moved(&sent[0], 5 * MIB / 2, 1.375);
    assert_eq!(plan.step(1.375), None, "the pause says nothing of its rate");
    assert!(matches!(plan.step(1.5), Some(PullStep::TakeOver(_))), "it comes slowly");
}

#[test]
fn a_registry_that_ignores_ranges_is_asked_for_no_tail() {
    let mut plan = PullPlan::new([8 * MIB], 4);
    open(&mut plan, &[8 * MIB]);
    let only = fetch(&mut plan);
    assert_eq!(plan.answered(&only, None), None);
    plan.moved(&only, MIB, 0.0);
    assert!(!plan.has_tails());
    assert_eq!(plan.step(9.0), None);
}
