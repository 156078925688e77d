//! An object store with the interface of S3: s3rver, a package of npm, which checks signatures.

use super::Scratch;
use crate::{
    Result,
    program::{Running, find, free_port},
};
use std::{env, fs, path::PathBuf, process::Command};

/// A store with one bucket, stopped on drop.
pub struct Store {
    port: u16,
    files: Scratch,
    _process: Running,
}

impl Store {
    /// Starts a store with an empty bucket of this name.
    pub fn with_bucket(name: &str) -> Result<Self> {
        let script =
            env::var("PORTHOLE_S3RVER").map_err(|_| "PORTHOLE_S3RVER names no script; run `cargo xtask test`")?;
        let (port, files) = (free_port()?, Scratch::new("store")?);
        fs::write(
            files.path().join("credentials"),
            "[default]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n",
        )?;
        let mut process = Running::start(
            Command::new(find("node")?)
                .args([&script, "--silent", "--address", "127.0.0.1", "--port", &port.to_string()])
                .args(["--configure-bucket", name, "--directory"])
                .arg(files.path().join("objects")),
        )?;
        process.listens(port)?;
        Ok(Self { port, files, _process: process })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Path of a file with its credentials, in the format of AWS.
    pub fn credentials(&self) -> PathBuf {
        self.files.path().join("credentials")
    }

    /// The folder of one of its buckets: each object is a file whose name begins with the key.
    pub fn bucket(&self, name: &str) -> PathBuf {
        self.files.path().join("objects").join(name)
    }
}
