//! Saving what a command line prints about the image of the look.

use super::{Errand, Front, SavedFile, Session, Work, lines::Lines, reports};
use crate::{
    listing,
    look::LookBody,
    pool::Pool,
    protocol::{BillFormat, Event, ExportWish, FileView, NameList, PackageQuery, ProbeKind, ProofStep},
};
use porthole_contents::{
    export::{self, ExportSubject},
    report::PackageReport,
};
use porthole_core::{
    manifest::Document,
    path,
    platform::available,
    tree::{NodeId, Sort, View},
};
use porthole_inspect::{
    referrers::{Referrers, referrer_tree},
    report::{FileReport, ReferrerReport, Via, listed_name},
};
use porthole_registry::{
    client::RemoteImage,
    transport::{Environment, Transport},
};
use std::io::{self, Write};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Begins to save what was asked for, in place of what is being saved.
    pub(super) fn export(&self, wish: ExportWish) {
        let look = self.desk.borrow().look.as_ref().map(|look| look.number);
        if let Some(look) = look {
            self.errands.begin(Errand::Export, Work::Export { look, wish });
        }
    }

    pub(super) async fn save_export(&self, look: u32, wish: ExportWish) {
        let mut lines = Lines::of(self.front.save());
        let known = self.know_for(look, &wish).await;
        let written = match &wish {
            _ if known.is_err() => known,
            ExportWish::Referrers => self.write_referrers(look, &mut lines).await,
            ExportWish::Names(list) => self.write_names(*list, &mut lines),
            wish => self.write_export(look, wish, &mut lines),
        };
        let name = format!("porthole-{}", file_name(&wish));
        let file = written.and_then(|()| lines.finish());
        self.tell(vec![Event::Exported { look, name, file }]);
    }

    /// Writes what is known without a request.
    fn write_export(&self, look: u32, wish: &ExportWish, out: &mut Lines<F::File>) -> Result<(), String> {
        let desk = self.desk.borrow();
        let body = desk.body_of(look).ok_or(ENDED)?;
        let probe = |kind| desk.probes.get(&kind).ok_or(ENDED);
        let written = match wish {
            ExportWish::Overview => reports::write_overview(body, desk.built_on.as_ref(), out),
            ExportWish::Waste => reports::write_waste(body, out),
            ExportWish::Comparison => {
                let compared = desk.compared.as_ref().ok_or(ENDED)?;
                let other = desk.other.as_ref().and_then(|other| other.body.as_ref()).ok_or(ENDED)?;
                reports::write_comparison([body, other], compared, out)
            }
            ExportWish::Search => {
                let digests = body.resolved.image.blob_digests();
                let rows = probe(ProbeKind::Search)?.search_rows(body, &digests);
                rows.iter().try_for_each(|row| out.line(row))
            }
            ExportWish::Files(view, path) => write_files(body, view, path.as_deref(), out),
            ExportWish::Document(step) => out.write_all(document(body, *step)),
            ExportWish::Packages(query) => write_packages(body, probe(ProbeKind::Packages)?.packages(), query, out),
            ExportWish::Bill(format, name) => {
                write_bill(body, probe(ProbeKind::Packages)?.packages(), *format, name, out)
            }
            ExportWish::Secrets(least) => {
                let reports = probe(ProbeKind::Secrets)?.secret_reports(body, *least);
                reports.iter().try_for_each(|report| out.line(report))
            }
            ExportWish::Referrers | ExportWish::Names(_) => Ok(()),
        };
        written.map_err(|error| error.to_string())
    }

    fn write_names(&self, list: NameList, out: &mut Lines<F::File>) -> Result<(), String> {
        let mut desk = self.desk.borrow_mut();
        let names = desk.names.list(list).as_ref().ok_or(ENDED)?;
        let field = match list {
            NameList::Tags => "tag",
            NameList::Repositories => "repository",
        };
        let written = names.all().iter().try_for_each(|name| out.line(&listed_name(field, name)));
        written.map_err(|error| error.to_string())
    }

    /// Asks for what refers to the image, and writes it.
    async fn write_referrers(&self, look: u32, out: &mut Lines<F::File>) -> Result<(), String> {
        let (reference, page, resolved) = {
            let desk = self.desk.borrow();
            let body = desk.body_of(look).ok_or(ENDED)?;
            (body.reference.clone(), body.page.as_ref().map(|page| page.image.clone()), body.resolved.clone())
        };
        // Where a command line names no platform, it asks about what the reference names.
        let index = match &resolved.index {
            Some(Document::Index(index)) if !available(&index.value.manifests).is_empty() => Some(&index.value),
            _ => None,
        };
        let subject = match (&resolved.index, index) {
            (Some(root), None) => *root.raw().digest(),
            _ => *resolved.image.manifest.raw.digest(),
        };
        let (found, via) = match page {
            Some(page) => {
                (referrer_tree(&page, &subject, index).await.map_err(|error| error.to_string())?, Via::Layout)
            }
            None => {
                let source = RemoteImage::new(&self.registry, reference);
                (referrer_tree(&source, &subject, index).await.map_err(|error| error.to_string())?, Via::Subject)
            }
        };
        write_tree(&found, &via, out).map_err(|error| error.to_string())
    }
}

