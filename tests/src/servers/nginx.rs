//! Debian's nginx as a static host of the page, and as various proxies in front of registries.

use super::{Authority, Scratch};
use crate::{
    Result,
    http::request,
    program::{Running, find, free_port, wait_for, workspace},
};
use std::{fs, path::Path, process::Command};

/// An nginx process, stopped on drop.
pub struct Nginx {
    port: u16,
    /// Port of its status page.
    status: u16,
    process: Running,
    files: Scratch,
}

impl Nginx {
    /// A static host with only the page's files.
    pub fn page() -> Result<Self> {
        let page = workspace().join("dist");
        if !page.join("index.html").is_file() {
            return Err("the page is not built; `cargo xtask test` builds it".into());
        }
        Self::folder(&page)
    }

    /// A static host of a folder over HTTPS, with a certificate for this name.
    pub fn secure_folder(port: u16, folder: &Path, name: &str, authority: &Authority) -> Result<Self> {
        let (certificate, key) = authority.certify_for(name)?;
        let (certificate, key) = (certificate.display(), key.display());
        let files = format!("location / {{ root {}; index index.html; }}", folder.display());
        Self::start(port, &format!("ssl_certificate {certificate}; ssl_certificate_key {key}; {files}"))
    }

    /// A static host of a folder.
    pub fn folder(folder: &Path) -> Result<Self> {
        Self::start(free_port()?, &format!("location / {{ root {}; index index.html; }}", folder.display()))
    }

