//! Folders that are dropped on the page (File and Directory Entries API).

use super::opened::Opened;
use js_sys::{Array, Promise};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DataTransfer, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry};

/// Files of a folder that are taken. A layout has one for each blob.
const MOST_FILES: u32 = 100_000;

/// The files and folders of a drop.
pub(super) fn entries(transfer: &DataTransfer) -> Vec<FileSystemEntry> {
    let items = transfer.items();
    let entry = |at| items.get(at)?.webkit_get_as_entry().ok().flatten();
    (0..items.length()).filter_map(entry).collect()
}

/// What was dropped: each file, and each folder with all files below it.
///
/// # Errors
/// In words, for a person.
pub(super) async fn read(entries: Vec<FileSystemEntry>) -> Result<Vec<Opened>, String> {
    let mut opened = Vec::new();
    for entry in entries {
        let name = entry.name();
        let handle = if entry.is_directory() { below(&entry).await?.into() } else { file(&entry).await? };
        opened.push(Opened { name, handle });
    }
    Ok(opened)
}

/// Each file below a folder, with its path in it.
async fn below(top: &FileSystemEntry) -> Result<Array, String> {
    let (mut folders, files) = (vec![(String::new(), top.clone())], Array::new());
    while let Some((path, folder)) = folders.pop() {
        let reader = folder.unchecked_into::<FileSystemDirectoryEntry>().create_reader();
        loop {
            // A browser gives about a hundred at a time, and none at the end.
            let batch = Promise::new(&mut |done, failed| {
                // `failed` gets a failure.
                let _ = reader.read_entries_with_callback_and_callback(&done, &failed);
            });
            let batch: Array = JsFuture::from(batch).await.map_err(|_| unreadable(top))?.unchecked_into();
            if batch.length() == 0 {
                break;
            }
            for entry in batch.iter().map(FileSystemEntry::unchecked_from_js) {
                let path = format!("{path}{}", entry.name());
                if entry.is_directory() {
                    folders.push((path + "/", entry));
                } else if files.push(&Array::of2(&path.into(), &file(&entry).await?)) > MOST_FILES {
                    return Err(format!(
                        "{} has more than {MOST_FILES} files: expected the folder of an image",
                        top.name()
                    ));
                }
            }
        }
    }
    Ok(files)
}

async fn file(entry: &FileSystemEntry) -> Result<wasm_bindgen::JsValue, String> {
    let file = entry.unchecked_ref::<FileSystemFileEntry>();
    let handle = Promise::new(&mut |done, failed| file.file_with_callback_and_callback(&done, &failed));
    JsFuture::from(handle).await.map_err(|_| unreadable(entry))
}

fn unreadable(entry: &FileSystemEntry) -> String {
    format!("{} cannot be read: the browser does not let the page read it, or it is gone", entry.name())
}
