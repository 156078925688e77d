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
        self.certify_for("localhost")
    }

    /// The public key of the last certificate issued, in the form of Chromium's `--ignore-certificate-errors-spki-list`: the
    /// SHA-256 digest of its SubjectPublicKeyInfo, in base64.
    pub fn key_digest(&self) -> Result<String> {
        let certificate = self.files.path().join("server.pem").display().to_string();
        let steps = format!(
            "openssl x509 -in '{certificate}' -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"
        );
        Ok(run("sh", ["-c", &steps])?.trim().to_owned())
    }

    /// Issues a certificate for a host. Returns the paths of certificate and key (PEM).
    pub(super) fn certify_for(&self, host: &str) -> Result<(PathBuf, PathBuf)> {
        let (ca, key) = (self.certificate().display().to_string(), self.key("ca").display().to_string());
        let extensions = self.files.path().join("extensions");
        fs::write(
            &extensions,
            format!(
                "[req]\ndistinguished_name=dn\n[dn]\n[server]\nsubjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n"
            ),
        )?;
        let extensions = extensions.display().to_string();
        let kept = self.key("server").display().to_string();
        // Keep the key when a server is started again.
        let common: &[&str] = if self.key("server").exists() {
            &["-x509", "-nodes", "-key", &kept, "-days", "2"]
        } else {
            &["-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
        };
        let subject = format!("/CN={host}");
        let by = ["-CA", &ca, "-CAkey", &key, "-subj", &subject, "-config", &extensions, "-extensions", "server"];
        self.request(&[common, &by].concat(), "server")?;
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
