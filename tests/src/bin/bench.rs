//! Benchmarks the release build of the page: sizes, time from Enter to rows, memory for a layer of 1 GB. `cargo xtask
//! bench web` runs it. `bench web LAYOUT:NAME…` measures the page with other images, through the relay.

#![allow(clippy::print_stdout, reason = "says what it measured")]

use porthole_tests::{
    Result,
    images::{DEBIAN, layout, pseudo_random},
    memory::{peak, renderer_peak},
    page::Page,
    program::{fixtures, ours, run, workspace},
    servers::{Access, Nginx, Registry, Relay, Scratch, Storage},
    webdriver::Browser,
};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{BufWriter, Write as _},
    path::Path,
    time::Instant,
};

const ROUNDS: usize = 5;

fn main() -> Result<()> {
    let images: Vec<String> = env::args().skip(1).collect();
    if !images.is_empty() {
        return images.iter().try_for_each(|image| through_relay(image));
    }
    sizes()?;
    times()?;
    million()?;
    second_visit()?;
    many_looks()?;
    memory()
}

/// Size of each wasm file, uncompressed and with brotli.
fn sizes() -> Result<()> {
    let mut files: Vec<_> =
        fs::read_dir(workspace().join("dist"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "wasm")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let script = "process.stdout.write(String(require('zlib').brotliCompressSync(require('fs').readFileSync(process.argv[1])).length))";
        let brotli = run("node", ["-e", script, &file.display().to_string()])?;
        println!("{name}: {} bytes, {brotli} with brotli", fs::metadata(file)?.len());
    }
    Ok(())
}

/// Fetches documents and layers of an image as fast as a page can: concurrently, without decoding or checking them. Returns
/// milliseconds.
const FLOOR: &str = "
    const [host, repository] = args, start = performance.now();
    const get = (path, accept) => fetch(`http://${host}/v2/${repository}/${path}`, { cache: 'no-store', headers: accept ? { accept } : {} });
    const types = 'application/vnd.oci.image.index.v1+json,application/vnd.oci.image.manifest.v1+json';
    let document = await (await get('manifests/1', types)).json();
    if (document.manifests) {
        const entry = document.manifests.find(entry => entry.platform?.architecture == 'amd64') ?? document.manifests[0];
        document = await (await get(`manifests/${entry.digest}`, types)).json();
    }
    const blobs = [document.config, ...document.layers].map(async blob => (await get(`blobs/${blob.digest}`)).arrayBuffer());
    await Promise.all(blobs);
    return performance.now() - start;";

