//! `GET /v2/<name>/tags/list`

use super::Base;
use crate::{
    link,
    policy::{RefusedUrl, Url, UrlError},
    transport::Request,
};
use http::HeaderMap;
use serde::Deserialize;

/// Asks for a page of tags. `query` is that of the `Link` before, or empty for the first page.
pub fn request(base: &Base, repository: &str, query: &str) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.uri_mut() = super::page(&base.api(&format!("{repository}/tags/list")), query)?.to_uri()?;
    Ok(request)
}

/// Reads a page. `"tags": null` is an empty list.
///
/// # Errors
/// Not JSON, or not of this form.
pub fn read(body: &[u8]) -> Result<Vec<String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Page {
        tags: Option<Vec<String>>,
    }
    Ok(serde_json::from_slice::<Page>(body)?.tags.unwrap_or_default())
}

/// The query of the next page, from `Link: <…>; rel="next"` (RFC 8288); `None` on the last page.
///
/// Only the query is taken: the next request goes to the same path of the same registry. The path and the scheme of the link do not
/// matter, because registries behind a proxy name those that they know themselves (Artifactory: `/artifactory/api/docker/REPO/v2/…`).
///
/// # Errors
/// The link leads to another host or port, or is no URL.
pub fn next(from: &Url, headers: &HeaderMap) -> Option<Result<String, RefusedUrl>> {
    let next = link::parse_headers(headers).into_iter().find(|link| link.has_relation("next"))?;
    Some(match from.join(&next.target) {
        Err(error) => Err(error.into()),
        Ok(to) if !to.origin().is_same_host(from.origin()) => Err(RefusedUrl::OtherOrigin(to.origin().to_string())),
        Ok(to) => Ok(to.split_target().1.unwrap_or_default().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    #[test]
    fn links_to_the_next_page() {
        let from = Url::parse("https://a.b/v2/x/tags/list").unwrap();
        for (link, expected) in [
            (r#"</v2/x/tags/list?last=t&n=2>; rel="next""#, Some(Ok("last=t&n=2"))),
            (r#"<https://a.b/v2/x/tags/list?last=t>; rel=next"#, Some(Ok("last=t"))),
            (r#"</p?a>; rel="prev", </p?b>; title=x; REL="Next""#, Some(Ok("b"))),
            (r#"</p?a>; rel="prev""#, None),
            (r#"</p?a"#, None),
            (r#"<https://a.b/artifactory/api/docker/r/v2/x/tags/list?last=t&n=2>; rel="next""#, Some(Ok("last=t&n=2"))),
            (r#"<http://a.b/v2/x/tags/list?last=t>; rel="next""#, Some(Ok("last=t"))),
            (r#"<http://a.b:443/v2/x/tags/list?last=t>; rel="next""#, Some(Ok("last=t"))),
            (r#"<https://evil.example/x?last=t>; rel="next""#, Some(Err(()))),
            (r#"<http://a.b:8080/v2/x/tags/list?last=t>; rel="next""#, Some(Err(()))),
            (r#"<//evil.example/x?last=t>; rel="next""#, Some(Err(()))),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LINK, link.parse().unwrap());
            let got = next(&from, &headers).map(|result| result.map_err(|_| ()));
            assert_eq!(got, expected.map(|result| result.map(str::to_owned)), "{link}");
        }
    }

    #[test]
    fn requests_keep_their_registry() {
        let relay = Base::relay("http://127.0.0.1:1", "quay.io").unwrap();
        let uri = |query| request(&relay, "a/b", query).unwrap().uri().to_string();
        assert_eq!(uri(""), "http://127.0.0.1:1/v2/a/b/tags/list?ns=quay.io");
        assert_eq!(uri("ns=evil.example&last=x&ns"), "http://127.0.0.1:1/v2/a/b/tags/list?ns=quay.io&last=x");
        let direct = Base::direct("quay.io", false).unwrap();
        assert_eq!(request(&direct, "a/b", "last=x").unwrap().uri(), "https://quay.io/v2/a/b/tags/list?last=x");
    }

    #[test]
    fn pages() {
        assert_eq!(read(br#"{"name":"x","tags":["a","b"]}"#).unwrap(), ["a", "b"]);
        assert_eq!(read(br#"{"name":"x","tags":null}"#).unwrap().len(), 0);
        assert!(read(b"[]").is_err());
    }
}
