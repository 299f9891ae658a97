//! Silences on disk: one small file, replaced whole; none where nobody asked for silence.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{atomic, checksum, outbox, paths::Paths};
use crate::error::{Code, Error};
use crate::model::silence::{SCHEMA, Silence};
use crate::model::time::Stamp;
use crate::os::lock;

#[derive(Serialize, Deserialize)]
struct Silences {
    schema: u32,
    silences: Vec<Silence>,
}

fn path(paths: &Paths) -> PathBuf {
    paths.state.join("silences")
}

/// Reads them, those that are over too; no file is none.
///
/// # Errors
/// The file cannot be read or is damaged: then nothing is silenced, and whoever looks says so.
pub fn load(paths: &Paths) -> Result<Vec<Silence>, Error> {
    let path = path(paths);
    let Some(content) = atomic::read_if_there(&path)? else { return Ok(Vec::new()) };
    let read = checksum::is_intact(&content).then(|| serde_json::from_slice::<Silences>(&content).ok()).flatten();
    match read {
        Some(Silences { schema: ..=SCHEMA, silences }) => Ok(silences),
        Some(Silences { schema, .. }) => {
            let message = format!("`{}` was written by a newer guardian (schema {schema})", path.display());
            Err(Error::new(Code::System, "newer", message).hint("use that one"))
        }
        None => {
            let message = format!("`{}` is damaged: nothing is silenced", path.display());
            Err(Error::new(Code::System, "silences_damaged", message)
                .hint("remove it, and ask for silence again: guardian alerts silence NAME 2h"))
        }
    }
}

/// Changes them, durably; those that are over are forgotten. Returns what `change` returned. The lock of the outbox is held
/// meanwhile, so that no drain works with the old ones after this.
///
/// # Errors
/// They cannot be read or written; the old ones then stand.
pub fn change<T>(paths: &Paths, now: &Stamp, change: impl FnOnce(&mut Vec<Silence>) -> T) -> Result<T, Error> {
    atomic::make_dir(&paths.outbox())?;
    let _held = lock::wait(&outbox::lock(paths))?;
    let mut silences = load(paths)?;
    let before = silences.clone();
    silences.retain(|silence| silence.rest(now).is_some());
    let changed = change(&mut silences);
    if silences.is_empty() {
        atomic::remove_if_there(&path(paths))?;
    } else if silences != before {
        let content = serde_json::to_vec(&Silences { schema: SCHEMA, silences })
            .map_err(|error| Error::new(Code::Bug, "encode", format!("cannot encode silences: {error}")))?;
        atomic::replace(&path(paths), &checksum::seal(content))?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::at;
    use crate::model::silence::Whom;

    #[test]
    fn they_are_read_as_they_were_written_what_is_over_goes_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths { home: None, registry: dir.path().join("registry.toml"), state: dir.path().join("state") };
        assert_eq!(load(&paths).unwrap(), []);
        let silence = |whom, for_ms| Silence { whom, from: at(0), for_ms, reason: String::new(), by: "ann".into() };
        let (long, short) = (silence(Whom::All, 60_000), silence(Whom::Group("g".into()), 1000));
        change(&paths, &at(0), |all| all.extend([long.clone(), short.clone()])).unwrap();
        assert_eq!(load(&paths).unwrap(), [long.clone(), short]);
        change(&paths, &at(2), |_| ()).unwrap();
        assert_eq!(load(&paths).unwrap(), [long]);
        let written = std::fs::read_to_string(path(&paths)).unwrap();
        for damage in
            ["half".to_owned(), written.replace("ann", "bob"), written.replace("\"schema\":1", "\"schema\":9")]
        {
            std::fs::write(path(&paths), damage).unwrap();
            assert!(load(&paths).is_err());
            assert!(change(&paths, &at(2), Vec::clear).is_err(), "what cannot be read is not replaced");
        }
        std::fs::remove_file(path(&paths)).unwrap();
        change(&paths, &at(100), |_| ()).unwrap();
        assert!(!path(&paths).exists());
    }
}