    /// A proxy that answers preflights itself and allows any origin to read the registry's responses.
    pub fn answers_preflights(registry: u16) -> Result<Self> {
        let headers = "
            add_header Access-Control-Allow-Origin * always;
            add_header Access-Control-Allow-Methods 'GET, HEAD, OPTIONS' always;
            add_header Access-Control-Allow-Headers 'Authorization, Accept, Range, If-None-Match, If-Range' always;
            add_header Access-Control-Expose-Headers 'Docker-Content-Digest, WWW-Authenticate, Content-Range, Link' always;";
        Self::start(
            free_port()?,
            &format!(
                "location / {{ {headers}
                    if ($request_method = OPTIONS) {{ {headers} return 204; }}
                    proxy_pass http://127.0.0.1:{registry};
                    proxy_set_header Host $http_host;
                }}"
            ),
        )
    }

    /// A registry and its token server behind one host and port.
    pub fn joins(port: u16, registry: u16, tokens: u16) -> Result<Self> {
        Self::start(
            port,
            &format!(
                "location /token {{ proxy_pass http://127.0.0.1:{tokens}; }}
                 location / {{ proxy_pass http://127.0.0.1:{registry}; proxy_set_header Host $http_host; }}"
            ),
        )
    }

    /// A proxy that limits the rate of each connection in kilobytes per second and logs bytes sent: see
    /// [`sent`](Self::sent). Nothing in between may cache the responses.
    pub fn metered(registry: u16, rate: u32) -> Result<Self> {
        Self::start(
            free_port()?,
            &format!(
                "location / {{
                    proxy_pass http://127.0.0.1:{registry};
                    proxy_set_header Host $http_host;
                    proxy_hide_header Cache-Control; add_header Cache-Control no-store always;
                    proxy_buffering on; proxy_max_temp_file_size 0; limit_rate {rate}k;
                }}"
            ),
        )
    }

    /// A static registry, `v2/<name>/manifests/…` and `v2/<name>/blobs/…` in a folder, with these nginx directives
    /// (`limit_rate 1m;`). Logs bytes sent like [`metered`](Self::metered).
    pub fn files(folder: &Path, line: &str) -> Result<Self> {
        let root = folder.display();
        Self::start(
            free_port()?,
            &format!(
                "root {root}; types {{ }} default_type application/octet-stream; {line}
                 location ~ /manifests/ {{ default_type application/vnd.oci.image.manifest.v1+json; }}"
            ),
        )
    }

    /// As [`files`](Self::files), over TLS with a certificate for `localhost`.
    pub fn files_through_tls(folder: &Path, authority: &Authority) -> Result<Self> {
        let (certificate, key) = authority.certify()?;
        let (root, certificate, key) = (folder.display(), certificate.display(), key.display());
        Self::start(
            free_port()?,
            &format!(
                "ssl_certificate {certificate}; ssl_certificate_key {key};
                 root {root}; types {{ }} default_type application/octet-stream;
                 location ~ /manifests/ {{ default_type application/vnd.oci.image.manifest.v1+json; }}"
            ),
        )
    }

    /// A proxy that refuses larger request bodies (`1m`).
    pub fn limits_bodies(registry: u16, most: &str) -> Result<Self> {
        Self::start(
            free_port()?,
            &format!(
                "location / {{
                    client_max_body_size {most};
                    proxy_pass http://127.0.0.1:{registry}; proxy_set_header Host $http_host;
                }}"
            ),
        )
    }

    /// A proxy that does not forward `Range`: the registry always sends the whole blob.
    pub fn ignores_ranges(registry: u16) -> Result<Self> {
        Self::start(
            free_port()?,
            &format!(
                "location / {{
                    proxy_pass http://127.0.0.1:{registry}; proxy_set_header Host $http_host;
                    proxy_set_header Range ''; max_ranges 0; proxy_hide_header Accept-Ranges;
                }}"
            ),
        )
    }

    /// A TLS proxy in front of the registry, with a certificate for `localhost`.
    pub fn secures(registry: u16, authority: &Authority) -> Result<Self> {
        let (certificate, key) = authority.certify()?;
        let (certificate, key) = (certificate.display(), key.display());
        Self::start(
            free_port()?,
            &format!(
                "ssl_certificate {certificate}; ssl_certificate_key {key};
                location / {{ proxy_pass http://127.0.0.1:{registry}; proxy_set_header Host $http_host; }}
                error_page 497 =400 /;"
            ),
        )
    }

    /// A proxy that caches responses for all users, if their headers permit it. `X-Cache` has the result of the look-up.
    pub fn caches(upstream: &str) -> Result<Self> {
        Self::start(
            free_port()?,
            &format!(
                "location / {{
                    proxy_pass http://{upstream}; proxy_set_header Host {upstream};
                    proxy_buffering on; proxy_cache answers; proxy_cache_key $request_uri; proxy_cache_revalidate on;
                    add_header X-Cache $upstream_cache_status always;
                }}"
            ),
        )
    }

    /// A sign-in on this port in front of a relay. Requests without its cookie are redirected to a page that sets the cookie and
    /// redirects back.
    pub fn signs_in(port: u16, relay: &str) -> Result<Self> {
        Self::start(
            port,
            &format!(
                "location = /sign-in {{ add_header Set-Cookie 'session=ok; Path=/; HttpOnly; SameSite=Lax' always; return 302 /; }}
                 location / {{
                    if ($cookie_session != ok) {{ return 302 /sign-in; }}
                    proxy_pass http://{relay}; proxy_set_header Host $http_host;
                 }}"
            ),
        )
    }

    /// Starts nginx with these directives in its `http` block. They define servers, one of which listens on this port.
    pub fn example(port: u16, directives: &str) -> Result<Self> {
        Self::start_http(port, directives)
    }

    /// The requested paths and the body bytes sent for each, in order of completion. Waits until no request is being answered,
    /// because nginx writes a line to the log shortly after the last byte of the response.
    pub fn sent(&self) -> Result<Vec<(String, u64)>> {
        wait_for("the end of all answers of nginx", || {
            let status = String::from_utf8(request(self.status, "GET", "/", &[], &[])?.body)?;
            let busy = status.split_once("Writing: ").and_then(|(_, rest)| rest.split(' ').next());
            // The request for the status itself counts as one.
            Ok((busy == Some("1")).then_some(()))
        })?;
        let log = fs::read_to_string(self.files.path().join("access.log"))?;
        log.lines()
            .map(|line| {
                let (path, bytes) = line.split_once(' ').ok_or("a line of the log has a space")?;
                Ok((path.to_owned(), bytes.parse()?))
            })
            .collect()
    }

    fn start(port: u16, locations: &str) -> Result<Self> {
        let tls = if locations.contains("ssl_certificate") { " ssl" } else { "" };
        Self::start_http(port, &format!("server {{ listen 127.0.0.1:{port}{tls}; {locations} }}"))
    }

    fn start_http(port: u16, directives: &str) -> Result<Self> {
        let files = Scratch::new("nginx")?;
        let folder = files.path().display();
        let (settings, status) = (files.path().join("nginx.conf"), free_port()?);
        // nginx's worker processes need read access to the folder.
        let user =
            if fs::metadata(files.path()).is_ok_and(|metadata| owned_by_root(&metadata)) { "user root;" } else { "" };
        fs::write(
            &settings,
            format!(
                "daemon off; master_process off; {user} pid {folder}/pid; error_log stderr warn;
                 events {{ worker_connections 256; }}
                 http {{
                   log_format sent '$uri $body_bytes_sent'; access_log {folder}/access.log sent; client_max_body_size 0; proxy_http_version 1.1; proxy_buffering off;
                   client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
                   uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
                   limit_conn_zone $server_port zone=all:1m;
                   types {{ text/html html; text/css css; text/javascript js; application/wasm wasm; image/svg+xml svg; application/json json; }}
                   proxy_cache_path {folder}/cache keys_zone=answers:1m;
                   server {{ listen 127.0.0.1:{status}; access_log off; stub_status; }}
                   {directives}
                 }}"
            ),
        )?;
        let mut process = Running::start(Command::new(find("nginx")?).arg("-c").arg(&settings).args(["-e", "stderr"]))?;
        process.listens(port)?;
        Ok(Self { port, status, process, files })
    }

    /// Its address as written in a reference.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The local port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}/", self.host())
    }

    /// The process id.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Its log output.
    pub fn said(&self) -> String {
        self.process.said()
    }
}

fn owned_by_root(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == 0
}
