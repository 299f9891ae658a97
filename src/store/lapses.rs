//! Times in which no pass ran, as passes noted them afterwards: `lapses.json`, written only when there was one.

use crate::error::{Code, Error};
use crate::model::time::Wall;
use crate::os::lock;
use crate::policy::lapse::{Lapse, Lapses};

use super::paths::Paths;
use super::{atomic, checksum};

/// So many are kept, the newest.
const KEPT: usize = 500;

fn path(paths: &Paths) -> std::path::PathBuf {
    paths.state.join("lapses.json")
}

/// What is known; `None`: nothing was ever noted.
///
/// # Errors
/// The file is there and cannot be read, or is damaged.
pub fn load(paths: &Paths) -> Result<Option<Lapses>, Error> {
    let Some(bytes) = atomic::read_if_there(&path(paths))? else { return Ok(None) };
    let whole = Some(&bytes).filter(|bytes| checksum::is_intact(bytes));
    whole.and_then(|bytes| serde_json::from_slice(bytes).ok()).map(Some).ok_or_else(|| {
        let message = format!("the note of passes that did not run, `{}`, is damaged", path(paths).display());
        Error::new(Code::System, "lapses_damaged", message).hint("the next pass writes it anew")
    })
}

/// Notes a lapse; without one, that a first pass runs at `now`. What is damaged begins anew. Whoever notes at the same
/// time notes the same.
///
/// # Errors
/// It cannot be written.
pub fn note(paths: &Paths, lapse: Option<Lapse>, now: Wall) -> Result<(), Error> {
    atomic::make_dir(&paths.state)?;
    let Some(_only) = lock::try_take(&path(paths).with_extension("lock"))? else { return Ok(()) };
    let known = load(paths).unwrap_or(None);
    let mut known = match (known, &lapse) {
        (Some(_), None) => return Ok(()),
        (Some(known), Some(_)) => known,
        (None, _) => Lapses { since: now, lapses: Vec::new() },
    };
    known.lapses.extend(lapse);
    let over = known.lapses.len().saturating_sub(KEPT);
    if let Some(last) = known.lapses.drain(..over).next_back() {
        known.since = last.until;
    }
    let bytes = serde_json::to_vec(&Noted { schema: 1, known })
        .map_err(|error| Error::new(Code::Bug, "bug", format!("a lapse cannot be written down: {error}")))?;
    atomic::replace_unsynced_dir(&path(paths), &checksum::seal(bytes))
}

/// The file.
#[derive(serde::Serialize)]
struct Noted {
    schema: u32,
    #[serde(flatten)]
    known: Lapses,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_what_is_damaged_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths { home: None, registry: dir.path().join("registry.toml"), state: dir.path().join("state") };
        assert_eq!(load(&paths).unwrap(), None);
        note(&paths, None, Wall(5)).unwrap();
        note(&paths, None, Wall(6)).unwrap();
        assert_eq!(load(&paths).unwrap(), Some(Lapses { since: Wall(5), lapses: Vec::new() }));
        let lapse = |at: i64| Lapse { from: Wall(at), until: Wall(at + 1), rebooted: false, missed: 1 };
        let full = Lapses { since: Wall(5), lapses: (10..).take(KEPT).map(lapse).collect() };
        std::fs::write(path(&paths), serde_json::to_vec(&Noted { schema: 1, known: full }).unwrap()).unwrap();
        note(&paths, Some(lapse(9000)), Wall(9000)).unwrap();
        let known = load(&paths).unwrap().unwrap();
        assert_eq!((known.lapses.len(), known.since, &known.lapses[0]), (KEPT, Wall(11), &lapse(11)));
        std::fs::write(path(&paths), "{}").unwrap();
        assert!(load(&paths).unwrap_err().message.contains("damaged"));
        note(&paths, Some(lapse(9)), Wall(10)).unwrap();
        assert_eq!(load(&paths).unwrap(), Some(Lapses { since: Wall(10), lapses: vec![lapse(9)] }));
    }
}
