//! Rotation on real file systems, cut short between any two steps.

use std::io::Write;
use std::path::PathBuf;

use super::super::log::Log;
use super::*;

const LIMITS: Limits = Limits { max: 40_000, keep: 3, every: None };
const NOW: Wall = Wall(1_000_000);

struct Rig {
    _dir: tempfile::TempDir,
    path: PathBuf,
    log: File,
    lines: u64,
}

impl Rig {
    fn on(parent: &Path) -> Self {
        let dir = tempfile::tempdir_in(parent).unwrap();
        let path = dir.path().join("x.log");
        let log = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        Self { _dir: dir, path, log, lines: 0 }
    }

    fn new() -> Self {
        Self::on(&std::env::temp_dir())
    }

    fn write(&mut self, count: u64) {
        let text: String = (self.lines..self.lines + count).map(|line| format!("line {line}\n")).collect();
        self.log.write_all(text.as_bytes()).unwrap();
        self.lines += count;
    }

    fn text(&self) -> String {
        let log = Log::at(&self.path);
        let extent = log.extent().unwrap().unwrap();
        String::from_utf8(log.tail(extent.first, extent.end, u64::MAX).unwrap()).unwrap()
    }

    /// The lines that are there follow each other, up to the last one that was written.
    #[track_caller]
    fn is_whole_from(&self, first: u64) {
        let want: String = (first..self.lines).map(|line| format!("line {line}\n")).collect();
        let text = self.text();
        assert!(text == want, "{} bytes instead of {}, beginning {:?}", text.len(), want.len(), text.get(..20));
    }

    fn rotate(&self) -> Rotated {
        rotate(&self.path, LIMITS, Why::Full, NOW, u64::MAX).unwrap().unwrap()
    }
}

fn places() -> Vec<PathBuf> {
    // ext4 or the like, and a file system of holes that cannot collapse.
    [std::env::temp_dir(), PathBuf::from("/dev/shm")].into_iter().filter(|place| place.is_dir()).collect()
}

#[test]
fn no_line_is_lost_or_doubled_by_rotation_on_either_kind_of_file_system() {
    for place in places() {
        let mut rig = Rig::on(&place);
        for _ in 0..4 {
            rig.write(2500);
            rig.rotate();
            rig.is_whole_from(0);
        }
        assert!(rig.log.metadata().unwrap().blocks() * 512 <= LIMITS.max + 2 * BLOCK, "{}", place.display());
    }
}

#[test]
fn a_log_within_its_limit_is_left_alone() {
    let mut rig = Rig::new();
    rig.write(100);
    let size = rig.log.metadata().unwrap().len();
    assert_eq!(rig.rotate(), Rotated { moved: 0, live: size });
    assert_eq!(rig.log.metadata().unwrap().len(), size);
}

#[test]
fn the_oldest_parts_go_and_what_is_left_begins_with_a_whole_line() {
    let mut rig = Rig::new();
    rig.write(40_000);
    rig.rotate();
    let text = rig.text();
    let first: u64 = text.lines().next().unwrap().strip_prefix("line ").unwrap().parse().unwrap();
    assert!(first > 0);
    rig.is_whole_from(first);
    assert_eq!(numbers(&rig.path).unwrap().count(), LIMITS.keep);
    assert!(text.len() > 3 * 39_000);
}

#[test]
fn a_line_longer_than_the_limit_is_cut_and_stays_whole_for_readers() {
    let rig = Rig::new();
    let line = "x".repeat(100_000);
    (&rig.log).write_all(line.as_bytes()).unwrap();
    rig.rotate();
    assert!(rig.text() == line);
}

