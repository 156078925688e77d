//! Sets the attributes of an entry: owner, extended attributes, permission bits, time.

use std::{
    borrow::Cow,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use porthole_core::tar::Entry;
use rustix::{
    fs::{AtFlags, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags},
    io::Errno,
    process::{getegid, geteuid},
};

use crate::{Error, Options, disk, report::Skipped};

const SECOND: u64 = 1_000_000_000;

/// Modification time of an entry in nanoseconds since 1970. A time out of range becomes 1970, as in containerd.
pub(crate) fn time(entry: &Entry) -> u64 {
    let nanoseconds = i128::from(entry.mtime) * i128::from(SECOND) + i128::from(entry.mtime_nsec);
    i64::try_from(nanoseconds).ok().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)
}

/// Modification time of an existing file in nanoseconds since 1970.
#[allow(clippy::unnecessary_cast, reason = "the fields have other types on other platforms")]
pub(crate) fn time_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_mtime).unwrap_or(0).saturating_mul(SECOND).saturating_add(stat.st_mtime_nsec as u64)
}

/// Timestamps with one time for both access and modification.
pub(crate) fn timestamps(time: u64) -> Timestamps {
    let time = Timespec { tv_sec: (time / SECOND) as i64, tv_nsec: (time % SECOND) as _ };
    Timestamps { last_access: time, last_modification: time }
}

/// The attributes that an entry sets at a path.
pub(crate) struct Attributes<'e> {
    pub(crate) entry: &'e Entry,
    /// Cleaned path below the root.
    pub(crate) path: &'e [u8],
    pub(crate) layer: u32,
    pub(crate) options: Options,
}

/// The object to set attributes on.
#[derive(Clone, Copy)]
enum On<'f> {
    Open(BorrowedFd<'f>),
    Named(&'f OwnedFd, &'f [u8]),
}

impl Attributes<'_> {
    /// Sets owner, extended attributes and permission bits of an open file or directory.
    pub(crate) fn set_open(&self, file: impl AsFd, mode: u32, skipped: &mut Skipped) -> Result<(), Error> {
        let on = On::Open(file.as_fd());
        let found = rustix::fs::fstat(&file).map_err(Error::at("look at", self.path))?;
        let given = self.set_owner(on, Some(&found), skipped)?;
        self.set_xattrs(on, skipped)?;
        // chown clears set-uid and an ACL changes mode bits. Most files need neither and already have the right mode.
        if !given && self.entry.xattrs.is_empty() && found.st_mode & 0o7777 == mode {
            return Ok(());
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(Error::at("set mode", self.path))
    }

    /// Sets all attributes of something that is unsafe to open: a symbolic link, FIFO or device. Does not follow links.
    pub(crate) fn set_named(
        &self,
        directory: &OwnedFd,
        name: &[u8],
        is_symlink: bool,
        skipped: &mut Skipped,
    ) -> Result<(), Error> {
        let on = On::Named(directory, name);
        self.set_owner(on, None, skipped)?;
        self.set_xattrs(on, skipped)?;
        if !is_symlink {
            disk::set_mode(directory, name, self.entry.permissions()).map_err(Error::at("set mode", self.path))?;
        }
        rustix::fs::utimensat(directory, name, &timestamps(time(self.entry)), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(Error::at("set time", self.path))
    }

    /// Sets the owner, unless `found` shows that it is right. Returns whether anything changed.
    fn set_owner(&self, on: On<'_>, found: Option<&Stat>, skipped: &mut Skipped) -> Result<bool, Error> {
        // chown(2) takes 32 bits; all bits set keeps the owner.
        let (uid, gid) = (self.entry.uid as u32, self.entry.gid as u32);
        let uid = (uid != u32::MAX).then(|| Uid::from_raw(uid));
        let gid = (gid != u32::MAX).then(|| Gid::from_raw(gid));
        if !self.options.owner {
            let other = uid.is_some_and(|uid| uid != geteuid()) || gid.is_some_and(|gid| gid != getegid());
            skipped.owners += u64::from(other);
            return Ok(false);
        }
        let same = |found: &Stat| {
            uid.is_none_or(|uid| uid.as_raw() == found.st_uid) && gid.is_none_or(|gid| gid.as_raw() == found.st_gid)
        };
        if found.is_some_and(same) {
            return Ok(false);
        }
        match on {
            On::Open(file) => rustix::fs::fchown(file, uid, gid),
            On::Named(directory, name) => rustix::fs::chownat(directory, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW),
        }
        .map_err(Error::at("set owner", self.path))?;
        Ok(true)
    }

    fn set_xattrs(&self, on: On<'_>, skipped: &mut Skipped) -> Result<(), Error> {
        let privileged = self.options.privileged;
        for (name, value) in &self.entry.xattrs {
            let set = allowed(name, privileged).and_then(|name| match set_xattr(on, &name, value) {
                Ok(()) => Ok(Ok(())),
                Err(Errno::NOTSUP) => Err("the file system has no such attributes"),
                Err(Errno::NOSPC | Errno::TOOBIG | Errno::RANGE) => Err("the file system has no room for it"),
                Err(Errno::PERM) if name.starts_with(b"user.") && matches!(on, On::Named(..)) => {
                    Err("only files and directories have it")
                }
                Err(Errno::PERM | Errno::ACCESS) if !privileged => Err("only root may set it"),
                Err(errno) => Ok(Err(errno)),
            });
            match set {
                Ok(set) => set.map_err(Error::at("set extended attribute", self.path))?,
                Err(reason) => skipped.xattr(self.layer, self.path, name, reason),
            }
        }
        Ok(())
    }
}

/// Returns the name under which to set an attribute, or the reason not to try. Allowed are `user.*`, ACLs and, for root,
/// `security.*` except SELinux labels, which belong to another machine's policy.
///
/// Attributes that control overlayfs get the escaped name that nested mounts use
/// (Documentation/filesystems/overlayfs.rst, "Nesting overlayfs mounts"), so they do not control an overlayfs here.
fn allowed(name: &[u8], privileged: bool) -> Result<Cow<'_, [u8]>, &'static str> {
    const ROOT_ALONE: &str = "only root may set it";
    let escaped = |prefix: &[u8]| Cow::Owned([prefix, b"overlay.", &name[prefix.len()..]].concat());
    match name {
        name if name.starts_with(USER_OVERLAY) => Ok(escaped(USER_OVERLAY)),
        name if name.starts_with(TRUSTED_OVERLAY) && privileged => Ok(escaped(TRUSTED_OVERLAY)),
        name if name.starts_with(TRUSTED_OVERLAY) => Err(ROOT_ALONE),
        b"security.selinux" => Err("it is a label of another machine's policy"),
        b"system.posix_acl_access" | b"system.posix_acl_default" => Ok(name.into()),
        name if name.starts_with(b"user.") => Ok(name.into()),
        name if name.starts_with(b"security.") && privileged => Ok(name.into()),
        name if name.starts_with(b"security.") => Err(ROOT_ALONE),
        _ => Err("no image may set it"),
    }
}

const USER_OVERLAY: &[u8] = b"user.overlay.";
const TRUSTED_OVERLAY: &[u8] = b"trusted.overlay.";

fn set_xattr(on: On<'_>, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    match on {
        On::Open(file) => rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()),
        On::Named(directory, entry) => {
            let (_opened, own_name) = disk::own_name(directory, entry)?;
            rustix::fs::setxattr(own_name, name, value, XattrFlags::empty())
        }
    }
}
