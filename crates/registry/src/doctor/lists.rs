//! What a registry lists.

use crate::{
    client::Asker,
    endpoint::{catalog as repositories, referrers as api},
    scope::Scopes,
    transport::{Environment, Transport},
};
use http::Method;
use porthole_core::{
    digest::Digest,
    failure::{Classify, FailureClass},
};

use super::{
    examined::ExaminedRegistry,
    finding::{ProbeFinding, ProbeName},
};

/// Whether it lists its repositories, and the first of them.
pub async fn catalog<T: Transport + Environment>(registry: &ExaminedRegistry<'_, T>) -> (ProbeFinding, Option<String>) {
    let answer = match registry.ask(Method::GET, "_catalog?n=1", &[], Asker::User(Scopes::catalog())).await {
        Ok(answer) => answer,
        Err(error) if error.kind() == FailureClass::Authentication => {
            return (ProbeFinding::no(ProbeName::Catalog, NO_CATALOG), None);
        }
        Err(error) => return (ProbeFinding::failed(ProbeName::Catalog, &error), None),
    };
    match answer.status.as_u16() {
        200 => match repositories::read(&answer.body) {
            Ok(names) => (ProbeFinding::ok(ProbeName::Catalog, "lists its repositories"), names.into_iter().next()),
            Err(_) => (ProbeFinding::no(ProbeName::Catalog, "does not answer with a list of repositories"), None),
        },
        400 | 401 | 403 | 404 | 405 | 501 => (ProbeFinding::no(ProbeName::Catalog, NO_CATALOG), None),
        status => {
            (ProbeFinding::unknown(ProbeName::Catalog, format!("is answered {status}: {}", answer.words())), None)
        }
    }
}

const NO_CATALOG: &str = "lists no repositories";

/// Whether signatures and other referrers are found by the API.
pub async fn referrers<T: Transport + Environment>(
    registry: &ExaminedRegistry<'_, T>,
    subject: &Digest,
) -> ProbeFinding {
    let path = registry.path(&format!("referrers/{subject}"));
    let answer = match registry.ask(Method::GET, &path, &[("accept", INDEX)], registry.reader()).await {
        Ok(answer) => answer,
        Err(error) => return ProbeFinding::failed(ProbeName::Referrers, &error),
    };
    if api::is_supported(answer.status, &answer.headers) {
        return ProbeFinding::ok(ProbeName::Referrers, "has the referrers API: it lists signatures and attestations");
    }
    match answer.status.as_u16() {
        200..=299 | 400 | 404..=406 => ProbeFinding::no(
            ProbeName::Referrers,
            "has no referrers API: signatures and attestations are found by the fallback tag, which clients must maintain",
        ),
        status => ProbeFinding::unknown(ProbeName::Referrers, format!("are answered {status}: {}", answer.words())),
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
