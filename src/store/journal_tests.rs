//! What is kept of a history, what is shown of damage in it.

use super::*;
use crate::model::event::{EventKind, Severity};
use crate::store::paths::Surroundings;

const DAY: i64 = 86_400_000;

struct Place {
    _dir: tempfile::TempDir,
    paths: Paths,
    name: Name,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let around = Surroundings { guardian_home: Some(dir.path().to_owned()), ..Surroundings::default() };
    let paths = Paths::find(&around).unwrap();
    let name: Name = "p".parse().unwrap();
    atomic::make_dir(&paths.process(&name)).unwrap();
    Place { _dir: dir, paths, name }
}

impl Place {
    fn append(&self, ids: std::ops::Range<usize>, at: Wall) {
        let event = |id: usize| Event::new(id.to_string(), at, &self.name, EventKind::Exited, Severity::Info);
        append(&self.paths, &self.name, &ids.map(event).collect::<Vec<_>>(), Durable::No).unwrap();
    }

    fn read(&self) -> History {
        read(&self.paths, &self.name).unwrap()
    }

    fn path(&self) -> PathBuf {
        path(&self.paths, &self.name)
    }

    /// Says that a file was last written then.
    fn age(file: &Path, at: Wall) {
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap());
        File::options().append(true).open(file).unwrap().set_modified(at).unwrap();
    }
}

#[test]
fn events_go_when_they_are_old_and_the_newest_thousand_never() {
    let place = place();
    let prune = |now: i64| prune(&place.paths, &place.name, Wall(now)).unwrap();
    place.append(0..10, Wall(DAY));
    prune(80 * DAY);
    assert!(!older(&place.path()).exists(), "they are young");
    prune(92 * DAY);
    assert!(older(&place.path()).exists() && !place.path().exists(), "the half is full of days");
    Place::age(&older(&place.path()), Wall(DAY));
    place.append(10..1009, Wall(95 * DAY));
    prune(100 * DAY);
    assert_eq!(place.read().events.len(), 1009, "fewer than a thousand are newer");
    place.append(1009..1010, Wall(96 * DAY));
    prune(100 * DAY);
    let kept = place.read().events;
    assert_eq!((kept.len(), kept[0].id.as_str()), (1000, "10"));
    prune(100 * DAY);
    assert_eq!(place.read().events.len(), 1000);
}

#[test]
fn a_full_journal_becomes_the_older_half_once_however_many_find_it_full() {
    let place = place();
    let path = place.path();
    place.append(0..3, Wall(1));
    let (one, two) = (File::open(&path).unwrap(), File::open(&path).unwrap());
    turn_over(&path, &one).unwrap();
    place.append(3..5, Wall(2));
    drop(one);
    turn_over(&path, &two).unwrap();
    assert_eq!(place.read().events.len(), 5, "the newer half was taken for the full one");
}

#[test]
fn damage_is_a_gap_in_its_place_and_a_later_build_is_none() {
    let place = place();
    place.append(0..4, Wall(1));
    let path = place.path();
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[1] = lines[1].replace("exited", "failed"); // valid, but not what was written
    lines[2] = "garbage".to_owned();
    let later = String::from_utf8(checksum::seal(br#"{"schema":1,"id":"x","kind":"levitated"}"#.to_vec())).unwrap();
    lines.extend([later, r#"{"schema":9,"what":1}"#.to_owned(), lines[3][..9].to_owned()]);
    fs::write(&path, lines.join("\n")).unwrap();
    Place::age(&path, Wall(DAY));
    let history = place.read();
    let ids: Vec<&str> = history.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["0", "3"]);
    let gap = |after, lines| Gap { after, lines, file: path.clone() };
    assert_eq!((history.gaps, history.later), (vec![gap(1, 2), gap(2, 1)], 2));
    Place::age(&path, clock::wall().unwrap());
    assert_eq!(place.read().gaps.len(), 1, "the last line is being written");
}
