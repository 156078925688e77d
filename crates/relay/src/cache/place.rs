//! Where a cache is: options and their defaults from the environment of AWS.

use porthole_registry::policy::Url;
use std::{path::PathBuf, str::FromStr};

/// A value of `--cache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Folder(PathBuf),
    Bucket {
        bucket: String,
        /// In front of all keys: empty, or with a slash at its end.
        prefix: String,
    },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(Self::Folder(text.into())) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        if scheme != "s3" || !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(name) {
            return Err(format!("expected a directory or s3://BUCKET[/PREFIX], got `{text}`"));
        }
        let prefix = prefix.trim_matches('/');
        let part = |part: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain)
        };
        if !prefix.is_empty() && !prefix.split('/').all(part) {
            return Err(format!("expected letters, digits and `-._/` in the prefix, got `{prefix}`"));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix })
    }
}

/// How a bucket is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Bucket of the cache")]
pub(crate) struct BucketOptions {
    /// URL of the object store; without it AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else Amazon's own. Its host may have a private address
    #[arg(long, value_name = "URL")]
    pub(crate) cache_endpoint: Option<String>,
    /// Region of the bucket; without it AWS_REGION or AWS_DEFAULT_REGION, else us-east-1
    #[arg(long, value_name = "NAME")]
    pub(crate) cache_region: Option<String>,
    /// File with credentials, in the form of `~/.aws/credentials`, read again each minute; without it AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE. AWS_PROFILE names the profile
    #[arg(long, value_name = "FILE")]
    pub(crate) cache_credentials: Option<PathBuf>,
}

/// The URL of a bucket, and the path in front of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) url: Url,
    pub(crate) path: String,
    pub(crate) region: String,
}

impl Reached {
    /// The one host that is asked, with its port.
    pub(crate) fn host(&self) -> String {
        let origin = self.url.origin();
        format!("{}:{}", origin.host, origin.port)
    }
}

impl BucketOptions {
    /// Where a bucket is reached. An endpoint of one's own has the bucket in its path; Amazon's in its name, but for names with dots, which
    /// no certificate covers.
    ///
    /// # Errors
    /// The endpoint is no URL of a host.
    pub(crate) fn reach(
        &self,
        bucket: &str,
        prefix: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Reached, String> {
        let first =
            |names: [&str; 2]| names.iter().find_map(|name| environment(name).filter(|value| !value.is_empty()));
        let region = self.cache_region.clone().or_else(|| first(["AWS_REGION", "AWS_DEFAULT_REGION"]));
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let own = self.cache_endpoint.clone().or_else(|| first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
        let (endpoint, path) = match own {
            Some(endpoint) => (endpoint, format!("/{bucket}/{prefix}")),
            None if bucket.contains('.') => {
                (format!("https://s3.{region}.amazonaws.com"), format!("/{bucket}/{prefix}"))
            }
            None => (format!("https://{bucket}.s3.{region}.amazonaws.com"), format!("/{prefix}")),
        };
        let url = Url::parse(&endpoint).map_err(|error| format!("--cache-endpoint: {error}, got `{endpoint}`"))?;
        if url.split_target() != ("/", None) {
            return Err(format!("--cache-endpoint: expected a URL without a path, got `{endpoint}`"));
        }
        Ok(Reached { url, path, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_a_directory_or_a_bucket() {
        let place = |text: &str| text.parse::<Place>();
        assert_eq!(place("/var/cache"), Ok(Place::Folder("/var/cache".into())));
        for (text, bucket, prefix) in
            [("s3://abc", "abc", ""), ("s3://abc/", "abc", ""), ("s3://a.b-c/x/y_Z/", "a.b-c", "x/y_Z/")]
        {
            let expected = Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
            assert_eq!(place(text), Ok(expected), "{text}");
        }
        for text in
            ["s3://", "s3://ab", "s3://Abc", "s3://a_bc", "gs://abc", "s3://abc/a//b", "s3://abc/..", "s3://abc/a b"]
        {
            assert!(place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_win_over_the_environment_of_aws() {
        let environment = |name: &str| match name {
            "AWS_ENDPOINT_URL" => Some("http://general:1".to_owned()),
            "AWS_ENDPOINT_URL_S3" => Some("http://10.0.0.1:9000".to_owned()),
            "AWS_DEFAULT_REGION" => Some("eu-west-1".to_owned()),
            _ => None,
        };
        let reach = |options: &BucketOptions, bucket, environment: &dyn Fn(&str) -> Option<String>| {
            let Reached { url, path, region } = options.reach(bucket, "p/", environment).unwrap();
            format!("{url} {path} {region}")
        };
        let none = BucketOptions::default();
        assert_eq!(reach(&none, "abc", &environment), "http://10.0.0.1:9000/ /abc/p/ eu-west-1");
        assert_eq!(reach(&none, "abc", &|_| None), "https://abc.s3.us-east-1.amazonaws.com/ /p/ us-east-1");
        assert_eq!(reach(&none, "a.b", &|_| None), "https://s3.us-east-1.amazonaws.com/ /a.b/p/ us-east-1");
        let given = BucketOptions {
            cache_endpoint: Some("https://store.example".to_owned()),
            cache_region: Some("x".to_owned()),
            ..none
        };
        assert_eq!(reach(&given, "abc", &environment), "https://store.example/ /abc/p/ x");
        for endpoint in ["store", "ftp://store.example", "https://store.example/path"] {
            let wrong = BucketOptions { cache_endpoint: Some(endpoint.to_owned()), ..BucketOptions::default() };
            assert!(wrong.reach("abc", "", &environment).unwrap_err().contains(endpoint), "{endpoint}");
        }
    }
}
