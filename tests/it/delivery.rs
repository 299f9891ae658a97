//! What a bad sink costs: its own time and no more; and what a full disk costs: nothing that was committed.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use guardian::store::outbox;
use guardian::store::paths::Paths;
use nix::sys::signal::Signal;

use crate::home::{Home, finish};
use crate::procs::{now_ms, signal, until};

/// Commands that wait for nobody take less, on a machine that is busy with other tests.
const SOON: u64 = 15_000;

/// How long this took, in milliseconds.
fn timed(work: impl FnOnce()) -> u64 {
    let begun = now_ms();
    work();
    now_ms() - begun
}

/// A web server that answers with one letter of a header every now and then, for ever.
fn drips() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                drop(stream.set_read_timeout(Some(Duration::from_millis(50)))); // the pause between two letters
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nX-Drip: "));
                let mut sink = [0; 4096];
                loop {
                    drop(stream.read(&mut sink));
                    if stream.write_all(b"x").is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn while_a_sink_hangs_its_process_can_be_started_and_stopped() {
    let home = Home::new();
    let line = format!("touch {}; exec sleep 1000", home.path("begun").display());
    home.write_registry(format!(
        "[sinks.hang]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", {line:?}]\ntimeout = \"20s\"\n"
    ));
    home.up("bot", &["--restart", "never"], "[ -e well ] && exec sleep 1000; exit 3");
    until("its death is being told", || home.path("begun").exists());
    fs::write(home.path("well"), "").unwrap();
    let took = timed(|| {
        home.ok(&["start", "bot"]);
        home.ok(&["stop", "bot"]);
        home.ok(&["start", "bot"]);
        home.run(&["status", "bot"]).expect(0);
    });
    assert!(took < SOON, "it took {took} ms: somebody waited for the sink");
    assert_eq!(home.json(&["alerts"])["pending"].as_array().unwrap().len(), 1, "it is still being told");
}

#[test]
fn sinks_that_hang_drip_or_refuse_delay_no_other_sink_and_no_restart() {
    let home = Home::new();
    let (port, line) = (drips(), "exec sleep 1000");
    home.write_registry(format!(
        "[sinks.hang]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", {line:?}]\ntimeout = \"20s\"\n\
         [sinks.drip]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/x\"\ntimeout = \"20s\"\n\
         [sinks.nobody]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/x\"\n"
    ));
    home.listen("");
    home.up("bot", &["--backoff", "0s"], "[ -e once ] && exec sleep 1000; touch once; exit 3");
    let took = timed(|| {
        home.hears("bot", "premature");
        home.reaches("bot", "running");
    });
    assert!(took < SOON, "it took {took} ms");
}

#[test]
fn who_dies_while_a_delivery_to_another_sink_hangs_is_told_at_once() {
    let home = Home::new();
    let line = format!("touch {}; exec sleep 1000", home.path("begun").display());
    home.write_registry(format!(
        "[sinks.hang]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", {line:?}]\ntimeout = \"20s\"\n"
    ));
    home.listen("");
    home.up("first", &["--restart", "never"], "exit 3");
    until("its death is being told", || home.path("begun").exists());
    let took = timed(|| {
        home.up("second", &["--restart", "never"], "exit 3");
        home.hears("second", "premature");
    });
    assert!(took < SOON, "it took {took} ms: it waited for the sink that hangs");
}

#[test]
fn a_try_is_bounded_as_a_whole_whatever_the_server_does() {
    let home = Home::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for port in [drips(), silent.local_addr().unwrap().port()] {
        for url in [format!("http://127.0.0.1:{port}/x"), format!("https://127.0.0.1:{port}/x")] {
            home.write_registry(format!("[sinks.s]\ntype = \"webhook\"\nurl = {url:?}\ntimeout = \"500ms\"\n"));
            let took = timed(|| drop(home.run(&["alerts", "test", "s"]).expect(1)));
            assert!(took < 500 + SOON, "{url} took {took} ms");
        }
    }
}

#[test]
fn a_resolver_that_never_answers_costs_no_more_than_the_sinks_own_limit() {
    assert!(nix::unistd::geteuid().is_root(), "needs root for a mount namespace: run scripts/test");
    let hole = UdpSocket::bind("127.0.0.77:53").unwrap();
    let home = Home::new();
    fs::write(home.path("resolv.conf"), "nameserver 127.0.0.77\noptions timeout:30 attempts:5\n").unwrap();
    home.write_registry("[sinks.s]\ntype = \"webhook\"\nurl = \"http://hooks.example.org/x\"\ntimeout = \"1s\"\n");
    let mut command = home.other_command(Path::new("unshare"));
    let line = format!(
        "mount --bind {} /etc/resolv.conf && exec {} alerts test s",
        home.path("resolv.conf").display(),
        home.program().display()
    );
    command.args(["--mount", "sh", "-c", &line]);
    let took = timed(|| drop(finish(command).expect(1).complains("webhook sink `s` did not take")));
    assert!(took < 1000 + SOON, "it took {took} ms");
    hole.set_nonblocking(true).unwrap();
    assert!(hole.recv(&mut [0; 512]).is_ok(), "nobody asked the resolver");
}

