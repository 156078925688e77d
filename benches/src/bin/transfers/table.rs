//! Prints results as a table or as JSON.

use crate::{
    peers::{Call, Peer, Work},
    round::RunResult,
};
use porthole_benches::median;
use serde_json::{Value, json};

/// All runs of one program.
pub(crate) struct Row {
    pub(crate) peer: &'static Peer,
    pub(crate) call: Call,
    pub(crate) turns: Vec<RunResult>,
    /// The error that ended its runs, if any.
    pub(crate) failure: Option<String>,
}

impl Row {
    pub(crate) fn new(peer: &'static Peer, call: Call) -> Self {
        Self { peer, call, turns: Vec::new(), failure: None }
    }

    /// A figure of every run.
    fn all(&self, figure: impl Fn(&RunResult) -> f64) -> Vec<f64> {
        self.turns.iter().map(figure).collect()
    }

    /// Median over rounds of the ratio to the floor.
    fn ratio(&self, floor: &Self, figure: impl Fn(&RunResult) -> f64) -> f64 {
        median(self.turns.iter().zip(&floor.turns).map(|(own, floor)| figure(own) / figure(floor)).collect())
    }
}

fn wall(turn: &RunResult) -> f64 {
    turn.usage.wall
}

/// CPU time of the program and its daemon.
fn cpu(turn: &RunResult) -> f64 {
    turn.usage.cpu + turn.daemon.map_or(0.0, |(cpu, _)| cpu)
}

/// Results of one kind of work.
pub(crate) struct Table {
    pub(crate) work: Work,
    pub(crate) image: &'static str,
    pub(crate) about: String,
    pub(crate) file_system: String,
    /// Number of paths compared with umoci's.
    pub(crate) compared: usize,
    /// Rows; the first is the baseline.
    pub(crate) rows: Vec<Row>,
}

impl Table {
    pub(crate) fn ours_failed(&self) -> bool {
        self.rows.iter().any(|row| row.peer.is_ours() && row.failure.is_some())
    }

    pub(crate) fn print(&self) {
        let rounds = self.rows.iter().map(|row| row.turns.len()).max().unwrap_or_default();
        println!(
            "\n{} {}: {}; {rounds} rounds, written to {}",
            self.work.name(),
            self.image,
            self.about,
            self.file_system
        );
        let synced = if self.work == Work::Pull { "synced by it" } else { "" };
        println!(
            "  {:<14} {:>7} {:<17} {:>7} {:>7} {:>7} {:>7} {:>8}  {}",
            "", "wall s", "(min-max)", "CPU s", "x wall", "x CPU", "peak MB", "moved MB", synced
        );
        let Some(floor) = self.rows.first() else { return };
        for row in &self.rows {
            if !row.turns.is_empty() {
                println!("{}", self.line(row, floor));
            }
            if let Some(failure) = &row.failure {
                println!("  {:<14} failed: {failure}", row.peer.name);
            }
        }
        if self.compared > 0 {
            println!("  {} paths compared with umoci's, the floor's excepted", self.compared);
        }
    }

    fn line(&self, row: &Row, floor: &Row) -> String {
        let walls = row.all(wall);
        let (low, high) = walls.iter().fold((f64::MAX, 0.0_f64), |(low, high), &wall| (low.min(wall), high.max(wall)));
        let peak = row.turns.iter().map(|turn| turn.usage.peak).max().unwrap_or_default();
        let daemon = row.turns.iter().filter_map(|turn| turn.daemon).map(|(_, peak)| peak).max();
        let peak = match daemon {
            Some(daemon) => format!("{}+{}", peak / 1_000_000, daemon / 1_000_000),
            None => (peak / 1_000_000).to_string(),
        };
        let moved = row.turns.last().and_then(|turn| turn.moved);
        format!(
            "  {:<14} {:>7.3} {:<17} {:>7.3} {:>7.2} {:>7.2} {:>7} {:>8}  {}",
            row.peer.name,
            median(walls),
            format!("({low:.3}-{high:.3})"),
            median(row.all(cpu)),
            row.ratio(floor, wall),
            row.ratio(floor, cpu),
            peak,
            moved.map_or_else(String::new, |bytes| format!("{:.1}", bytes as f64 / 1e6)),
            row.peer.syncs(self.work),
        )
    }

    pub(crate) fn json(&self) -> Value {
        let floor = self.rows.first();
        let rows: Vec<Value> = self.rows.iter().map(|row| {
            let ratio = |figure: fn(&RunResult) -> f64| floor.map(|floor| row.ratio(floor, figure)).filter(|ratio| ratio.is_finite());
            json!({
                "tool": row.peer.name,
                "wall_seconds": row.all(wall),
                "cpu_seconds": row.all(|turn| turn.usage.cpu),
                "daemon_cpu_seconds": row.turns.iter().filter_map(|turn| turn.daemon).map(|(cpu, _)| cpu).collect::<Vec<_>>(),
                "registry_cpu_seconds": row.all(|turn| turn.servers),
                "wall_ratio": ratio(wall),
                "cpu_ratio": ratio(cpu),
                "peak_bytes": row.turns.iter().map(|turn| turn.usage.peak).max(),
                "daemon_peak_bytes": row.turns.iter().filter_map(|turn| turn.daemon).map(|(_, peak)| peak).max(),
                "moved_bytes": row.turns.iter().map(|turn| turn.moved).collect::<Vec<_>>(),
                "synced": row.peer.syncs(self.work),
                "failure": row.failure,
            })
        }).collect();
        json!({
            "work": self.work.name(),
            "image": self.image,
            "about": self.about,
            "file_system": self.file_system,
            "paths_compared": self.compared,
            "rows": rows,
        })
    }
}
