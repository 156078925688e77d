//! `/v2/`: what a registry answers, made safe for the page and true for the client.

mod push;

use crate::{
    body::{Arriving, Body, Uncoded},
    cache::serve::{Verdict, Wish},
    headers,
    metrics::Limit,
    page,
    refusal::Refusal,
    route::{Call, Endpoint},
    server::Relay,
    token,
    upstream::{self, Answer},
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;
use porthole_core::{digest::Digest, limits::ERROR_BODY_BYTES};
use porthole_registry::{challenge, coding, endpoint::tags, html, policy::Url, relay_code};
use std::sync::Arc;

/// Asks the registry, and answers as it did. `base` is this relay's own origin, as the client knows it.
pub(crate) async fn answer(
    relay: &Relay,
    call: &Call,
    method: &Method,
    client: &HeaderMap,
    base: &str,
) -> Result<Response<Body>, Refusal> {
    let registry = relay.upstream.registry(&call.registry, &call.host)?;
    relay.upstream.admit(&call.registry)?;
    let url = registry
        .join(&call.upstream_path())
        .map_err(|error| Refusal::bad_request("NAME_INVALID", error.to_string()))?;
    let url = match call.endpoint {
        // Paging and filters. Nothing else takes parameters.
        Endpoint::Catalog | Endpoint::Tags | Endpoint::Referrers(_) => {
            url.with_query(call.query.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        }
        _ => url,
    };
    let mut sent = headers::forward(client);
    token::disclose(&mut sent, &call.registry);
    let anonymous = !client.contains_key(header::AUTHORIZATION);
    let range = sent.get(header::RANGE).and_then(headers::parse_range);
    let wish = relay.cache.as_ref().zip(Wish::name_of(call, method)).map(|(cache, name)| Wish {
        upstream: &relay.upstream,
        clients: &relay.clients,
        metrics: &relay.metrics,
        cache,
        call,
        name,
        url: &url,
        sent: &sent,
        anonymous,
    });
    let mut lead = None;
    if let Some(wish) = &wish {
        match Box::pin(wish.answer()).await? {
            Verdict::Answer(response) => return Ok(response),
            Verdict::Ask(ours) => lead = ours,
        }
    }
    let answer = relay.upstream.fetch(method, url.clone(), sent.clone()).await?;

    let status = answer.response.status();
    let mut back = headers::back(answer.response.headers());
    match status {
        StatusCode::UNAUTHORIZED => challenge(relay, call, &registry, &answer, base, &mut back)?,
        StatusCode::PARTIAL_CONTENT => {
            let right = match (range, back.get(header::CONTENT_RANGE)) {
                (Some(range), Some(content_range)) => headers::answers_range(content_range, range),
                _ => false,
            };
            if !right {
                return Err(Refusal::upstream(
                    relay_code::UPSTREAM_INVALID,
                    "the answer holds another range than asked for",
                ));
            }
        }
        _ if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            return Err(Refusal::upstream(
                relay_code::UPSTREAM_INVALID,
                format!("a redirect ({status}) without a usable Location"),
            ));
        }
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION | StatusCode::NOT_MODIFIED => {}
        _ if status.is_client_error() || status.is_server_error() => {}
        // Some have no body whatever their headers say: passed on, the next answer of the connection would be read as one.
        _ => {
            let message = format!("{} answered {status}", answer.url.origin().authority());
            return Err(Refusal::upstream(relay_code::UPSTREAM_INVALID, message));
        }
    }
    if status.is_client_error() || status.is_server_error() {
        return Box::pin(failed(answer, back, method, call)).await;
    }

    let content_type = match (&call.endpoint, answer.response.headers().get(header::CONTENT_TYPE)) {
        (Endpoint::Blob(_), _) => Some(headers::OCTET_STREAM),
        (_, Some(own)) => Some(headers::safe_content_type(Some(own))),
        // A type of ours would contradict the body, which decides what a document without one is.
        (_, None) => None,
    };
    if let Some(content_type) = content_type.filter(|_| status != StatusCode::NOT_MODIFIED) {
        back.insert(header::CONTENT_TYPE, content_type);
    }
    // A blob loses its type, but a client that got a login page instead of one should be able to say so.
    let own = answer.response.headers().get(header::CONTENT_TYPE).and_then(|own| own.to_str().ok());
    let is_page = own.is_some_and(html::is_html);
    if matches!(call.endpoint, Endpoint::Blob(_)) && is_page {
        back.insert(html::UPSTREAM_TYPE, HeaderValue::from_static("text/html"));
    }
    if let Some(link) = next_page(&answer, call)? {
        back.insert(header::LINK, link);
    }
    let left = match call.endpoint {
        Endpoint::Blob(_) => None,
        _ => Some(relay.limits.document_size),
    };
    let coding = coding::of(answer.response.headers()).map(coding::compression);
    let coded = match coding.flatten().filter(|_| *method == Method::GET && status == StatusCode::OK) {
        Some(compression) => {
            Box::pin(coded_size(relay, call, &url, &sent, &answer)).await?.map(|size| (compression, size))
        }
        None => None,
    };
    let body = answer.response.into_body();
    if let Some((compression, size)) = coded {
        back.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        let arriving = Arriving { body, left, metrics: Arc::clone(&relay.metrics) };
        if let Some(by_digest) = call.endpoint.is_by_digest() {
            headers::set_caching(&mut back, by_digest, anonymous);
        }
        let mut response = Response::new(Body::Uncoded(Box::new(Uncoded::new(arriving, compression, size))));
        *response.headers_mut() = back;
        return Ok(response);
    }
    if *method != Method::HEAD {
        // What comes decides, not what was announced.
        back.remove(header::CONTENT_LENGTH);
        back.extend(
            body.remaining()
                .filter(|_| status != StatusCode::NOT_MODIFIED)
                .map(|length| (header::CONTENT_LENGTH, HeaderValue::from(length))),
        );
    }
    if let (Some(limit), Some(length), &Method::GET) = (left, body.remaining(), method)
        && length > limit
    {
        relay.metrics.limited(Limit::DocumentSize);
        let message = format!("the document has {length} bytes, and this relay passes on at most {limit}");
        return Err(Refusal::upstream(relay_code::UPSTREAM_INVALID, message));
    }
    // A page in place of what a digest names is no such thing, and must not be kept as one.
    if let Some(by_digest) = call.endpoint.is_by_digest().filter(|_| !is_page) {
        headers::set_caching(&mut back, by_digest, anonymous);
        if !by_digest && status == StatusCode::OK && has_not_changed(client, &mut back) {
            back.remove(header::CONTENT_LENGTH);
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = back;
            return Ok(response);
        }
    }
    let mut arriving = Box::new(Arriving { body, left, metrics: Arc::clone(&relay.metrics) });
    if let (Some(wish), Some(lead)) = (&wish, lead)
        && status == StatusCode::OK
        && coding.is_none()
    {
        match Box::pin(wish.keep(lead, *arriving)).await {
            Ok(mut response) => {
                for (name, value) in &back {
                    response.headers_mut().entry(name).or_insert_with(|| value.clone());
                }
                return Ok(response);
            }
            Err(passed_on) => arriving = passed_on,
        }
    }
    let mut response = Response::new(Body::Upstream(arriving));
    *response.status_mut() = status;
    *response.headers_mut() = back;
    Ok(response)
}

/// Sends a request that writes to its registry, and answers as the registry did.
pub(crate) async fn write(
    relay: &Relay,
    call: &Call,
    parts: &Parts,
    body: Incoming,
    base: &str,
) -> Result<Response<Body>, Refusal> {
    push::answer(relay, call, parts, body, base).await
}

/// How long a coded body is without its coding; `None` if the coding is the content's own compression, which some servers announce as
/// one, or if that cannot be known. Neither the digest nor the size of the content is known here, so the registry is asked for the
/// length: what compresses bodies on the way leaves that of an answer without a body as it is.
async fn coded_size(
    relay: &Relay,
    call: &Call,
    url: &Url,
    sent: &HeaderMap,
    answer: &Answer,
) -> Result<Option<u64>, Refusal> {
    if call.endpoint.is_by_digest().is_none() {
        return Ok(None);
    }
    let length = |headers: &HeaderMap| headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok();
    let mut sent = sent.clone();
    for name in [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH] {
        sent.remove(name);
    }
    let head = relay.upstream.fetch(&Method::HEAD, url.clone(), sent).await?;
    let coded = length(answer.response.headers());
    let size = length(head.response.headers()).filter(|_| head.response.status() == StatusCode::OK);
    Ok(size.filter(|size| coded != Some(*size)))
}

/// Adds the challenges of an answer, leading here.
///
/// # Errors
/// They are of another host, where the registry sent its client.
pub(crate) fn challenge(
    relay: &Relay,
    call: &Call,
    registry: &Url,
    answer: &Answer,
    base: &str,
    back: &mut HeaderMap,
) -> Result<(), Refusal> {
    if answer.url.origin() != registry.origin() {
        let host = answer.url.origin().authority();
        let message = format!("{host}, where the registry sends its clients, refuses access");
        return Err(Refusal::upstream(relay_code::UPSTREAM_REFUSED, message));
    }
    let challenges = challenge::parse_headers(answer.response.headers());
    relay.realms.learn(&call.registry, &challenges);
    for value in challenges.iter().filter_map(|challenge| rewrite(challenge, &call.registry, base)) {
        back.append(header::WWW_AUTHENTICATE, value);
    }
    Ok(())
}

/// Gives a manifest by tag an `ETag` where its registry gave it none, and says whether the client has it already. Registries that know no
/// conditional requests send it again each time, and a browser that keeps it needs the tag.
fn has_not_changed(client: &HeaderMap, back: &mut HeaderMap) -> bool {
    if !back.contains_key(header::ETAG) {
        let digest = back.get("docker-content-digest").and_then(|digest| digest.to_str().ok()?.parse::<Digest>().ok());
        if let Some(etag) = digest.and_then(|digest| HeaderValue::from_str(&format!("\"{digest}\"")).ok()) {
            back.insert(header::ETAG, etag);
        }
    }
    let etag = back.get(header::ETAG).and_then(|etag| etag.to_str().ok());
    let etag = etag.map(|etag| etag.strip_prefix("W/").unwrap_or(etag));
    matches!((client.get(header::IF_NONE_MATCH), etag), (Some(tags), Some(etag)) if page::lists(tags, etag))
}

/// An error of the registry: its own words where it has some in the right form, else ours.
pub(crate) async fn failed(
    answer: Answer,
    mut back: HeaderMap,
    method: &Method,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let status = answer.response.status();
    let host = answer.url.origin().authority();
    let body = upstream::read(answer.response.into_body(), ERROR_BODY_BYTES).await?.unwrap_or_default();
    let own = serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|json| json["errors"].is_array());
    let mut response = if own {
        Response::new(Body::from(body))
    } else {
        let code = match status {
            StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
            StatusCode::FORBIDDEN => "DENIED",
            StatusCode::NOT_FOUND => match call.endpoint {
                Endpoint::Manifest(_) => "MANIFEST_UNKNOWN",
                Endpoint::Blob(_) => "BLOB_UNKNOWN",
                Endpoint::Session(_) => "BLOB_UPLOAD_UNKNOWN",
                _ => "NAME_UNKNOWN",
            },
            StatusCode::RANGE_NOT_SATISFIABLE => "RANGE_INVALID",
            StatusCode::TOO_MANY_REQUESTS => "TOOMANYREQUESTS",
            StatusCode::PAYLOAD_TOO_LARGE => "SIZE_INVALID",
            StatusCode::METHOD_NOT_ALLOWED => "UNSUPPORTED",
            _ => "UNKNOWN",
        };
        let message = format!("{host} answered {status}");
        Refusal::new(status, code, message).at(&call.registry, call.endpoint.step()).response()
    };
    if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    back.remove(header::CONTENT_LENGTH);
    back.remove(header::ETAG);
    back.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.status_mut() = status;
    *response.headers_mut() = back;
    Ok(response)
}

