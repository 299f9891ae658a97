//! Draining the outbox: what is sent, kept, folded and given up, with real files and programs as sinks.

use super::*;
use crate::alert::desk;
use crate::alert::fake::{Act, http};
use crate::model::channel::Webhook;
use crate::model::event::EventKind;
use crate::model::sample::{any_sink, at, event, note, sink};
use crate::model::sink::{Secret, SecretSource, SinkKind, Tls};
use crate::store::atomic;
use crate::store::outbox::Part;

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

    fn put(&self, kind: EventKind, run: u64, sink: &str) {
        let note = note(event("a", run, kind, run));
        assert_eq!(outbox::put(&self.paths, &note, sink, &now().unwrap()).unwrap(), outbox::Put::Queued);
    }

    fn file_sink(&self, name: &str) -> Sink {
        sink(name, SinkKind::File { path: self.dir.path().join(name).to_str().unwrap().to_owned() })
    }

    fn written(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}

fn shell(name: &str, script: &str) -> Sink {
    sink(name, SinkKind::Command { command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec() })
}

fn web(url: String) -> Sink {
    sink("web", SinkKind::Webhook(Webhook::plain(SecretSource::Inline(Secret::new(url)), vec![])))
}

#[test]
fn what_is_due_is_delivered_once_and_what_is_held_goes_with_the_recovery() {
    let home = Home::new();
    let sinks = [home.file_sink("ops")];
    home.put(EventKind::Premature, 1, "ops");
    let first = drain(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((first.delivered, first.pending, first.reports.len()), (1, 0, 1), "{first:?}");
    home.put(EventKind::Premature, 2, "ops");
    let held = drain(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((held.delivered, held.pending, held.next.is_some()), (0, 1, true), "{held:?}");
    home.put(EventKind::Recovered, 3, "ops");
    let last = drain(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((last.delivered, last.pending), (2, 0), "{last:?}");
    let text = home.written("ops");
    assert_eq!(text.matches("\nid a.abc.").count(), 2, "{text}");
    assert!(text.contains("And 1 more at"), "{text}");
}

#[test]
fn a_crash_before_the_receipt_delivers_again_with_the_same_id() {
    let home = Home::new();
    let (url, served) = http(vec![Act::Say("HTTP/1.1 204 Fine\r\n\r\n"), Act::Say("HTTP/1.1 204 Fine\r\n\r\n")]);
    let sinks = [web(url)];
    home.put(EventKind::Premature, 1, "web");
    let entry = outbox::list(&home.paths, Part::Pending).unwrap().entries.remove(0);
    drain(&home.paths, &sinks, LIMIT).unwrap();
    // As a kill between delivery and receipt leaves it: the entry is there, the receipt is not.
    std::fs::remove_file(home.paths.outbox().join("delivered.jsonl")).unwrap();
    outbox::update(&home.paths, &entry).unwrap();
    assert_eq!(drain(&home.paths, &sinks, LIMIT).unwrap().delivered, 1);
    let id = |request: &String| {
        request.lines().find(|line| line.to_lowercase().starts_with("idempotency-key")).map(str::to_owned)
    };
    let requests = served.join().unwrap();
    assert!(id(&requests[0]).is_some());
    assert_eq!(id(&requests[0]), id(&requests[1]));
    // As a kill between receipt and removal leaves it: nothing is sent, or the fake would not answer.
    outbox::update(&home.paths, &entry).unwrap();
    let tidied = drain(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((tidied.delivered, tidied.pending, tidied.errors.len()), (0, 0, 0), "{tidied:?}");
}

#[test]
fn who_finds_another_at_work_leaves_and_the_other_looks_again() {
    let home = Home::new();
    home.put(EventKind::Premature, 1, "ops");
    let held = lock::try_take(&outbox::sink_lock(&home.paths, "ops")).unwrap().unwrap();
    let busy = drain(&home.paths, &[home.file_sink("ops")], LIMIT).unwrap();
    assert_eq!((busy.busy, busy.delivered, busy.pending), (true, 0, 1));
    drop(held);
    // The first delivery queues a second notification, as a pass that found the lock taken would.
    home.put(EventKind::Tripped, 2, "ops");
    let late = home.dir.path().join("late.json");
    let queued = home.paths.outbox().join("a.abc.2.tripped@ops.json");
    std::fs::rename(&queued, &late).unwrap();
    let script = format!("cat >/dev/null; test -e '{0}' && mv '{0}' '{1}'; true", late.display(), queued.display());
    let both = drain(&home.paths, &[shell("ops", &script)], LIMIT).unwrap();
    assert_eq!((both.delivered, both.pending), (2, 0), "{both:?}");
}

#[test]
fn a_sink_that_hangs_costs_only_itself_and_no_more_than_the_limit() {
    let home = Home::new();
    let (url, served) = http(vec![Act::Stall("")]);
    home.put(EventKind::Premature, 1, "web");
    home.put(EventKind::Premature, 2, "ops");
    let begun = boot().unwrap();
    let drained = drain(&home.paths, &[web(url), home.file_sink("ops")], Duration::from_millis(500)).unwrap();
    assert!(boot().unwrap() - begun < 5000, "it took {} ms", boot().unwrap() - begun);
    assert_eq!((drained.delivered, drained.pending), (1, 1), "{drained:?}");
    assert!(drained.errors[0].starts_with("sink `web`: "), "{drained:?}");
    let waits = outbox::list(&home.paths, Part::Pending).unwrap().entries.remove(0);
    assert_eq!((waits.attempts, waits.not_before.is_some()), (1, true));
    served.join().unwrap();
}

#[test]
fn a_mail_server_that_drips_is_left_after_the_sinks_own_limit() {
    let home = Home::new();
    let (port, served) = crate::alert::fake::smtp(vec![("EHLO", Act::Stall("250-fa"))]);
    let kind = SinkKind::Email {
        host: "127.0.0.1".into(),
        port,
        tls: Tls::None,
        user: None,
        password: None,
        from: "g@example.org".into(),
        to: vec!["a@example.org".into()],
    };
    home.put(EventKind::Premature, 1, "mail");
    let slow = Sink { timeout: Duration::from_millis(200), ..sink("mail", kind) };
    let drained = drain(&home.paths, &[slow], LIMIT).unwrap();
    assert_eq!((drained.delivered, drained.pending), (0, 1), "{drained:?}");
    served.join().unwrap();
}

#[test]
fn what_is_refused_is_kept_among_the_dead_until_somebody_retries() {
    let home = Home::new();
    let (url, served) = http(vec![
        Act::Say("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ]);
    home.put(EventKind::Premature, 1, "web");
    let sinks = [web(url)];
    let refused = drain(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((refused.pending, refused.dead), (0, 1), "{refused:?}");
    assert_eq!(refused.reports[0].given_up.as_deref(), Some("HTTP 404 Not Found"));
    assert_eq!(desk::overview(&home.paths, &[], 10, &now().unwrap()).unwrap().dead.len(), 1);
    let told = refused.reports[0].event(at(9).wall).unwrap();
    assert_eq!((told.kind, told.detail.as_str()), (EventKind::AlertFailed, "sink `web`: HTTP 404 Not Found"));
    assert_eq!(told.id, "a.abc.1.premature.web.alert_failed");
    let again = Report { sink: "web".into(), event: told, part_of: None, given_up: None, way: String::new() };
    assert_eq!(again.event(at(9).wall), None, "no alerts about alerts about alerts");
    let retried = desk::retry(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((retried.delivered, retried.pending, retried.dead), (1, 0, 0), "{retried:?}");
    let overview = desk::overview(&home.paths, &[], 10, &now().unwrap()).unwrap();
    assert_eq!((overview.dead.len(), overview.settled.len()), (0, 1));
    served.join().unwrap();
}

#[test]
fn an_entry_that_cannot_be_read_is_reported_and_stops_nothing() {
    let home = Home::new();
    home.put(EventKind::Premature, 1, "ops");
    std::fs::write(home.paths.outbox().join("x@ops.json"), "half").unwrap();
    let drained = drain(&home.paths, &[home.file_sink("ops")], LIMIT).unwrap();
    assert_eq!((drained.delivered, drained.errors.len()), (1, 1), "{drained:?}");
    assert!(home.paths.outbox().join("x@ops.json").exists());
}

#[test]
fn a_storm_is_one_message() {
    let home = Home::new();
    for run in 1..=50 {
        home.put(EventKind::Premature, run, "ops");
    }
    let drained = drain(&home.paths, &[home.file_sink("ops")], LIMIT).unwrap();
    assert_eq!((drained.delivered, drained.pending), (50, 0));
    let text = home.written("ops");
    assert!(text.contains("And 49 more since"), "{text}");
    assert_eq!(text.matches("\nid ").count(), 1);
}

#[test]
fn a_test_tells_what_the_sink_said_or_why_it_did_not_work() {
    let home = Home::new();
    assert_eq!(desk::test(&home.file_sink("ops"), "h", &at(0)).unwrap(), "appended");
    assert!(home.written("ops").contains("this is a test"));
    let error = desk::test(&any_sink(), "h", &at(0)).unwrap_err();
    assert_eq!((error.code, error.kind), (Code::No, "not_delivered"));
    assert!(error.message.starts_with("file sink `ops` did not take the test message: "), "{error}");
}

#[test]
fn an_empty_outbox_costs_nothing() {
    let home = Home::new();
    assert_eq!(drain(&home.paths, &[], LIMIT).unwrap(), Drained::default());
    assert_eq!(std::fs::read_dir(home.paths.outbox()).unwrap().count(), 0);
}

#[test]
fn a_digest_is_one_message_that_counts_and_its_programs_see_each_of_it() {
    use crate::model::timing::Timing;
    let home = Home::new();
    let digest = Timing { digest: Some("@daily".into()), ..Timing::default() };
    let sinks = [Sink { timing: digest, ..home.file_sink("ops") }];
    let queued = now().unwrap();
    let queued = Stamp { wall: Wall(queued.wall.0 - 2 * 86_400_000), ..queued };
    for (name, run) in [("bad", 1), ("bad", 2), ("other", 3)] {
        let note = note(event(name, run, EventKind::Premature, run));
        outbox::put(&home.paths, &note, "ops", &queued).unwrap();
    }
    home.put(EventKind::Premature, 9, "ops");
    let drained = drain(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((drained.delivered, drained.pending), (3, 1), "today's waits: {drained:?}");
    let told = home.written("ops");
    for part in ["digest: 3 notices about 2 processes", "bad (warning): 2 × premature", "other (warning): premature"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn silences_that_cannot_be_read_silence_nothing_and_each_drain_says_so() {
    let home = Home::new();
    let sinks = [home.file_sink("ops")];
    std::fs::write(home.paths.state.join("silences"), "half").unwrap();
    assert!(drain(&home.paths, &sinks, LIMIT).unwrap().errors[0].contains("nothing is silenced"));
    home.put(EventKind::Premature, 1, "ops");
    let drained = drain(&home.paths, &sinks, LIMIT).unwrap();
    assert_eq!((drained.delivered, drained.errors.len()), (1, 1), "{drained:?}");
}
