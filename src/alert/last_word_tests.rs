//! What one sink refuses for good is told through another, once, wherever the program is killed.

use std::time::Duration;

use super::*;
use crate::alert::desk;
use crate::alert::drain::drain;
use crate::model::event::EventKind;
use crate::model::sample::{event as sample, note, sink};
use crate::model::sink::SinkKind;
use crate::os::clock;
use crate::store::atomic;

const LIMIT: Duration = Duration::from_secs(20);

struct Home {
    dir: tempfile::TempDir,
    paths: Paths,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths { home: None, registry: dir.path().join("registry.toml"), state: dir.path().join("state") };
        atomic::make_dir(&paths.outbox()).unwrap();
        Self { dir, paths }
    }

    fn put(&self, run: u64) {
        let note = note(sample("a", run, EventKind::Premature, run));
        assert_eq!(outbox::put(&self.paths, &note, "ops", &clock::now().unwrap()).unwrap(), outbox::Put::Queued);
    }

    /// `ops` refuses everything; `chat` writes into a file.
    fn sinks(&self) -> Vec<Sink> {
        let refuses = ["/bin/sh", "-c", "echo 535 authentication failed >&2; exit 77"].map(str::to_owned).to_vec();
        let mail = crate::model::channel::Sendmail {
            program: refuses,
            from: "g@example.org".to_owned(),
            to: vec!["ops@example.org".to_owned()],
        };
        let chat = SinkKind::File { path: self.dir.path().join("chat").to_str().unwrap().to_owned() };
        vec![sink("ops", SinkKind::Sendmail(mail)), sink("chat", chat)]
    }

    /// How many messages `chat` has, and their text.
    fn told(&self) -> (usize, String) {
        let text = std::fs::read_to_string(self.dir.path().join("chat")).unwrap_or_default();
        (text.matches("\nid ").count(), text)
    }
}

#[test]
fn it_is_told_in_the_same_drain_and_never_again() {
    let home = Home::new();
    home.put(1);
    home.put(2);
    let drained = drain(&home.paths, &home.sinks(), LIMIT).unwrap();
    assert_eq!((drained.delivered, drained.pending, drained.dead), (1, 0, 2), "{drained:?}");
    let (count, text) = home.told();
    assert_eq!(count, 1, "{text}");
    for part in ["ops (sendmail) could not be told of 2 alerts about a since", "535", "guardian alerts"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for _ in 0..3 {
        assert_eq!(drain(&home.paths, &home.sinks(), LIMIT).unwrap().delivered, 0);
    }
    assert_eq!(home.told().0, 1);
    let events = drained.reports.iter().filter_map(|report| report.event(clock::now().unwrap().wall));
    assert!(events.map(|event| event.process).all(|name| name.as_str() == "a"), "nothing is told about what tells");
}

#[test]
fn what_is_given_up_soon_after_is_held_by_the_cooldown_of_the_other_sink() {
    let home = Home::new();
    for run in 1..=20 {
        home.put(run);
        drain(&home.paths, &home.sinks(), LIMIT).unwrap();
    }
    assert_eq!(home.told().0, 1, "a sink that is down for a day must not flood another");
    let backlog = desk::backlog(&home.paths, &home.sinks(), &clock::now().unwrap()).unwrap();
    assert_eq!((backlog.dead, backlog.pending), (20, 19));
}

#[test]
fn a_kill_between_any_two_steps_neither_loses_nor_doubles_it() {
    let home = Home::new();
    home.put(1);
    drain(&home.paths, &home.sinks()[..1], LIMIT).unwrap();
    assert_eq!(home.told().0, 0, "there was nobody else to tell");
    // Killed after the commit, before it was queued.
    let (_, dead) = outbox::whole(&home.paths).unwrap();
    let tells = vec![dead.entries[0].id().to_owned()];
    let word =
        crate::model::last_word::Word { id: "w".into(), about: "ops".into(), to: "chat".into(), tells, queued: false };
    last_word::save(&home.paths, std::slice::from_ref(&word)).unwrap();
    drain(&home.paths, &home.sinks(), LIMIT).unwrap();
    assert!(home.told().1.contains("\nid w\n"), "{}", home.told().1);
    // Killed after it was queued, or even delivered, before that was written down.
    last_word::save(&home.paths, &[word]).unwrap();
    drain(&home.paths, &home.sinks(), LIMIT).unwrap();
    assert_eq!(home.told().0, 1);
}

#[test]
fn what_is_tried_again_and_given_up_again_is_told_of_again() {
    let home = Home::new();
    home.put(1);
    let sinks: Vec<Sink> = home.sinks().into_iter().map(|sink| Sink { cooldown: Duration::ZERO, ..sink }).collect();
    drain(&home.paths, &sinks, LIMIT).unwrap();
    desk::retry(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!(home.told().0, 2);
}

#[test]
fn a_damaged_list_is_reported_and_stops_no_alert() {
    let home = Home::new();
    home.put(1);
    drain(&home.paths, &home.sinks()[..1], LIMIT).unwrap();
    std::fs::write(home.paths.outbox().join("last_words"), "half").unwrap();
    let note = note(sample("b", 1, EventKind::Premature, 1));
    outbox::put(&home.paths, &note, "chat", &clock::now().unwrap()).unwrap();
    let drained = drain(&home.paths, &home.sinks(), LIMIT).unwrap();
    assert_eq!((drained.delivered, home.told().0), (1, 1), "{drained:?}");
    assert!(drained.errors.iter().any(|error| error.contains("is damaged")), "{drained:?}");
}
