//! `corpus unpack` fills `fuzz/corpus/` with the committed inputs and the seeds for libFuzzer; `corpus pack` commits
//! its content; `corpus archives DIR` writes the archives of the test vectors.

#![allow(clippy::print_stderr, reason = "a program that talks to the person who started it")]

use porthole_fuzz::{TARGETS, corpus, seeds};
use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["archives", folder] = words[..] {
        fs::create_dir_all(folder)?;
        for (name, bytes) in seeds::archives()? {
            fs::write(Path::new(folder).join(name), bytes)?;
        }
        return Ok(());
    }
    for (target, _) in TARGETS {
        let folder = folder.join(target);
        match words[..] {
            ["unpack"] => {
                fs::create_dir_all(&folder)?;
                for (name, bytes) in corpus::read(target)?.into_iter().chain(seeds::of(target)?) {
                    fs::write(folder.join(name), bytes)?;
                }
            }
            ["pack"] if folder.is_dir() => {
                let bytes = corpus::write(target, &folder)?;
                eprintln!("{target}: {bytes} bytes");
            }
            ["pack"] => {}
            _ => return Err("expected `unpack`, `pack` or `archives DIR`".into()),
        }
    }
    Ok(())
}
