//! Scripts: the outcome of a step, and the next step.

use super::*;

/// The outcome of a step.
enum Came {
    Opened,
    OpenedLeast(u64),
    Taken(Option<u64>),
    Told(Option<u64>),
    Found(bool),
    Failed(UploadFailure),
}
use Came::*;
use UploadFailure::*;

fn next(upload: &mut Upload, came: Came) -> UploadStep {
    match came {
        Opened => upload.opened(None),
        OpenedLeast(least) => upload.opened(Some(least)),
        Taken(held) => upload.taken(held),
        Told(held) => upload.told(held),
        Found(there) => upload.found(there),
        Failed(failure) => upload.fail(failure),
    }
    upload.step()
}

fn run(size: u64, chunk: Option<u64>, script: Vec<(Came, UploadStep)>) {
    let mut upload = Upload::new(size, chunk);
    assert_eq!(upload.step(), UploadStep::Open);
    for (place, (came, expected)) in script.into_iter().enumerate() {
        assert_eq!(next(&mut upload, came), expected, "step {place} of {size} bytes in {chunk:?}");
    }
}

#[test]
fn whole() {
    run(10, None, vec![(Opened, UploadStep::Whole), (Found(true), UploadStep::Done)]);
    // An empty blob is committed as it is.
    run(0, None, vec![(Opened, UploadStep::Commit), (Found(true), UploadStep::Done)]);
    run(0, Some(5), vec![(Opened, UploadStep::Commit)]);
}

#[test]
fn chunks() {
    run(
        10,
        Some(4),
        vec![
            (Opened, UploadStep::Part(0..4)),
            (Taken(Some(4)), UploadStep::Part(4..8)),
            (Taken(Some(8)), UploadStep::Part(8..10)),
            (Taken(Some(10)), UploadStep::Commit),
            (Found(true), UploadStep::Done),
        ],
    );
    run(10, Some(4), vec![(OpenedLeast(6), UploadStep::Part(0..6)), (Taken(Some(6)), UploadStep::Part(6..10))]);
    run(10, Some(100), vec![(Opened, UploadStep::Part(0..10)), (Taken(None), UploadStep::Commit)]);
}

#[test]
fn ranges_that_lag_behind() {
    // Some of the part is missing.
    run(10, Some(4), vec![(Opened, UploadStep::Part(0..4)), (Taken(Some(2)), UploadStep::Part(2..6))]);
    // Stuck at the first part though all of them arrive, or no offset reported.
    run(
        10,
        Some(4),
        vec![
            (Opened, UploadStep::Part(0..4)),
            (Taken(Some(4)), UploadStep::Part(4..8)),
            (Taken(Some(4)), UploadStep::Part(8..10)),
            (Taken(None), UploadStep::Commit),
        ],
    );
    // After a break, such an offset is not believed either.
    run(
        10,
        Some(3),
        vec![
            (Opened, UploadStep::Part(0..3)),
            (Taken(Some(3)), UploadStep::Part(3..6)),
            (Taken(Some(3)), UploadStep::Part(6..9)),
            (Failed(Cut), UploadStep::Ask),
            (Told(Some(3)), UploadStep::Part(6..9)),
        ],
    );
    // More bytes than were sent.
    run(10, Some(4), vec![(Opened, UploadStep::Part(0..4)), (Taken(Some(100)), UploadStep::Open)]);
}

#[test]
fn a_broken_connection_goes_on_where_the_registry_is() {
    run(
        10,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Broken), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            (Told(Some(7)), UploadStep::Part(7..10)),
            (Failed(Broken), UploadStep::Ask),
            (Told(Some(8)), UploadStep::Part(8..10)),
            (Taken(Some(10)), UploadStep::Commit),
            (Failed(Broken), UploadStep::Look),
            (Found(true), UploadStep::Done),
        ],
    );
    run(
        10,
        Some(4),
        vec![
            (Opened, UploadStep::Part(0..4)),
            (Failed(Broken), UploadStep::Ask),
            (Told(Some(3)), UploadStep::Part(3..7)),
            (Failed(OutOfOrder), UploadStep::Ask),
            (Told(Some(5)), UploadStep::Part(5..9)),
        ],
    );
}

