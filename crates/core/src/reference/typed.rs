//! References as people paste them: with a scheme, behind `docker pull`, or as the address of a registry's page.

use super::{Error, Reference};

impl Reference {
    /// Reads a reference from what a person types or pastes. In addition to [`parse_bytes`](Self::parse_bytes) it accepts
    ///
    /// - white space around it, and `docker pull`, `podman pull` or `nerdctl pull` before it,
    /// - the schemes `https://`, `http://`, `docker://` and `oci://`, which do not decide whether TLS is used,
    /// - the address of an image's page at Docker Hub, Quay, GitHub, Amazon ECR Public and Microsoft's registry,
    /// - the URL of a manifest or a list of tags in a registry's API.
    ///
    /// # Errors
    ///
    /// [`Error`], which names the part of the reference and the rule that it breaks.
    ///
    /// ```
    /// use porthole_core::reference::Reference;
    ///
    /// let reference = Reference::parse_typed(b"https://hub.docker.com/_/nginx")?;
    /// assert_eq!(reference.familiar(), "nginx:latest");
    /// # Ok::<(), porthole_core::reference::Error>(())
    /// ```
    pub fn parse_typed(text: &[u8]) -> Result<Self, Error> {
        match std::str::from_utf8(text).ok().and_then(plain) {
            Some(plain) => Self::parse_bytes(plain.as_bytes()),
            None => Self::parse_bytes(text),
        }
    }
}

