//! Compares the output of commands with files in `tests/expected`.

use std::{env, fs, path::Path, process::Output};

/// The result of a command as text: its stdout, its stderr with `!` before each line, and its exit code.
pub(crate) fn told(arguments: &str, output: Output) -> String {
    let Output { status, stdout, stderr } = output;
    let mut told = format!("$ porthole {arguments}\n{}", String::from_utf8(stdout).unwrap());
    told += &String::from_utf8(stderr).unwrap().lines().fold(String::new(), |text, line| text + "! " + line + "\n");
    told + &format!("[{}]\n\n", status.code().unwrap())
}

/// Compares text with `tests/expected/<name>.txt`.
#[track_caller]
pub(crate) fn expect(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/expected/{name}.txt"));
    if env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, got).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (number, (got, expected)) in got.lines().zip(expected.lines()).enumerate() {
        assert_eq!(got, expected, "line {} of {}", number + 1, path.display());
    }
    assert_eq!(got.lines().count(), expected.lines().count(), "lines of {}", path.display());
}
