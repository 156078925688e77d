//! A file that must be read whole before anything in it can be shown.

use super::words::bdi;
use porthole_viewer::protocol::FileReading;
use porthole_viewer::words::size;
use yew::prelude::*;

/// Draws why the file of this name is read, and the progress.
pub fn unpacking(name: &str, FileReading { compression, read, total, written }: &FileReading) -> Html {
    let (title, why) = match compression {
        Some(compression) => (
            "Unpacking ",
            format!(
                "It is compressed with {compression} as a whole, so the files in it are found only by unpacking all of it. \
                 It is read once, from its start, and unpacked into the storage that this browser keeps for this page."
            ),
        ),
        None => (
            "Reading ",
            "It is a single layer. No document states its digest, so all of it is read for that first.".to_owned(),
        ),
    };
    let unpacked = if *written > 0 { format!(", {} unpacked", size(*written)) } else { String::new() };
    html! {
        <section class="unpacking" data-reading={if compression.is_some() { "unpack" } else { "layer" }}>
            <h2>{ title }{ bdi(name) }</h2>
            <p class="dim">{ why }{ " Nothing leaves this machine." }</p>
            <progress aria-label="Read" max={total.max(&1).to_string()} value={read.to_string()} />
            <p class="dim">{ format!("{} of {} read{unpacked}", size(*read), size(*total)) }</p>
        </section>
    }
}
