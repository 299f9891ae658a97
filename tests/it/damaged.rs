//! Files of guardian's own that are damaged: each is named in an error or marked as a gap, is never taken for another fact,
//! never leads to a second copy, and costs no other process anything.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::home::{Home, Output, number};
use crate::procs::{alive, kill_together, until};

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Harm {
    /// Nothing is left of it.
    Empty,
    /// It ends after so many percent.
    Cut(usize),
    /// One bit differs, so many per mille into it.
    Flip(usize),
    Garbage,
    Directory,
    LinkLoop,
    /// Mode 000.
    Closed,
    /// It belongs to root.
    Foreign,
}

const ALL: [Harm; 16] = [
    Harm::Empty,
    Harm::Cut(5),
    Harm::Cut(50),
    Harm::Cut(99),
    Harm::Flip(20),
    Harm::Flip(111),
    Harm::Flip(313),
    Harm::Flip(500),
    Harm::Flip(717),
    Harm::Flip(901),
    Harm::Flip(985),
    Harm::Garbage,
    Harm::Directory,
    Harm::LinkLoop,
    Harm::Closed,
    Harm::Foreign,
];

impl Harm {
    fn bytes(self, whole: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Cut(percent) => Some(whole[..whole.len() * percent / 100].to_vec()),
            Self::Flip(place) => {
                let mut bytes = whole.to_vec();
                let at = bytes.len() * place / 1000;
                bytes[at] ^= 1 << (place % 7);
                Some(bytes)
            }
            Self::Garbage => Some(b"\x00\xff\xfegarbage\n{\"\n".to_vec()),
            Self::Directory | Self::LinkLoop | Self::Closed | Self::Foreign => None,
        }
    }

    fn is_about_content(self) -> bool {
        self.bytes(b"x").is_some()
    }
}

/// A file that is damaged while this lives, and whole again afterwards.
struct Damage<'a> {
    path: &'a Path,
    aside: PathBuf,
}

