//! Text about layers that are listed from their tables of contents.

use porthole_core::{
    layer::LayerNumber,
    toc::{Toc, Trust},
};

/// Warning about a listing that comes from a table of contents: it was not compared with the archive.
pub(crate) fn caveat(layer: LayerNumber, toc: &Toc) -> String {
    let vouched = match toc.trust() {
        Trust::Annotation(_) => "which the manifest vouches for",
        _ => "which nothing vouches for",
    };
    let hidden = toc.landmark().map_or("", |_| "; its landmark file is left out");
    let format = toc.format();
    format!("layer {layer} is listed from its {format} table of contents, {vouched}, not from its archive{hidden}")
}
