//! Pushes: uploads, manifests and deletions (OCI distribution specification 1.1, "Push" and "Content Management").
//!
//! A body is passed on as it arrives. Each client brings its own authorization, as it does for reads.

use super::{challenge, failed};
use crate::{
    body::Body,
    headers,
    intake::Intake,
    metrics::Limit,
    refusal::Refusal,
    route::{self, Call, Endpoint},
    seal::Seal,
    server::Relay,
    token,
    upstream::{self, Answer},
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;
use porthole_core::digest::Digest;
use porthole_registry::{
    policy::{self, Url},
    redirect, relay_code,
    transport::Patience,
};

/// Sends a request that writes to its registry, and answers as the registry did. `base` is this relay's own origin, as the client
/// knows it.
pub(super) async fn answer(
    relay: &Relay,
    call: &Call,
    parts: &Parts,
    body: Incoming,
    base: &str,
) -> Result<Response<Body>, Refusal> {
    let seal = relay.pushes.as_ref().ok_or_else(route::only_reads)?;
    let registry = relay.upstream.registry(&call.registry, &call.host)?;
    relay.upstream.admit(&call.registry)?;
    let url = target(relay, seal, call, &parts.method, &registry)?;
    let mut sent = headers::forward_push(&parts.headers)?;
    token::disclose(&mut sent, &call.registry);
    if url.origin() != registry.origin() {
        // The upload leads to another host, which must not learn who is there.
        sent.remove(header::AUTHORIZATION);
    }
    let most = match call.endpoint {
        Endpoint::Manifest(_) => Some((relay.limits.document_size, Limit::DocumentSize)),
        _ => Some((relay.limits.upload_size, Limit::UploadSize)).filter(|(most, _)| *most > 0),
    };
    let (payload, why) = Intake::payload(body, most, &relay.limits, &relay.metrics)?;
    let mut request = upstream::request(&parts.method, &url, sent, payload)?;
    if parts.method == Method::PUT {
        request.extensions_mut().insert(Patience(relay.limits.upstream_commit));
    }
    let response = relay.upstream.send(&request).await.map_err(|refusal| why.refusal().unwrap_or(refusal))?;
    read(relay, seal, call, &parts.method, &registry, Answer { url, response }, base).await
}

/// Where a request goes.
fn target(relay: &Relay, seal: &Seal, call: &Call, method: &Method, registry: &Url) -> Result<Url, Refusal> {
    if let Endpoint::Session(sealed) = &call.endpoint {
        let place = seal.open(call, sealed).ok_or_else(|| {
            let message =
                "no upload of this repository that this relay knows: begin a new one (replicas share --upload-key)";
            Refusal::not_found("BLOB_UPLOAD_UNKNOWN", message)
        })?;
        // The options of a replica, or of a relay that was started again, may differ.
        if place.origin() != registry.origin() {
            relay.upstream.policy.check(place.origin())?;
        }
        return Ok(place.with_query(parameters(call, &["digest"])));
    }
    let url = registry
        .join(&call.upstream_path())
        .map_err(|error| Refusal::bad_request("NAME_INVALID", error.to_string()))?;
    Ok(match (&call.endpoint, method) {
        (Endpoint::Uploads, _) => {
            let url = url.with_query(parameters(call, &["digest", "digest-algorithm"]));
            match mount(relay, call) {
                Some((digest, from)) => url.with_query([("mount", digest), ("from", from.as_str())]),
                None => url,
            }
        }
        (Endpoint::Manifest(_), &Method::PUT) => url.with_query(parameters(call, &["tag"])),
        _ => url,
    })
}

fn parameters<'c>(call: &'c Call, names: &[&str]) -> Vec<(&'c str, &'c str)> {
    let pairs = call.query.iter().filter(|(name, _)| names.contains(&name.as_str()));
    pairs.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// A blob that another repository has, and that repository as its registry names it. One of another registry cannot be mounted: the
/// client uploads the blob.
fn mount<'c>(relay: &Relay, call: &'c Call) -> Option<(&'c str, String)> {
    let (_, digest) = *parameters(call, &["mount"]).first()?;
    let (_, from) = *parameters(call, &["from"]).first()?;
    let (registry, name) = if call.by_query {
        (call.registry.clone(), from)
    } else {
        route::split_registry(from, relay.default_registry.as_deref()).ok()?
    };
    let reference = route::read_name(&registry, name).ok().filter(|_| registry == call.registry)?;
    Some((digest, reference.repository().to_owned()))
}

