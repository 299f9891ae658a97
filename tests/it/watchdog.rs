//! Programs that must say themselves that they live (`WATCHDOG=1`, sd_notify), and who hears them.

use std::fs;

use nix::sys::signal::Signal;

use crate::home::{Home, PYTHON};
use crate::procs::{eventually, now_ms, signal, until};

/// Waits out a time in which something must not happen.
fn pass(ms: u64) {
    let begun = now_ms();
    until("a while has passed", || now_ms() > begun + ms);
}

/// Says READY=1 after `$1` seconds and then WATCHDOG=1 each `$2` seconds, until the file `mute` is there.
const DOG: &str = "import os, socket, sys, time
name = os.environ['NOTIFY_SOCKET']
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text):
    try: s.sendto(text, '\\0' + name[1:])
    except OSError: pass
open('usec', 'w').write(os.environ['WATCHDOG_USEC'])
time.sleep(float(sys.argv[1]))
say(b'READY=1')
while not os.path.exists('mute'):
    say(b'WATCHDOG=1')
    time.sleep(float(sys.argv[2]))
while True:
    print('busy', flush=True)
    open(os.environ['GUARDIAN_HEARTBEAT_FILE'], 'w').close()
    time.sleep(0.1)
";

impl Home {
    fn dog(&self, options: &[&str], arguments: &str) {
        let script = self.script("dog.py", DOG);
        let cwd = self.path("");
        let mut all = vec!["--cwd", cwd.to_str().unwrap()];
        all.extend(options);
        self.up("x", &all, &format!("exec {PYTHON} {} {arguments}", script.display()));
    }
}

#[test]
fn a_program_with_a_watchdog_lives_as_long_as_it_says_so_and_no_file_or_output_stands_for_that() {
    let home = Home::new();
    home.dog(&["--watchdog", "1500ms", "--on-hang", "kill"], "0 0.3");
    assert_eq!(home.has_lines("usec", 1), ["1500000"]);
    pass(4000);
    assert_eq!(home.state("x"), "running");
    fs::write(home.path("mute"), "").unwrap();
    home.reaches("x", "dead");
    let last = home.status("x")["last_exit"].clone();
    assert_eq!((&last["cause"]["kind"], &last["cause"]["silence"]), (&"hung".into(), &"watchdog".into()), "{last}");
    assert!(last["cause"]["silent_s"].as_u64().is_some_and(|silent| (1..20).contains(&silent)), "{last}");
    let hung =
        eventually("its hang in the history", || home.events("x").into_iter().find(|event| event["kind"] == "hung"));
    assert!(hung["detail"].as_str().unwrap().starts_with("no `WATCHDOG=1` for "), "{hung}");
    let text = home.ok(&["why", "x"]);
    assert!(text.contains("no `WATCHDOG=1` for "), "{text}");
}

#[test]
fn a_watchdog_counts_from_the_start_or_where_it_is_to_say_that_from_when_it_is_ready() {
    let home = Home::new();
    home.dog(&["--watchdog", "1s", "--on-hang", "kill", "--ready", "notify"], "2.5 0.3");
    home.reaches("x", "running");
    pass(2000);
    assert_eq!(home.state("x"), "running");
    let home = Home::new();
    home.up("x", &["--watchdog", "1s", "--on-hang", "kill"], "exec sleep 1000");
    home.reaches("x", "dead");
    let lived = home.status("x")["last_exit"]["ran_s"].as_f64().unwrap();
    assert!((1.0..15.0).contains(&lived), "{lived}");
}

#[test]
fn a_new_shim_hears_the_program_that_it_took_over() {
    let home = Home::new();
    home.dog(&["--watchdog", "1500ms", "--on-hang", "kill"], "0 0.3");
    signal(home.shim_pid("x"), Signal::SIGKILL);
    pass(2500);
    home.run(&["healthcheck"]);
    home.reaches("x", "running");
    pass(3000);
    assert_eq!(home.state("x"), "running", "it was not heard for longer than its limit, which is not its silence");
    fs::write(home.path("mute"), "").unwrap();
    home.reaches("x", "dead");
    assert_eq!(home.status("x")["last_exit"]["cause"]["silence"], "watchdog");
}

#[test]
fn a_heartbeat_through_the_socket_is_heard_by_a_new_shim_as_well() {
    let home = Home::new();
    home.dog(&["--heartbeat", "1500ms", "--on-hang", "kill"], "0 0.3");
    signal(home.shim_pid("x"), Signal::SIGKILL);
    pass(2500);
    home.run(&["healthcheck"]);
    home.reaches("x", "running");
    pass(3000);
    assert_eq!(home.state("x"), "running");
}
