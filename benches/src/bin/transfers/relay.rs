//! `bench relay`: what the relay costs beside nginx as a reverse proxy, in front of the same registry.

use porthole_benches::median;
use porthole_core::digest::Digest;
use porthole_tests::{
    Result,
    images::pseudo_random,
    program::free_port,
    servers::{Authority, Nginx, Relay, Scratch},
};
use std::{
    fs,
    io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    thread,
    time::Instant,
};

/// Clients at once that ask for manifests, each over one connection.
const CLIENTS: usize = 16;
/// Manifests that each of them asks for.
const MANIFESTS: usize = 625;
/// Bytes of the blob.
const BLOB: usize = 1_000_000_000;
const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What a proxy took for a piece of work.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    processor: f64,
}

/// Measures `rounds` rounds, in which the proxies take turns.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let rounds = match arguments {
        [] => 5,
        [option, number] if option == "--rounds" => number.parse()?,
        other => return Err(format!("expected `--rounds N` or nothing, got `{}`", other.join(" ")).into()),
    };
    let files = Scratch::new("relay")?;
    let digest = registry(files.path())?;
    let upstream = Nginx::files(files.path(), "")?;
    let authority = Authority::new()?;
    let secure = Nginx::files_through_tls(files.path(), &authority)?;
    println!(
        "{CLIENTS} clients; {} manifests of {} bytes, a blob of {BLOB} bytes; medians of {rounds} rounds",
        CLIENTS * MANIFESTS,
        manifest(&digest).len()
    );
    println!(
        "{:<34} {:>18} {:>18} {:>12} {:>12}",
        "", "nginx: wall, CPU", "relay: wall, CPU", "wall, ratio", "CPU, ratio"
    );
    for (name, upstream, authority, cached) in [
        ("plain upstream", upstream.host(), None, false),
        ("TLS upstream", format!("localhost:{}", secure.port()), Some(&authority), false),
        ("from a cache", upstream.host(), None, true),
    ] {
        let place = Scratch::new("relay-cache")?;
        let proxies = [nginx(&upstream, authority, cached)?, ours(&upstream, authority, cached.then(|| place.path()))?];
        if !cached {
            let path = |proxy: &Proxy| format!("/v2/{}bench/manifests/1", proxy.prefix);
            line(&format!("manifests, {name}"), rounds, &proxies, |proxy| manifests(proxy, &path(proxy)))?;
        }
        let path = |proxy: &Proxy| format!("/v2/{}bench/blobs/{digest}", proxy.prefix);
        // The first answer opens connections, and fills the caches.
        for proxy in &proxies {
            blob(proxy, &path(proxy))?;
        }
        line(&format!("blob, {name}"), rounds, &proxies, |proxy| blob(proxy, &path(proxy)))?;
    }
    Ok(())
}

/// Measures one piece of work, and prints its line.
fn line(name: &str, rounds: usize, proxies: &[Proxy; 2], work: impl Fn(&Proxy) -> Result<()>) -> Result<()> {
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (proxy, costs) in proxies.iter().zip(&mut costs) {
            let (start, before) = (Instant::now(), processor(proxy.process)?);
            work(proxy)?;
            costs.push(Cost { wall: start.elapsed().as_secs_f64(), processor: processor(proxy.process)? - before });
        }
    }
    let [nginx, relay] = &costs;
    let of = |costs: &[Cost], figure: fn(&Cost) -> f64| median(costs.iter().map(figure).collect());
    let ratio = |figure: fn(&Cost) -> f64| {
        median(relay.iter().zip(nginx).map(|(own, peer)| figure(own) / figure(peer)).collect())
    };
    let (wall, processor) = (|cost: &Cost| cost.wall, |cost: &Cost| cost.processor);
    println!(
        "{name:<34} {:>8.2} s {:>6.2} s {:>8.2} s {:>6.2} s {:>12.2} {:>12.2}",
        of(nginx, wall),
        of(nginx, processor),
        of(relay, wall),
        of(relay, processor),
        ratio(wall),
        ratio(processor)
    );
    Ok(())
}

/// A proxy in front of the registry.
struct Proxy {
    port: u16,
    process: u32,
    /// What stands before the repository in a path.
    prefix: String,
    _running: Running,
}

/// What stops with the proxy.
enum Running {
    Nginx { _nginx: Nginx },
    Relay { _relay: Relay },
}

