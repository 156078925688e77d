use super::*;
use crate::transport::ErrorKind;

#[test]
fn only_what_may_help_is_tried_again() {
    let status = |status| TryFailure::Status { status, retry_after: None };
    for code in [408, 429, 499, 500, 502, 503, 504, 522] {
        assert!(delay(1, Duration::ZERO, status(code), 0).is_some(), "{code}");
    }
    for code in [200, 301, 400, 401, 403, 404, 416, 501] {
        assert_eq!(delay(1, Duration::ZERO, status(code), 0), None, "{code}");
    }
    assert!(delay(1, Duration::ZERO, TryFailure::Transport(ErrorKind::Interrupted), 0).is_some());
    for kind in [ErrorKind::Resolve, ErrorKind::Offline, ErrorKind::Tls, ErrorKind::Forbidden, ErrorKind::Opaque] {
        assert_eq!(delay(1, Duration::ZERO, TryFailure::Transport(kind), 0), None, "{kind:?}");
    }
}

#[test]
fn a_wait_in_several_tries_is_named_as_a_whole() {
    let timeout = || transport::Error { kind: ErrorKind::Timeout, message: "waited 0 s for more of the body".into() };
    let mut budget = Budget::new(Duration::from_secs(6));
    budget.stalled(Duration::from_millis(4800));
    assert!(budget.spend(TryFailure::Transport(ErrorKind::Timeout), 0).is_some());
    budget.stalled(Duration::from_millis(900));
    assert_eq!(budget.spend(TryFailure::Transport(ErrorKind::Timeout), 0), None);
    let mut error = timeout();
    budget.conclude(&mut error);
    assert_eq!(error.message, "nothing new came for 6 s, the last of 2 tries");
    let (mut once, mut error) = (Budget::new(Duration::ZERO), timeout());
    assert_eq!(once.spend(TryFailure::Transport(ErrorKind::Timeout), 0), None);
    once.conclude(&mut error);
    assert_eq!(error, timeout());
}

#[test]
fn waits_grow_and_end() {
    let failure = TryFailure::Status { status: 503, retry_after: None };
    let waits = |random| {
        (1..=TRIES)
            .map(|tries| delay(tries, Duration::ZERO, failure, random).map(|wait| wait.as_millis()))
            .collect::<Vec<_>>()
    };
    assert_eq!(waits(0), [Some(125), Some(250), Some(500), Some(1000), None]);
    assert_eq!(waits(u64::MAX), [Some(250), Some(500), Some(1000), Some(2000), None]);
}

