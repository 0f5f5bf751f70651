//! Small file systems of a test's own, that fill up and turn read-only.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

fn run(command: &str, args: &[&str]) -> Option<Output> {
    let done = Command::new(command).args(args).output();
    done.ok().filter(|done| done.status.success())
}

fn skip(why: &str) {
    eprintln!("skipped: {why} (needs root)");
}

/// A file system in memory; unmounted when dropped.
pub struct Mounted(PathBuf);

impl Mounted {
    /// `None`, with a line on stderr, where this may not be done.
    pub fn new(at: &Path, options: &str) -> Option<Self> {
        let path = at.to_str().unwrap();
        let args = ["-t", "tmpfs", "-o", options, "heliostat-test", path];
        if run("mount", &args).is_none() {
            skip("a small file system cannot be mounted here");
            return None;
        }
        Some(Self(at.to_owned()))
    }

    /// Only while nobody has a file on it open for writing.
    pub fn read_only(&self) {
        let path = self.0.to_str().unwrap();
        let done = run("mount", &["-o", "remount,ro", path]);
        assert!(done.is_some(), "it can be made read-only");
    }

    /// Takes all the room there is; what was taken.
    pub fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        // Fails at its end: then nothing is left.
        let _full = fs::write(&filler, vec![1; 48 << 20]);
        filler
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A disk with ext4 on it, of 48 MiB; unmounted when dropped.
pub struct Disk {
    at: PathBuf,
    image: PathBuf,
    _folder: TempDir,
}

impl Disk {
    /// `None`, with a line on stderr, where this may not be done.
    pub fn new(at: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("disk.img");
        let file = fs::File::create(&image).unwrap();
        file.set_len(48 << 20).unwrap();
        let disk = Self {
            at: at.to_owned(),
            _folder: folder,
            image,
        };
        let made = run("mkfs.ext4", &["-q", "-F", disk.image.to_str().unwrap()]);
        if made.is_none() || !disk.mount() {
            skip("a disk cannot be made and mounted here");
            return None;
        }
        Some(disk)
    }

    fn mount(&self) -> bool {
        let (image, at) = (self.image.to_str().unwrap(), self.at.to_str().unwrap());
        run(
            "mount",
            &["-t", "ext4", "-o", "loop,errors=remount-ro", image, at],
        )
        .is_some()
    }

    /// The kernel finds an error, as it does on a failing disk, and writes no
    /// more. `false`, with a line on stderr, where it cannot be told to.
    pub fn fails(&self) -> bool {
        let at = self.at.to_str().unwrap();
        let device = run("findmnt", &["-n", "-o", "SOURCE", at]).unwrap();
        let device = String::from_utf8(device.stdout).unwrap();
        let device = device.trim().trim_start_matches("/dev/");
        // As after a while without writes: nothing waits to be written.
        assert!(run("sync", &[]).is_some());
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        if fs::write(trigger, "a test\n").is_err() {
            skip("the kernel does not fail disks here");
            return false;
        }
        // It is read-only for everybody now.
        assert!(fs::write(self.at.join("anything"), "").is_err());
        true
    }

    /// What an operator does then. Nobody may have a file on it open.
    pub fn mend(&self) {
        let at = self.at.to_str().unwrap();
        assert!(run("umount", &[at]).is_some(), "nobody uses it");
        // It says with its exit code that it mended something.
        let image = self.image.to_str().unwrap();
        let checked = Command::new("e2fsck").args(["-f", "-y", image]).output();
        assert!(checked.unwrap().status.code() < Some(4));
        assert!(self.mount());
    }

    /// Whether a file may be written, whoever has it open. `false`, with a line
    /// on stderr, where that cannot be changed.
    pub fn writable(&self, name: &str, may: bool) -> bool {
        let path = self.at.join(name);
        let flag = if may { "-i" } else { "+i" };
        let done = run("chattr", &[flag, path.to_str().unwrap()]).is_some();
        if !done {
            skip("files cannot be made immutable here");
        }
        done
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