#[test]
fn byte_0_is_not_sent_again_to_the_same_session() {
    run(
        10,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Cut), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            // It may still be reading what has arrived.
            (Told(Some(0)), UploadStep::Ask),
            (Told(Some(0)), UploadStep::Ask),
            (Told(Some(0)), UploadStep::Open),
        ],
    );
    for told in [None, Some(0), Some(11)] {
        run(
            10,
            None,
            vec![
                (Opened, UploadStep::Whole),
                (Failed(Broken), UploadStep::Look),
                (Found(false), UploadStep::Ask),
                (Told(told), UploadStep::Open),
                (Opened, UploadStep::Whole),
            ],
        );
    }
}

#[test]
fn after_a_loss_there_is_less_to_lose() {
    const MIB: u64 = 1 << 20;
    for (size, chunk) in [(6 * MIB, 5 * MIB), (320 * MIB, 5 * MIB), (1024 * MIB, 16 * MIB), (1 << 40, 64 * MIB)] {
        run(
            size,
            None,
            vec![
                (Opened, UploadStep::Whole),
                (Failed(Cut), UploadStep::Look),
                (Found(false), UploadStep::Ask),
                (Failed(Lost), UploadStep::Open),
                (Opened, UploadStep::Part(0..chunk)),
                (Taken(Some(chunk)), UploadStep::Part(chunk..(2 * chunk).min(size))),
                (Failed(Cut), UploadStep::Ask),
                (Told(Some(chunk)), UploadStep::Part(chunk..(2 * chunk).min(size))),
            ],
        );
    }
    // A registry that loses accepted chunks gets the blob in one request.
    run(
        320 * MIB,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Cut), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            (Failed(Lost), UploadStep::Open),
            (Opened, UploadStep::Part(0..5 * MIB)),
            (Taken(Some(5 * MIB)), UploadStep::Part(5 * MIB..10 * MIB)),
            (Failed(Cut), UploadStep::Ask),
            (Failed(Lost), UploadStep::Open),
            (Opened, UploadStep::Whole),
        ],
    );
    // A registry that kept what had arrived gets the rest in one request.
    run(
        320 * MIB,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Cut), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            (Told(Some(100 * MIB)), UploadStep::Part(100 * MIB..320 * MIB)),
            (Failed(Cut), UploadStep::Ask),
            (Told(Some(200 * MIB)), UploadStep::Part(200 * MIB..320 * MIB)),
        ],
    );
    // A small blob is not sent in chunks.
    run(
        5 * MIB,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Cut), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            (Failed(Lost), UploadStep::Open),
            (Opened, UploadStep::Whole),
        ],
    );
}

#[test]
fn registries_that_take_nothing_but_whole_blobs() {
    for refusal in [vec![Failed(Unsupported)], vec![Taken(Some(4)), Failed(Unsupported)]] {
        let mut upload = Upload::new(10, Some(4));
        assert_eq!(next(&mut upload, Opened), UploadStep::Part(0..4));
        let last = refusal.into_iter().map(|came| next(&mut upload, came)).last();
        assert_eq!(last, Some(UploadStep::Open));
        assert_eq!(next(&mut upload, Opened), UploadStep::Whole);
        assert_eq!(next(&mut upload, Failed(Unsupported)), UploadStep::GiveUp);
    }
    // Only the last part became the blob.
    run(
        10,
        Some(5),
        vec![
            (Opened, UploadStep::Part(0..5)),
            (Taken(None), UploadStep::Part(5..10)),
            (Taken(None), UploadStep::Commit),
            (Failed(Unsupported), UploadStep::Open),
            (Opened, UploadStep::Whole),
            (Found(true), UploadStep::Done),
        ],
    );
}

#[test]
fn sessions_that_cannot_be_resumed() {
    for refusal in [Unsupported, Lost] {
        run(
            10,
            Some(4),
            vec![
                (Opened, UploadStep::Part(0..4)),
                (Taken(Some(4)), UploadStep::Part(4..8)),
                (Failed(Broken), UploadStep::Ask),
                (Told(Some(4)), UploadStep::Part(4..8)),
                (Failed(refusal), UploadStep::Open),
                (Opened, UploadStep::Part(0..4)),
            ],
        );
    }
    run(
        10,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Cut), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            (Told(Some(5)), UploadStep::Part(5..10)),
            (Failed(Unsupported), UploadStep::Open),
            (Opened, UploadStep::Whole),
        ],
    );
    // The session reports its offset, and refuses the bytes after it.
    run(
        10,
        Some(4),
        vec![
            (Opened, UploadStep::Part(0..4)),
            (Taken(Some(4)), UploadStep::Part(4..8)),
            (Failed(OutOfOrder), UploadStep::Ask),
            (Told(Some(4)), UploadStep::Part(4..8)),
            (Failed(OutOfOrder), UploadStep::Open),
            (Opened, UploadStep::Part(0..4)),
        ],
    );
    // The session does not report its offset.
    for silence in [Unsupported, Final, Lost, Broken] {
        run(
            10,
            Some(4),
            vec![
                (Opened, UploadStep::Part(0..4)),
                (Failed(Broken), UploadStep::Ask),
                (Failed(silence), UploadStep::Open),
                (Opened, UploadStep::Part(0..4)),
            ],
        );
    }
}

