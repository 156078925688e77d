//! A blob that another relay fetches into the directory that both share.

use super::fetch::{Lead, Progress};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

/// Says how far the other relay is, until it is done, has given up or has died, or no reader is left.
pub(super) async fn watch(mut lead: Lead) {
    let ended = follow(&lead).await;
    lead.end(ended);
}

async fn follow(Lead { cache, name, progress, .. }: &Lead) -> Progress {
    let begun = Instant::now();
    loop {
        let (shelf, wanted) = (Arc::clone(&cache.shelf), name.clone());
        let looked = spawn_blocking(move || match shelf.progress(&wanted) {
            None => Err(shelf.get(&wanted).map(|(_, size)| size)),
            Some(progress) => Ok(progress),
        });
        match looked.await {
            Ok(Err(Some(size))) => return Progress::Done { size },
            Ok(Ok(Some((size, arrived)))) => {
                // The last byte is shown when the digest is known to match.
                let bytes = arrived.min(size.saturating_sub(1));
                progress.send_if_modified(|progress| {
                    let next = Progress::Written { bytes, size };
                    std::mem::replace(progress, next) != next
                });
            }
            // Its registry has not answered yet. This one may be faster.
            Ok(Ok(None)) if begun.elapsed() < PATIENCE => {}
            _ => return Progress::Failed,
        }
        // The running table keeps one receiver.
        if progress.receiver_count() < 2 {
            return Progress::Failed;
        }
        sleep(TICK).await;
    }
}

/// Between two looks at the directory.
const TICK: Duration = Duration::from_millis(20);
/// For the other relay's registry to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);
