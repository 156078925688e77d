//! The program, as an operator runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// Starts the relay on a free port. Nothing reads its stderr.
fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_relay"))
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    (child, address)
}

/// Sends that many requests on one connection and reads their answers.
fn ask(address: &str, count: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut answer = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..count {
        stream.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        let mut length = 0;
        while line.trim() != "" {
            line.clear();
            answer.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        answer.read_exact(&mut vec![0; length]).unwrap();
    }
}

/// A pipe takes 64 KiB, which is some 2 000 lines; after them every request hung, and so did SIGTERM.
#[test]
fn a_stderr_that_is_not_read_stops_neither_requests_nor_sigterm() {
    let (mut child, address) = start(&[]);
    ask(&address, 8000);
    let mut metrics = String::new();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut metrics).unwrap();
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("porthole_relay_log_dropped_total ")).unwrap();
    assert_ne!(dropped, "0");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn options_are_checked_without_serving() {
    let check = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_relay")).arg("--check").args(arguments).env_clear().output().unwrap()
    };
    let output = check(&["--listen", "0.0.0.0:0"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("the options are valid") && text.contains("warning: "), "{text}");
    let output = check(&["--allow", "GHCR.io"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("relay: --allow: expected a lower-case host[:port]"));
}
