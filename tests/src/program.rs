//! Other programs: run to their end, or running as long as a value lives.

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

/// How long anything on this machine may take to start or to answer before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a program and returns its stdout; the error carries its stderr.
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

/// A program as the shell would find it; Debian keeps servers in sbin folders that a user's PATH may lack.
pub fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("`{program}` is not installed; `cargo xtask setup` installs it").into())
}

/// `relay` and `porthole`, as built for release.
pub fn ours(program: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("PORTHOLE_PROGRAMS").map_or_else(|| target().join("release"), PathBuf::from);
    let program = folder.join(program);
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} is not built; `cargo xtask test` builds it", program.display()).into())
    }
}

/// Where `cargo xtask fixtures` puts the images.
pub fn fixtures() -> PathBuf {
    std::env::var_os("PORTHOLE_FIXTURES").map_or_else(|| target().join("fixtures"), PathBuf::from)
}

/// The folder with the workspace's `Cargo.toml`.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// A port that nothing listens on at this moment, and that this process has not given out before.
///
/// It lies below the range from which the system takes ports for outgoing connections: asking such a port whether its
/// server listens yet can end in a connection of the question to itself.
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

/// Asks with a socket that never listens. A program that another thread starts just now holds a copy of it for a moment, and a
/// copy that listens would keep the port from whoever asked.
fn is_free(port: u16) -> Result<bool> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    Ok(bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok())
}

/// Asks again and again until there is an answer.
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

/// A program that runs until this value is dropped.
pub struct Running {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Arc<Mutex<String>>,
}

impl Running {
    /// Starts the command; what it prints is kept for error messages.
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
                // Nobody may be waiting for lines any more; reading on keeps the pipe from filling up.
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

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line of stdout from which `read` makes something.
    pub fn line<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let started = Instant::now();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
            if let Some(value) = read(&line) {
                return Ok(value);
            }
        }
        Err(format!("`{}` did not say what was expected; it said:\n{}", self.name, self.said()).into())
    }

    /// Waits until something listens on a port of this machine.
    pub fn listens(&mut self, port: u16) -> Result<()> {
        wait_for(&format!("`{}` on port {port}", self.name), || match self.child.try_wait()? {
            Some(status) => Err(format!("`{}` ended: {status}\n{}", self.name, self.said()).into()),
            None => Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()),
        })?;
        Ok(())
    }

    /// Everything it has printed so far.
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
