//! The verbs that list, examine and delete the content of a registry, over scripted registries.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod bills;
mod catalog;
mod delete;
mod doctor;
mod referrers;
mod schema;
mod signatures;
#[path = "../snapshot/mod.rs"]
mod snapshot;

use porthole_testkit::registry::{Internet, Site, Socket};
use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A registry on a loopback port, and a home directory for the program.
struct Server {
    internet: Internet,
    socket: Socket,
    home: TempDir,
}

impl Server {
    fn new(site: Site) -> Self {
        let internet = Internet::new();
        let socket = Socket::serve(TcpListener::bind("127.0.0.1:0").unwrap(), &internet).unwrap();
        internet.site(socket.authority(), site);
        Self { internet, socket, home: tempfile::tempdir().unwrap() }
    }

    fn authority(&self) -> &str {
        self.socket.authority()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Calls `look` with the registry.
    fn look<R>(&self, look: impl FnOnce(&Site) -> R) -> R {
        self.internet.look(self.authority(), look).unwrap()
    }

    /// Replaces the registry at this address.
    fn becomes(&self, site: Site) {
        self.internet.site(self.authority(), site);
    }

    /// Runs `porthole`; `REGISTRY` in the arguments is the server's address.
    fn run(&self, arguments: &str) -> Output {
        let arguments = arguments.replace("REGISTRY", self.authority());
        Command::new(env!("CARGO_BIN_EXE_porthole"))
            .args(arguments.split_whitespace())
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .output()
            .unwrap()
    }

    /// Rows of a command that must succeed.
    #[track_caller]
    fn rows(&self, arguments: &str) -> Vec<serde_json::Value> {
        let output = self.run(&format!("{arguments} --json"));
        ends(&output, 0, "");
        let lines = output.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// The output and exit code of a command, with `REGISTRY` in place of the server's address.
    fn told(&self, arguments: &str) -> String {
        let told = snapshot::told(arguments, self.run(arguments));
        told.replace(self.authority(), "REGISTRY")
    }
}

/// Compares with `tests/expected/<name>.txt`.
#[track_caller]
fn expect(name: &str, told: &[String]) {
    snapshot::expect(name, &told.concat());
}

#[track_caller]
fn ends(output: &Output, code: i32, stderr: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(stderr), "expected `{stderr}`, got:\n{said}");
}
