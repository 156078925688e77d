//! Bodies of answers: their stated length, and reads with a time limit.

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

/// Reads a piece of a body, at most for `limit`: the budget may allow less time than the transport does. Also returns how
/// long it took.
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
    // If the clock jumps or the machine sleeps, the cost is still at most `limit`.
    (outcome, environment.now().saturating_sub(started).min(limit))
}

/// Returns the start of a body for the text of an error: at most `limit` bytes, as many as arrive within a few seconds.
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

/// Bytes read at a time.
const BUFFER: usize = 32 << 10;
/// Longest time to wait for the text of an error.
const BRIEF: Duration = Duration::from_secs(8);
