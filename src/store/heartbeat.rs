//! Up to when each sink heard how all stands. One small file, written when that changes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{atomic, checksum, paths::Paths};
use crate::error::{Code, Error};
use crate::model::delivery::SCHEMA;
use crate::policy::heartbeat::Told;

#[derive(Serialize, Deserialize)]
struct Kept {
    schema: u32,
    told: Told,
}

fn path(paths: &Paths) -> PathBuf {
    paths.state.join("heartbeats.json")
}

/// Reads it; no file is nobody.
///
/// # Errors
/// It is there and cannot be read, or is damaged.
pub fn load(paths: &Paths) -> Result<Told, Error> {
    let path = path(paths);
    let Some(bytes) = atomic::read_if_there(&path)? else { return Ok(Told::new()) };
    let kept =
        Some(&bytes).filter(|bytes| checksum::is_intact(bytes)).and_then(|bytes| serde_json::from_slice(bytes).ok());
    let told = kept.map(|Kept { told, .. }| told);
    told.ok_or_else(|| {
        Error::new(Code::System, "damaged", format!("`{}` is damaged", path.display()))
            .hint("it was made anew: times of a `heartbeat` count from now")
    })
}

/// Writes it.
///
/// # Errors
/// It cannot be written.
pub fn save(paths: &Paths, told: &Told) -> Result<(), Error> {
    let bytes = serde_json::to_vec(&Kept { schema: SCHEMA, told: told.clone() })
        .map_err(|error| Error::new(Code::Bug, "bug", format!("heartbeats cannot be written down: {error}")))?;
    atomic::make_dir(&paths.state)?;
    atomic::replace(&path(paths), &checksum::seal(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Wall;

    #[test]
    fn it_is_read_as_it_was_written_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_path_buf();
        let paths = Paths { registry: home.join("r"), state: home.join("state"), home: None };
        assert_eq!(load(&paths).unwrap(), Told::new());
        let told = Told::from([("ops".to_owned(), Wall(7))]);
        save(&paths, &told).unwrap();
        assert_eq!(load(&paths).unwrap(), told);
        let written = std::fs::read_to_string(path(&paths)).unwrap();
        std::fs::write(path(&paths), written.replace('7', "8")).unwrap();
        assert!(load(&paths).is_err());
    }
}
