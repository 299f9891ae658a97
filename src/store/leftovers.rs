//! Which files of the state directory belong to which name, for `prune`: what was left by processes that are gone.
//!
//! Places are the known ones, files are told by the names that guardian gives them; anything else stays. A directory of a process that
//! is a symbolic link is not entered, and a link in it goes as a link. Decides nothing and takes no lock.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Code, Error};
use crate::model::name::Name;

use super::paths::Paths;
use super::{atomic, rotation};

/// Endings of the sentinel files of a process.
const SENTINELS: [&str; 4] = ["pid", "heartbeat", "status", "result"];

/// What lies in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How many.
    pub files: u64,
    /// Bytes that they take on the disk.
    pub bytes: u64,
}

impl Amount {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes + other.bytes }
    }

    fn of(metadata: &Metadata) -> Self {
        Self { files: 1, bytes: metadata.blocks() * 512 }
    }
}

/// Every name that something lies there of.
///
/// # Errors
/// A directory is there and cannot be read.
pub fn names(paths: &Paths) -> Result<BTreeSet<Name>, Error> {
    let mut found = BTreeSet::new();
    let mut take = |dir: &Path, name_of: &dyn Fn(&str) -> Option<String>| -> Result<(), Error> {
        for entry in entries(dir)? {
            let name = entry.file_name().and_then(|name| name_of(name.to_str()?));
            found.extend(name.and_then(|name| name.parse::<Name>().ok()));
        }
        Ok(())
    };
    take(&paths.processes(), &|file| Some(file.to_owned()))?;
    let log = paths.state.join("log");
    take(&log, &|file| Some(file.strip_suffix(".index").unwrap_or(file).strip_suffix(".log")?.to_owned()))?;
    take(&log.join("rotated"), &|file| {
        let whole = file.strip_suffix(".json").or_else(|| file.strip_suffix(".lock"));
        whole.or_else(|| Some(file.rsplit_once(".log.")?.0)).map(str::to_owned)
    })?;
    take(&paths.state.join("sentinel"), &|file| {
        SENTINELS.iter().find_map(|kind| Some(file.strip_suffix(kind)?.strip_suffix('.')?.to_owned()))
    })?;
    take(&paths.state.join("watch"), &|file| {
        file.strip_suffix(".json").or_else(|| file.strip_suffix(".lock")).map(str::to_owned)
    })?;
    Ok(found)
}

/// Files of `name`, in the order in which they may go: what tells that there is something, and its lock, come last.
///
/// # Errors
/// A directory cannot be read, or is a symbolic link.
pub fn of(paths: &Paths, name: &Name) -> Result<Vec<PathBuf>, Error> {
    let process = paths.process(name);
    let run = process.join("run");
    for dir in [&process, &run] {
        if fs::symlink_metadata(dir).is_ok_and(|found| found.is_symlink()) {
            let message = format!("`{}` is a symbolic link, which guardian did not make", dir.display());
            return Err(Error::new(Code::Refused, "symlink", message)
                .hint("look where it leads, and remove the link")
                .about(name));
        }
    }
    let mut files = rotation::files(&paths.log(name))?;
    files.extend(SENTINELS.map(|kind| paths.sentinel(name, kind)));
    files.extend([paths.watch(name), paths.watch(name).with_extension("lock")]);
    files.extend(plain(&run)?);
    let (mut own, state) = (plain(&process)?, paths.process_state(name));
    own.retain(|file| !file.ends_with("lock") && *file != state);
    files.extend(own);
    files.extend([state, process.join("lock")]);
    files.retain(|file| fs::symlink_metadata(file).is_ok());
    Ok(files)
}

/// What is in a directory that is no directory itself.
fn plain(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = entries(dir)?;
    files.retain(|path| fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()));
    Ok(files)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |error: io::Error| Error::io("read directory", dir, &error);
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(fail)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(fail(error)),
    }
}

/// How much lies in these files, links themselves included; and when the last of them was written.
#[must_use]
pub fn measure(files: &[PathBuf]) -> (Amount, Option<SystemTime>) {
    let found = files.iter().filter_map(|file| fs::symlink_metadata(file).ok()); // gone meanwhile: nothing
    found.fold((Amount::default(), None), |(sum, last), file| {
        (sum.and(Amount::of(&file)), last.max(file.modified().ok()))
    })
}

/// Removes files; those that are gone already are fine. Returns what went.
///
/// # Errors
/// One cannot be removed; those before it are gone.
pub fn remove(files: &[PathBuf]) -> Result<Amount, Error> {
    let mut sum = Amount::default();
    for file in files {
        let (amount, _) = measure(std::slice::from_ref(file));
        atomic::remove_if_there(file)?;
        sum = sum.and(amount);
    }
    Ok(sum)
}

/// Removes the directories of `name`, if nothing is in them any more.
pub fn remove_dirs(paths: &Paths, name: &Name) {
    for dir in [paths.process(name).join("run"), paths.process(name)] {
        drop(fs::remove_dir(dir)); // something else lies in it: that stays
    }
}
