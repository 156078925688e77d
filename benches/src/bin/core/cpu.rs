//! CPU time from `/proc`.

use porthole_tests::Result;
use std::{fs, path::Path};

/// CPU seconds of this thread.
pub(crate) fn own() -> Result<f64> {
    of_task(Path::new("/proc/thread-self"))
}

/// CPU seconds of the thread with this folder in `/proc`.
pub(crate) fn of_task(task: &Path) -> Result<f64> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    let nanoseconds: f64 = text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?;
    Ok(nanoseconds / 1e9)
}

/// CPU seconds of all waited-for children: fields 16 and 17 of `stat`, in ticks of 10 ms.
pub(crate) fn children() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').ok_or("a stat without a name")?.1;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(13).take(2).map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
