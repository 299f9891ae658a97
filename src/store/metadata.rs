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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record;

    const STORED: &str = r#"{"schema":1,"name":"x","run":1,"at":"2026-11-21T00:00:00.000Z","guardian":"0.2.0","host":"h",
        "boot":"b","kernel":null,"uid":0,"gid":0,"groups":null,"umask":"22","cwd":"/","command":{"argv":["a"]},
        "target":"exit","healthy_after_ms":1,"environment":null,"rlimits":{},"program":null,"input":null,"git":null,
        "asked":null}"#;

    fn home() -> (tempfile::TempDir, Paths, Name) {
        let dir = tempfile::tempdir().unwrap();
        let (state, registry) = (dir.path().join("state"), dir.path().join("registry.toml"));
        let (paths, name) = (Paths { home: None, registry, state }, "x".parse().unwrap());
        record::prepare(&paths, &name).unwrap();
        (dir, paths, name)
    }

    #[test]
    fn what_was_written_is_read_and_what_is_torn_is_not_known() {
        let (_dir, paths, name) = home();
        let stored: Metadata = serde_json::from_str(STORED).unwrap();
        begin(&paths, &stored).unwrap();
        assert_eq!(load(&paths, &name, 1), Some(stored.clone()));
        assert_eq!(load(&paths, &name, 2), None);
        let path = paths.process_run(&name, "1.meta");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(load(&paths, &name, 1), None, "torn");
        begin(&paths, &Metadata { schema: SCHEMA + 1, ..stored }).unwrap();
        assert_eq!(load(&paths, &name, 1), None, "of a later version");
    }

    #[test]
    fn it_is_forgotten_with_its_record_and_not_brought_back() {
        let (_dir, paths, name) = home();
        let stored: Metadata = serde_json::from_str(STORED).unwrap();
        begin(&paths, &stored).unwrap();
        record::forget_oldest(&paths, &name, 101).unwrap();
        complete(&paths, &stored).unwrap();
        assert_eq!(load(&paths, &name, 1), None);
    }
}
