//! A directory with images in it, and the program run there.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

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

    /// Compares all that some commands do with `tests/expected/<name>.txt`.
    pub(crate) fn expect(&self, name: &str, commands: &[&str]) {
        let mut got = String::new();
        for arguments in commands {
            let Output { status, stdout, stderr } = self.run(arguments);
            got += &format!("$ porthole {arguments}\n{}", String::from_utf8(stdout).unwrap());
            got +=
                &String::from_utf8(stderr).unwrap().lines().fold(String::new(), |text, line| text + "! " + line + "\n");
            got += &format!("[{}]\n\n", status.code().unwrap());
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/expected/{name}.txt"));
        if env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&path, &got).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        for (number, (got, expected)) in got.lines().zip(expected.lines()).enumerate() {
            assert_eq!(got, expected, "line {} of {}", number + 1, path.display());
        }
        assert_eq!(got.lines().count(), expected.lines().count(), "lines of {}", path.display());
    }
}
