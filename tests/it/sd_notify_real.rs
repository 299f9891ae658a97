//! Real programs that speak sd_notify, each in its own dialect: HAProxy, Redis, Knot Resolver.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON};
use crate::procs::{alive, descendants, eventually, signal, until};

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Registers a program that says itself when it is ready, in the test's own directory, and starts it until it is.
#[track_caller]
fn up(home: &Home, options: &[&str], program: &[&str]) {
    assert!(Path::new(program[0]).exists(), "{} is not there: run scripts/test", program[0]);
    let cwd = home.path("");
    let first = ["register", "x", "--ready", "notify", "--cwd", cwd.to_str().unwrap()];
    home.ok(&[&first[..], options, &["--"], program].concat());
    home.ok(&["start", "x", "--wait-ready=25s"]);
    let status = home.status("x");
    assert_eq!((&status["state"], &status["ready"]), (&"running".into(), &true.into()), "{status}");
    assert_eq!(of(home, "ready").len(), 1);
    assert_eq!(of(home, "ready")[0]["detail"], "notify");
}

/// Its events of this kind.
fn of(home: &Home, kind: &str) -> Vec<Value> {
    home.events("x").into_iter().filter(|event| event["kind"] == kind).collect()
}

/// The record of its first run.
fn record(home: &Home) -> String {
    fs::read_to_string(home.state_dir().join("process/x/run/1.rec")).unwrap()
}

#[test]
fn haproxy_is_ready_when_it_serves_names_its_main_process_and_reloads_as_one_run() {
    let home = Home::new();
    let port = free_port();
    let config = "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
    let config = format!("global\n maxconn 10\n{config}frontend x\n bind 127.0.0.1:{port}\n");
    fs::write(home.path("haproxy.cfg"), config).unwrap();
    up(&home, &[], &["/usr/sbin/haproxy", "-Ws", "-f", "haproxy.cfg"]);
    TcpStream::connect(("127.0.0.1", port)).expect("what is ready serves");
    let main = home.pid("x");
    assert!(record(&home).contains(&format!("\"said\":{{\"main\":{main}}}")), "{}", record(&home));
    let first = descendants(main);
    assert_eq!(first.len(), 1, "a master and its worker");
    signal(main, Signal::SIGUSR2);
    until("another worker serves", || !descendants(main).is_empty() && !descendants(main).contains(&first[0]));
    TcpStream::connect(("127.0.0.1", port)).expect("it serves all the time");
    let status = home.status("x");
    assert_eq!((&status["state"], &status["run"], home.pid("x")), (&"running".into(), &1.into(), main), "{status}");
    assert_eq!(of(&home, "ready").len(), 1, "saying it again after the reload is nothing new");
    home.ok(&["stop", "x"]);
    assert_eq!(home.status("x")["last_exit"]["verdict"], "stopped");
}

#[test]
fn redis_shows_its_state_is_ready_when_it_answers_and_says_that_it_stops() {
    let home = Home::new();
    let words = "--supervised systemd --daemonize no --port 0 --unixsocket redis.sock --save";
    let words: Vec<&str> = ["/usr/bin/redis-server"].into_iter().chain(words.split(' ')).chain([""]).collect();
    up(&home, &[], &words);
    UnixStream::connect(home.path("redis.sock")).expect("what is ready answers");
    assert_eq!(home.status("x")["says"], "Ready to accept connections");
    assert!(home.ok(&["status", "x"]).contains("Ready to accept connections"));
    home.ok(&["stop", "x"]);
    assert!(record(&home).contains("\"said\":{\"stopping\":"), "{}", record(&home));
    let last = home.status("x")["last_exit"].clone();
    assert_eq!((&last["verdict"], &last["cause"]["kind"]), (&"stopped".into(), &"exited".into()), "{last}");
}

#[test]
fn the_watchdog_of_knot_resolver_is_a_heartbeat_and_its_silence_a_hang() {
    let home = Home::new();
    let port = free_port();
    // Nothing of it may go out.
    let config = format!("net.listen('127.0.0.1', {port})\ncache.size = 1*MB\n");
    let config = config + "trust_anchors.remove('.')\nmodules.unload('priming')\nmodules.unload('detect_time_skew')\n";
    fs::write(home.path("kresd.conf"), config).unwrap();
    fs::create_dir(home.path("kresd")).unwrap();
    let file = home.path("kresd.conf").display().to_string();
    up(&home, &["--heartbeat", "3s", "--backoff", "0s"], &["/usr/sbin/kresd", "-n", "-c", &file, "kresd"]);
    TcpStream::connect(("127.0.0.1", port)).expect("what is ready serves");
    let main = home.pid("x");
    let age = || home.status("x")["heartbeat"]["age_s"].as_u64();
    until("its sign of life is seen", || age().is_some());
    let first = fs::metadata(home.sentinel("x", "heartbeat")).unwrap().modified().unwrap();
    until("and seen again", || fs::metadata(home.sentinel("x", "heartbeat")).unwrap().modified().unwrap() > first);
    assert!(of(&home, "hung").is_empty() && alive(main));
    signal(main, Signal::SIGSTOP);
    let hung = eventually("its silence is called a hang", || of(&home, "hung").pop());
    assert!(hung["detail"].as_str().unwrap().starts_with("no heartbeat for 3"), "{hung}");
    assert!(hung["detail"].as_str().unwrap().contains("is stopped (SIGSTOP)"), "{hung}");
    eventually("its next run is ready", || {
        (home.status("x")["run"] == 2 && home.state("x") == "running").then_some(())
    });
    assert_eq!(home.status("x")["last_exit"]["cause"]["kind"], "hung");
    home.ok(&["stop", "x"]);
}

#[test]
fn of_what_a_forking_program_leaves_the_process_that_it_names_is_the_main_one() {
    let home = Home::new();
    let daemon = home.script(
        "daemon.py",
        "import os, socket, time
def child(leads):
    pid = os.fork()
    if pid == 0:
        if leads: os.setsid()
        time.sleep(1000)
    return pid
older, named = child(True), child(False)
name = os.environ['NOTIFY_SOCKET']
name = '\\0' + name[1:] if name[0] == '@' else name
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(f'MAINPID={named}\\nREADY=1'.encode(), name)
print(named, flush=True)
",
    );
    home.ok(&["register", "x", "--ready", "notify", "--follow", "fork", "--", PYTHON, daemon.to_str().unwrap()]);
    home.ok(&["start", "x", "--wait-ready=25s"]);
    let named: i32 = eventually("it named one", || home.ok(&["logs", "x"]).trim().parse().ok());
    until("that one is followed", || home.status("x")["pid"] == named);
}
