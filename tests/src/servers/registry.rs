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

/// A folder in which registries keep images. Several registries may serve one folder at a time.
pub struct Storage {
    folder: PathBuf,
    _scratch: Option<Scratch>,
}

impl Storage {
    /// A folder without images.
    pub fn new() -> Result<Self> {
        let scratch = Scratch::new("storage")?;
        Ok(Self { folder: scratch.path().to_owned(), _scratch: Some(scratch) })
    }

    /// A folder in another one, which takes it away.
    pub fn within(folder: &Path) -> Result<Self> {
        let folder = folder.join("storage");
        fs::create_dir_all(&folder)?;
        Ok(Self::kept(folder))
    }

    /// A folder that outlives this value, with the images it has.
    pub fn kept(folder: PathBuf) -> Self {
        Self { folder, _scratch: None }
    }

    /// Pushes every image of these layouts with skopeo: layout folder and tag, then repository and tag.
    pub fn push(&self, images: &[(&Path, &str, &str)]) -> Result<()> {
        let registry = Registry::start(self, &Access::Open)?;
        for (layout, tag, name) in images {
            let (from, to) =
                (format!("oci:{}:{tag}", layout.display()), format!("docker://{}/{name}", registry.host()));
            run("skopeo", ["--insecure-policy", "copy", "--all", "--quiet", "--dest-tls-verify=false", &from, &to])?;
        }
        Ok(())
    }

    /// Where a blob lies.
    pub fn blob(&self, digest: &str) -> Result<PathBuf> {
        let (algorithm, hex) = digest.split_once(':').ok_or("a digest has a colon")?;
        let blobs = self.folder.join("docker/registry/v2/blobs");
        Ok(blobs.join(algorithm).join(&hex[..2]).join(hex).join("data"))
    }
}

/// Whom a registry lets in, and what it tells browsers.
pub enum Access<'a> {
    /// Everyone; says nothing to browsers.
    Open,
    /// Everyone; pages of any origin may read.
    OpenToPages,
    /// Who knows the password.
    Basic(&'a Password),
    /// Who knows the password; pages of any origin may read what they are answered, but the answer to a preflight is 401.
    BasicToPages(&'a Password),
    /// Who brings a token that this server signed.
    Token(&'a Tokens),
}

/// A registry that runs as long as this value lives.
pub struct Registry {
    port: u16,
    process: Running,
    _files: Scratch,
}

impl Registry {
    /// Starts a registry over a storage.
    pub fn start(storage: &Storage, access: &Access<'_>) -> Result<Self> {
        Self::start_with(storage, access, "")
    }

    /// Starts a registry that lets its users delete.
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

    /// Its address as a reference has it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port of this machine that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process's number.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote to its log.
    pub fn said(&self) -> String {
        self.process.said()
    }
}

/// `more`: what is said of the storage beside its place.
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