#[test]
fn a_rotation_that_was_killed_between_any_two_steps_is_finished_by_the_next() {
    let mut rig = Rig::new();
    rig.write(6000);
    rig.rotate();
    rig.write(1000);
    let whole = note::load(&rig.path).unwrap().unwrap();
    let start = whole.start;
    // Copied and not noted: a file that nobody knows.
    std::fs::write(note::part(&rig.path, whole.next), "half").unwrap();
    rig.is_whole_from(0);
    rig.write(6000);
    rig.rotate();
    rig.is_whole_from(0);
    // A hole of which the note does not know; one of which it does; taken out and not noted.
    for step in 0..3 {
        rig.write(500);
        let job = Job::begin(&rig.path, OpenOptions::new().read(true).write(true).open(&rig.path).unwrap(), NOW);
        let mut job = job.unwrap();
        let to = job.cut(9000).unwrap();
        job.part(to, 100).unwrap();
        let head = (job.rotation.start - job.rotation.base) / BLOCK * BLOCK;
        shrink::punch(&job.file, head).unwrap();
        if step > 0 {
            (job.rotation.hole, job.rotation.collapsing) = (head, true);
            job.save().unwrap();
        }
        if step > 1 {
            drop(shrink::collapse(&job.file, head)); // where it can
        }
        drop(job);
        rig.is_whole_from(0);
        rig.write(500);
        rig.is_whole_from(0);
        assert_eq!(
            rotate(&rig.path, Limits { max: 1 << 30, keep: 100, every: None }, Why::Full, NOW, 0)
                .unwrap()
                .unwrap()
                .moved,
            0
        );
        rig.is_whole_from(0);
    }
    assert!(note::load(&rig.path).unwrap().unwrap().start > start);
}

#[test]
fn a_program_that_empties_its_log_is_found_out_and_read_on() {
    for place in places() {
        let mut rig = Rig::on(&place);
        rig.write(6000);
        rig.rotate();
        let parts: u64 = note::load(&rig.path).unwrap().unwrap().parts.iter().map(|part| part.to - part.from).sum();
        rig.log.set_len(0).unwrap();
        rig.log.write_all(b"anew\n").unwrap();
        let text = rig.text();
        assert!(text.ends_with("\nanew\n") && text.len() as u64 == parts + 5, "{}", place.display());
        rig.rotate();
        assert!(rig.text() == text);
        assert_eq!(Log::at(&rig.path).extent().unwrap().unwrap().emptied, Some(NOW));
    }
}

#[test]
fn where_there_are_no_holes_the_rest_is_copied_and_that_is_said() {
    let mut rig = Rig::new();
    rig.write(6000);
    let file = OpenOptions::new().read(true).write(true).open(&rig.path).unwrap();
    note::save(&rig.path, &Rotation { own: 1, next: 1, ..Rotation::default() })
        .or_else(|_| atomic::make_dir(&note::dir(&rig.path)))
        .unwrap();
    let mut job = Job::begin(&rig.path, file, NOW).unwrap();
    let to = job.cut(LIMITS.max).unwrap();
    job.part(to, 3).unwrap();
    job.empty(3).unwrap();
    assert_eq!(rig.log.metadata().unwrap().len(), 0);
    rig.is_whole_from(0);
    rig.write(10);
    rig.is_whole_from(0);
    assert_eq!(Log::at(&rig.path).extent().unwrap().unwrap().copied, Some(NOW));
}

#[test]
fn rotation_is_no_output() {
    let mut rig = Rig::new();
    rig.write(6000);
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    rig.log.set_times(FileTimes::new().set_modified(long_ago)).unwrap();
    rig.rotate();
    assert_eq!(rig.log.metadata().unwrap().modified().unwrap(), long_ago);
}

#[test]
fn a_damaged_note_is_an_error_and_never_a_log_without_rotations() {
    let mut rig = Rig::new();
    rig.write(6000);
    rig.rotate();
    let path = note::path(&rig.path);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"start\":", "\"start\":1", 1)).unwrap();
    assert!(Log::at(&rig.path).extent().is_err());
    assert!(rotate(&rig.path, LIMITS, Why::Full, NOW, u64::MAX).is_err());
    // Moved away: the parts stay, and new ones take other names.
    let parts = numbers(&rig.path).unwrap().count();
    std::fs::remove_file(&path).unwrap();
    rig.write(6000);
    rig.rotate();
    assert!(numbers(&rig.path).unwrap().count() > parts);
}

#[test]
fn two_rotations_at_once_are_one() {
    let mut rig = Rig::new();
    rig.write(6000);
    atomic::make_dir(&note::dir(&rig.path)).unwrap();
    let held = lock::try_take(&note::lock(&rig.path)).unwrap();
    assert_eq!(rotate(&rig.path, LIMITS, Why::Full, NOW, u64::MAX).unwrap(), None);
    drop(held);
    assert!(rig.rotate().moved > 0);
}
