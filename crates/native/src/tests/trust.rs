//! Certificates, and hosts with settings of their own.

use super::*;
use porthole_registry::policy::{Authority, Scheme};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::task::JoinHandle;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, RootCertStore, ServerConfig, server::WebPkiClientVerifier},
};

/// A certificate in PEM, and a server that shows it.
struct Server {
    port: u16,
    pem: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server whose certificate signs itself, as `openssl req -x509` makes it.
async fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Server {
    let mut params = CertificateParams::new(vec!["registry.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = config().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap());
    serve(config.unwrap(), certificate.pem()).await
}

fn config() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap()
}

async fn serve(mut config: ServerConfig, pem: String) -> Server {
    // The server prefers HTTP/2.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, _) = listen().await;
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    Server { port, pem, task }
}

/// Every name resolves to this machine.
fn loopback() -> Options {
    Options { resolver: Resolver::from_fn(|_| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])), ..quick() }
}

async fn ask(options: Options, server: &Server, name: &str) -> Result<Vec<u8>, Error> {
    let native = Native::new(options).unwrap();
    let mut response = native.send(get(&format!("https://{name}:{}/", server.port))).await?;
    read_all(response.body_mut(), 64).await
}

fn write(folder: &std::path::Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn only(host: &str) -> Option<Authority> {
    Some(Authority::parse(host).unwrap())
}

#[tokio::test]
async fn tls_trusts_the_system_and_what_it_is_told() {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["registry.example".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = config().with_no_client_auth();
    let config = config.with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap()).unwrap();
    let server = serve(config, authority.pem()).await;

    let folder = tempfile::tempdir().unwrap();
    let pem = write(folder.path(), "ca.pem", &server.pem);
    let trusting = |ca: &[PathBuf]| Options { ca: ca.iter().cloned().map(Into::into).collect(), ..loopback() };
    let ca = [pem];
    assert_eq!(ask(trusting(&ca), &server, "registry.example").await.unwrap(), b"safe");
    let insecure = Options { insecure: Hosts::all(), ..loopback() };
    assert_eq!(ask(insecure, &server, "registry.example").await.unwrap(), b"safe");
    assert_eq!(ask(trusting(&ca), &server, "other.example").await.unwrap_err().kind, ErrorKind::WrongName);
    assert_eq!(ask(trusting(&[]), &server, "registry.example").await.unwrap_err().kind, ErrorKind::Tls);

    let missing = Native::new(trusting(&[folder.path().join("absent.pem")])).unwrap_err();
    assert_eq!(missing.kind, ErrorKind::Tls);
}

#[tokio::test]
async fn a_self_signed_authority_is_trusted_as_the_server_that_it_is() {
    let server = self_signed(|_| {}).await;
    let other = self_signed(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let trusting = |pem: &str| {
        let path = write(folder.path(), "domain.crt", pem);
        Options { ca: vec![path.into()], ..loopback() }
    };
    assert_eq!(ask(trusting(&server.pem), &server, "registry.example").await.unwrap(), b"safe");
    assert_eq!(ask(trusting(&server.pem), &server, "other.example").await.unwrap_err().kind, ErrorKind::WrongName);
    assert_eq!(ask(trusting(&other.pem), &server, "registry.example").await.unwrap_err().kind, ErrorKind::Tls);
}

#[tokio::test]
async fn a_certificate_out_of_date_is_called_that() {
    for (from, to, words) in [(2000, 2001, "expired"), (2900, 2901, "not valid before")] {
        let server = self_signed(|params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "domain.crt", &server.pem);
        let options = Options { ca: vec![path.into()], ..loopback() };
        let error = ask(options, &server, "registry.example").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Expired, "{error}");
        assert!(error.message.contains("registry.example") && error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn settings_of_one_host_are_for_no_other() {
    let server = self_signed(|params| {
        *params = CertificateParams::new(vec!["a.example".to_owned(), "b.example".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let own = write(folder.path(), "own.crt", &server.pem);
    let other = write(folder.path(), "other.crt", &self_signed(|_| {}).await.pem);
    let a = format!("a.example:{}", server.port);
    let file = |host: Option<&str>, path: &PathBuf| Certificates { host: host.and_then(only), path: path.clone() };
    for (what, options, a_is_trusted, b_is_trusted) in [
        ("a file", Options { ca: vec![file(Some(&a), &own)], ..loopback() }, true, false),
        ("a host", Options { ca: vec![file(Some("a.example"), &own)], ..loopback() }, true, false),
        ("a port", Options { ca: vec![file(Some("a.example:1"), &own)], ..loopback() }, false, false),
        ("exact", Options { ca: vec![file(Some(&a), &other), file(None, &own)], ..loopback() }, false, true),
        ("insecure", Options { insecure: [only(&a)].into_iter().collect(), ..loopback() }, true, false),
        ("all", Options { insecure: Hosts::all(), ..loopback() }, true, true),
    ] {
        let is_trusted = async |name: &str| ask(options.clone(), &server, name).await.is_ok();
        assert_eq!(
            (is_trusted("a.example").await, is_trusted("b.example").await),
            (a_is_trusted, b_is_trusted),
            "{what}"
        );
    }
    let certs_d = folder.path().join("certs.d");
    std::fs::create_dir_all(certs_d.join(&a)).unwrap();
    std::fs::copy(&own, certs_d.join(&a).join("ca.crt")).unwrap();
    let options = Options { certs_d: vec![certs_d, folder.path().join("absent")], ..loopback() };
    assert_eq!(ask(options.clone(), &server, "a.example").await.unwrap(), b"safe");
    assert!(ask(options, &server, "b.example").await.is_err());
}

#[tokio::test]
async fn a_client_certificate_of_certs_d_is_shown() {
    let mut params = CertificateParams::new(vec!["registry.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap(), key)
    };
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let (leaf, key) = signed("registry.example");
    let config = config().with_client_cert_verifier(clients);
    let config = config.with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap()).unwrap();
    let server = serve(config, authority.pem()).await;

    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(format!("registry.example:{}", server.port));
    std::fs::create_dir(&own).unwrap();
    write(&own, "ca.crt", &server.pem);
    let options = Options { certs_d: vec![folder.path().to_owned()], ..loopback() };
    assert!(ask(options.clone(), &server, "registry.example").await.is_err(), "nothing is shown");
    let (client, key) = signed("client");
    write(&own, "client.cert", &client.pem());
    let error = ask(options.clone(), &server, "registry.example").await.unwrap_err();
    assert!(error.message.contains("client.key"), "the key is missing: {error}");
    write(&own, "client.key", &key.serialize_pem());
    assert_eq!(ask(options, &server, "registry.example").await.unwrap(), b"safe");
}

/// A server without TLS, which answers in its own way.
async fn plain(answer: &'static [u8]) -> (u16, JoinHandle<()>) {
    let (listener, _) = listen().await;
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = tcp.read(&mut request).await;
            let _ = tcp.write_all(answer).await;
        }
    });
    (port, task)
}

#[tokio::test]
async fn hosts_of_this_machine_show_whether_they_speak_tls() {
    let native = Native::new(loopback()).unwrap();
    let secure = self_signed(|_| {}).await;
    let (talks, _talking) = plain(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let (closes, _closing) = plain(b"").await;
    let settle =
        async |host: &str, port: u16| native.settle_local(&Authority::parse(&format!("{host}:{port}")).unwrap()).await;
    for host in ["localhost", "registry.localhost", "127.0.0.1"] {
        assert_eq!(settle(host, secure.port).await, Some(Scheme::Https), "{host}: a bad certificate is TLS");
        assert_eq!(settle(host, talks).await, Some(Scheme::Http), "{host}");
        assert_eq!(settle(host, closes).await, Some(Scheme::Http), "{host}");
    }
    assert_eq!(settle("registry.example", talks).await, None, "not by its name");
    assert_eq!(
        native.settle(&Authority::parse(&format!("registry.example:{talks}")).unwrap()).await,
        Some(Scheme::Http)
    );
    let elsewhere = Resolver::from_fn(|_| Ok(vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))]));
    let native = Native::new(Options { resolver: elsewhere, ..quick() }).unwrap();
    let authority = Authority::parse("localhost:5000").unwrap();
    assert_eq!(native.settle_local(&authority).await, None);
    let error = native.send(get("http://localhost:5000/v2/")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_a_bad_certificate() {
    let (port, _task) = plain(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let native = Native::new(loopback()).unwrap();
    let error = native.send(get(&format!("https://registry.example:{port}/"))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotTls, "{error}");
}

/// A proxy behind TLS, which answers `CONNECT` and plain requests.
async fn secure_proxy(pem: &mut String) -> (u16, JoinHandle<Vec<String>>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["proxy.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    *pem = certificate.pem();
    let config = config().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap());
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let (listener, _) = listen().await;
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n\r\n"] {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(tcp).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            heads.push(String::from_utf8(head).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            if heads.len() == 2 {
                // The first record of the handshake with the registry, within the connection to the proxy.
                assert_eq!(stream.read_u8().await.unwrap(), 22);
            }
        }
        heads
    });
    (port, task)
}

#[tokio::test]
async fn a_proxy_is_reached_through_tls() {
    let mut pem = String::new();
    let (port, proxy) = secure_proxy(&mut pem).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = write(folder.path(), "ca.pem", &pem);
    let url = format!("https://alice:secret@proxy.example:{port}");
    let options = |ca: Vec<PathBuf>| {
        let proxies = Proxies::from_environment(|name| (name == "all_proxy").then(|| url.clone()));
        Options { proxies, ca: ca.into_iter().map(Into::into).collect(), ..loopback() }
    };
    let native = Native::new(options(vec![ca])).unwrap();
    let mut response = native.send(get("http://registry.example/v2/")).await.unwrap();
    assert_eq!(read_all(response.body_mut(), 64).await.unwrap(), b"ok");
    drop(response);
    let broken = native.send(get("https://registry.example/v2/")).await.unwrap_err();
    assert!(broken.message.contains("proxy.example") && !broken.message.contains("secret"), "{broken}");
    let heads = proxy.await.unwrap();
    assert!(heads[0].starts_with("GET http://registry.example/v2/ HTTP/1.1\r\n"), "{}", heads[0]);
    assert!(heads[1].starts_with("CONNECT registry.example:443 HTTP/1.1\r\n"), "{}", heads[1]);
    for head in heads {
        assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic ywxpy2u6c2vjcmv0"), "{head}");
    }
}

#[tokio::test]
async fn a_proxy_whose_certificate_is_not_trusted_is_named() {
    let mut pem = String::new();
    let (port, proxy) = secure_proxy(&mut pem).await;
    let url = format!("https://proxy.example:{port}");
    let proxies = Proxies::from_environment(|name| (name == "https_proxy").then(|| url.clone()));
    let native = Native::new(Options { proxies, ..loopback() }).unwrap();
    let error = native.send(get("https://registry.example/v2/")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Proxy, "{error}");
    assert!(error.message.contains(&format!("HTTPS proxy proxy.example:{port}")), "{error}");
    proxy.abort();
}
