//! Embeds the web bundle: every file of `dist/`, compressed once here rather than at each request.

use brotli::{BrotliCompress, enc::BrotliEncoderParams};
use flate2::{Compression, write::GzEncoder};
use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let dist = env::var_os("PORTHOLE_DIST").map_or_else(default_dist, PathBuf::from);
    println!("cargo::rerun-if-env-changed=PORTHOLE_DIST");
    println!("cargo::rerun-if-changed={}", dist.display());

    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, String::new(), &mut files)?;
    }
    files.sort();

    let mut table = String::from("&[\n");
    for (number, (name, path)) in files.iter().enumerate() {
        let bytes = fs::read(path)?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let plain = out.join(format!("{number}.plain"));
        fs::write(&plain, &bytes)?;
        let mut forms = Vec::new();
        // The smallest form takes time, and a build without full optimisation is not deployed.
        let brotli = match env::var("OPT_LEVEL").as_deref() {
            Ok("0") => None,
            Ok("1") => pack_brotli(&bytes, 5)?,
            _ => pack_brotli(&bytes, 11)?,
        };
        for (coding, packed) in [("br", brotli), ("gzip", pack_gzip(&bytes)?)] {
            let Some(packed) = packed else { continue };
            let path = out.join(format!("{number}.{coding}"));
            fs::write(&path, packed)?;
            forms.push(format!("({coding:?}, include_bytes!({path:?}) as &[u8])"));
        }
        table.push_str(&format!(
            "    File {{ name: {name:?}, hash: \"{:016x}\", plain: include_bytes!({plain:?}), packed: &[{}] }},\n",
            hasher.finish(),
            forms.join(", "),
        ));
    }
    table.push(']');
    fs::write(out.join("page.rs"), table)
}

fn default_dist() -> PathBuf {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    here.join("../../dist")
}

fn collect(folder: &Path, prefix: String, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is not UTF-8 cannot be asked for.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), format!("{prefix}{name}/"), files)?;
        } else {
            files.push((format!("{prefix}{name}"), fs::canonicalize(entry.path())?));
        }
    }
    Ok(())
}

/// The brotli form, where it is worth its header.
fn pack_brotli(bytes: &[u8], quality: i32) -> io::Result<Option<Vec<u8>>> {
    let mut packed = Vec::new();
    let parameters = BrotliEncoderParams { quality, lgwin: 22, size_hint: bytes.len(), ..Default::default() };
    BrotliCompress(&mut &bytes[..], &mut packed, &parameters)?;
    Ok(Some(packed).filter(|packed| is_worth(packed, bytes)))
}

/// The gzip form, where it is worth its header.
fn pack_gzip(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    let packed = encoder.finish()?;
    Ok(Some(packed).filter(|packed| is_worth(packed, bytes)))
}

fn is_worth(packed: &[u8], bytes: &[u8]) -> bool {
    packed.len() + packed.len() / 16 < bytes.len()
}
