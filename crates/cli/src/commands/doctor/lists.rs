//! What a registry lists.

use http::Method;
use porthole_core::{
    digest::Digest,
    failure::{Classify, FailureClass},
};
use porthole_registry::{
    client::Asker,
    endpoint::{catalog as repositories, referrers as api},
    scope::Scopes,
    transport::{Environment, Transport},
};

use super::{card::Finding, patient::Patient};

/// Whether it lists its repositories, and the first of them.
pub(super) async fn catalog<T: Transport + Environment>(patient: &Patient<'_, T>) -> (Finding, Option<String>) {
    let answer = match patient.ask(Method::GET, "_catalog?n=1", &[], Asker::User(Scopes::catalog())).await {
        Ok(answer) => answer,
        Err(error) if error.kind() == FailureClass::Authentication => {
            return (Finding::no("catalog", NO_CATALOG), None);
        }
        Err(error) => return (Finding::failed("catalog", &error), None),
    };
    match answer.status.as_u16() {
        200 => match repositories::read(&answer.body) {
            Ok(names) => (Finding::ok("catalog", "lists its repositories"), names.into_iter().next()),
            Err(_) => (Finding::no("catalog", "does not answer with a list of repositories"), None),
        },
        400 | 401 | 403 | 404 | 405 | 501 => (Finding::no("catalog", NO_CATALOG), None),
        status => (Finding::unknown("catalog", format!("is answered {status}: {}", answer.words())), None),
    }
}

const NO_CATALOG: &str = "lists no repositories";

/// Whether signatures and other referrers are found by the API.
pub(super) async fn referrers<T: Transport + Environment>(patient: &Patient<'_, T>, subject: &Digest) -> Finding {
    let path = patient.path(&format!("referrers/{subject}"));
    let answer = match patient.ask(Method::GET, &path, &[("accept", INDEX)], patient.reader()).await {
        Ok(answer) => answer,
        Err(error) => return Finding::failed("referrers", &error),
    };
    if api::is_supported(answer.status, &answer.headers) {
        return Finding::ok("referrers", "has the referrers API: it lists signatures and attestations");
    }
    match answer.status.as_u16() {
        200..=299 | 400 | 404..=406 => Finding::no(
            "referrers",
            "has no referrers API: signatures and attestations are found by the fallback tag, which clients must maintain",
        ),
        status => Finding::unknown("referrers", format!("are answered {status}: {}", answer.words())),
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
