//! The last words that were said or are to be: one small file in the outbox, written before the message is queued.
//!
//! There as long as something that they tell of is kept. Only the holder of the outbox lock writes. Decides nothing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{atomic, checksum, paths::Paths};
use crate::error::{Code, Error};
use crate::model::delivery::SCHEMA;
use crate::model::last_word::Word;

#[derive(Serialize, Deserialize)]
struct Words {
    schema: u32,
    words: Vec<Word>,
}

fn path(paths: &Paths) -> PathBuf {
    paths.outbox().join("last_words")
}

/// Reads them; no file is none.
///
/// # Errors
/// The file cannot be read or is damaged: then nobody knows what was said, and nothing may be said again.
pub fn load(paths: &Paths) -> Result<Vec<Word>, Error> {
    let path = path(paths);
    let Some(content) = atomic::read_if_there(&path)? else { return Ok(Vec::new()) };
    let words = checksum::is_intact(&content).then(|| serde_json::from_slice::<Words>(&content).ok()).flatten();
    match words {
        Some(Words { schema: ..=SCHEMA, words }) => Ok(words),
        Some(Words { schema, .. }) => {
            let message = format!("`{}` was written by a newer guardian (schema {schema})", path.display());
            Err(Error::new(Code::System, "newer", message).hint("use that one"))
        }
        None => Err(Error::new(Code::System, "damaged", format!("`{}` is damaged", path.display()))
            .hint("remove it; what was given up may then be told of once more")),
    }
}

/// Writes them, durably; no word is no file. The caller holds the outbox lock.
///
/// # Errors
/// It cannot be written; the old ones then stand.
pub fn save(paths: &Paths, words: &[Word]) -> Result<(), Error> {
    if words.is_empty() {
        return atomic::remove_if_there(&path(paths));
    }
    let content = serde_json::to_vec(&Words { schema: SCHEMA, words: words.to_vec() })
        .map_err(|error| Error::new(Code::Bug, "encode", format!("cannot encode last words: {error}")))?;
    atomic::replace(&path(paths), &checksum::seal(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_read_as_they_were_written_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths { home: None, registry: dir.path().join("registry.toml"), state: dir.path().join("state") };
        atomic::make_dir(&paths.outbox()).unwrap();
        assert_eq!(load(&paths).unwrap(), []);
        let word = Word { id: "i".into(), about: "ops".into(), to: "z".into(), tells: vec!["t".into()], queued: false };
        save(&paths, std::slice::from_ref(&word)).unwrap();
        assert_eq!(load(&paths).unwrap(), [word]);
        let written = std::fs::read_to_string(path(&paths)).unwrap();
        for damage in
            ["half".to_owned(), written.replace("ops", "opt"), written.replace("\"schema\":1", "\"schema\":9")]
        {
            std::fs::write(path(&paths), damage).unwrap();
            assert!(load(&paths).is_err());
        }
        save(&paths, &[]).unwrap();
        assert!(!path(&paths).exists());
    }
}
