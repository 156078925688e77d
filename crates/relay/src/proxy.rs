//! `/v2/`: what a registry answers, made safe for the page and true for the client.

use crate::{
    body::Body,
    headers,
    refusal::Refusal,
    route::{Call, Endpoint},
    server::Relay,
    token,
    upstream::{self, Answer},
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use porthole_core::limits::ERROR_BODY_BYTES;
use porthole_registry::{challenge, policy::Url};
use std::sync::Arc;

/// Asks the registry, and answers as it did. `base` is this relay's own origin, as the client knows it.
pub(crate) async fn answer(
    relay: &Relay,
    call: &Call,
    method: &Method,
    client: &HeaderMap,
    base: &str,
) -> Result<Response<Body>, Refusal> {
    let registry = relay.upstream.policy.registry(&call.registry, &call.host)?;
    let url = registry
        .join(&call.upstream_path())
        .map_err(|error| Refusal::bad_request("NAME_INVALID", error.to_string()))?;
    let url = match call.endpoint {
        // Paging and filters. Nothing else takes parameters.
        Endpoint::Catalog | Endpoint::Tags | Endpoint::Referrers(_) => {
            url.with_query(call.query.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        }
        Endpoint::Version | Endpoint::Manifest(_) | Endpoint::Blob(_) => url,
    };
    let mut sent = headers::forward(client);
    if let Some(authorization) =
        sent.remove(header::AUTHORIZATION).and_then(|value| token::disclose(value, &call.registry))
    {
        sent.insert(header::AUTHORIZATION, authorization);
    }
    let range = sent.get(header::RANGE).and_then(headers::parse_range);
    let answer = relay.upstream.fetch(method, url, sent).await?;

    let status = answer.response.status();
    let mut back = headers::back(answer.response.headers());
    match status {
        StatusCode::UNAUTHORIZED if answer.url.origin() != registry.origin() => {
            let host = answer.url.origin().authority();
            let message = format!("{host}, where the registry sends its clients, refuses access");
            return Err(Refusal::upstream("UPSTREAM_REFUSED", message));
        }
        StatusCode::UNAUTHORIZED => {
            let challenges = challenge::parse_headers(answer.response.headers());
            relay.realms.learn(&call.registry, &challenges);
            for value in challenges.iter().filter_map(|challenge| rewrite(challenge, &call.registry, base)) {
                back.append(header::WWW_AUTHENTICATE, value);
            }
        }
        StatusCode::PARTIAL_CONTENT => {
            let right = match (range, back.get(header::CONTENT_RANGE)) {
                (Some(range), Some(content_range)) => headers::answers_range(content_range, range),
                _ => false,
            };
            if !right {
                return Err(Refusal::upstream("UPSTREAM_INVALID", "the answer holds another range than asked for"));
            }
        }
        _ if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            return Err(Refusal::upstream(
                "UPSTREAM_INVALID",
                format!("a redirect ({status}) without a usable Location"),
            ));
        }
        _ => {}
    }
    if status.is_client_error() || status.is_server_error() {
        return failed(answer, back, method, call).await;
    }

    let content_type = match call.endpoint {
        Endpoint::Blob(_) => headers::OCTET_STREAM,
        _ => headers::safe_content_type(answer.response.headers().get(header::CONTENT_TYPE)),
    };
    if status != StatusCode::NOT_MODIFIED {
        back.insert(header::CONTENT_TYPE, content_type);
    }
    if let Some(link) = next_page(&answer, call) {
        back.insert(header::LINK, link);
    }
    let mut response = Response::new(Body::Upstream(Box::new(answer.response.into_body()), Arc::clone(&relay.metrics)));
    *response.status_mut() = status;
    *response.headers_mut() = back;
    Ok(response)
}

/// An error of the registry: its own words where it has some in the right form, else ours.
async fn failed(answer: Answer, mut back: HeaderMap, method: &Method, call: &Call) -> Result<Response<Body>, Refusal> {
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
                _ => "NAME_UNKNOWN",
            },
            StatusCode::RANGE_NOT_SATISFIABLE => "RANGE_INVALID",
            StatusCode::TOO_MANY_REQUESTS => "TOOMANYREQUESTS",
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
fn rewrite(challenge: &challenge::Challenge, registry: &str, base: &str) -> Option<HeaderValue> {
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

/// The link to the next page, leading here. One that points at anything but the same list is dropped.
fn next_page(answer: &Answer, call: &Call) -> Option<HeaderValue> {
    let links = answer.response.headers().get_all(header::LINK);
    let target = links.iter().filter_map(|value| value.to_str().ok()).find_map(next_target)?;
    link_here(&answer.url, target, call)
}

/// The target of a link whose relation is `next` (RFC 8288, section 3).
fn next_target(value: &str) -> Option<&str> {
    let (target, parameters) = value.trim().strip_prefix('<')?.split_once('>')?;
    let next = parameters.split([';', ',']).any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    });
    next.then_some(target)
}

fn link_here(from: &Url, target: &str, call: &Call) -> Option<HeaderValue> {
    let next = from.join(target).ok()?;
    let (path, query) = next.split_target();
    if next.origin() != from.origin() || path != call.upstream_path() {
        return None;
    }
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    let ns = call.by_query.then_some(("ns", call.registry.as_str()));
    parameters.extend_pairs(ns);
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    parameters.extend_pairs(pairs.filter(|(key, _)| key != "ns"));
    HeaderValue::from_str(&format!("<{}?{}>; rel=\"next\"", call.path, parameters.finish())).ok()
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
        let call = |by_query| Call {
            registry: "r.example.com".into(),
            host: "r.example.com".into(),
            repository: "a/b".into(),
            endpoint: Endpoint::Tags,
            query: Vec::new(),
            path: if by_query { "/v2/a/b/tags/list".into() } else { "/v2/r.example.com/a/b/tags/list".into() },
            by_query,
        };
        let from = Url::parse("https://r.example.com/v2/a/b/tags/list?n=2").unwrap();
        let link = |target, by_query| link_here(&from, target, &call(by_query));
        let same = [
            "/v2/a/b/tags/list?n=2&last=x%26y",
            "https://r.example.com/v2/a/b/tags/list?n=2&last=x%26y",
            "?n=2&last=x%26y",
            "?ns=evil.example&n=2&last=x%26y",
        ];
        for target in same {
            assert_eq!(
                link(target, true).unwrap(),
                "</v2/a/b/tags/list?ns=r.example.com&n=2&last=x%26y>; rel=\"next\""
            );
            assert_eq!(link(target, false).unwrap(), "</v2/r.example.com/a/b/tags/list?n=2&last=x%26y>; rel=\"next\"");
        }
        for target in [
            "https://evil.example/v2/a/b/tags/list?n=2",
            "/v2/other/tags/list?n=2",
            "http://r.example.com/v2/a/b/tags/list",
            "javascript:x",
        ] {
            assert_eq!(link(target, true), None, "{target}");
        }
        assert_eq!(next_target("<a?b>; rel=\"next\""), Some("a?b"));
        assert_eq!(next_target("<a>; title=x; REL=next"), Some("a"));
        assert_eq!(next_target("<a>; rel=\"prev\""), None);
        assert_eq!(next_target("a; rel=next"), None);
    }
}