#[test]
fn lost_sessions_are_opened_anew() {
    run(
        10,
        Some(4),
        vec![
            (Opened, UploadStep::Part(0..4)),
            (Taken(Some(4)), UploadStep::Part(4..8)),
            (Failed(Lost), UploadStep::Open),
            (Opened, UploadStep::Part(0..4)),
        ],
    );
    run(
        10,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Lost), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            (Failed(Lost), UploadStep::Open),
        ],
    );
}

#[test]
fn refused_sizes_and_ways() {
    const MIB: u64 = 1 << 20;
    run(
        300 * MIB,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(TooLarge), UploadStep::Open),
            (Opened, UploadStep::Part(0..64 * MIB)),
            (Failed(TooLarge), UploadStep::Open),
            (Opened, UploadStep::Part(0..8 * MIB)),
            (Failed(TooLarge), UploadStep::Open),
            (Opened, UploadStep::Part(0..MIB)),
            (Taken(Some(MIB)), UploadStep::Part(MIB..2 * MIB)),
            (Failed(Cut), UploadStep::Ask),
            (Told(Some(MIB)), UploadStep::Part(MIB..2 * MIB)),
            (Failed(Cut), UploadStep::Ask),
            (Told(Some(MIB)), UploadStep::Part(MIB..MIB + (64 << 10))),
        ],
    );
    run(
        300 * MIB,
        None,
        vec![
            (Opened, UploadStep::Whole),
            (Failed(Cut), UploadStep::Look),
            (Found(false), UploadStep::Ask),
            (Told(None), UploadStep::Open),
            (Opened, UploadStep::Part(0..5 * MIB)),
            (Failed(Cut), UploadStep::Ask),
            (Told(None), UploadStep::Open),
            (Opened, UploadStep::Part(0..MIB)),
        ],
    );
    run(
        300 * MIB,
        Some(16 * MIB),
        vec![
            (Opened, UploadStep::Part(0..16 * MIB)),
            (Failed(OutOfOrder), UploadStep::Open),
            (Opened, UploadStep::Part(0..4 * MIB)),
            (Failed(OutOfOrder), UploadStep::Ask),
        ],
    );
    run(
        10,
        None,
        vec![(Opened, UploadStep::Whole), (Failed(Unsupported), UploadStep::Open), (Opened, UploadStep::Part(0..10))],
    );
    run(10, Some(4), vec![(Opened, UploadStep::Part(0..4)), (Failed(TooLarge), UploadStep::GiveUp)]);
    run(10, Some(4), vec![(Failed(Unsupported), UploadStep::GiveUp)]);
    run(10, Some(4), vec![(Opened, UploadStep::Part(0..4)), (Failed(Final), UploadStep::GiveUp)]);
}

/// Every upload ends, whatever the registry does. Each byte gained gives it all of its tries again.
#[test]
fn every_upload_ends() {
    for failure in [Broken, Cut, Lost, OutOfOrder, TooLarge, Unsupported, Final] {
        for chunk in [None, Some(1 << 20)] {
            for told in [None, Some(0), Some(1), Some(u64::MAX)] {
                let mut upload = Upload::new(1 << 30, chunk);
                let mut steps = 0;
                while upload.step() != UploadStep::GiveUp {
                    match upload.step() {
                        UploadStep::Open => upload.opened(None),
                        UploadStep::Ask => upload.told(told),
                        UploadStep::Look => upload.found(false),
                        _ => upload.fail(failure),
                    }
                    steps += 1;
                    assert!(steps < 100, "{failure:?} {chunk:?} {told:?}");
                }
            }
        }
    }
    let mut upload = Upload::new(1000, None);
    upload.opened(None);
    for held in 1..=999 {
        upload.fail(Broken);
        upload.found(false);
        upload.told(Some(held));
        assert!(matches!(upload.step(), UploadStep::Part(_)), "{held}");
    }
}
