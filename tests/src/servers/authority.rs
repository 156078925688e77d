//! A private certificate authority.

use super::Scratch;
use crate::{Result, program::run};
use std::{fs, path::PathBuf};

/// Key and certificate of an authority, deleted on drop.
pub struct Authority {
    files: Scratch,
}

impl Authority {
    /// Creates an authority.
    pub fn new() -> Result<Self> {
        let authority = Self { files: Scratch::new("authority")? };
        let common = ["-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"];
        authority.request(&[&common[..], &["-subj", "/CN=porthole tests"]].concat(), "ca")?;
        Ok(authority)
    }

    /// Path of its certificate (PEM).
    pub fn certificate(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    /// Issues a certificate for `localhost`. Returns the paths of certificate and key (PEM).
    pub(super) fn certify(&self) -> Result<(PathBuf, PathBuf)> {
        let (ca, key) = (self.certificate().display().to_string(), self.key("ca").display().to_string());
        let extensions = self.files.path().join("extensions");
        fs::write(
            &extensions,
            "[req]\ndistinguished_name=dn\n[dn]\n[server]\nsubjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n",
        )?;
        let extensions = extensions.display().to_string();
        let common = ["-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"];
        let by =
            ["-CA", &ca, "-CAkey", &key, "-subj", "/CN=localhost", "-config", &extensions, "-extensions", "server"];
        self.request(&[&common[..], &by].concat(), "server")?;
        Ok((self.files.path().join("server.pem"), self.key("server")))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.files.path().join(format!("{name}.key"))
    }

    fn request(&self, options: &[&str], name: &str) -> Result<()> {
        let (key, certificate) = (self.key(name), self.files.path().join(format!("{name}.pem")));
        let (key, certificate) = (key.display().to_string(), certificate.display().to_string());
        run("openssl", ["req"].iter().chain(options).chain(&["-keyout", &key, "-out", &certificate]))?;
        Ok(())
    }
}
