//! What a registry wants to know of who asks, and whether it likes what it is told.

use porthole_registry::{
    Error,
    challenge::{self, Challenge},
    client::Probed,
    policy::{self, Realm, Scheme},
    transport::{Environment, Transport},
};

use super::{
    card::Finding,
    patient::{Credentials, Patient},
};

/// The challenges, and whether what they ask for may be given.
pub(super) fn sign_in<T>(patient: &Patient<'_, T>, front: &Probed) -> Finding {
    if front.status != 401 {
        return Finding::ok("sign-in", "asks nobody who they are");
    }
    let challenges = challenge::parse_headers(&front.headers);
    let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
    let find = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
    let bearer = find("bearer").filter(|challenge| challenge.parameter("realm").is_some());
    let finding = match (bearer, find("basic")) {
        (Some(bearer), _) => token(patient, bearer),
        (None, Some(_))
            if patient.base.origin().scheme == Scheme::Http && !patient.base.origin().host.is_loopback_literal() =>
        {
            Finding::no("sign-in", "wants user and password with every request, and they go there unencrypted")
        }
        (None, Some(_)) => Finding::ok("sign-in", "wants user and password with every request"),
        (None, None) if schemes.is_empty() => {
            Finding::no("sign-in", "refuses access without saying what it wants to know")
        }
        (None, None) => {
            Finding::no("sign-in", format!("wants a proof that no registry client has: {}", schemes.join(", ")))
        }
    };
    finding.with("schemes", schemes)
}

fn token<T>(patient: &Patient<'_, T>, bearer: &Challenge) -> Finding {
    let realm = bearer.parameter("realm").unwrap_or_default();
    // Judged as if there were credentials, whether or not there are.
    match policy::realm(patient.base.origin(), realm, true, patient.trusted) {
        Ok(Realm::Send(url) | Realm::Anonymous(url)) => {
            let place = url.origin().to_string();
            Finding::ok("sign-in", format!("wants a token from {place}, which may see the credentials"))
                .with("realm", place)
        }
        Ok(Realm::Untrusted(url)) => {
            let (place, authority) = (url.origin().to_string(), url.origin().authority());
            let says = format!(
                "wants a token from {place}, another site: credentials are sent there only with --trust-realm {authority}"
            );
            Finding::no("sign-in", says).with("realm", place)
        }
        Err(error) => Finding::no("sign-in", format!("wants a token from a place that is refused: {error}")),
    }
}

/// Whether there are credentials, and whether they are accepted.
pub(super) async fn credentials<T: Transport + Environment>(patient: &Patient<'_, T>, front: &Probed) -> Finding {
    let is_asked = front.status == 401;
    let from = match &patient.credentials {
        Credentials::Failed(reason) => {
            return Finding::no("credentials", format!("could not be asked for: {reason}"));
        }
        Credentials::None => None,
        Credentials::From(place) => Some(place.as_str()),
    };
    let (verdict, kept) = match (from, is_asked) {
        (None, false) => return Finding::ok("credentials", "are not kept here, and not asked for"),
        (Some(place), false) => {
            return Finding::unknown("credentials", format!("from {place} were not asked for")).with("source", place);
        }
        (from, true) => (patient.client.check_access(&patient.reference).await, from),
    };
    let finding = match (kept, verdict) {
        (Some(place), Ok(())) => Finding::ok("credentials", format!("from {place} are accepted")),
        (None, Ok(())) => {
            Finding::ok("credentials", "are not kept here; who has none is let in too, if not everywhere")
        }
        (Some(place), Err(error @ (Error::Unauthorized { .. } | Error::Withheld { .. }))) => {
            Finding::no("credentials", format!("from {place} do not help: {error}")).fatal(&error)
        }
        (None, Err(error @ Error::Unauthorized { .. })) => {
            Finding::no("credentials", format!("are not kept here, and nobody gets in without: {error}")).fatal(&error)
        }
        (_, Err(error)) => Finding::no("credentials", error.to_string()).fatal(&error),
    };
    match kept {
        Some(place) => finding.with("source", place),
        None => finding,
    }
}
