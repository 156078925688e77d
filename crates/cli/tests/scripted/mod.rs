//! Scripted registries behind sockets of this machine, and runs of the program against them.

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

    /// Calls `look` with the registry.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Site) -> R) -> R {
        self.internet.look(self.authority(), look).unwrap()
    }
}

/// Runs `porthole` in its home directory, with an otherwise empty environment.
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

/// Runs a command that must succeed. Returns the JSON that it prints.
#[track_caller]
pub(crate) fn done(home: &Path, arguments: &str) -> serde_json::Value {
    let output = porthole(home, &format!("{arguments} --json"));
    ends(&output, 0, "");
    serde_json::from_slice(&output.stdout).unwrap()
}