/// A challenge that leads here: to this relay's token endpoint, with the parameters that the registry wants to see.
pub(crate) fn rewrite(challenge: &challenge::Challenge, registry: &str, base: &str) -> Option<HeaderValue> {
    let text = match challenge.scheme.as_str() {
        "basic" => format!("Basic realm=\"{registry}\""),
        "bearer" => {
            let mut text = format!("Bearer realm=\"{base}/token?ns={registry}\"");
            for name in ["service", "scope", "error"] {
                let plain = |value: &&str| value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
                if let Some(value) = challenge.parameter(name).filter(plain) {
                    text.push_str(&format!(",{name}=\"{value}\""));
                }
            }
            text
        }
        _ => return None,
    };
    HeaderValue::from_str(&text).ok()
}

/// The link to the next page of a list, leading here: the same path as before, with the query of the registry's own link.
///
/// # Errors
/// There is a link, but it leads to another host or has no query. Without it the client would take a part of the list for all of it.
fn next_page(answer: &Answer, call: &Call) -> Result<Option<HeaderValue>, Refusal> {
    if !matches!(call.endpoint, Endpoint::Catalog | Endpoint::Tags | Endpoint::Referrers(_)) {
        return Ok(None);
    }
    match tags::next(&answer.url, answer.response.headers()) {
        None => Ok(None),
        Some(Ok(query)) => link_here(&query, &call.registry, &call.path, call.by_query).map(Some),
        Some(Err(error)) => Err(bad_link(&error.to_string())),
    }
}

