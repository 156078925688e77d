//! `porthole-bindgen FOLDER MAIN.wasm [WORKER.wasm]…`: writes the JavaScript of the page's programs into a folder.
//!
//! For quick builds: it takes half as long to build as `wasm-bindgen-cli`, which has a server and a test runner too.

use std::{env, error::Error, path::PathBuf};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = env::args_os().skip(1).map(PathBuf::from);
    let folder = paths.next().ok_or("expected a folder and programs, got nothing")?;
    for (number, program) in paths.enumerate() {
        let mut bindgen = Bindgen::new();
        bindgen.input_path(&program).typescript(false);
        // The page is a module; its workers are scripts.
        if number == 0 {
            bindgen.web(true)?
        } else {
            bindgen.no_modules(true)?
        };
        bindgen.generate(&folder).map_err(|error| format!("{}: {error:#}", program.display()))?;
    }
    Ok(())
}
