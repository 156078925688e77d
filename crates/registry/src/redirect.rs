//! Rules for the redirects that this crate follows itself.

use crate::{
    policy::{self, RefusedUrl, Url},
    transport::Request,
};
use http::{HeaderMap, Method, StatusCode, header};

/// Where an answer redirects a `GET` or `HEAD` to; `None` if it does not.
///
/// # Errors
/// [`RefusedUrl`] by [`policy::hop`].
pub fn target(from: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Result<Url, RefusedUrl>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = headers.get(header::LOCATION)?;
    // A Location that is not visible ASCII is refused by its bytes like any other URL.
    Some(policy::hop(from, &String::from_utf8_lossy(location.as_bytes())))
}

/// The request for the next hop. Credentials and cookies are not sent to another origin.
pub fn follow(request: &Request, from: &Url, to: &Url) -> Result<Request, RefusedUrl> {
    let mut next = request.clone();
    *next.uri_mut() = to.to_uri()?;
    if from.origin() != to.origin() {
        for name in PERSONAL {
            next.headers_mut().remove(name);
        }
    }
    Ok(next)
}

/// Headers that identify or authenticate this client.
pub(crate) const PERSONAL: [header::HeaderName; 3] =
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

/// Whether a request may be sent again to another URL. One with a body may not.
pub fn may_follow(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorization_stays_with_its_origin() {
        let from = Url::parse("https://a.b/x").unwrap();
        let request = http::Request::get("https://a.b/x")
            .header("authorization", "Bearer secret")
            .header("range", "bytes=5-")
            .body(crate::transport::Payload::default())
            .unwrap();
        for (location, kept) in [
            ("/y", true),
            ("https://A.b:443/y", true),
            ("https://a.b:444/y", false),
            ("https://c.a.b/y", false),
            ("https://c.d/y", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, location.parse().unwrap());
            let to = target(&from, StatusCode::TEMPORARY_REDIRECT, &headers).unwrap().unwrap();
            let next = follow(&request, &from, &to).unwrap();
            assert_eq!(next.headers().contains_key("authorization"), kept, "{location}");
            assert!(next.headers().contains_key("range"));
        }
    }

    #[test]
    fn only_redirects_redirect() {
        let from = Url::parse("https://a.b/x").unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(target(&from, StatusCode::FOUND, &headers), None);
        headers.insert(header::LOCATION, "http://a.b/".parse().unwrap());
        assert_eq!(target(&from, StatusCode::NOT_MODIFIED, &headers), None);
        assert_eq!(target(&from, StatusCode::FOUND, &headers), Some(Err(RefusedUrl::SameHost("http://a.b".into()))));
    }
}