/// The reference in a text that is more than one; `None` if the text has nothing to remove.
fn plain(text: &str) -> Option<String> {
    let mut rest = text.trim();
    for command in COMMANDS {
        if let Some(argument) = rest.strip_prefix(command).filter(|rest| rest.starts_with(char::is_whitespace)) {
            rest = argument.trim_start();
        }
    }
    let schemeless = SCHEMES.iter().find_map(|scheme| {
        let (start, rest) = rest.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let is_url = schemeless.is_some();
    rest = schemeless.unwrap_or(rest);
    let name =
        page(rest).or_else(|| is_url.then(|| api(rest).unwrap_or_else(|| rest.trim_end_matches('/').to_owned())));
    name.or_else(|| (rest.len() < text.len()).then(|| rest.to_owned()))
}

/// The image that a page of a registry shows, by the page's address without its scheme.
fn page(address: &str) -> Option<String> {
    let (address, _) = address.split_once('#').unwrap_or((address, ""));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (host, path) = path.split_once('/')?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let tag = query.split('&').find_map(|pair| pair.strip_prefix("tag=")).filter(|tag| !tag.is_empty());
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    match (host.strip_prefix("www.").unwrap_or(host), &*parts) {
        ("hub.docker.com", ["_", name, ..]) => Some((*name).to_owned()),
        ("hub.docker.com", ["r" | "u", user, name, ..] | ["repository", "docker", user, name, ..]) => {
            Some(format!("{user}/{name}"))
        }
        ("hub.docker.com", ["layers", user, name, tag, ..]) => Some(format!("{user}/{name}:{tag}")),
        ("quay.io", ["repository", name @ ..]) if name.len() >= 2 => {
            // `/tag/…` and `/manifest/…` follow the name on older pages.
            let end = name.iter().position(|part| matches!(*part, "tag" | "manifest")).filter(|end| *end >= 2);
            Some(format!("quay.io/{}{tag}", name[..end.unwrap_or(name.len())].join("/")))
        }
        ("github.com", ["orgs" | "users", owner, "packages", "container", "package", name, ..])
        | ("github.com", ["orgs" | "users", owner, "packages", "container", name, ..])
        | ("github.com", [owner, _, "pkgs", "container", name, ..]) => {
            let name = name.replace("%2F", "/").replace("%2f", "/");
            Some(format!("ghcr.io/{}/{}{tag}", owner.to_ascii_lowercase(), name))
        }
        ("gallery.ecr.aws", [alias, name @ ..]) if !name.is_empty() => {
            Some(format!("public.ecr.aws/{alias}/{}", name.join("/")))
        }
        ("mcr.microsoft.com", ["product", name @ ..] | ["artifact", "mar", name @ ..])
        | ("mcr.microsoft.com", [_, "product", name @ ..] | [_, "artifact", "mar", name @ ..]) => {
            let name: Vec<_> =
                name.iter().take_while(|part| !matches!(**part, "about" | "tags" | "tag")).copied().collect();
            (!name.is_empty()).then(|| format!("mcr.microsoft.com/{}", name.join("/")))
        }
        _ => None,
    }
}

/// The image that a URL of the distribution API names: `HOST/v2/NAME/manifests/TAG` or `HOST/v2/NAME/tags/list`.
fn api(address: &str) -> Option<String> {
    let (path, _) = address.split_once('?').unwrap_or((address, ""));
    let (host, path) = path.split_once("/v2/")?;
    if host.contains('/') {
        return None;
    }
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some(format!("{host}/{name}"));
    }
    let (name, target) = path.rsplit_once("/manifests/")?;
    let separator = if target.contains(':') { '@' } else { ':' };
    Some(format!("{host}/{name}{separator}{target}"))
}

/// Commands whose argument is a reference.
const COMMANDS: [&str; 3] = ["docker pull", "podman pull", "nerdctl pull"];

const SCHEMES: [&str; 4] = ["https://", "http://", "docker://", "oci://"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste() {
        for (text, expected) in [
            ("nginx", "docker.io/library/nginx:latest"),
            (" nginx:1.27\n", "docker.io/library/nginx:1.27"),
            ("docker pull nginx:1.27", "docker.io/library/nginx:1.27"),
            ("podman pull  quay.io/a/b", "quay.io/a/b:latest"),
            ("docker://ghcr.io/a/b:1", "ghcr.io/a/b:1"),
            ("docker pull https://ghcr.io/a/b:1", "ghcr.io/a/b:1"),
            ("HTTPS://quay.io/a/b/", "quay.io/a/b:latest"),
            ("http://localhost:5000/a", "localhost:5000/a:latest"),
            ("https://hub.docker.com/_/nginx", "docker.io/library/nginx:latest"),
            ("hub.docker.com/_/nginx/tags", "docker.io/library/nginx:latest"),
            ("https://hub.docker.com/r/grafana/grafana/tags?page=1", "docker.io/grafana/grafana:latest"),
            ("https://hub.docker.com/layers/library/nginx/1.27/images/sha256-00", "docker.io/library/nginx:1.27"),
            ("https://hub.docker.com/repository/docker/me/app/general", "docker.io/me/app:latest"),
            (
                "https://quay.io/repository/prometheus/node-exporter?tab=tags&tag=v1",
                "quay.io/prometheus/node-exporter:v1",
            ),
            ("quay.io/repository/a/b/tag/x", "quay.io/a/b:latest"),
            (
                "https://github.com/orgs/Home-Assistant/packages/container/package/core%2Famd64",
                "ghcr.io/home-assistant/core/amd64:latest",
            ),
            ("https://github.com/a/b/pkgs/container/c/123?tag=v2#x", "ghcr.io/a/c:v2"),
            ("https://gallery.ecr.aws/docker/library/alpine", "public.ecr.aws/docker/library/alpine:latest"),
            ("https://mcr.microsoft.com/en-us/product/dotnet/sdk/about", "mcr.microsoft.com/dotnet/sdk:latest"),
            ("https://mcr.microsoft.com/en-us/artifact/mar/dotnet/sdk/tags", "mcr.microsoft.com/dotnet/sdk:latest"),
            ("https://r.example.com/v2/a/b/manifests/1", "r.example.com/a/b:1"),
            ("https://r.example.com/v2/a/b/tags/list?n=5", "r.example.com/a/b:latest"),
        ] {
            let got = Reference::parse_typed(text.as_bytes()).map(|reference| reference.to_string());
            assert_eq!(got.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_stays_an_error() {
        for text in
            ["", " ", "docker pull", "docker pull ", "https://", "ftp://a/b", "Nginx", "https://quay.io/repository/A/b"]
        {
            assert!(Reference::parse_typed(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Reference::parse_typed(b"a\xff").is_err());
    }

    #[test]
    fn names_that_only_look_like_pages_are_kept() {
        for (text, expected) in [
            ("quay.io/repository/x", "quay.io/repository/x:latest"),
            ("ghcr.io/a/v2/b", "ghcr.io/a/v2/b:latest"),
            ("mcr.microsoft.com/dotnet/sdk:9.0", "mcr.microsoft.com/dotnet/sdk:9.0"),
        ] {
            assert_eq!(Reference::parse_typed(text.as_bytes()).unwrap().to_string(), expected);
        }
    }
}