fn nginx(upstream: &str, authority: Option<&Authority>, cached: bool) -> Result<Proxy> {
    let port = free_port()?;
    let tls = authority.map(|authority| {
        let file = authority.certificate();
        format!("proxy_ssl_trusted_certificate {}; proxy_ssl_verify on; proxy_ssl_name localhost;", file.display())
    });
    let cache = if cached { "proxy_cache answers; proxy_cache_valid 200 10m;" } else { "proxy_max_temp_file_size 0;" };
    let nginx = Nginx::example(
        port,
        &format!(
            "upstream registry {{ server {upstream}; keepalive 64; }}
             server {{
               listen 127.0.0.1:{port}; keepalive_requests 100000; sendfile on;
               location / {{
                 proxy_pass {}://registry; proxy_set_header Host $http_host; proxy_set_header Connection '';
                 proxy_buffering on; {cache} {}
               }}
             }}",
            if tls.is_some() { "https" } else { "http" },
            tls.unwrap_or_default(),
        ),
    )?;
    Ok(Proxy { port, process: nginx.process(), prefix: String::new(), _running: Running::Nginx { _nginx: nginx } })
}

fn ours(upstream: &str, authority: Option<&Authority>, cache: Option<&Path>) -> Result<Proxy> {
    let mut options = ["--allow-private", upstream].map(str::to_owned).to_vec();
    if let Some(authority) = authority {
        options.extend(["--ca".to_owned(), authority.certificate().display().to_string()]);
    }
    if let Some(cache) = cache {
        options.extend(["--cache".to_owned(), cache.display().to_string()]);
    }
    let relay = Relay::with(&options)?;
    let port = relay.host().rsplit(':').next().unwrap_or_default().parse()?;
    let prefix = format!("{}/", upstream.replace(':', "_"));
    Ok(Proxy { port, process: relay.process(), prefix, _running: Running::Relay { _relay: relay } })
}

/// Writes a repository with one manifest and one blob. Returns the digest of the blob.
fn registry(folder: &Path) -> Result<String> {
    let repository = folder.join("v2/bench");
    for kind in ["manifests", "blobs"] {
        fs::create_dir_all(repository.join(kind))?;
    }
    fs::write(folder.join("v2/index.html"), "{}")?;
    let piece = pseudo_random(1_000_000);
    let partial = repository.join("blobs/partial");
    let mut file = BufWriter::new(fs::File::create(&partial)?);
    let mut hash = porthole_core::digest::Hasher::new(porthole_core::digest::Algorithm::Sha256);
    for _ in 0..BLOB / piece.len() {
        file.write_all(&piece)?;
        hash.update(&piece);
    }
    file.flush()?;
    let digest = hash.finish().to_string();
    fs::rename(partial, repository.join("blobs").join(&digest))?;
    fs::write(repository.join("manifests/1"), manifest(&digest))?;
    Ok(digest)
}

fn manifest(blob: &str) -> String {
    let config = Digest::sha256(b"{}");
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MEDIA_TYPE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{blob}","size":{BLOB}}}]}}"#
    )
}

/// Every client asks for the manifest again and again.
fn manifests(proxy: &Proxy, path: &str) -> Result<()> {
    let port = proxy.port;
    let ask = || -> Result<()> {
        let mut client = Client::new(port)?;
        for _ in 0..MANIFESTS {
            client.get(path)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| ask().map_err(|error| error.to_string()))).collect();
        clients.into_iter().try_for_each(|client| Ok(client.join().map_err(|_| "a client panicked")??))
    })
}

fn blob(proxy: &Proxy, path: &str) -> Result<()> {
    let bytes = Client::new(proxy.port)?.get(path)?;
    if bytes == BLOB as u64 { Ok(()) } else { Err(format!("expected {BLOB} bytes of the blob, got {bytes}").into()) }
}

/// A connection to a proxy.
struct Client {
    stream: BufReader<TcpStream>,
    port: u16,
}

impl Client {
    fn new(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(256 << 10, stream), port })
    }

    /// Sends a request and reads its answer, which must be a 200. Returns the bytes of its body.
    fn get(&mut self, path: &str) -> Result<u64> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: {MEDIA_TYPE}\r\n\r\n", self.port);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut first, mut length, mut line) = (String::new(), None, String::new());
        self.stream.read_line(&mut first)?;
        while self.stream.read_line(&mut line)? > 2 {
            let header = line.trim_end().split_once(": ");
            if let Some((_, value)) = header.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
                length = Some(value.parse::<u64>()?);
            }
            line.clear();
        }
        if !first.starts_with("HTTP/1.1 200") {
            return Err(format!("expected 200 for {path}, got {}", first.trim_end()).into());
        }
        let length = length.ok_or("an answer without a length")?;
        Ok(std::io::copy(&mut (&mut self.stream).take(length), &mut std::io::sink())?)
    }
}

/// Processor seconds of a process so far (proc_pid_stat(5)).
fn processor(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").ok_or("no name in the status of a process")?;
    let ticks: u64 = rest.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap_or_default()).sum();
    Ok(ticks as f64 / TICKS)
}

/// Linux counts processor time for programs in hundredths of a second, whatever its own clock is (`USER_HZ`).
const TICKS: f64 = 100.0;
