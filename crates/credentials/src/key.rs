//! The keys of registries in files of credentials.

use porthole_core::reference::DEFAULT_REGISTRY;

/// The key under which Docker keeps the credentials of a registry.
pub(crate) fn server(registry: &str) -> &str {
    if registry == DEFAULT_REGISTRY { "https://index.docker.io/v1/" } else { registry }
}

/// Returns the registry that a key names, with a path if the key has one. Keys come with and without scheme, port 443 and API
/// version, in any case, and Docker Hub has several names.
pub(crate) fn registry_of(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    let plain = lower.starts_with("http://");
    let key = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).unwrap_or(&lower);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    let (host, path) = key.split_at(key.find('/').unwrap_or(key.len()));
    let host = if plain { host } else { host.strip_suffix(":443").unwrap_or(host) };
    let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") { DEFAULT_REGISTRY } else { host };
    format!("{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_all_forms() {
        for (key, expected) in [
            ("quay.io", "quay.io"),
            ("https://quay.io", "quay.io"),
            ("https://quay.io/", "quay.io"),
            ("https://quay.io/v1/", "quay.io"),
            ("https://quay.io/v2/", "quay.io"),
            ("quay.io:443", "quay.io"),
            ("https://QUAY.io:443/v2", "quay.io"),
            ("http://quay.io:443", "quay.io:443"),
            ("localhost:5000", "localhost:5000"),
            ("quay.io:443/a/b", "quay.io/a/b"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("index.docker.io", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
            ("docker.io", "docker.io"),
            ("index.docker.io/me", "docker.io/me"),
            ("", ""),
        ] {
            assert_eq!(registry_of(key), expected, "{key}");
        }
    }
}
