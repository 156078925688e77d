//! References as people paste them: with a scheme, in quotes, behind `docker pull`, or as the address of a registry's page.

use super::{Error, Reference};

impl Reference {
    /// Parses a reference that a person typed or pasted. In addition to [`parse_bytes`](Self::parse_bytes) it accepts
    ///
    /// - white space and quotes around it, a `/` at its end, and `docker pull` or a similar command before it,
    /// - the schemes `https://`, `http://`, `docker://` and `oci://`, which do not decide whether TLS is used,
    /// - the address of an image's page at Docker Hub, Quay, GitHub, GitLab, Google, Amazon ECR Public and Microsoft's registry,
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
        refuse_engine(text)?;
        match std::str::from_utf8(text).ok().and_then(plain) {
            Some(plain) => Self::parse_bytes(plain.as_bytes()),
            None => Self::parse_bytes(text),
        }
    }

    /// Parses a reference for a script: text that only contains a reference is refused.
    ///
    /// # Errors
    ///
    /// [`Error`], and beside it the reference that [`parse_typed`](Self::parse_typed) finds in the text, as the user should
    /// write it. [`Error::Page`] for the address of a page, which would otherwise name an image at a host that is not a
    /// registry.
    ///
    /// ```
    /// use porthole_core::reference::Reference;
    ///
    /// let (_, meant) = Reference::parse_strict(b"https://ghcr.io/owner/repo/").unwrap_err();
    /// assert_eq!(meant.as_deref(), Some("ghcr.io/owner/repo"));
    /// ```
    pub fn parse_strict(text: &[u8]) -> Result<Self, (Error, Option<String>)> {
        refuse_engine(text).map_err(|error| (error, None))?;
        let meant = std::str::from_utf8(text).ok().and_then(plain).filter(|meant| meant.parse::<Self>().is_ok());
        match (Self::parse_bytes(text), meant) {
            (Ok(reference), None) => Ok(reference),
            (Ok(reference), Some(meant)) => Err((Error::Page { host: reference.registry }, Some(meant))),
            (Err(error), meant) => Err((error, meant)),
        }
    }
}

/// Refuses skopeo's name of an image in a container engine, such as `docker-daemon:nginx`. It would parse as a reference to
/// an image of that name at Docker Hub.
fn refuse_engine(text: &[u8]) -> Result<(), Error> {
    for transport in ENGINES {
        let rest = text.strip_prefix(transport.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
        // `docker-daemon:5000/a` is a host with its port.
        let is_port = |rest: &[u8]| rest.iter().take_while(|byte| **byte != b'/').all(u8::is_ascii_digit);
        if rest.is_some_and(|rest| !is_port(rest)) {
            return Err(Error::Engine { transport });
        }
    }
    Ok(())
}

const ENGINES: [&str; 2] = ["docker-daemon", "containers-storage"];

/// Extracts the reference from a text that has more than a reference; `None` if there is nothing to remove.
fn plain(text: &str) -> Option<String> {
    let mut rest = bare(text);
    rest = after_words(rest, "sudo").unwrap_or(rest);
    if let Some(arguments) = COMMANDS.iter().find_map(|command| after_words(rest, command)) {
        rest = bare(arguments);
    } else if let Some(arguments) = LINES.iter().find_map(|line| after_words(rest, line)) {
        rest = bare(first_operand(arguments));
    }
    let schemeless = SCHEMES.iter().find_map(|scheme| {
        let (start, rest) = rest.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let is_url = schemeless.is_some();
    rest = schemeless.unwrap_or(rest).trim_end_matches('/');
    let name = page(rest).or_else(|| is_url.then(|| api(rest).unwrap_or_else(|| rest.to_owned())));
    name.or_else(|| (rest.len() < text.len()).then(|| rest.to_owned()))
}

/// Removes what copying left around the text: white space and zero-width characters, quotes, brackets around a URL, a prompt.
fn bare(text: &str) -> &str {
    let surrounds =
        |c: char| c.is_whitespace() || QUOTES.contains(&c) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
    let text = text.trim_matches(surrounds);
    text.strip_prefix("$ ").or_else(|| text.strip_prefix("# ")).unwrap_or(text).trim_start()
}

/// Returns the text after these words, which any white space may separate. `None` if the text does not start with them.
fn after_words<'t>(text: &'t str, words: &str) -> Option<&'t str> {
    words.split(' ').try_fold(text, |rest, word| {
        let rest = rest.strip_prefix(word)?;
        rest.starts_with(char::is_whitespace).then(|| rest.trim_start())
    })
}

/// Returns the first word that is neither an option nor the value of one.
fn first_operand(arguments: &str) -> &str {
    let mut words = arguments.split_whitespace();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            return word;
        }
        if VALUED.contains(&word) {
            words.next();
        }
    }
    ""
}

