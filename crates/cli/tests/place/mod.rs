//! A directory with images, in which the program runs.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use crate::snapshot;
use porthole_testkit::image::Built;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes an image as the OCI layout `<name>`, tagged `latest`.
    pub(crate) fn layout(&self, name: &str, image: &Built) {
        image.clone().into_content("latest").write_layout(&self.path(name)).unwrap();
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_porthole"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).env_clear().output().unwrap()
    }

    /// Exit code and rows of a command with `--json`.
    pub(crate) fn json(&self, arguments: &str) -> (i32, Vec<Value>) {
        let Output { status, stdout, .. } = self.run(arguments);
        let lines = stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        (status.code().unwrap(), lines.map(|line| serde_json::from_slice(line).unwrap()).collect())
    }

    /// Compares the output and exit codes of some commands with `tests/expected/<name>.txt`.
    pub(crate) fn expect(&self, name: &str, commands: &[&str]) {
        let told: String = commands.iter().map(|arguments| snapshot::told(arguments, self.run(arguments))).collect();
        snapshot::expect(name, &told);
    }
}