pub(crate) fn link_here(query: &str, registry: &str, path: &str, by_query: bool) -> Result<HeaderValue, Refusal> {
    let mut pairs = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "ns").peekable();
    if pairs.peek().is_none() {
        return Err(bad_link("expected a query that says which page is next"));
    }
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    parameters.extend_pairs(by_query.then_some(("ns", registry)));
    parameters.extend_pairs(pairs);
    HeaderValue::from_str(&format!("<{path}?{}>; rel=\"next\"", parameters.finish()))
        .map_err(|error| bad_link(&error.to_string()))
}

fn bad_link(why: &str) -> Refusal {
    Refusal::upstream(relay_code::UPSTREAM_INVALID, format!("the link to the next page cannot be followed: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_lead_here() {
        let rewritten = |value: &str| -> Vec<String> {
            challenge::parse(value.as_bytes())
                .iter()
                .filter_map(|c| rewrite(c, "docker.io", "http://127.0.0.1:8090"))
                .map(|value| value.to_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            rewritten(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#
            ),
            [
                r#"Bearer realm="http://127.0.0.1:8090/token?ns=docker.io",service="registry.docker.io",scope="repository:a/b:pull""#
            ]
        );
        assert_eq!(
            rewritten(r#"Negotiate abc, Basic realm="<script>", Bearer realm="x",service="a\"b\\c""#),
            [r#"Basic realm="docker.io""#, r#"Bearer realm="http://127.0.0.1:8090/token?ns=docker.io""#]
        );
        assert!(rewritten("").is_empty());
    }

    #[test]
    fn links_lead_here() {
        let path = |by_query| if by_query { "/v2/a/b/tags/list" } else { "/v2/r.example.com/a/b/tags/list" };
        let from = Url::parse("https://r.example.com/v2/a/b/tags/list?n=2").unwrap();
        let link = |target: &str, by_query| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LINK, format!("<{target}>; rel=next").parse().unwrap());
            let query = tags::next(&from, &headers)?;
            Some(query.ok().and_then(|query| link_here(&query, "r.example.com", path(by_query), by_query).ok()))
        };
        let same = [
            "/v2/a/b/tags/list?n=2&last=x%26y",
            "https://r.example.com/v2/a/b/tags/list?n=2&last=x%26y",
            "http://r.example.com/v2/a/b/tags/list?n=2&last=x%26y",
            "https://r.example.com/artifactory/api/docker/r/v2/a/b/tags/list?n=2&last=x%26y",
            "/v2/other/tags/list?n=2&last=x%26y",
            "?n=2&last=x%26y",
            "?ns=evil.example&n=2&last=x%26y",
        ];
        for target in same {
            assert_eq!(
                link(target, true).flatten().unwrap(),
                "</v2/a/b/tags/list?ns=r.example.com&n=2&last=x%26y>; rel=\"next\""
            );
            assert_eq!(
                link(target, false).flatten().unwrap(),
                "</v2/r.example.com/a/b/tags/list?n=2&last=x%26y>; rel=\"next\""
            );
        }
        for target in ["https://evil.example/v2/a/b/tags/list?n=2", "/v2/a/b/tags/list", "/x?ns=y", "javascript:x"] {
            assert_eq!(link(target, true), Some(None), "{target}");
        }
    }
}
