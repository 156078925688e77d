//! Bodies of answers: how long they say they are, and reading them in time.

use crate::{
    retry::Budget,
    transport::{self, Body, Environment, ErrorKind},
};
use http::{HeaderMap, header};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

/// The `Content-Length` of an answer.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a piece of a body, for as long as the budget allows: a body may have fewer bytes to come than its connection has time.
/// Beside it is how long it took.
pub(crate) async fn read_within(
    environment: &impl Environment,
    body: &mut impl Body,
    buffer: &mut [u8],
    limit: Duration,
) -> (Result<usize, transport::Error>, Duration) {
    let started = environment.now();
    let mut read = pin!(body.read(buffer));
    let mut alarm = pin!(environment.sleep(limit));
    let outcome = poll_fn(|context| match read.as_mut().poll(context) {
        Poll::Pending => alarm.as_mut().poll(context).map(|()| {
            let message = format!("waited {} s for more of the body", limit.as_secs());
            Err(transport::Error { kind: ErrorKind::Timeout, message })
        }),
        ready => ready,
    })
    .await;
    // A clock that jumps, or a machine that slept, must not cost more than the wait could have.
    (outcome, environment.now().saturating_sub(started).min(limit))
}

/// The first `limit` bytes of a body, or as many of them as come soon: for the words of an error.
pub async fn read_start(environment: &impl Environment, body: &mut impl Body, limit: u64, budget: Budget) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let mut budget = budget.brief(BRIEF);
    while let (Ok(read @ 1..), waited) = read_within(environment, body, &mut buffer, budget.share()).await {
        budget.wait(waited);
        bytes.extend_from_slice(&buffer[..read]);
        if bytes.len() as u64 > limit || budget.is_spent() {
            break;
        }
    }
    bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    bytes
}

/// What is read at once.
const BUFFER: usize = 32 << 10;
/// For the words of an error to arrive.
const BRIEF: Duration = Duration::from_secs(8);