/// Loads the image of seven layers from a local registry, each round in a fresh profile, and fetches the same bytes without
/// porthole for comparison. Tasks are recorded in another profile, because recording takes time of its own.
fn times() -> Result<()> {
    let storage = Storage::new()?;
    storage.push(&[(&layout(&fixtures(), DEBIAN), "latest", "bench/debian:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let mut columns = vec![Vec::new(); 6];
    for _ in 0..ROUNDS {
        let page = Page::with_window(&host.url(), 1280, 800)?;
        let first_paint =
            page.browser().run("return performance.getEntriesByType('paint')[0]?.startTime ?? 0", json!([]))?;
        page.look(&format!("{}/bench/debian:1", registry.host()))?;
        page.verified()?;
        let mark = |name: &str| {
            page.browser().run("return performance.getEntriesByName(arguments[0])[0]?.startTime ?? -1", json!([name]))
        };
        let enter = number(&mark("porthole:enter")?);
        let floor = page.browser().run_async(FLOOR, json!([registry.host(), "bench/debian"]))?;
        let (rows, all) = (number(&mark("porthole:rows")?) - enter, number(&mark("porthole:all")?) - enter);
        drop(page);
        let (wall, processor) = longest(&traced(&host.url(), &format!("{}/bench/debian:1", registry.host()))?)?;
        let row = [number(&first_paint), rows, all, wall, processor, number(&floor)];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let names = [
        "page to first paint",
        "Enter to first rows",
        "Enter to all rows",
        "longest task of the page's thread from Enter to the end, wall time",
        "and of a processor, which the layers' threads share",
        "the same bytes by fetch alone",
    ];
    let ratio = |column: usize, beside: usize| {
        median(&mut columns[column].iter().zip(&columns[beside]).map(|(time, floor)| time / floor).collect::<Vec<_>>())
    };
    let (rows, all) = (ratio(1, 5), ratio(2, 5));
    for (name, column) in names.iter().zip(&mut columns) {
        println!(
            "{name}: {:.0} ms (median of {ROUNDS}, {:.0} to {:.0})",
            median(column),
            column[0],
            column[ROUNDS - 1]
        );
    }
    println!("beside fetch alone, medians of the ratios of each round: first rows x {rows:.2}, all rows x {all:.2}");
    Ok(())
}

/// Loads an image of an OCI layout through the relay, each round in a fresh profile, and lists it with the command line for
/// comparison.
fn through_relay(image: &str) -> Result<()> {
    let (layout, name) = image.rsplit_once(':').ok_or_else(|| format!("expected LAYOUT:NAME, got `{image}`"))?;
    let storage = Storage::new()?;
    storage.push(&[(Path::new(layout), name, "bench/image:1")])?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let relay = Relay::start(&[&registry.host()])?;
    let (reference, porthole) = (format!("{}/bench/image:1", registry.host()), ours("porthole")?.display().to_string());
    let mut columns = vec![Vec::new(); 6];
    for _ in 0..THROUGH_RELAY {
        let page = Page::with_window(relay.url(), 1280, 800)?;
        page.look(&reference)?;
        page.verified()?;
        let (rows, all) = (since_enter(&page, "porthole:rows")?, since_enter(&page, "porthole:all")?);
        let renderer = renderer_peak(page.browser().process())? as f64 / 1e6;
        drop(page);
        let (wall, processor) = longest(&traced(relay.url(), &reference)?)?;
        let begun = Instant::now();
        run(&porthole, ["--quiet", "--no-cache", "--plain-http", "ls", &reference])?;
        let listed = begun.elapsed().as_secs_f64() * 1000.0;
        let row = [rows, all, wall, processor, renderer, listed];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let medians: Vec<f64> = columns.iter_mut().map(|column| median(column)).collect();
    println!(
        "{image}: first rows after {:.0} ms, all after {:.0} ms ({:.0} to {:.0}); longest task {:.0} ms of wall time, {:.0} ms of \
         CPU time; renderer {:.0} MB at most; `porthole ls` takes {:.0} ms (medians of {THROUGH_RELAY})",
        medians[0],
        medians[1],
        columns[1][0],
        columns[1][THROUGH_RELAY - 1],
        medians[2],
        medians[3],
        medians[4],
        medians[5]
    );
    Ok(())
}

/// Rounds of [`through_relay`].
const THROUGH_RELAY: usize = 3;

/// Loads an image in a browser that records the tasks of its threads.
fn traced(host: &str, reference: &str) -> Result<Page> {
    let page = Page::in_browser(Browser::traced(1280, 800)?, host)?;
    page.look(reference)?;
    page.verified()?;
    Ok(page)
}

/// The longest task of the page's thread since Enter: the maximum wall time and the maximum CPU time of a task, in milliseconds.
fn longest(page: &Page) -> Result<(f64, f64)> {
    let tasks = page.browser().tasks_since("porthole:enter")?;
    Ok(tasks.iter().fold((0.0, 0.0), |(wall, processor), task| (task.0.max(wall), task.1.max(processor))))
}

/// Types a filter, and returns the milliseconds until the page shows how many rows it finds. Until then it shows the number of the filter
/// before.
const FILTER: &str = "
    const [text, matches] = args, field = document.querySelector('#filter');
    field.focus();
    const found = () => document.querySelector('#found')?.dataset.matches;
    const start = performance.now();
    field.value = text;
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    while (found() !== matches) await new Promise(requestAnimationFrame);
    return performance.now() - start;";

/// Scrolls through the list for 120 frames, and returns the milliseconds between them, sorted.
const SCROLL: &str = "
    const tree = document.querySelector('#tree'), step = tree.scrollHeight / 120, frames = [];
    let last = await new Promise(requestAnimationFrame);
    for (let count = 0; count < 120; count++) {
        tree.scrollTop += step;
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - last);
        last = now;
    }
    return frames.sort((a, b) => a - b);";

/// Filters for the image of a million entries, and how many rows they find: each another number than the one before.
const FILTERS: &[(&str, u32)] = &[
    ("file-4", 100_000),
    ("file-42", 10_000),
    ("*2.txt", 100_000),
    ("usr/lib/d07/**/file-9*", 900),
    ("/e[0-3]+.file/", 158_400),
];

/// Loads an image of a million entries: times, tasks, a filter, scrolling, memory.
fn million() -> Result<()> {
    let scratch = Scratch::new("bench")?;
    let storage = Storage::new()?;
    storage.push(&[(&image_of_a_million(scratch.path())?, "latest", "bench/million:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let reference = format!("{}/bench/million:1", registry.host());
    let (wall, processor) = longest(&traced(&host.url(), &reference)?)?;
    let page = Page::with_window(&host.url(), 1280, 800)?;
    page.look(&reference)?;
    page.verified()?;
    let (rows, all) = (since_enter(&page, "porthole:rows")?, since_enter(&page, "porthole:all")?);
    println!("a million entries: first rows after {rows:.0} ms, all after {all:.0} ms");
    println!("a million entries: longest task {wall:.0} ms of wall time, at most {processor:.0} ms of CPU time");
    page.browser().click("#expand-all")?;
    page.until("all rows", |page| {
        let total = page.browser().attribute("#tree", "data-total")?;
        Ok(total.and_then(|total| total.parse::<u64>().ok()).filter(|total| *total >= 1_000_000))
    })?;
    let frames = page.browser().run_async(SCROLL, json!([]))?;
    let frame = |part: usize| number(&frames[119 * part / 100]);
    println!(
        "a million rows: {:.0} ms between frames of scrolling (median; 95 of 100 within {:.0})",
        frame(50),
        frame(95)
    );
    for (text, matches) in FILTERS {
        let time = number(&page.browser().run_async(FILTER, json!([text, matches.to_string()]))?);
        println!("a million rows: {time:.0} ms from the filter `{text}` to the {matches} rows that it finds");
    }
    println!("a million rows: renderer {} MB at most", renderer_peak(page.browser().process())? / 1_000_000);
    Ok(())
}

/// A layout with one layer of a million entries.
fn image_of_a_million(folder: &Path) -> Result<std::path::PathBuf> {
    let archive = folder.join("million.tar");
    let mut tar = tar::Builder::new(BufWriter::new(fs::File::create(&archive)?));
    let text = [b'x'; 64];
    for directory in 0..10_000_usize {
        let name = format!("usr/lib/d{:02}/e{:02}", directory / 100, directory % 100);
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        tar.append_data(&mut header, format!("{name}/"), &[][..])?;
        for file in 0..99 {
            let bytes = if file % 10 == 0 { directory % 64 } else { 0 };
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(bytes as u64);
            header.set_mtime(1_700_000_000 + (directory * 99 + file) as u64);
            tar.append_data(&mut header, format!("{name}/file-{file:02}.txt"), &text[..bytes])?;
        }
    }
    tar.into_inner()?.flush()?;
    one_layer(&folder.join("million"), &archive)
}

/// Loads the image of seven layers twice in one profile: bytes of layers, and time to all rows.
fn second_visit() -> Result<()> {
    let storage = Storage::new()?;
    storage.push(&[(&layout(&fixtures(), DEBIAN), "latest", "bench/debian:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    // A proxy that forbids caching, so that the browser's cache has no effect.
    let line = Nginx::metered(registry.port(), 1_000_000)?;
    let page = Page::with_window(&host.url(), 1280, 800)?;
    for visit in ["first", "second"] {
        page.browser().open("about:blank")?;
        page.browser().open(&host.url())?;
        page.until("the page starts", |page| page.browser().attribute("body", "data-page"))?;
        let before: u64 = line.sent()?.iter().map(|(_, bytes)| bytes).sum();
        page.look(&format!("{}/bench/debian:1", line.host()))?;
        page.verified()?;
        let (rows, all) = (since_enter(&page, "porthole:rows")?, since_enter(&page, "porthole:all")?);
        let bytes = line.sent()?.iter().map(|(_, bytes)| bytes).sum::<u64>() - before;
        println!("{visit} visit: first rows after {rows:.0} ms, all after {all:.0} ms, {bytes} bytes with documents");
        page.keeps(7)?;
    }
    let kept: u64 = page.kept()?.values().sum();
    println!("kept for the next visit: {kept} bytes");
    Ok(())
}

/// Memory of the renderer over many looks in one page.
fn many_looks() -> Result<()> {
    let storage = Storage::new()?;
    storage.push(&[(&layout(&fixtures(), DEBIAN), "latest", "bench/debian:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::with_window(&host.url(), 1280, 800)?;
    let reference = format!("{}/bench/debian:1", registry.host());
    for number in 1..=120 {
        page.look(&reference)?;
        page.until("the look ends", |page| {
            let ended = page.browser().run("return performance.getEntriesByName('porthole:all').length", json!([]))?;
            Ok((ended.as_u64() >= Some(number)).then_some(()))
        })?;
        if [1, 10, 40, 80, 120].contains(&number) {
            println!(
                "renderer after {number} looks: {} MB at most",
                renderer_peak(page.browser().process())? / 1_000_000
            );
        }
    }
    Ok(())
}

/// Milliseconds from Enter to a mark.
fn since_enter(page: &Page, mark: &str) -> Result<f64> {
    let script = "const at = name => performance.getEntriesByName(name)[0]?.startTime ?? -1; return at(arguments[0]) - at('porthole:enter')";
    Ok(number(&page.browser().run(script, json!([mark]))?))
}

/// Peak memory of tab and relay for one layer of 1 GB through the relay.
fn memory() -> Result<()> {
    let scratch = Scratch::new("bench")?;
    let large = large_image(scratch.path())?;
    let storage = Storage::new()?;
    storage.push(&[(&large, "latest", "bench/large:1")])?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let relay = Relay::start(&[&registry.host()])?;
    let page = Page::with_window(relay.url(), 1280, 800)?;
    let empty = renderer_peak(page.browser().process())?;
    page.look(&format!("{}/bench/large:1", registry.host()))?;
    page.verified()?;
    let full = renderer_peak(page.browser().process())?;
    println!(
        "renderer with an empty page: {} MB at most; after a layer of 1 GB: {} MB, x {:.2}",
        empty / 1_000_000,
        full / 1_000_000,
        full as f64 / empty as f64
    );
    println!("relay after a layer of 1 GB: {} MB at most", peak(relay.process())? / 1_000_000);
    Ok(())
}

/// A layout with one layer of 1 GB in 4,000 files, half of it incompressible.
fn large_image(folder: &Path) -> Result<std::path::PathBuf> {
    let rootfs = folder.join("rootfs");
    let noise = pseudo_random(1_000_000);
    for index in 0..4_000_usize {
        let path = rootfs.join(format!("data/{:02}/file-{index}", index % 40));
        fs::create_dir_all(path.parent().ok_or("a path has a parent")?)?;
        let mut file = BufWriter::new(fs::File::create(path)?);
        let start = index * 131 % 800_000;
        file.write_all(&noise[start..start + 125_000])?;
        file.write_all(
            format!("line {index} of a text that compresses well\n")
                .repeat(3_200)
                .as_bytes()
                .get(..125_000)
                .unwrap_or(&[]),
        )?;
    }
    let archive = folder.join("large.tar");
    let files = rootfs.display().to_string();
    run("tar", ["--create", "--file", &archive.display().to_string(), "--directory", &files, "data"])?;
    fs::remove_dir_all(rootfs)?;
    one_layer(&folder.join("layout"), &archive)
}

/// Makes a layout with an image whose one layer is this archive. Removes the archive.
fn one_layer(layout: &Path, archive: &Path) -> Result<std::path::PathBuf> {
    let image = format!("{}:latest", layout.display());
    run("umoci", ["init", "--layout", &layout.display().to_string()])?;
    run("umoci", ["new", "--image", &image])?;
    run("umoci", ["raw", "add-layer", "--image", &image, &archive.display().to_string()])?;
    fs::remove_file(archive)?;
    Ok(layout.to_owned())
}

/// The median of values, which are sorted for it.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(-1.0)
}
