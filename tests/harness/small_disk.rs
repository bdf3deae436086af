//! A disk that can be full, or can only be read.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::Command;

use crate::Site;

/// A file system of its own below a site's data folder, in memory and small. It is unmounted when it is dropped.
///
/// Whoever uses it must be allowed to mount: the tests are in suites that `cargo xtask test` leaves out elsewhere.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of `mebibytes` as the data folder of a site.
    ///
    /// # Panics
    /// If that is not allowed.
    pub fn under(site: &Site, mebibytes: usize) -> Self {
        let folder = site.data();
        fs::create_dir_all(&folder).expect("the site's folder");
        let disk = Self { folder };
        disk.mount(&["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=700"), "weft-tests"]);
        disk
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("room for a name");
        let mut piece: &[u8] = &[0; 64 * 1024];
        // Smaller and smaller pieces, or an engine could go on in what the last large one left.
        while !piece.is_empty() {
            match ballast.write_all(piece) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => piece = &piece[..piece.len() / 2],
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
    }

    /// Makes room again.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    /// Lets nothing be written any more; nobody may have a file open for writing.
    pub fn make_read_only(&self) {
        self.mount(&["-o", "remount,ro"]);
    }

    /// Lets everything be written again.
    pub fn make_writable(&self) {
        self.mount(&["-o", "remount,rw"]);
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    fn mount(&self, arguments: &[&str]) {
        let output = Command::new("mount").args(arguments).arg(&self.folder).output().expect("mount is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "a small disk cannot be mounted: {said}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: an engine that a failed test leaves behind may still hold files open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