/// Makes an answer out of the registry's.
async fn read(
    relay: &Relay,
    seal: &Seal,
    call: &Call,
    method: &Method,
    registry: &Url,
    answer: Answer,
    base: &str,
) -> Result<Response<Body>, Refusal> {
    let (status, from) = (answer.response.status(), &answer.url);
    let mut back = headers::back(answer.response.headers());
    back.remove(header::CONTENT_LENGTH);
    if status == StatusCode::UNAUTHORIZED {
        challenge(relay, call, registry, &answer, base, &mut back)?;
    }
    if redirect::target(from, status, answer.response.headers()).is_some() {
        let message = format!("{} sends pushes elsewhere ({status})", from.origin().authority());
        return Err(Refusal::upstream(relay_code::UPSTREAM_INVALID, message));
    }
    if call.endpoint.is_upload() {
        headers::add_upload(answer.response.headers(), &mut back);
    }
    if let Some(location) = location(relay, seal, call, registry, &answer)? {
        back.insert(header::LOCATION, location);
    }
    if status.is_client_error() || status.is_server_error() {
        return failed(answer, back, method, call).await;
    }
    if !matches!(status, StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        let message = format!("{} answered {status}", from.origin().authority());
        return Err(Refusal::upstream(relay_code::UPSTREAM_INVALID, message));
    }
    if *method == Method::DELETE
        && let Some(cache) = &relay.cache
    {
        cache.revoke();
    }
    upstream::drain(answer.response.into_body()).await;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = back;
    Ok(response)
}

/// Where the client finds what it wrote, or continues: always here.
///
/// # Errors
/// The registry leads an upload to where this relay does not go.
fn location(
    relay: &Relay,
    seal: &Seal,
    call: &Call,
    registry: &Url,
    answer: &Answer,
) -> Result<Option<HeaderValue>, Refusal> {
    let Some(location) = answer.response.headers().get(header::LOCATION) else { return Ok(None) };
    let from = &answer.url;
    let own = match (&call.endpoint, answer.response.status()) {
        (Endpoint::Manifest(target), StatusCode::CREATED) => {
            let digest = named(answer.response.headers()).map(|digest| digest.to_string());
            beside(call, "/manifests/", &digest.unwrap_or_else(|| target.clone()))
        }
        (Endpoint::Uploads | Endpoint::Session(_), StatusCode::CREATED) => {
            let asked = parameters(call, &["digest", "mount"]).first().and_then(|(_, digest)| digest.parse().ok());
            asked
                .or_else(|| named(answer.response.headers()))
                .and_then(|digest: Digest| beside(call, "/blobs/", &digest.to_string()))
        }
        (Endpoint::Uploads | Endpoint::Session(_), _) => {
            let text = String::from_utf8_lossy(location.as_bytes());
            let place = policy::upload(registry.origin(), from, &text).map(|place| place.url);
            let place = relay.upstream.policy.hop(from, place)?;
            let sealed = seal.close(call, &place).ok_or_else(|| {
                Refusal::upstream(
                    relay_code::UPSTREAM_INVALID,
                    "the registry's URL of the upload is too long".to_owned(),
                )
            })?;
            beside(call, "/blobs/uploads/", &sealed)
        }
        _ => None,
    };
    Ok(own.and_then(|own| HeaderValue::from_str(&own).ok()))
}

fn named(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

/// The URL of something else in the repository of a request, on the road that the request took.
fn beside(call: &Call, kind: &str, last: &str) -> Option<String> {
    // A repository may be called as the endpoints are: the last mark counts.
    let end = call.path.rfind(if call.endpoint.is_upload() { "/blobs/uploads" } else { "/manifests/" })?;
    let namespace = if call.by_query {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        format!("?{}", pairs.append_pair("ns", &call.registry).finish())
    } else {
        String::new()
    };
    Some(format!("{}{kind}{last}{namespace}", &call.path[..end]))
}
