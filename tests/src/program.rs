//! Runs other programs to completion, or until dropped.

use crate::Result;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt::set_socket_reuseaddr};
use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// Time limit for any program to start or to respond.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a program and returns its stdout. An error includes its stderr.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Result<String> {
    let mut command = Command::new(find(program)?);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output()?;
    if !output.status.success() {
        return Err(
            format!("{command:?} failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Finds a program on PATH. Also searches the sbin folders, where Debian installs servers.
pub fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("`{program}` is not installed; `cargo xtask setup` installs it").into())
}

/// The release build of `relay` or `porthole`.
pub fn ours(program: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("PORTHOLE_PROGRAMS").map_or_else(|| target().join("release"), PathBuf::from);
    let program = folder.join(program);
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} is not built; `cargo xtask test` builds it", program.display()).into())
    }
}

/// The folder in which `cargo xtask fixtures` builds the images.
pub fn fixtures() -> PathBuf {
    std::env::var_os("PORTHOLE_FIXTURES").map_or_else(|| target().join("fixtures"), PathBuf::from)
}

/// The workspace folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// A port that is free now and that this process has not returned before.
///
/// It is below the kernel's ephemeral range: probing a port in that range can connect the probe to itself (TCP
/// simultaneous open).
pub fn free_port() -> Result<u16> {
    const PORTS: std::ops::Range<u16> = 12_000..32_000;
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    for _ in PORTS {
        let turn = u64::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let offset = (u64::from(std::process::id()) * 61 + turn) % PORTS.len() as u64;
        let port = PORTS.start + u16::try_from(offset)?;
        if is_free(port)? {
            return Ok(port);
        }
    }
    Err("every port is taken".into())
}

/// Probes with a socket that never listens. A program started concurrently by another thread inherits a copy of it for
/// a moment; if the copy listened, the port would stay in use.
fn is_free(port: u16) -> Result<bool> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    Ok(bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok())
}

/// Repeats a question until it has an answer.
pub fn wait_for<T>(what: &str, mut question: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = question()? {
            return Ok(answer);
        }
        if started.elapsed() > PATIENCE {
            return Err(format!("{what}: nothing after {} s", PATIENCE.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that runs until dropped.
pub struct Running {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Arc<Mutex<String>>,
}

impl Running {
    /// Starts a command. Its output is kept for error messages.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{name}` does not start: {error}"))?;
        let (sender, lines) = mpsc::channel();
        let said = Arc::new(Mutex::new(String::new()));
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let stderr = child.stderr.take().ok_or("no stderr")?;
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                remember(&heard, &line);
                // Keep reading after the receiver is dropped, so that the pipe does not fill up.
                sender.send(line).ok();
            }
        });
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
                remember(&heard, &line);
            }
        });
        Ok(Self { name, child, lines, said })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the first line of stdout that `read` accepts.
    pub fn line<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let started = Instant::now();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
            if let Some(value) = read(&line) {
                return Ok(value);
            }
        }
        Err(format!("`{}` did not say what was expected; it said:\n{}", self.name, self.said()).into())
    }

    /// Waits until the program listens on a local port.
    pub fn listens(&mut self, port: u16) -> Result<()> {
        wait_for(&format!("`{}` on port {port}", self.name), || match self.child.try_wait()? {
            Some(status) => Err(format!("`{}` ended: {status}\n{}", self.name, self.said()).into()),
            None => Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()),
        })?;
        Ok(())
    }

    /// The output so far.
    pub fn said(&self) -> String {
        self.said.lock().map(|said| said.clone()).unwrap_or_default()
    }
}

fn remember(said: &Mutex<String>, line: &str) {
    if let Ok(mut said) = said.lock() {
        said.push_str(line);
        said.push('\n');
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::TcpListener,
        sync::atomic::{AtomicBool, Ordering},
    };

    #[test]
    fn a_port_is_free_while_other_threads_start_programs() -> Result<()> {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        Command::new("true").status().ok();
                    }
                });
            }
            let outcome = (0..2000).try_for_each(|_| {
                TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?))?;
                Ok(())
            });
            done.store(true, Ordering::Relaxed);
            outcome
        })
    }

    #[test]
    fn a_port_that_is_listened_to_is_not_free() -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?))?;
        assert!(!is_free(listener.local_addr()?.port())?);
        Ok(())
    }
}