#[test]
fn the_registry_may_ask_for_a_minute() {
    let asks = |seconds| TryFailure::Status { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
    assert_eq!(delay(1, Duration::ZERO, asks(60), 0), Some(Duration::from_secs(60)));
    assert_eq!(delay(1, Duration::ZERO, asks(61), 0), None);
    assert_eq!(delay(2, Duration::from_secs(60), asks(1), 0), None);
    assert_eq!(delay(1, Duration::ZERO, asks(0), 0), Some(Duration::from_millis(125)));
}

const BROKEN: TryFailure = TryFailure::Transport(ErrorKind::Interrupted);

#[test]
fn a_stall_ends_within_forty_seconds() {
    let timeout = TryFailure::Transport(ErrorKind::Timeout);
    let mut budget = Budget::new(PATIENCE);
    let mut total = Duration::ZERO;
    let mut tries = 0;
    loop {
        // Nothing ever comes: each try takes all that it may.
        tries += 1;
        let share = budget.share();
        assert!(share >= Duration::from_secs(4), "a try of {share:?} is none");
        budget.wait(share);
        total += share;
        let Some(pause) = budget.spend(timeout, u64::MAX) else { break };
        total += pause;
    }
    assert_eq!(tries, 2);
    assert!(total > Duration::from_secs(36) && total < Duration::from_secs(40), "{total:?}");
}

#[test]
fn tries_end_sooner_where_nothing_came_yet() {
    let tries = |mut budget: Budget, failure| {
        let mut tries = 1;
        while budget.spend(failure, 0).is_some() {
            tries += 1;
        }
        (tries, budget.idle.as_secs())
    };
    let fresh = Budget::new(PATIENCE);
    let mut proved = fresh.clone();
    proved.renew();
    assert_eq!(tries(fresh.clone(), BROKEN), (5, 1));
    assert_eq!(tries(proved.clone(), BROKEN), (8, 11));
    let lost = TryFailure::Transport(ErrorKind::Resolve);
    assert_eq!(tries(fresh, lost).0, 1);
    assert_eq!(tries(proved, lost).0, 8);
}

#[test]
fn progress_renews_a_budget() {
    let mut budget = Budget::new(PATIENCE);
    for _ in 0..100 {
        for _ in 0..3 {
            assert!(budget.spend(BROKEN, 0).is_some());
        }
        budget.renew();
    }
    // An answer that does not help is a sign of life, no more, and none after a failure.
    budget.wait(PATIENCE);
    budget.stir();
    assert_eq!(budget.share(), Budget::new(PATIENCE).share());
    assert!(budget.spend(BROKEN, 0).is_some());
    budget.wait(PATIENCE);
    budget.stir();
    assert_eq!(budget.spend(BROKEN, 0), None);
}

#[test]
fn a_registry_that_sends_a_byte_at_a_time_is_given_up() {
    for (bytes, rate, ends) in [
        (1, Rate::default(), Some(30)),
        (999, Rate::default(), Some(30)),
        (1000, Rate::default(), None),
        (1, Rate { bytes: 0, ..Rate::default() }, None),
        (1, Rate { bytes: 2, window: Duration::from_secs(5) }, Some(5)),
    ] {
        let mut budget = Budget::new(PATIENCE).at_least(rate);
        let ended = (1..=200).find(|_| budget.moved(Duration::from_secs(1), bytes).is_err());
        assert_eq!(ended, ends, "{bytes} {rate:?}");
    }
}

/// It sends half of what is missing, and stalls.
#[test]
fn a_stall_after_each_half_ends_within_forty_five_seconds() {
    let mut budget = Budget::new(PATIENCE);
    let (mut left, mut total) = (200_000_u64, Duration::ZERO);
    loop {
        let half = left / 2;
        left -= half;
        if half > 0 && budget.moved(Duration::from_millis(10), half).is_err() {
            break;
        }
        let share = budget.share();
        budget.stalled(share);
        total += share;
        let Some(pause) = budget.spend(TryFailure::Transport(ErrorKind::Timeout), 0) else { break };
        total += pause;
    }
    assert!(total < Duration::from_secs(45), "{total:?}");
    // A long transfer survives stalls far apart.
    let mut budget = Budget::new(PATIENCE);
    for _ in 0..20 {
        budget.stalled(budget.share());
        assert!(budget.spend(TryFailure::Transport(ErrorKind::Timeout), 0).is_some());
        for _ in 0..60 {
            budget.moved(Duration::from_secs(1), 5_000).unwrap();
        }
    }
}

#[test]
fn a_registry_may_ask_a_budget_for_a_minute() {
    let asks = |seconds| TryFailure::Status { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
    let mut budget = Budget::new(PATIENCE);
    assert_eq!(budget.spend(asks(50), 0), Some(Duration::from_secs(50)));
    assert_eq!(budget.share(), PATIENCE - PATIENCE / 5, "what it asks for is no stall");
    assert_eq!(budget.spend(asks(11), 0), None);
    assert_eq!(Budget::new(PATIENCE).spend(asks(61), 0), None);
    assert_eq!(Budget::new(PATIENCE).spend(asks(0), 0), Some(Duration::from_millis(125)));
    let brief = || Budget::new(PATIENCE).brief(Duration::from_secs(10));
    assert_eq!(brief().spend(asks(10), 0), Some(Duration::from_secs(10)));
    assert_eq!(brief().spend(asks(11), 0), None);
    let busy = TryFailure::Busy { retry_after: Some(Duration::from_secs(2)) };
    assert_eq!(Budget::new(PATIENCE).spend(busy, 0), Some(Duration::from_secs(2)));
}

#[test]
fn retry_after_in_both_forms() {
    let now = Duration::from_secs(784_111_777);
    for (value, expected) in [
        ("5", Some(5)),
        (" 0 ", Some(0)),
        ("99999999999999999999999", Some(u64::MAX)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
        ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
        ("Thu, 29 Feb 1996 00:00:00 GMT", Some(41_440_223)),
        ("-1", None),
        ("", None),
        ("soon", None),
        ("Sun, 06 Nov 1994 08:49:47 CET", None),
        ("Sun, 06 Foo 1994 08:49:47 GMT", None),
    ] {
        assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
    }
}
