//! Counts the bytes that interrupted transfers send.

use crate::{image::Image, round::REPOSITORY};
use porthole_testkit::registry::{Internet, Site, Socket};
use porthole_tests::{
    Result,
    program::{free_port, ours, wait_for},
    servers::{Access, Registry, Scissors, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

const KILLS: u64 = 5;
/// Rate of each connection in bytes per second, slow enough to kill the process between two interruptions.
const RATE: u32 = 50_000_000;
/// Upload options to test.
const WAYS: [&[&str]; 2] = [&[], &["--chunk-size", "16MiB"]];

/// Bytes sent for an image.
pub(crate) struct Row {
    name: String,
    moved: u64,
}

pub(crate) fn measure(image: &Image, from: &Registry, place: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![killed(image, from, place)?];
    for way in WAYS {
        let (internet, port) = (Internet::new(), free_port()?);
        let registry = Socket::serve(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?, &internet)?;
        internet.site(registry.authority(), Site::new());
        rows.push(cut(image, place, "a registry that keeps what came", port, way)?);
    }
    for way in WAYS {
        let scratch = Scratch::within(place, "resume")?;
        let registry = Registry::start(&Storage::within(scratch.path())?, &Access::Open)?;
        rows.push(cut(image, place, "docker-registry", registry.port(), way)?);
    }
    Ok(rows)
}

fn porthole(arguments: &[&str], home: &Path) -> Result<Command> {
    let mut command = Command::new(ours("porthole")?);
    command.arg("--quiet").args(arguments).env("HOME", home).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}

fn done(mut command: Command) -> Result<()> {
    let output = command.stderr(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}\n{said}", output.status).into()) }
}

/// Pulls, killing the process each time another sixth of the image has arrived.
fn killed(image: &Image, from: &Registry, place: &Path) -> Result<Row> {
    let scratch = Scratch::within(place, "resume")?;
    let (port, sent) = steady_line(from.port())?;
    let (store, reference) = (scratch.path().join("store"), format!("127.0.0.1:{port}/{REPOSITORY}:bench"));
    let target = format!("oci:{}:bench", store.display());
    let pull = || porthole(&["pull", &reference, &target], scratch.path());
    for kill in 1..=KILLS {
        let mut child = pull()?.stderr(Stdio::null()).spawn()?;
        let reached =
            wait_for("a part of the image", || Ok((kept(&store) >= image.packed * kill / (KILLS + 1)).then_some(())));
        child.kill()?;
        child.wait()?;
        reached?;
    }
    done(pull()?)?;
    Ok(Row { name: format!("pull killed {KILLS} times"), moved: sent.load(Ordering::Relaxed) })
}

/// A local port that forwards to another, and a counter of the bytes received from there, response heads included.
/// Sends small pieces at an even rate: data buffered in a connection is lost when its process is killed.
fn steady_line(server: u16) -> Result<(u16, Arc<AtomicU64>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?))?;
    let (port, sent) = (listener.local_addr()?.port(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&sent);
    // The thread ends with this process.
    thread::spawn(move || {
        for client in listener.incoming().map_while(std::io::Result::ok) {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
            let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else { continue };
            let count = Arc::clone(&count);
            thread::spawn(move || {
                std::io::copy(&mut from_client, &mut to_server).ok();
                to_server.shutdown(Shutdown::Both).ok();
            });
            thread::spawn(move || pass_down(server, client, &count));
        }
    });
    Ok((port, sent))
}

fn pass_down(mut server: TcpStream, mut client: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        if client.write_all(&buffer[..read]).is_err() {
            break;
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(read as u64) / RATE);
    }
    client.shutdown(Shutdown::Both).ok();
    server.shutdown(Shutdown::Both).ok();
}

/// Bytes of a layout on disk, partial blobs included.
fn kept(store: &Path) -> u64 {
    let mut bytes = 0;
    let mut pending = vec![store.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => pending.push(entry.path()),
                // Partial files may be sparse.
                Ok(metadata) => bytes += metadata.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    bytes
}

/// Pushes, cutting the connection each time another quarter of the image was sent.
fn cut(image: &Image, place: &Path, registry: &str, port: u16, way: &[&str]) -> Result<Row> {
    let scratch = Scratch::within(place, "resume")?;
    let cuts: Vec<u64> = (1..=3).map(|quarter| image.packed * quarter / 4).collect();
    let name = format!("push cut {} times, {}, {registry}", cuts.len(), way.last().unwrap_or(&"whole"));
    let line = Scissors::before(port, cuts)?;
    let (source, reference) =
        (format!("oci:{}:bench", image.layout.display()), format!("{}/{REPOSITORY}:bench", line.host()));
    done(porthole(&[&["push"], way, &[&source, &reference]].concat(), scratch.path())?)?;
    Ok(Row { name, moved: line.up() })
}

pub(crate) fn print(image: &Image, rows: &[Row]) {
    println!("\nresume {}: {}", image.name, image.describe());
    for Row { name, moved } in rows {
        let (moved, size) = (*moved as f64 / 1e6, image.packed as f64 / 1e6);
        println!("  {name:<56} {moved:7.1} MB went over the line  x {:.3}", moved / size);
    }
}

pub(crate) fn json(image: &Image, rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|Row { name, moved }| json!({ "case": name, "moved_bytes": moved, "size_bytes": image.packed }))
        .collect();
    json!({ "work": "resume", "image": image.name, "about": image.describe(), "rows": rows })
}