impl<'a> Damage<'a> {
    /// Of a file of `home`, whose user is not root.
    fn new(home: &Home, path: &'a Path, harm: Harm) -> Self {
        let aside = path.with_extension("aside");
        fs::rename(path, &aside).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let whole = fs::read(&aside).unwrap();
        match (harm, harm.bytes(&whole)) {
            (_, Some(bytes)) => fs::write(path, bytes).unwrap(),
            (Harm::Directory, None) => fs::create_dir(path).unwrap(),
            (Harm::LinkLoop, None) => symlink(path, path).unwrap(),
            (_, None) => fs::write(path, whole).unwrap(),
        }
        if let (Some(user), false) = (home.user(), matches!(harm, Harm::LinkLoop | Harm::Foreign)) {
            chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        if harm != Harm::LinkLoop {
            let mode = if harm == Harm::Closed { 0o000 } else { 0o600 };
            let mode = if harm == Harm::Directory { 0o700 } else { mode };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        Self { path, aside }
    }
}

impl Drop for Damage<'_> {
    fn drop(&mut self) {
        if fs::symlink_metadata(self.path).is_ok_and(|there| there.is_dir()) {
            fs::remove_dir_all(self.path).unwrap();
        }
        fs::rename(&self.aside, self.path).unwrap();
    }
}

/// Two processes that run, one of which ended once before; the files of the first are damaged.
fn home() -> Home {
    with_two(Home::of_user())
}

fn with_two(home: Home) -> Home {
    home.write_registry("");
    home.listen("events = [\"started\"]");
    let begin = |name: &str| {
        let line =
            format!("echo up; echo $$ >>{0}.pids; while :; do sleep 0.1; done", home.path("home").join(name).display());
        home.up(name, &["--backoff", "0s", "--max-failures", "0", "--grace", "300ms"], &line);
        home.has_lines(&format!("home/{name}.pids"), 1);
    };
    begin("bot");
    begin("other");
    home.ok(&["restart", "bot"]);
    home.has_lines("home/bot.pids", 2);
    home.ok(&["healthcheck", "--quiet"]);
    until("its starts are told", || home.kinds("bot").iter().filter(|kind| *kind == "alert_delivered").count() == 2);
    home
}

/// Copies of a program that live: those that wrote their pid.
fn copies(home: &Home, name: &str) -> Vec<i32> {
    home.lines(&format!("home/{name}.pids")).iter().map(|pid| pid.parse().unwrap()).filter(|pid| alive(*pid)).collect()
}

fn file(home: &Home, name: &str) -> PathBuf {
    home.state_dir().join(name)
}

/// The codes that a command may end with when something is unreadable: done, no, not running, refused, system.
fn answers(output: &Output, what: &str) {
    assert!([0, 1, 3, 5, 74].contains(&output.code), "{what}: {output:?}");
    assert!(!output.stderr.contains("panicked"), "{what}: {output:?}");
    assert!(output.code != 74 || output.stderr.contains("error:"), "{what}: {output:?}");
}

/// Every command that looks, and `start`, which must start nothing beside what lives.
fn look(home: &Home, what: &str) {
    let before = (copies(home, "bot"), copies(home, "other"));
    for arguments in
        [&["status"][..], &["why", "bot"], &["events", "bot"], &["healthcheck"], &["start", "bot"], &["logs", "bot"]]
    {
        answers(&home.run(arguments), &format!("{what}: {arguments:?}"));
    }
    assert_eq!((copies(home, "bot"), copies(home, "other")), before, "{what}: something was started or ended");
    let other = home.json(&["status"])["processes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "other")
        .cloned()
        .unwrap_or(Value::Null);
    assert_eq!(other["state"], "running", "{what}: another process is served");
}

#[test]
fn a_damaged_state_is_an_error_that_names_it_and_nothing_is_done_until_it_is_mended() {
    let home = home();
    let path = file(&home, "process/bot/state.json");
    let pid = home.pid("bot");
    for harm in ALL {
        let what = format!("state {harm:?}");
        let damage = Damage::new(&home, &path, harm);
        look(&home, &what);
        if matches!(harm, Harm::Flip(_)) && home.run(&["status", "bot"]).code == 0 {
            assert_eq!(home.pid("bot"), pid, "{what}: the checksum itself was hit, the rest is as it was");
            continue;
        }
        for arguments in [&["status", "bot"][..], &["healthcheck"], &["start", "bot"], &["stop", "bot"]] {
            let output = home.run(arguments).expect(74).complains("state.json").complains("hint:");
            assert!(!output.stdout.contains("stopped") && !output.stdout.contains("started"), "{what}: {output:?}");
        }
        assert_eq!(copies(&home, "bot").len(), 1, "{what}");
        drop(damage);
        assert_eq!(home.state("bot"), "running", "{what}: whole again");
    }
}

#[test]
fn a_damaged_record_of_a_run_that_lives_costs_it_nothing_and_starts_no_second_copy() {
    let home = home();
    let path = file(&home, "process/bot/run/2.rec");
    let pid = home.pid("bot");
    for harm in ALL.into_iter().filter(|harm| harm.is_about_content()) {
        // The shim holds its lock on the file itself: it is damaged in place.
        let whole = fs::read(&path).unwrap();
        fs::write(&path, harm.bytes(&whole).unwrap()).unwrap();
        look(&home, &format!("record {harm:?}"));
        let row = home.status("bot");
        assert!(row["pid"].is_null() || row["pid"] == pid, "{harm:?}: {row}");
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(home.pid("bot"), pid);
    let loops = [Harm::Directory, Harm::LinkLoop, Harm::Closed, Harm::Foreign];
    for harm in loops {
        let damage = Damage::new(&home, &path, harm);
        look(&home, &format!("record {harm:?}"));
        drop(damage);
    }
    assert_eq!(home.pid("bot"), pid);
}

#[test]
fn a_damaged_record_whose_shim_is_gone_is_unknown_and_what_lives_is_left_alone() {
    for harm in [Harm::Cut(50), Harm::Flip(111), Harm::Flip(313), Harm::Flip(717), Harm::Garbage] {
        let home = with_two(Home::new());
        let path = file(&home, "process/bot/run/2.rec");
        let (shim, pid) = (home.shim_pid("bot"), home.pid("bot"));
        let whole = fs::read(&path).unwrap();
        kill_together(&[shim]);
        fs::write(&path, harm.bytes(&whole).unwrap()).unwrap();
        look(&home, &format!("orphan {harm:?}"));
        assert!(alive(pid), "{harm:?}");
        kill_together(&[pid]);
        until("a pass starts it again, when its last child is gone", || {
            home.run(&["healthcheck"]);
            home.lines("home/bot.pids").len() > 2
        });
        let last = home.status("bot")["last_exit"].clone();
        let kind = last["cause"]["kind"].as_str().unwrap_or_default().to_owned();
        assert!(["unknown", "shim_killed"].contains(&kind.as_str()), "{harm:?}: {last}");
        assert_eq!(copies(&home, "bot").len(), 1, "{harm:?}");
    }
}

#[test]
fn a_damaged_end_is_unknown_and_never_another_end() {
    for place in [560, 640, 700, 760, 820, 880, 940, 990] {
        let home = Home::new();
        home.up("p", &["--restart", "never"], "exit 7");
        home.reaches("p", "dead");
        let (path, state) = (file(&home, "process/p/run/1.rec"), file(&home, "process/p/state.json"));
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&state).unwrap(); // so that the record is all that is known
        let mut bytes = whole.clone();
        let at = bytes.len() * place / 1000;
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let output = home.run(&["why", "p", "--run", "1"]);
        let said = &output.stdout;
        assert!(said.is_empty() || said.contains('7') || said.contains("not known"), "byte {at}: {said}");
        assert!(!said.contains("code 6") && !said.contains("exit 6"), "byte {at}: {said}");
    }
}

#[test]
fn damaged_lines_of_the_history_are_gaps_and_an_unreadable_one_is_an_error_that_names_it() {
    let home = home();
    let path = file(&home, "process/bot/events.jsonl");
    let kinds = home.kinds("bot");
    for harm in ALL {
        let what = format!("journal {harm:?}");
        let damage = Damage::new(&home, &path, harm);
        if harm.is_about_content() {
            until("nobody can be writing it", || {
                fs::metadata(&path).unwrap().modified().unwrap().elapsed().unwrap().as_millis() > 1100
            });
        }
        let (text, json) = (home.run(&["events", "bot"]), home.run(&["events", "bot", "--json"]));
        let lines: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let seen: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
        let facts: Vec<&&str> = seen.iter().filter(|kind| **kind != "gap").collect();
        assert!(facts.iter().all(|kind| kinds.iter().any(|known| known == **kind)), "{what}: {seen:?}");
        match harm {
            Harm::Empty => assert_eq!((json.code, lines.len()), (0, 0), "{what}"),
            Harm::Cut(_) | Harm::Flip(_) | Harm::Garbage => {
                assert_eq!((text.code, json.code), (0, 0), "{what}: {json:?}");
                if matches!(harm, Harm::Flip(_)) && !seen.contains(&"gap") {
                    // A letter of a checksum became a capital, and means the same: then nothing may be missing.
                    assert!(seen.len() >= kinds.len(), "{what}: {seen:?} of {kinds:?}");
                    look(&home, &what);
                    continue;
                }
                assert!(seen.contains(&"gap"), "{what}: {seen:?}");
                assert!(
                    text.stdout.contains("-- gap: bot") && text.stdout.contains("events.jsonl"),
                    "{what}: {text:?}"
                );
            }
            Harm::Directory | Harm::LinkLoop | Harm::Closed | Harm::Foreign => {
                text.expect(74).complains("events.jsonl");
            }
        }
        let all = home.run(&["events"]);
        assert!(all.stdout.contains("other"), "{what}: the history of others is shown: {all:?}");
        look(&home, &what);
        drop(damage);
    }
}

#[test]
fn a_damaged_environment_starts_nothing_with_half_of_it() {
    let home = home();
    let path = file(&home, "process/bot/environment");
    home.ok(&["stop", "bot"]);
    for harm in ALL {
        let damage = Damage::new(&home, &path, harm);
        home.run(&["start", "bot"]).expect(74).complains("environment").complains("hint:");
        assert_eq!(copies(&home, "bot"), Vec::<i32>::new(), "{harm:?}");
        assert_eq!(home.state("other"), "running", "{harm:?}");
        drop(damage);
        home.ok(&["stop", "bot"]);
    }
    home.ok(&["start", "bot"]);
    home.has_lines("home/bot.pids", 3);
}

#[test]
fn what_only_speeds_things_up_or_tells_of_them_costs_no_process_anything() {
    let home = home();
    let files = ["registry.cache", "log/bot.log.index", "last-pass.json", "outbox/delivered.jsonl", "sentinel/bot.pid"];
    for name in files {
        let path = file(&home, name);
        until(name, || path.metadata().is_ok_and(|file| file.len() > 0) || home.run(&["healthcheck"]).code > 99);
        for harm in ALL {
            let what = format!("{name} {harm:?}");
            let damage = Damage::new(&home, &path, harm);
            let status = home.run(&["status"]);
            answers(&status, &what);
            assert!(status.code != 74 || status.stderr.contains(name), "{what}: {status:?}");
            assert!(status.stdout.contains("bot") && status.stdout.contains("other"), "{what}: {status:?}");
            assert!(!status.stdout.contains("no pass has run"), "{what}: {status:?}");
            look(&home, &what);
            drop(damage);
        }
    }
    // A start is told truthfully although the files for scripts cannot be written.
    let pid = file(&home, "sentinel/bot.pid");
    let damage = Damage::new(&home, &pid, Harm::Directory);
    let output = home.run(&["restart", "bot"]);
    assert!(output.stdout.contains("run 3"), "{output:?}");
    home.has_lines("home/bot.pids", 3);
    assert_eq!(copies(&home, "bot"), [number(&home.status("bot")["pid"])]);
    drop(damage);
}

#[test]
fn a_damaged_message_is_not_sent_as_another_and_is_reported() {
    let home = Home::new();
    home.listen("events = [\"*\"]");
    let ear = home.registry();
    home.write_registry(ear.replace("/bin/sh", "/bin/false"));
    home.up("p", &["--restart", "never"], "exit 7");
    home.reaches("p", "dead");
    home.run(&["healthcheck"]);
    until("nobody delivers any more", || home.processes().is_empty());
    let outbox = file(&home, "outbox");
    let entries = || fs::read_dir(&outbox).unwrap().map(|entry| entry.unwrap().path());
    let entry = entries().find(|path| path.extension().is_some_and(|extension| extension == "json")).unwrap();
    let whole = fs::read(&entry).unwrap();
    for place in [50, 200, 333, 481, 650, 808, 930] {
        let mut bytes = whole.clone();
        let at = bytes.len() * place / 1000;
        bytes[at] ^= 1;
        fs::write(&entry, &bytes).unwrap();
        let listed = home.run(&["alerts"]);
        let said = listed.stdout + &listed.stderr;
        let name = entry.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(name), "byte {at}: {said}");
        home.run(&["healthcheck"]).expect(1);
    }
    fs::write(&entry, &whole).unwrap();
}

#[test]
fn a_history_outlives_its_process_and_shows_its_damage_still() {
    let home = Home::new();
    home.up("p", &["--restart", "never"], "exit 7");
    home.reaches("p", "dead");
    until("its end is told", || home.kinds("p").contains(&"premature".to_owned()));
    home.ok(&["deregister", "p"]);
    let path = file(&home, "process/p/events.jsonl");
    let mut text = fs::read_to_string(&path).unwrap();
    text.insert_str(0, "garbage\n");
    text.push_str("{\"schema\":2,\"what\":\"a later guardian knows\"}\n");
    fs::write(&path, text).unwrap();
    assert_eq!(home.kinds("p").first().map(String::as_str), Some("gap"));
    assert!(home.kinds("p").contains(&"exited".to_owned()));
    home.run(&["events", "p"]).expect(0).complains("events of a later guardian are not shown: 1");
    let last = home.ok(&["events", "p", "-n", "1"]);
    assert!(!last.contains("gap") && last.lines().count() == 1, "{last}");
}
