//! Runs the same work in a dedicated worker of Chromium. CPU time is that of the worker's thread.

use crate::{Table, cpu, note};
use porthole_benches::Work;
use porthole_tests::{Result, memory::renderers, servers::Nginx, webdriver::Browser};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Starts the worker and sends it the layer.
const START: &str = r"
const blob = new Uint8Array(await (await fetch('layer')).arrayBuffer());
window.worker = new Worker('worker-loader.js');
window.ask = message => new Promise((resolve, reject) => {
    worker.onmessage = event => resolve(event.data);
    worker.onerror = event => reject(event.message);
    if (message !== undefined) worker.postMessage(message, message.buffer ? [message.buffer] : []);
});
await ask();
await ask(blob);
";

pub(crate) fn measure(layer: &Path, unpacked: u64, rounds: usize, scratch: &Path) -> Result<Table> {
    let folder = scratch.join("worker");
    fs::create_dir_all(&folder)?;
    let program = env::var_os("PORTHOLE_BENCH_WORKER").ok_or("`cargo xtask bench core` builds the worker")?;
    for name in ["bench-worker.js", "bench-worker_bg.wasm"] {
        fs::copy(PathBuf::from(&program).join(name), folder.join(name))?;
    }
    fs::write(folder.join("index.html"), "<!doctype html><title>bench</title>")?;
    fs::write(
        folder.join("worker-loader.js"),
        "importScripts('bench-worker.js'); wasm_bindgen({ module_or_path: 'bench-worker_bg.wasm' });",
    )?;
    let link = folder.join("layer");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(layer, &link)?;
    let host = Nginx::folder(&folder)?;
    let browser = Browser::start(800, 600)?;
    browser.open(&host.url())?;
    browser.run_async(START, json!([]))?;
    let thread = worker(&browser)?;
    let mut table = Table::new(unpacked);
    let packed = fs::metadata(layer)?.len() as usize;
    for _ in 0..rounds {
        for work in Work::ALL {
            let before = cpu::of_task(&thread)?;
            let done = browser.run_async("return await ask(args[0])", json!([work.name()]))?;
            if done != Value::Null {
                let index = done["index"].as_f64().unwrap_or(0.0) as u64;
                table.add(work.name(), cpu::of_task(&thread)? - before, note(work, index, packed));
            }
        }
    }
    Ok(table)
}

/// The worker's thread as a folder in `/proc`.
fn worker(browser: &Browser) -> Result<PathBuf> {
    for renderer in renderers(browser.process())? {
        for task in fs::read_dir(format!("/proc/{renderer}/task"))? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("DedicatedWorker")) {
                return Ok(task);
            }
        }
    }
    Err("the browser shows no thread of a worker".into())
}