fn write_tree<F: SavedFile>(found: &Referrers, via: &Via, out: &mut Lines<F>) -> io::Result<()> {
    found.found.iter().try_for_each(|referrer| out.line(&ReferrerReport::in_tree(referrer, via.clone())))
}

/// The rows of a view, or those at and below a path.
fn write_files<F: SavedFile>(
    body: &LookBody,
    view: &FileView,
    path: Option<&str>,
    out: &mut Lines<F>,
) -> io::Result<()> {
    let top = body.layers.len().saturating_sub(1) as u32;
    let view = body.tree(view).view(listing::mode(view, top));
    let digests = body.resolved.image.blob_digests();
    let wanted = path.and_then(path::unescape).filter(|path| !path.is_empty());
    let Some(start) = wanted.map_or(Some(NodeId::ROOT), |path| view.find(&path)) else { return Ok(()) };
    let mut pending = vec![start];
    while let Some(node) = pending.pop() {
        for row in view.rows_of(node) {
            out.line(&FileReport::of(&row, &digests, None, false))?;
        }
        pending.extend(children(&view, node).into_iter().rev());
    }
    Ok(())
}

fn children(view: &View<'_>, node: NodeId) -> Vec<NodeId> {
    if view.has_children(node) { view.child_nodes(node, Sort::Name) } else { Vec::new() }
}

fn document(body: &LookBody, step: ProofStep) -> &[u8] {
    let resolved = &body.resolved;
    match (step, &resolved.index) {
        (ProofStep::Config, _) => resolved.image.config_raw.bytes(),
        (ProofStep::Index, Some(index)) => index.raw().bytes(),
        _ => resolved.image.manifest.raw.bytes(),
    }
}

fn write_packages<F: SavedFile>(
    body: &LookBody,
    packages: &crate::packages::PackageList,
    query: &PackageQuery,
    out: &mut Lines<F>,
) -> io::Result<()> {
    let digests = body.resolved.image.blob_digests();
    packages.wanted(query).try_for_each(|installed| {
        let layer = body.resolved.image.layers.get(installed.layer as usize);
        let is_known = layer.is_some_and(|layer| layer.created_by.is_some());
        let created_by = packages.instruction(installed.layer).filter(|_| is_known);
        out.line(&PackageReport::of(installed, packages.inventory(), &digests, created_by))
    })
}

fn write_bill<F: SavedFile>(
    body: &LookBody,
    packages: &crate::packages::PackageList,
    format: BillFormat,
    name: &str,
    out: &mut Lines<F>,
) -> io::Result<()> {
    let image = &body.resolved.image;
    let (name, digest) = (path::escape(name.as_bytes()), image.manifest.raw.digest().to_string());
    let subject = ExportSubject { name: &name, digest: Some(&digest), created: image.config.created.as_deref() };
    let bill = match format {
        BillFormat::Spdx => export::spdx(packages.inventory(), subject),
        BillFormat::Cyclonedx => export::cyclonedx(packages.inventory(), subject),
    };
    serde_json::to_writer_pretty(&mut *out, &bill)?;
    out.write_all(b"\n")
}

fn file_name(wish: &ExportWish) -> &'static str {
    match wish {
        ExportWish::Overview => "inspect.json",
        ExportWish::Waste => "analyze.json",
        ExportWish::Comparison => "diff.jsonl",
        ExportWish::Search => "search.jsonl",
        ExportWish::Files(..) => "ls.jsonl",
        ExportWish::Document(ProofStep::Config) => "config.json",
        ExportWish::Document(_) => "manifest.json",
        ExportWish::Packages(_) => "packages.jsonl",
        ExportWish::Bill(BillFormat::Spdx, _) => "packages.spdx.json",
        ExportWish::Bill(BillFormat::Cyclonedx, _) => "packages.cdx.json",
        ExportWish::Secrets(_) => "secrets.jsonl",
        ExportWish::Referrers => "referrers.jsonl",
        ExportWish::Names(NameList::Tags) => "tags.jsonl",
        ExportWish::Names(NameList::Repositories) => "catalog.jsonl",
    }
}

/// Why nothing is saved of a look that ended.
const ENDED: &str = "the image was closed before it could be saved";
