//! The container image of the relay: one static program and the certificate authorities.

use crate::{
    Result,
    http::request,
    program::{Running, find, run},
    servers::Scratch,
};
use object::{
    Endianness,
    elf::{FileHeader64, PT_INTERP},
    read::elf::{FileHeader, ProgramHeader},
};
use porthole_testkit::image::{Compression, Content, Entry, Image, Kind, Layer};
use serde_json::json;
use std::{fs, path::Path, process::Command};

/// The conventional user without rights in images that have no shell.
const USER: u64 = 65532;
const PORT: u16 = 8090;

/// Makes the image of a program for this processor, tagged with `version`. The same files make the same bytes.
///
/// # Errors
/// A file cannot be read, or the program needs libraries, which the image does not have.
pub fn relay_image(program: &Path, authorities: &Path, version: &str) -> Result<Content> {
    let bytes = fs::read(program)?;
    if has_interpreter(&bytes)? {
        return Err(format!("{} is not static: the image has no libraries", program.display()).into());
    }
    let cache = Entry::new("var/cache/porthole", Kind::Directory).mode(0o700).owner(USER, USER);
    let layer = ["etc", "etc/ssl", "etc/ssl/certs", "var", "var/cache"]
        .into_iter()
        .fold(Layer::new("COPY relay /"), Layer::dir)
        .file("etc/ssl/certs/ca-certificates.crt", fs::read(authorities)?)
        .entry(Entry::file("relay", bytes).mode(0o755))
        .entry(cache)
        .compression(Compression::Gzip);
    let config = json!({
        "User": format!("{USER}:{USER}"),
        "Entrypoint": ["/relay"],
        "Env": [format!("PORTHOLE_RELAY_LISTEN=0.0.0.0:{PORT}"), "PORTHOLE_RELAY_LOG=json"],
        "ExposedPorts": { format!("{PORT}/tcp"): {} },
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.title": "porthole-relay",
            "org.opencontainers.image.description": "The page of Porthole, and its way to registries that send no CORS headers",
            "org.opencontainers.image.licenses": "Apache-2.0 OR MIT",
            "org.opencontainers.image.version": version,
        },
    });
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let image = Image::new().platform("linux", architecture, None).layer(layer).config(config).build();
    Ok(image.into_content(version))
}

/// Unpacks an image of a layout as umoci does, starts its program in what was unpacked, and asks it for its health. Where root allows, the program
/// runs as the user of the image and sees nothing but the image.
///
/// # Errors
/// The image cannot be unpacked, or its program does not answer.
pub fn start_unpacked(layout: &Path, tag: &str) -> Result<()> {
    let folder = Scratch::new("relay-image")?;
    let (image, bundle) = (format!("{}:{tag}", layout.display()), folder.path().join("bundle"));
    let bundle = bundle.display().to_string();
    let root = run("id", ["-u"])?.trim() == "0";
    let ownership = if root { &[][..] } else { &["--rootless"] };
    run("umoci", [&["unpack"], ownership, &["--image", &image, &bundle]].concat())?;
    let files = Path::new(&bundle).join("rootfs");
    let mut program = Command::new(if root { find("chroot")? } else { files.join("relay") });
    if root {
        program.arg(format!("--userspec={USER}:{USER}")).arg(&files).arg("/relay");
    }
    let relay = Running::start(program.args(["--listen", "127.0.0.1:0"]))?;
    let port = relay.line(|line| line.strip_prefix("listening on http://127.0.0.1:").map(str::to_owned))?;
    let port = port.trim_end_matches('/').parse()?;
    for (path, expected) in [("/healthz", "ok"), ("/readyz", "ready"), ("/", "<title>Porthole</title>")] {
        let answer = request(port, "GET", path, &[], &[])?;
        if !String::from_utf8_lossy(&answer.body).contains(expected) {
            return Err(format!("{path}: {}; {}", answer.first, relay.said()).into());
        }
    }
    Ok(())
}

/// Whether an ELF program of 64 bits has a program header of type `PT_INTERP`: the system then starts it with the dynamic linker (elf(5)).
fn has_interpreter(program: &[u8]) -> Result<bool> {
    let header = FileHeader64::<Endianness>::parse(program)?;
    let endian = header.endian()?;
    Ok(header.program_headers(endian, program)?.iter().any(|header| header.p_type(endian) == PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF program of 64 bits, little-endian, without program headers.
    const STATIC: [u8; 64] = {
        let mut head = [0; 64];
        (head[0], head[1], head[2], head[3], head[4], head[5], head[6]) = (0x7f, b'E', b'L', b'F', 2, 1, 1);
        head
    };

    #[test]
    fn the_same_files_make_the_same_bytes() {
        let folder = Scratch::new("relay-image").unwrap();
        let program = folder.path().join("relay");
        fs::write(&program, STATIC).unwrap();
        let make = || relay_image(&program, &program, "1").unwrap().layout_tar();
        let first = make();
        fs::write(&program, STATIC).unwrap();
        assert!(make() == first, "the files have another age");
    }

    #[test]
    fn a_program_that_needs_libraries_is_refused() {
        let this = std::env::current_exe().unwrap();
        let error = relay_image(&this, &this, "1").unwrap_err().to_string();
        assert!(error.contains("is not static"), "{error}");
    }
}
