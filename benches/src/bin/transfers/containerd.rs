//! The containerd daemon behind `ctr`, with its own store.

use porthole_tests::{
    Result,
    program::{Running, find, run, wait_for},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A containerd process, stopped on drop.
pub(crate) struct Containerd {
    process: Running,
    folder: PathBuf,
}

impl Containerd {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let folder = folder.join("containerd");
        fs::create_dir_all(&folder)?;
        let settings = folder.join("config.toml");
        let at = folder.display();
        // Plugins that run containers are not needed, and some require more privileges than an unprivileged machine
        // has.
        fs::write(
            &settings,
            format!(
                "version = 2\nroot = \"{at}/root\"\nstate = \"{at}/state\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
                 [grpc]\n  address = \"{at}/socket\"\n[ttrpc]\n  address = \"{at}/ttrpc\"\n[debug]\n  level = \"error\"\n"
            ),
        )?;
        let process = Running::start(Command::new(find("containerd")?).arg("--config").arg(&settings))?;
        let daemon = Self { process, folder };
        wait_for("containerd", || Ok(run("ctr", ["--address", &daemon.socket(), "version"]).ok()))?;
        Ok(daemon)
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.join("socket").display().to_string()
    }

    /// Folder of its blobs.
    pub(crate) fn content(&self) -> PathBuf {
        self.folder.join("root/io.containerd.content.v1.content/blobs/sha256")
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }
}
