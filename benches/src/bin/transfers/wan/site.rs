//! A registry at the far end of a link, shaped like Docker Hub's: TLS and HTTP/2, a token from another host, blobs by
//! redirects to a third.

use super::link::Shape;
use crate::image::Image;
use porthole_tests::{
    Result,
    program::{Running, find, run},
    servers::Scratch,
};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

pub(crate) const REGISTRY: &str = "registry.wan.test";
const HOSTS: [&str; 3] = [REGISTRY, "auth.wan.test", "blobs.wan.test"];
const NEAR: &str = "10.213.77.1";
const FAR: &str = "10.213.77.2";

/// Three namespaces in a row: the programs', the link's, the servers'. Deleted on drop.
pub(crate) struct Site {
    near: String,
    middle: String,
    far: String,
    files: Scratch,
    link: Option<Running>,
    server: Option<Running>,
}

/// What the servers and the kernel counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Connections that the near side opened.
    pub(crate) connections: u64,
    /// Bytes of frames that it received.
    pub(crate) received: u64,
    /// Requests that were answered.
    pub(crate) requests: u64,
}

impl Site {
    /// Builds namespaces, certificates and the servers of an image.
    ///
    /// # Errors
    /// Whatever this machine lacks for it.
    pub(crate) fn new(home: &Path, image: &Image) -> Result<Self> {
        if run("id", ["-u"])?.trim() != "0" {
            return Err("`wan` takes root, because it makes network namespaces".into());
        }
        for program in ["ip", "nginx", "openssl"] {
            find(program)?;
        }
        let name = |what: &str| format!("porthole-{what}-{}", std::process::id());
        let mut site = Self {
            near: name("near"),
            middle: name("link"),
            far: name("far"),
            files: Scratch::within(home, "wan")?,
            link: None,
            server: None,
        };
        site.connect().map_err(|error| format!("this machine cannot join network namespaces: {error}"))?;
        site.certify()?;
        site.serve(image)?;
        Ok(site)
    }

