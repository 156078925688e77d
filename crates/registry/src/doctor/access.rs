//! How a registry authenticates, and whether it accepts the stored credentials.

use crate::{
    Error,
    challenge::{self, Challenge},
    client::Probed,
    policy::{self, Realm, Scheme},
    transport::{Environment, Transport},
};
use porthole_core::hint::Hint;

use super::{
    examined::{ExaminedRegistry, StoredCredentials},
    finding::{ProbeFinding, ProbeName},
};

/// The challenges, and whether what they ask for may be given.
pub fn sign_in<T>(registry: &ExaminedRegistry<'_, T>, front: &Probed) -> ProbeFinding {
    if front.status != 401 {
        return ProbeFinding::ok(ProbeName::SignIn, "requires no sign-in");
    }
    let challenges = challenge::parse_headers(&front.headers);
    let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
    let find = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
    let bearer = find("bearer").filter(|challenge| challenge.parameter("realm").is_some());
    let finding = match (bearer, find("basic")) {
        (Some(bearer), _) => token(registry, bearer),
        (None, Some(_))
            if registry.base.origin().scheme == Scheme::Http && !registry.base.origin().host.is_loopback_literal() =>
        {
            ProbeFinding::no(
                ProbeName::SignIn,
                "requires user and password with every request, and they are sent unencrypted",
            )
        }
        (None, Some(_)) => ProbeFinding::ok(ProbeName::SignIn, "requires user and password with every request"),
        (None, None) if schemes.is_empty() => ProbeFinding::no(ProbeName::SignIn, "refuses access without a challenge"),
        (None, None) => ProbeFinding::no(
            ProbeName::SignIn,
            format!("requires an authentication scheme that registry clients do not have: {}", schemes.join(", ")),
        ),
    };
    finding.with("schemes", schemes)
}

fn token<T>(registry: &ExaminedRegistry<'_, T>, bearer: &Challenge) -> ProbeFinding {
    let realm = bearer.parameter("realm").unwrap_or_default();
    // Judged as if there were credentials, whether or not there are.
    match policy::realm(registry.base.origin(), realm, true, registry.trusted) {
        Ok(Realm::Send(url) | Realm::Anonymous(url)) => {
            let place = url.origin().to_string();
            ProbeFinding::ok(ProbeName::SignIn, format!("requires a token from {place}, which gets the credentials"))
                .with("realm", place)
        }
        Ok(Realm::Untrusted(url)) => {
            let (place, authority) = (url.origin().to_string(), url.origin().authority());
            let says = format!("requires a token from {place}, another site, to which no credentials are sent");
            ProbeFinding::no(ProbeName::SignIn, says).with("realm", place).hint(Hint::TrustRealm { realm: authority })
        }
        Err(error) => {
            ProbeFinding::no(ProbeName::SignIn, format!("requires a token from a realm that is refused: {error}"))
        }
    }
}

/// Whether there are credentials, and whether they are accepted.
pub async fn credentials<T: Transport + Environment>(
    registry: &ExaminedRegistry<'_, T>,
    front: &Probed,
) -> ProbeFinding {
    let is_asked = front.status == 401;
    let from = match &registry.credentials {
        StoredCredentials::Failed(reason) => {
            return ProbeFinding::no(ProbeName::Credentials, format!("could not be asked for: {reason}"));
        }
        StoredCredentials::None => None,
        StoredCredentials::From(place) => Some(place.as_str()),
    };
    let (verdict, kept) = match (from, is_asked) {
        (None, false) => return ProbeFinding::ok(ProbeName::Credentials, "are not stored here, and not required"),
        (Some(place), false) => {
            return ProbeFinding::unknown(ProbeName::Credentials, format!("from {place} were not asked for"))
                .with("source", place);
        }
        (from, true) => (registry.client.check_access(&registry.reference).await, from),
    };
    let finding = match (kept, verdict) {
        (Some(place), Ok(())) => ProbeFinding::ok(ProbeName::Credentials, format!("from {place} are accepted")),
        (None, Ok(())) => {
            ProbeFinding::ok(ProbeName::Credentials, "are not stored here; anonymous access works, at least in part")
        }
        (Some(place), Err(error @ (Error::Unauthorized { .. } | Error::Withheld { .. }))) => {
            ProbeFinding::no(ProbeName::Credentials, format!("from {place} do not help: {error}")).fatal(&error)
        }
        (None, Err(error @ Error::Unauthorized { .. })) => {
            ProbeFinding::no(ProbeName::Credentials, format!("are not stored here, and are required: {error}"))
                .fatal(&error)
        }
        (_, Err(error)) => ProbeFinding::no(ProbeName::Credentials, error.to_string()).fatal(&error),
    };
    match kept {
        Some(place) => finding.with("source", place),
        None => finding,
    }
}
