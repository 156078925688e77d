//! Whether a registry answers at the name, and what else does.

use std::time::Duration;

use crate::{
    Error,
    client::Probed,
    date,
    error::kind_of_status,
    html::Page,
    policy::{Scheme, is_localhost},
};
use porthole_core::failure::FailureClass;

use super::{
    examined::ExaminedRegistry,
    finding::{ProbeFinding, ProbeName, ProbeVerdict},
};

/// TLS or not, and whether anything answers at all.
pub fn connection<T>(registry: &ExaminedRegistry<'_, T>, front: &Result<Probed, Error>) -> ProbeFinding {
    let origin = registry.base.origin();
    let at = origin.to_string();
    let finding = match front {
        Err(error) => ProbeFinding::no(ProbeName::Connection, format!("{error}")).fatal(error),
        Ok(_) if origin.scheme == Scheme::Https && registry.insecure => {
            ProbeFinding::unknown(ProbeName::Connection, "over TLS, but the certificate is not verified")
        }
        Ok(_) if origin.scheme == Scheme::Https => {
            ProbeFinding::ok(ProbeName::Connection, "over TLS, with a certificate that is trusted here")
        }
        Ok(_) => {
            let name = origin.host.to_string();
            if origin.host.is_loopback_literal() || is_localhost(&name) {
                ProbeFinding::ok(ProbeName::Connection, "over plain HTTP, which does not leave this machine")
            } else {
                ProbeFinding::no(
                    ProbeName::Connection,
                    "over plain HTTP: anyone on the path can read passwords, and change what no digest pins",
                )
            }
        }
    };
    finding.with("url", at)
}

/// Whether it is a registry (OCI distribution specification 1.1, "Determining Support").
pub fn version(front: &Probed) -> ProbeFinding {
    let status = front.status.as_u16();
    let version = front.header("docker-distribution-api-version");
    let page = Page::find(&front.body).filter(|_| matches!(status, 200 | 401));
    let finding = match status {
        _ if page.is_some() => {
            let page = page.map(|page| page.to_string()).unwrap_or_default();
            let says = format!("answers {page} to /v2/: a captive portal, a login page or a proxy, no registry");
            ProbeFinding::no(ProbeName::Version, says).because(FailureClass::Protocol)
        }
        200 | 401 => ProbeFinding::ok(ProbeName::Version, "speaks the distribution API"),
        429 => ProbeFinding::no(ProbeName::Version, format!("limits the rate of requests: {}", front.words())),
        403 => ProbeFinding::no(ProbeName::Version, format!("refuses access from here: {}", front.words())),
        404 => ProbeFinding::no(ProbeName::Version, "answers 404 to /v2/: there is no registry at this address"),
        _ => ProbeFinding::no(ProbeName::Version, format!("answers {status} to /v2/: {}", front.words())),
    };
    let finding = match finding.verdict {
        ProbeVerdict::No if finding.kind().is_none() => finding.because(kind_of_status(front.status)),
        _ => finding,
    };
    let finding = finding.with("status", status);
    match version {
        Some(version) => finding.with("docker_distribution_api_version", version),
        None => finding,
    }
}

/// Whether its clock and ours agree.
pub fn clock(front: &Probed, now: Duration) -> ProbeFinding {
    let Some(date) = front.header("date").and_then(date::http) else {
        return ProbeFinding::unknown(ProbeName::Clock, "sends no date");
    };
    let (ours, theirs) = (i128::from(now.as_secs()), i128::from(date));
    let skew = theirs - ours;
    let seconds = skew.unsigned_abs();
    let finding = if seconds <= SKEW {
        ProbeFinding::ok(ProbeName::Clock, "agrees with the clock of this machine")
    } else {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        ProbeFinding::no(
            ProbeName::Clock,
            format!("is {seconds} s {way} this machine: tokens and certificates may look expired, or not yet valid"),
        )
    };
    finding.with("skew_seconds", i64::try_from(skew).unwrap_or(i64::MAX))
}

/// Seconds that two clocks may differ before a token that is good for minutes suffers.
const SKEW: u128 = 30;