/// A small file system over a directory; gone with the value.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn over(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"]).arg(path).status();
        assert!(mounted.unwrap().success(), "needs root for a file system of its own: run scripts/test");
        Self(path.to_owned())
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn an_outbox_on_a_full_disk_says_so_and_loses_nothing_that_was_committed() {
    let home = Home::new();
    let disk = Tmpfs::over(&home.root());
    let line = format!("cd {0}; [ -e ok ] && tr -d '\\n' >>heard && echo >>heard; test -e ok", home.path("").display());
    home.write_registry(format!("[sinks.ear]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", {line:?}]\n"));
    home.up("bot", &["--restart", "never"], "exit 3");
    home.up("later", &["--restart", "never"], "exec sleep 1000");
    until("its first try has failed", || home.json(&["alerts"])["pending"][0]["attempts"] == 1);
    disk.fill();
    home.run(&["alerts", "retry"]).expect(74).complains("No space left").complains("outbox");
    assert_eq!(home.json(&["alerts"])["pending"].as_array().unwrap().len(), 1, "it waits as before");
    // A death that nobody can write down now is found and told when there is room.
    signal(home.pid("later"), Signal::SIGKILL);
    until("the death is noticed", || home.state("later") != "running");
    fs::write(home.path("ok"), "").unwrap();
    disk.free();
    home.run(&["healthcheck"]);
    home.run(&["alerts", "retry"]);
    home.hears("bot", "premature");
    home.hears("later", "premature");
    assert_eq!(home.told().len(), 2, "{:?}", home.told());
    assert_eq!(home.json(&["alerts"])["pending"].as_array().unwrap().len(), 0);
}

/// Calls of this command that name something in the outbox.
fn calls_in_outbox(home: &Home, arguments: &[&str]) -> Vec<String> {
    let trace = home.path("trace");
    let mut command = home.other_command(Path::new("timeout"));
    command.args(["-s", "KILL", "60", "strace", "-f", "-qq", "-e", "trace=%file", "-o"]).arg(&trace);
    command.arg(home.program()).args(arguments);
    finish(command);
    fs::read_to_string(trace).unwrap().lines().filter(|line| line.contains("outbox")).map(str::to_owned).collect()
}

#[test]
fn an_outbox_that_holds_nothing_costs_a_command_one_look_and_a_pass_one_more_at_incidents() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 1000");
    for (arguments, looks) in [(&["status"][..], 1), (&["healthcheck"], 2)] {
        let calls = calls_in_outbox(&home, arguments);
        assert_eq!(calls.len(), looks, "{arguments:?}: {calls:#?}");
    }
    home.listen("");
    home.up("dead", &["--restart", "never"], "exit 3");
    home.hears("dead", "premature");
    until("nothing waits", || home.json(&["alerts"])["pending"] == serde_json::json!([]));
    let calls = calls_in_outbox(&home, &["status"]);
    assert_eq!(calls.len(), 1, "{calls:#?}");
}

#[test]
fn alerts_that_fail_for_long_are_said_by_every_command_that_is_asked_whether_all_is_well() {
    let home = Home::new();
    home.write_registry("[sinks.ops]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", \"echo no route >&2; exit 1\"]\n");
    home.up("bot", &[], "[ -e once ] && exec sleep 1000; touch once; exit 3");
    home.reaches("bot", "running");
    until("its first try has failed", || home.json(&["alerts"])["pending"][0]["attempts"] == 1);
    home.run(&["alerts"]).expect(0);
    // Eleven minutes pass.
    let paths = Paths { home: Some(home.root()), registry: home.registry_path(), state: home.state_dir() };
    let (mut pending, _) = outbox::whole(&paths).unwrap();
    let mut entry = pending.entries.remove(0);
    let first = entry.first_failed.as_mut().unwrap();
    first.boot_ms = first.boot_ms.saturating_sub(660_000);
    outbox::update(&paths, &entry).unwrap();
    let status = home.run(&["status"]).expect(1);
    let line = status.stdout.lines().find(|line| line.starts_with("warning: alerts")).unwrap();
    for part in ["1 failing for more than 10m", "sink `ops`", "no route", "see: guardian alerts"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let alerts = &home.json(&["status"])["alerts"];
    assert_eq!((&alerts["pending"], &alerts["dead"], &alerts["stuck"]), (&1.into(), &0.into(), &1.into()), "{alerts}");
    assert!(alerts["last_error"].as_str().unwrap().contains("no route") && alerts["since"].is_string(), "{alerts}");
    home.run(&["alerts"]).expect(1);
    home.run(&["healthcheck"]).expect(1);
    assert_eq!(home.json(&["healthcheck"])["alerts"]["stuck"], 1);
    home.run(&["status", "bot"]).expect(0); // who asks about one process is told about that one
    // A day passes, and a reboot.
    let first = entry.first_failed.as_mut().unwrap();
    first.wall.0 -= 86_400_000;
    first.boot = guardian::model::time::BootId::new("an earlier boot").unwrap();
    entry.not_before = None;
    outbox::update(&paths, &entry).unwrap();
    home.listen("events = [\"tripped\"]");
    home.run(&["healthcheck"]).expect(1);
    let told = home.hears("guardian", "alert_failed");
    let said = "ops (command) could not be told of 1 alert about bot since";
    assert!(told["text"].as_str().unwrap().contains(said), "{told}");
    let alerts = home.json(&["alerts"]);
    assert_eq!((&alerts["pending"], alerts["dead"].as_array().unwrap().len()), (&serde_json::json!([]), 1), "{alerts}");
}
