//! `corpus unpack` fills `fuzz/corpus/` with the committed inputs and the seeds for libFuzzer; `corpus pack` commits
//! its content; `corpus archives DIR` writes the archives of the test vectors; `corpus replay` runs all inputs and prints how many
//! it ran and how many failed.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program that talks to the person who started it")]

use porthole_fuzz::{TARGETS, corpus, seeds};
use std::{env, error::Error, fs, panic, path::Path};

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
    if let ["replay"] = words[..] {
        let (mut tried, mut failed) = (0, 0);
        for (target, run) in TARGETS {
            for (_, bytes) in corpus::read(target)?.into_iter().chain(seeds::of(target)?) {
                tried += 1;
                failed += u32::from(panic::catch_unwind(|| run(&bytes)).is_err());
            }
        }
        println!("{tried} {failed}");
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
            _ => return Err("expected `unpack`, `pack`, `replay` or `archives DIR`".into()),
        }
    }
    Ok(())
}
