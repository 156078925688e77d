//! What a program believes to be a terminal, and who sits before it.

use crate::{
    Result,
    program::{PATIENCE, find},
};
use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// `script`, which runs a command of the shell.
pub struct Terminal {
    script: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    seen: String,
    /// What of it was read.
    from: usize,
}

impl Terminal {
    /// Starts the command for whoever lives in this folder.
    pub fn runs(command: &str, home: &Path) -> Result<Self> {
        // Signals are heeded there, even where whoever runs the tests was started to ignore them; and nobody waits for ever.
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

    /// Waits for a question and types at once. What is typed before it is asked for would be shown by the terminal itself.
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

    /// The exit code, and all that was to be seen. The keyboard stays until then: a terminal does not end when somebody has typed.
    pub fn ends(mut self) -> Result<(Option<i32>, String)> {
        self.screen.read_to_string(&mut self.seen)?;
        Ok((self.script.wait()?.code(), self.seen))
    }
}
