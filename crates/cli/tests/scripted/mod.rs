//! Scripted registries behind sockets of this machine, and the program that speaks to them.

use porthole_testkit::registry::{Internet, Site, Socket};
use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

/// A registry on a loopback port.
pub(crate) struct Server {
    pub(crate) internet: Internet,
    socket: Socket,
}

impl Server {
    pub(crate) fn new(site: Site) -> Self {
        let internet = Internet::new();
        let socket = Socket::serve(TcpListener::bind("127.0.0.1:0").unwrap(), &internet).unwrap();
        internet.site(socket.authority(), site);
        Self { internet, socket }
    }

    pub(crate) fn authority(&self) -> &str {
        self.socket.authority()
    }

    /// Looks at what it holds.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Site) -> R) -> R {
        self.internet.look(self.authority(), look).unwrap()
    }
}

/// Runs `porthole` in a directory of its own, with no environment but a home.
pub(crate) fn porthole(home: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_porthole"))
        .args(arguments.split_whitespace())
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .output()
        .unwrap()
}

#[track_caller]
pub(crate) fn ends(output: &Output, code: i32, stderr: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(stderr), "expected `{stderr}`, got:\n{said}");
}

/// What a command that must succeed prints as JSON.
#[track_caller]
pub(crate) fn done(home: &Path, arguments: &str) -> serde_json::Value {
    let output = porthole(home, &format!("{arguments} --json"));
    ends(&output, 0, "");
    serde_json::from_slice(&output.stdout).unwrap()
}
