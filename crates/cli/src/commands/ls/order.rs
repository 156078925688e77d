//! Orders other than the tree's own.

use std::cmp::Reverse;

use porthole_core::tree::Row;

use super::Sort;

pub(super) fn sort(rows: &mut [Row], by: Sort) {
    match by {
        Sort::Size => rows.sort_by(|a, b| (Reverse(a.total), &a.path).cmp(&(Reverse(b.total), &b.path))),
        Sort::Name => rows.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path))),
        Sort::Path => rows.sort_by(|a, b| a.path.cmp(&b.path)),
    }
}
