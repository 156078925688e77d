//! Debian's docker-registry over a folder of images.

use super::Scratch;
use crate::{
    Result,
    program::{Running, find, free_port, run},
    servers::{Password, Tokens},
};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Storage folder. Several registries may serve the same folder.
pub struct Storage {
    folder: PathBuf,
    _scratch: Option<Scratch>,
}

impl Storage {
    /// An empty storage folder.
    pub fn new() -> Result<Self> {
        let scratch = Scratch::new("storage")?;
        Ok(Self { folder: scratch.path().to_owned(), _scratch: Some(scratch) })
    }

    /// A storage folder inside another folder, removed with it.
    pub fn within(folder: &Path) -> Result<Self> {
        let folder = folder.join("storage");
        fs::create_dir_all(&folder)?;
        Ok(Self::kept(folder))
    }

    /// An existing storage folder, which is not removed on drop.
    pub fn kept(folder: PathBuf) -> Self {
        Self { folder, _scratch: None }
    }

    /// Pushes tags of layouts with skopeo: layout folder and tag, then repository and tag.
    pub fn push(&self, images: &[(&Path, &str, &str)]) -> Result<()> {
        let registry = Registry::start(self, &Access::Open)?;
        for (layout, tag, name) in images {
            let (from, to) =
                (format!("oci:{}:{tag}", layout.display()), format!("docker://{}/{name}", registry.host()));
            run("skopeo", ["--insecure-policy", "copy", "--all", "--quiet", "--dest-tls-verify=false", &from, &to])?;
        }
        Ok(())
    }

    /// Path of a blob.
    pub fn blob(&self, digest: &str) -> Result<PathBuf> {
        let (algorithm, hex) = digest.split_once(':').ok_or("a digest has a colon")?;
        let blobs = self.folder.join("docker/registry/v2/blobs");
        Ok(blobs.join(algorithm).join(&hex[..2]).join(hex).join("data"))
    }
}

/// Authentication and CORS policy of a registry.
pub enum Access<'a> {
    /// No authentication, no CORS headers.
    Open,
    /// No authentication, any origin may read.
    OpenToPages,
    /// Basic authentication, no CORS headers.
    Basic(&'a Password),
    /// Basic authentication; any origin may read responses, but preflights get 401.
    BasicToPages(&'a Password),
    /// Tokens signed by this token server.
    Token(&'a Tokens),
}

/// A registry process, stopped on drop.
pub struct Registry {
    port: u16,
    process: Running,
    _files: Scratch,
}

impl Registry {
    /// Starts a registry over a storage folder.
    pub fn start(storage: &Storage, access: &Access<'_>) -> Result<Self> {
        Self::start_with(storage, access, "")
    }

    /// Starts a registry that permits deletion.
    pub fn that_deletes(storage: &Storage, access: &Access<'_>) -> Result<Self> {
        Self::start_with(storage, access, "  delete:\n    enabled: true\n")
    }

    fn start_with(storage: &Storage, access: &Access<'_>, more: &str) -> Result<Self> {
        let files = Scratch::new("registry")?;
        let port = free_port()?;
        let settings = files.path().join("config.yml");
        fs::write(&settings, configuration(storage, access, port, more)?)?;
        let mut process = Running::start(Command::new(find("docker-registry")?).arg("serve").arg(&settings))?;
        process.listens(port)?;
        Ok(Self { port, process, _files: files })
    }

    /// Its address as written in a reference.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The local port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Its log output.
    pub fn said(&self) -> String {
        self.process.said()
    }
}

/// Writes a configuration file. `more`: further storage settings.
fn configuration(storage: &Storage, access: &Access<'_>, port: u16, more: &str) -> Result<String> {
    let mut yaml = format!(
        "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n{more}http:\n  addr: 127.0.0.1:{port}\n  relativeurls: true\n",
        storage.folder.display()
    );
    if matches!(access, Access::OpenToPages | Access::BasicToPages(_)) {
        yaml.push_str(
            "  headers:\n    Access-Control-Allow-Origin: ['*']\n    Access-Control-Allow-Methods: [GET, HEAD, OPTIONS]\n    \
             Access-Control-Allow-Headers: [Authorization, Accept, Range, If-None-Match, If-Range]\n    \
             Access-Control-Expose-Headers: [Docker-Content-Digest, WWW-Authenticate, Content-Range, Link]\n",
        );
    }
    match access {
        Access::Open | Access::OpenToPages => {}
        Access::Basic(password) | Access::BasicToPages(password) => {
            write!(yaml, "auth:\n  htpasswd:\n    realm: porthole\n    path: {}\n", password.file().display())?;
        }
        Access::Token(tokens) => write!(
            yaml,
            "auth:\n  token:\n    realm: {}\n    service: {}\n    issuer: {}\n    rootcertbundle: {}\n",
            tokens.realm(),
            Tokens::SERVICE,
            Tokens::ISSUER,
            tokens.certificate().display()
        )?,
    }
    Ok(yaml)
}
