//! Runs a program in a pseudo-terminal, and types answers.

use crate::{
    Result,
    program::{PATIENCE, find},
};
use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// `script`, which runs a shell command in a pseudo-terminal.
pub struct Terminal {
    script: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    seen: String,
    /// Number of bytes of the output that were examined.
    from: usize,
}

impl Terminal {
    /// Starts a command with this folder as home directory.
    pub fn runs(command: &str, home: &Path) -> Result<Self> {
        // The parent may have set signals to be ignored: reset that. `timeout` bounds the run.
        let mut script = Command::new(find("env")?)
            .args(["--default-signal=INT,TERM,HUP", "timeout", &PATIENCE.as_secs().to_string()])
            .arg(find("script")?)
            .args(["--quiet", "--return", "--command", command, "/dev/null"])
            .env("HOME", home)
            .env_remove("DOCKER_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (keyboard, screen) = (script.stdin.take().ok_or("no stdin")?, script.stdout.take().ok_or("no stdout")?);
        Ok(Self { script, keyboard, screen, seen: String::new(), from: 0 })
    }

    /// Waits for a prompt, then types at once. Text typed before the prompt would be echoed by the terminal.
    pub fn answers(&mut self, question: &str, answer: &str) -> Result<()> {
        let mut piece = [0; 4096];
        self.from += loop {
            if let Some(place) = self.seen[self.from..].find(question) {
                break place + question.len();
            }
            let read = self.screen.read(&mut piece)?;
            if read == 0 {
                return Err(format!("expected `{question}`, got:\n{}", self.seen).into());
            }
            self.seen.push_str(&String::from_utf8_lossy(&piece[..read]));
        };
        Ok(self.keyboard.write_all(answer.as_bytes())?)
    }

    /// Waits for the end. Returns the exit code and the output. Keeps the input open: `script` ends when its stdin
    /// does.
    pub fn ends(mut self) -> Result<(Option<i32>, String)> {
        self.screen.read_to_string(&mut self.seen)?;
        Ok((self.script.wait()?.code(), self.seen))
    }
}
