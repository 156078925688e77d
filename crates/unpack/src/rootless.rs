//! Detects what this process may do.

use std::fs;

/// Privileges of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The process is root on this machine or in a user namespace, so it may change owners.
    pub root: bool,
    /// The process may create devices. The kernel never permits that in a user namespace.
    pub devices: bool,
}

impl Rights {
    /// Detects the privileges of this process.
    pub fn of_this_process() -> Self {
        let root = rustix::process::geteuid().is_root();
        // The file is missing on a kernel without user namespaces.
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        Self { root, devices: root && !in_user_namespace(&map) }
    }
}

/// Whether a map of user ids (user_namespaces(7)) differs from that of the initial namespace.
fn in_user_namespace(map: &str) -> bool {
    let mut numbers = map.split_whitespace();
    !map.is_empty() && !["0", "0", "4294967295"].into_iter().all(|number| numbers.next() == Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_namespace_maps_ids() {
        assert!(!in_user_namespace(""));
        assert!(!in_user_namespace("         0          0 4294967295\n"));
        assert!(in_user_namespace("         0       1000          1\n"));
        assert!(in_user_namespace("         0     100000      65536\n"));
    }
}