/// Returns the image that a registry's page for people shows. `address` is the page's URL without its scheme.
fn page(address: &str) -> Option<String> {
    let (address, _) = address.split_once('#').unwrap_or((address, ""));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (host, path) = path.split_once('/')?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let tag = query.split('&').find_map(|pair| pair.strip_prefix("tag=")).filter(|tag| !tag.is_empty());
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    let host = host.to_ascii_lowercase();
    match (host.strip_prefix("www.").unwrap_or(&host), &*parts) {
        ("hub.docker.com", ["_", name, ..]) => Some((*name).to_owned()),
        ("hub.docker.com", ["r" | "u", user, name, ..] | ["repository", "docker", user, name, ..]) => {
            Some(format!("{user}/{name}"))
        }
        ("hub.docker.com", ["layers", user, name, tag, ..]) => Some(format!("{user}/{name}:{tag}")),
        ("hub.docker.com", ["hardened-images", "catalog", "dhi", name, ..]) => Some(format!("dhi.io/{name}")),
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
        ("console.cloud.google.com", ["artifacts", "docker", project, place, repository, image, ..]) => {
            Some(format!("{place}-docker.pkg.dev/{project}/{repository}/{image}"))
        }
        ("console.cloud.google.com", ["gcr", "images", project, name @ ..]) if !name.is_empty() => {
            let (region, name) = match name {
                ["global" | "GLOBAL", rest @ ..] => ("", rest),
                [region @ ("us" | "eu" | "asia"), rest @ ..] => (*region, rest),
                name => ("", name),
            };
            let name = name.join("/");
            let name = name.split('@').next().unwrap_or_default();
            let separator = if region.is_empty() { "" } else { "." };
            Some(format!("{region}{separator}gcr.io/{project}/{name}"))
        }
        ("gitlab.com", path) if path.contains(&"container_registry") => {
            let end =
                path.iter().position(|part| *part == "-" || *part == "container_registry").filter(|end| *end >= 2);
            end.map(|end| format!("registry.gitlab.com/{}", path[..end].join("/").to_ascii_lowercase()))
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
        ("catalog.redhat.com", ["software", "containers", user, name, ..])
        | ("catalog.redhat.com", [_, "software", "containers", user, name, ..]) => {
            // Images that need no account are at another host.
            let host = if user.starts_with("ubi") { "registry.access.redhat.com" } else { "registry.redhat.io" };
            Some(format!("{host}/{user}/{name}"))
        }
        _ => None,
    }
}

/// Returns the image that a URL of the distribution API names: `HOST/v2/NAME/manifests/TAG` or `HOST/v2/NAME/tags/list`.
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

/// Commands, and keys in files, whose only argument is a reference.
const COMMANDS: [&str; 14] = [
    "docker image pull",
    "docker image inspect",
    "docker manifest inspect",
    "docker buildx imagetools inspect",
    "docker pull",
    "docker inspect",
    "podman pull",
    "nerdctl pull",
    "crictl pull",
    "ctr image pull",
    "ctr images pull",
    "crane pull",
    "skopeo inspect",
    "image:",
];

/// Commands, and keywords in files, after which other words may stand beside the reference.
const LINES: [&str; 6] = ["docker run", "docker create", "podman run", "podman create", "nerdctl run", "FROM"];

/// Options of these commands whose value is a separate word.
const VALUED: [&str; 28] = [
    "-e",
    "--env",
    "--env-file",
    "--entrypoint",
    "--gpus",
    "-h",
    "--hostname",
    "-l",
    "--label",
    "--link",
    "-m",
    "--memory",
    "--mount",
    "--name",
    "--network",
    "--net",
    "-p",
    "--publish",
    "--platform",
    "--pull",
    "--restart",
    "--runtime",
    "-u",
    "--user",
    "-v",
    "--volume",
    "-w",
    "--workdir",
];

/// Characters that people and programs put around names.
const QUOTES: [char; 12] =
    ['\'', '"', '`', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}', '<', '>', ','];

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
            ("nginx/", "docker.io/library/nginx:latest"),
            ("\"nginx:1\"", "docker.io/library/nginx:1"),
            ("\u{201c}nginx\u{201d},", "docker.io/library/nginx:latest"),
            ("\u{feff}nginx\u{200b}", "docker.io/library/nginx:latest"),
            ("$ sudo  docker\tpull nginx", "docker.io/library/nginx:latest"),
            ("skopeo inspect docker://quay.io/a/b", "quay.io/a/b:latest"),
            ("FROM golang:1.25", "docker.io/library/golang:1.25"),
            ("FROM --platform=$BUILDPLATFORM golang:1.25 AS build", "docker.io/library/golang:1.25"),
            ("docker run -it --rm -p 80:80 --name=web -v /a:/b nginx:1 sh -c 'a b'", "docker.io/library/nginx:1"),
            (
                "https://catalog.redhat.com/software/containers/ubi9/ubi/615bcf6",
                "registry.access.redhat.com/ubi9/ubi:latest",
            ),
            ("https://catalog.redhat.com/en/software/containers/rhel9/go/61", "registry.redhat.io/rhel9/go:latest"),
            ("image: \"ghcr.io/a/b:1\"", "ghcr.io/a/b:1"),
            ("<https://quay.io/repository/a/b/>", "quay.io/a/b:latest"),
            ("https://HUB.docker.com/r/a/b/", "docker.io/a/b:latest"),
            (
                "https://console.cloud.google.com/artifacts/docker/p/europe-west1/r/i?project=p",
                "europe-west1-docker.pkg.dev/p/r/i:latest",
            ),
            (
                "https://console.cloud.google.com/gcr/images/distroless/global/base@sha256:00",
                "gcr.io/distroless/base:latest",
            ),
            (
                "https://console.cloud.google.com/gcr/images/distroless/GLOBAL/base-debian12",
                "gcr.io/distroless/base-debian12:latest",
            ),
            ("https://console.cloud.google.com/gcr/images/p/eu/a/b", "eu.gcr.io/p/a/b:latest"),
            ("https://gitlab.com/Group/project/container_registry/123", "registry.gitlab.com/group/project:latest"),
            ("https://gitlab.com/a/b/c/-/container_registry", "registry.gitlab.com/a/b/c:latest"),
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
    fn images_in_an_engine_are_no_references() {
        for text in
            ["docker-daemon:nginx:1", "containers-storage:nginx", "containers-storage:docker.io/library/nginx:1"]
        {
            let (error, _) = Reference::parse_strict(text.as_bytes()).unwrap_err();
            assert!(matches!(error, Error::Engine { .. }), "{text}: {error}");
            assert!(error.hint().is_some());
        }
        assert!(Reference::parse_strict(b"docker-daemon:5000/a").is_ok(), "a host of that name");
        assert!(Reference::parse_strict(b"a/docker-daemon:1").is_ok());
    }

    #[test]
    fn a_variable_that_was_not_replaced_is_named() {
        for text in ["$IMAGE", "${IMAGE}:latest", "ghcr.io/a/b:$TAG"] {
            let (error, _) = Reference::parse_strict(text.as_bytes()).unwrap_err();
            let hint = error.hint().map(|hint| hint.to_string()).unwrap_or_default();
            assert!(hint.contains("variable"), "{text}: {error}: {hint}");
        }
    }

    #[test]
    fn strict_reading_refuses_and_says_what_was_meant() {
        let meant = |text: &str| Reference::parse_strict(text.as_bytes()).unwrap_err().1;
        for (text, expected) in [
            (" nginx", Some("nginx")),
            ("docker pull nginx:1.27", Some("nginx:1.27")),
            ("hub.docker.com/r/grafana/grafana", Some("grafana/grafana")),
            ("https://quay.io/repository/a/b", Some("quay.io/a/b")),
            ("docker://nginx", Some("nginx")),
            ("nginx/", Some("nginx")),
            ("nginx latest", None),
            ("Nginx", None),
            ("ftp://a/b", None),
        ] {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
        for text in ["nginx", "quay.io/repository/x", "ghcr.io/a/b:1", "registry.hub.docker.com/library/nginx"] {
            assert!(Reference::parse_strict(text.as_bytes()).is_ok(), "{text}");
        }
        let (error, _) = Reference::parse_strict(b"hub.docker.com/r/a/b").unwrap_err();
        assert_eq!(error.to_string(), "invalid reference: expected a registry, got a page of `hub.docker.com`");
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
