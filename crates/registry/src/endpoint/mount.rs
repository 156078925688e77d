//! `POST /v2/<name>/blobs/uploads/?mount=<digest>&from=<name>`: a blob that another repository of the registry has.

use super::Base;
use crate::{policy::UrlError, transport::Request};
use http::{Method, StatusCode};
use porthole_core::digest::Digest;

/// Asks a registry to take a blob over from another of its repositories.
///
/// # Errors
/// A URL too long for an HTTP client.
pub fn request(base: &Base, repository: &str, digest: &Digest, from: &str) -> Result<Request, UrlError> {
    let url = base.api(&format!("{repository}/blobs/uploads/"));
    let mut request = Request::default();
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.with_query([("mount", digest.to_string().as_str()), ("from", from)]).to_uri()?;
    Ok(request)
}

/// The result of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountOutcome {
    /// The repository has the blob.
    Mounted,
    /// The repository lacks it, but a session is open to upload it.
    Session,
    /// Neither. Registries that do not mount, or do not let this user read the other repository, say so in many ways.
    Refused,
}

/// Reads the status of an answer.
pub fn read(status: StatusCode) -> MountOutcome {
    match status {
        StatusCode::CREATED => MountOutcome::Mounted,
        StatusCode::ACCEPTED => MountOutcome::Session,
        _ => MountOutcome::Refused,
    }
}

/// The repositories to mount from, the likeliest first: those with the longest common beginning, in whole path components, with the
/// destination; of equals the one that was named first.
pub fn order<'r>(destination: &str, candidates: impl IntoIterator<Item = &'r str>) -> Vec<&'r str> {
    let mut ordered: Vec<&str> = Vec::new();
    for candidate in candidates {
        if candidate != destination && !ordered.contains(&candidate) {
            ordered.push(candidate);
        }
    }
    let shared = |candidate: &str| candidate.split('/').zip(destination.split('/')).take_while(|(a, b)| a == b).count();
    ordered.sort_by_key(|candidate| std::cmp::Reverse(shared(candidate)));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers() {
        let base = Base::direct("r.example.com", false).unwrap();
        let digest = Digest::sha256(b"");
        let request = request(&base, "a/b", &digest, "library/x").unwrap();
        let expected = format!("https://r.example.com/v2/a/b/blobs/uploads/?mount={digest}&from=library/x");
        assert_eq!((request.method(), request.uri().to_string()), (&Method::POST, expected));
        for (status, outcome) in [
            (201, MountOutcome::Mounted),
            (202, MountOutcome::Session),
            (200, MountOutcome::Refused),
            (401, MountOutcome::Refused),
            (404, MountOutcome::Refused),
            (405, MountOutcome::Refused),
            (500, MountOutcome::Refused),
        ] {
            assert_eq!(read(StatusCode::from_u16(status).unwrap()), outcome, "{status}");
        }
    }

    #[test]
    fn the_nearest_repository_comes_first() {
        let candidates = ["z", "team/base", "team/app/old", "team/app", "team/app-2", "team/base"];
        assert_eq!(order("team/app", candidates), ["team/app/old", "team/base", "team/app-2", "z"]);
        assert!(order("a", []).is_empty());
    }
}