    fn connect(&self) -> Result<()> {
        for (name, address, link) in [(&self.near, NEAR, "near"), (&self.far, FAR, "far")] {
            // Names are resolved without a server: `ip netns exec` shows this file as /etc/hosts.
            let folder = hosts(name);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("hosts"), format!("127.0.0.1 localhost\n{FAR} {}\n", HOSTS.join(" ")))?;
            ip(&format!("netns add {name}"))?;
            if link == "near" {
                ip(&format!("netns add {}", self.middle))?;
            }
            ip(&format!("link add eth0 netns {name} type veth peer name {link} netns {}", self.middle))?;
            // The link sees what a network card would put on the line.
            ip(&format!("-netns {name} link set eth0 gso_max_segs 1 gso_max_size {GSO}"))?;
            ip(&format!("-netns {name} address add {address}/24 dev eth0"))?;
            ip(&format!("-netns {name} link set lo up"))?;
            ip(&format!("-netns {name} link set eth0 up"))?;
            ip(&format!("-netns {} link set {link} up", self.middle))?;
            // BBR, the default of some kernels, sends through random loss at full speed; most servers do not use it.
            inside(name, &["sh", "-c", "echo reno > /proc/sys/net/ipv4/tcp_congestion_control"])?;
        }
        Ok(())
    }

    /// From now on the link is like this.
    pub(crate) fn shape(&mut self, shape: Shape) -> Result<()> {
        self.link = None;
        // What is known of earlier connections would make the next ones faster or slower.
        for name in [&self.near, &self.far] {
            inside(name, &["ip", "tcp_metrics", "flush", "all"])?;
        }
        let mut link = Command::new(find("ip")?);
        // Of a busy machine the line is no slower.
        link.args(["netns", "exec", &self.middle, "nice", "-n", "-19"]).arg(std::env::current_exe()?);
        link.args(["link", "near", "far"]).args(shape.arguments());
        let link = Running::start(&mut link)?;
        link.line(|line| (line == "ready").then_some(()))?;
        self.link = Some(link);
        Ok(())
    }

    fn certify(&self) -> Result<()> {
        let folder = self.files.path().display();
        let common = "-x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2";
        let names = HOSTS.map(|host| format!("DNS:{host}")).join(",");
        let extensions = self.files.path().join("extensions");
        fs::write(
            &extensions,
            format!(
                "[req]\ndistinguished_name=dn\n[dn]\n[server]\nsubjectAltName={names}\nbasicConstraints=CA:FALSE\n"
            ),
        )?;
        let request = |rest: &str| {
            run("openssl", format!("req {common} {rest}").split_whitespace())?;
            Result::Ok(())
        };
        fs::write(
            self.files.path().join("authority"),
            "[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=CA:TRUE\n",
        )?;
        request(&format!(
            "-subj /CN=wan -config {folder}/authority -extensions ca -keyout {folder}/ca.key -out {folder}/ca.pem"
        ))?;
        request(&format!(
            "-subj /CN={REGISTRY} -CA {folder}/ca.pem -CAkey {folder}/ca.key -config {folder}/extensions \
             -extensions server -keyout {folder}/server.key -out {folder}/server.pem"
        ))
    }

    /// The certificate of the authority (PEM).
    pub(crate) fn authority(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    fn serve(&mut self, image: &Image) -> Result<()> {
        let root = self.files.path();
        let (manifests, blobs) = (root.join("manifests"), root.join("blobs"));
        fs::create_dir_all(&manifests)?;
        fs::create_dir_all(&blobs)?;
        let blob = |digest: &str| image.layout.join("blobs").join(digest.replace(':', "/"));
        for name in ["bench", &image.digest] {
            symlink(blob(&image.digest), manifests.join(name))?;
        }
        for digest in &image.blobs {
            symlink(blob(digest), blobs.join(digest))?;
        }
        let settings = root.join("nginx.conf");
        fs::write(&settings, settings_of(root, image))?;
        let mut command = Command::new(find("ip")?);
        command
            .args(["netns", "exec", &self.far, "nice", "-n", "-19"])
            .arg(find("nginx")?)
            .arg("-c")
            .arg(&settings)
            .args(["-e", "stderr"]);
        self.server = Some(Running::start(&mut command)?);
        porthole_tests::program::wait_for("nginx", || Ok(fs::metadata(root.join("pid")).ok()))?;
        Ok(())
    }

    /// A command line that runs at the near end of the link.
    pub(crate) fn near(&self, words: Vec<String>) -> Vec<String> {
        ["ip", "netns", "exec", &self.near].map(str::to_owned).into_iter().chain(words).collect()
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> Result<Counts> {
        // A request is logged when its connection is known to be closed.
        thread::sleep(Duration::from_millis(500));
        let snmp = inside(&self.near, &["cat", "/proc/net/snmp"])?;
        let mut tcp = snmp.lines().filter_map(|line| line.strip_prefix("Tcp:"));
        let (names, values) = (tcp.next().unwrap_or_default(), tcp.next().unwrap_or_default());
        let opened = names.split_whitespace().zip(values.split_whitespace()).find(|(name, _)| *name == "ActiveOpens");
        let devices = inside(&self.near, &["cat", "/proc/net/dev"])?;
        let received =
            devices.lines().find_map(|line| line.trim_start().strip_prefix("eth0:")?.split_whitespace().next());
        Ok(Counts {
            connections: opened.ok_or("no count of connections")?.1.parse()?,
            received: received.ok_or("no count of bytes")?.parse()?,
            requests: fs::read_to_string(self.files.path().join("access.log"))?.lines().count() as u64,
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        (self.link, self.server) = (None, None);
        for name in [&self.near, &self.middle, &self.far] {
            ip(&format!("netns del {name}")).ok();
            fs::remove_dir_all(hosts(name)).ok();
        }
    }
}

/// Bytes of a segment and its headers: no larger ones are made, which a network card would have to cut.
const GSO: usize = 1514;

fn settings_of(root: &Path, image: &Image) -> String {
    let (folder, media_type, digest) = (root.display(), &image.media_type, &image.digest);
    let [registry, tokens, blobs] = HOSTS;
    format!(
        "daemon off; master_process off; user root; pid {folder}/pid; error_log stderr warn;
         events {{ worker_connections 512; }}
         http {{
           log_format wan '$host $connection $status $request_method $uri $bytes_sent $http_range';
           access_log {folder}/access.log wan;
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
           types {{ }} default_type application/octet-stream; tcp_nodelay on;
           ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
           ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:1m;
           map $http_authorization $stranger {{ '' 1; default 0; }}
           server {{
             listen 443 ssl http2; server_name {registry};
             add_header Docker-Distribution-Api-Version registry/2.0 always;
             error_page 401 = @challenge;
             location @challenge {{
               default_type application/json;
               add_header WWW-Authenticate 'Bearer realm=\"https://{tokens}/token\",service=\"{registry}\"' always;
               return 401 '{{\"errors\":[{{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}}]}}';
             }}
             location /v2/ {{ if ($stranger) {{ return 401; }} return 200 '{{}}'; }}
             location ~ ^/v2/.+/manifests/(.+)$ {{
               if ($stranger) {{ return 401; }}
               default_type {media_type}; add_header Docker-Content-Digest {digest} always;
               alias {folder}/manifests/$1;
             }}
             location ~ ^/v2/.+/blobs/(.+)$ {{
               if ($stranger) {{ return 401; }}
               return 307 https://{blobs}/$1?signature=4f1e2d&expires=600;
             }}
           }}
           server {{
             listen 443 ssl http2; server_name {tokens};
             location /token {{ default_type application/json; return 200 '{{\"token\":\"of-the-benchmark\",\"expires_in\":300}}'; }}
           }}
           server {{
             listen 443 ssl http2; server_name {blobs};
             root {folder}/blobs;
           }}
         }}"
    )
}

/// Where `ip netns exec` looks for files to show in place of those of /etc.
fn hosts(name: &str) -> PathBuf {
    Path::new("/etc/netns").join(name)
}

fn ip(arguments: &str) -> Result<String> {
    run("ip", arguments.split(' '))
}

/// Runs a program in a namespace and returns its output.
fn inside(name: &str, words: &[&str]) -> Result<String> {
    run("ip", [&["netns", "exec", name][..], words].concat())
}
