//! Classifies the errors of the HTTP library.

use crate::error;
use porthole_registry::transport::{Error, ErrorKind};
use std::{error::Error as StdError, io, time::Duration};

/// Why a request to `host` got no answer.
pub(crate) fn of_request(host: &str, failure: &hyper_util::client::legacy::Error) -> Error {
    if let Some(ours) = find::<Error>(failure) {
        return ours.clone();
    }
    if failure.is_connect() {
        return error(ErrorKind::Connect, format!("cannot connect to {host}"));
    }
    find::<hyper::Error>(failure).map_or_else(|| error(ErrorKind::Other, failure.to_string()), of_body)
}

/// Why a request got no answer over its connection.
pub(crate) fn of_exchange(failure: &hyper::Error) -> Error {
    find::<Error>(failure).cloned().unwrap_or_else(|| of_body(failure))
}

/// Why an exchange failed after it had begun.
pub(crate) fn of_body(failure: &hyper::Error) -> Error {
    if failure.is_parse() {
        return error(ErrorKind::Malformed, failure.to_string());
    }
    if failure.is_timeout() {
        return error(ErrorKind::Timeout, failure.to_string());
    }
    match find::<io::Error>(failure) {
        // A body that breaks its own framing is reported as an I/O error of these kinds.
        Some(io) if matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            error(ErrorKind::Malformed, io.to_string())
        }
        Some(io) => error(ErrorKind::Interrupted, format!("the connection broke: {io}")),
        None => error(ErrorKind::Interrupted, "the connection broke"),
    }
}

/// The error of a wait for `what` that ended after this time.
pub(crate) fn stalled(what: &str, after: Duration) -> Error {
    error(ErrorKind::Timeout, format!("waited {} s for {what}", after.as_secs()))
}

/// The error of a body that came in pieces of a few bytes.
pub(crate) fn crumbs(pieces: u64, bytes: u64) -> Error {
    error(ErrorKind::Slow, format!("{pieces} pieces of a body had {bytes} bytes together"))
}

/// The first error of this type in the chain of causes.
fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    std::iter::successors(Some(error), |error| StdError::source(*error)).find_map(<dyn StdError>::downcast_ref)
}
