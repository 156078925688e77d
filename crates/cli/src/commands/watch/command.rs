//! Runs the command when a tag has moved.

use std::{
    ffi::OsString,
    fmt, io,
    process::{Command, Stdio},
    thread,
};

use porthole_core::{digest::Digest, reference::Reference};
use tokio::sync::mpsc::UnboundedSender;

use super::look::Subject;

/// The command to run.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// `sh -c`
    Shell(OsString),
    /// A program and its arguments.
    Program(Vec<OsString>),
}

/// How a command has ended.
pub(super) struct Ended {
    /// Number of the reference.
    pub(super) at: usize,
    pub(super) subject: Subject,
    /// Why it did not do what it should.
    pub(super) failure: Option<Failure>,
}

#[derive(Debug)]
pub(super) enum Failure {
    Start(io::Error),
    Status(std::process::ExitStatus),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "cannot be started: {error}"),
            Self::Status(status) => write!(f, "ended with {status}"),
        }
    }
}

impl Task {
    pub(super) fn new(shell: Option<&OsString>, program: &[OsString]) -> Option<Self> {
        let program = || (!program.is_empty()).then(|| Self::Program(program.to_vec()));
        shell.map(|shell| Self::Shell(shell.clone())).or_else(program)
    }

    /// Runs it on its own thread, which reports the end. Its stdout is our stderr, because our stdout is for events.
    pub(super) fn start(
        &self,
        at: usize,
        reference: &Reference,
        subject: Subject,
        previous: Option<Digest>,
        ended: UnboundedSender<Ended>,
    ) {
        let mut command = self.command();
        command.env("PORTHOLE_REFERENCE", reference.to_string()).env("PORTHOLE_DIGEST", subject.digest().to_string());
        for (name, digest) in
            [("PORTHOLE_PREVIOUS", previous), ("PORTHOLE_INDEX", subject.manifest.map(|_| subject.root))]
        {
            match digest {
                Some(digest) => command.env(name, digest.to_string()),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null()).stdout(io::stderr());
        thread::spawn(move || {
            let failure = match command.status() {
                Ok(status) if status.success() => None,
                Ok(status) => Some(Failure::Status(status)),
                Err(error) => Some(Failure::Start(error)),
            };
            // This fails after a second signal, when the receiver is dropped.
            let _ = ended.send(Ended { at, subject, failure });
        });
    }

    fn command(&self) -> Command {
        match self {
            Self::Shell(text) => {
                let mut command = Command::new("/bin/sh");
                command.arg("-c").arg(text);
                command
            }
            Self::Program(words) => {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]);
                command
            }
        }
    }
}
