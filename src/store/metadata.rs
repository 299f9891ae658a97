//! The surroundings of each run, beside its record: written at the start, not synced, completed a little later.
//!
//! A file that a power cut tore says nothing; nothing follows from these files but sentences.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use crate::error::{Code, Error};
use crate::model::metadata::{Metadata, SCHEMA};
use crate::model::name::Name;

use super::atomic;
use super::paths::Paths;

fn bytes(metadata: &Metadata) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(metadata)
        .map_err(|error| Error::new(Code::Bug, "bug", format!("metadata cannot be written down: {error}")))
}

fn file(run: u64) -> String {
    format!("{run}.meta")
}

/// Writes the metadata of a run that has just begun.
///
/// # Errors
/// It cannot be written.
pub fn begin(paths: &Paths, metadata: &Metadata) -> Result<(), Error> {
    let path = paths.process_run(&metadata.name, &file(metadata.run));
    let bytes = bytes(metadata)?;
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    opened.and_then(|mut file| file.write_all(&bytes)).map_err(|error| Error::io("write", &path, &error))
}

/// Puts what was found later in its place, whole. What was removed meanwhile stays removed.
///
/// # Errors
/// It cannot be written.
pub fn complete(paths: &Paths, metadata: &Metadata) -> Result<(), Error> {
    let path = paths.process_run(&metadata.name, &file(metadata.run));
    if !path.exists() {
        return Ok(());
    }
    let new = path.with_extension("meta.new");
    let bytes = bytes(metadata)?;
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
    opened
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| std::fs::rename(&new, &path))
        .map_err(|error| Error::io("write", &path, &error))
}

/// The metadata of a run; `None`: there is none, or it cannot be read, or a later guardian wrote it.
#[must_use]
pub fn load(paths: &Paths, name: &Name, run: u64) -> Option<Metadata> {
    let bytes = atomic::read_if_there(&paths.process_run(name, &file(run))).ok()??;
    let metadata: Metadata = serde_json::from_slice(&bytes).ok()?;
    (metadata.schema <= SCHEMA && metadata.run == run).then_some(metadata)
}

/// Forgets a run.
///
/// # Errors
/// It is there and cannot be removed.
pub fn forget(paths: &Paths, name: &Name, run: u64) -> Result<(), Error> {
    atomic::remove_if_there(&paths.process_run(name, &file(run)))
}
