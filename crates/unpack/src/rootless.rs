//! What this process may do.

use std::fs;

/// What this process may do on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// It is root, of this machine or of a user namespace: it may give files away.
    pub root: bool,
    /// It may make devices, which in a user namespace nobody may.
    pub devices: bool,
}

impl Rights {
    /// Asks the system.
    pub fn of_this_process() -> Self {
        let root = rustix::process::geteuid().is_root();
        // Where the file is missing, there are no user namespaces.
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        Self { root, devices: root && !in_user_namespace(&map) }
    }
}

/// Whether a map of user ids (see user_namespaces(7)) is any but that of the machine itself.
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
