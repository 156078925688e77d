//! A registry with one image that answers some requests in a hostile way.

use porthole_testkit::image::{Built, Image, Layer};
use porthole_tests::Result;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What the registry sends in place of a correct answer.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// These bytes. Then closes the connection.
    Bytes(Vec<u8>),
    /// These bytes. Then keeps the connection open and sends nothing.
    Stall(Vec<u8>),
    /// The first bytes at once, then the others one by one.
    Drip(Vec<u8>, Vec<u8>),
    /// The first bytes, then the others repeatedly without an end.
    Endless(Vec<u8>, Vec<u8>),
}

pub(crate) struct Mean {
    pub(crate) authority: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Mean {
    /// Starts the registry. `deed` gets method, path and authority of a request, and returns what to send; `None` sends the correct
    /// answer.
    pub(crate) fn start(
        image: Built,
        deed: impl Fn(&str, &str, &str) -> Option<Deed> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let authority = listener.local_addr()?.to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new((image, deed, authority.clone(), Arc::clone(&heads)));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(std::io::Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (image, deed, authority, heads) = &*shared;
                    answer(stream, image, deed, authority, heads)
                });
            }
        });
        Ok(Self { authority, heads })
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(
    stream: TcpStream,
    image: &Built,
    deed: &(impl Fn(&str, &str, &str) -> Option<Deed> + ?Sized),
    authority: &str,
    heads: &Mutex<Vec<String>>,
) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    let (mut length, mut start) = (0_u64, 0_usize);
    loop {
        let before = head.len();
        reader.read_line(&mut head).ok()?;
        let line = head[before..].trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "range" => start = value.strip_prefix("bytes=")?.split_once('-')?.0.parse().ok()?,
            _ => {}
        }
    }
    let mut words = head.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    let mut stream = stream;
    match deed(&method, &path, authority) {
        None => {
            let (head, rest) = good(image, &method, &path, authority, start);
            stream.write_all(&head).ok()?;
            stream.write_all(rest).ok()?;
        }
        Some(Deed::Bytes(bytes)) => stream.write_all(&bytes).ok()?,
        Some(Deed::Stall(bytes)) => {
            stream.write_all(&bytes).ok()?;
            let _ = stream.read(&mut [0]);
        }
        Some(Deed::Drip(first, rest)) => {
            stream.write_all(&first).ok()?;
            for byte in rest {
                stream.write_all(&[byte]).ok()?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        Some(Deed::Endless(first, rest)) => {
            stream.write_all(&first).ok()?;
            while stream.write_all(&rest).is_ok() {}
        }
    }
    Some(())
}

/// The answer of a correct registry: its head, and its body, which is borrowed because thousands of readers may wait for it.
fn good<'i>(image: &'i Built, method: &str, path: &str, authority: &str, start: usize) -> (Vec<u8>, &'i [u8]) {
    let Some(body) = body(image, path) else {
        let head = match method {
            "POST" => head(202, &[("Location", &format!("http://{authority}/v2/a/b/blobs/uploads/1"))], 0),
            "PUT" | "PATCH" => head(201, &[], 0),
            _ => head(404, &[], 0),
        };
        return (head, &[]);
    };
    let kind = if path.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
    let rest = body.get(start..).unwrap_or_default();
    let span = format!("bytes {start}-{}/{}", body.len().saturating_sub(1), body.len());
    let head = match start {
        0 => head(200, &[("Content-Type", kind)], rest.len()),
        _ => head(206, &[("Content-Range", &span)], rest.len()),
    };
    (head, if method == "HEAD" { &[] } else { rest })
}

/// The manifest or blob that the end of a path names.
pub(crate) fn body<'i>(image: &'i Built, path: &str) -> Option<&'i [u8]> {
    if path.ends_with("/manifests/1") {
        return Some(&image.manifest.bytes);
    }
    let layers = image.layers.iter().map(|layer| &layer.blob);
    let mut blobs = [&image.manifest, &image.config].into_iter().chain(layers);
    blobs.find(|blob| path.ends_with(&blob.digest)).map(|blob| &*blob.bytes)
}

pub(crate) fn head(status: u16, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n").into_bytes()
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image with one layer of this many incompressible bytes.
pub(crate) fn image(bytes: usize) -> Built {
    let noise = porthole_tests::images::pseudo_random(bytes);
    Image::new().layer(Layer::new("COPY noise").file("noise", noise)).build()
}
