//! The fifty defects of guardian's closest peer, each a claim that guardian does not have it.
//!
//! A test carries the number in its name, wherever it stands; this file holds those that belong to no other theme.
//! 42 to 46 are about that peer's watch over other programs and their jobs; 45 and 46 concern alerts as well and are
//! shown there.
//!
//! | defects | shown in |
//! |---|---|
//! | 1, 3, 6, 7, 14, 15 | `register` |
//! | 4, 5, 8, 12 | `bad_input` |
//! | 2, 9, 11, 12, 13, 14, 16 | `start` |
//! | 10, 24 to 29 | `stop` |
//! | 19, 20, 21, 23, 25, 36 | `shim` |
//! | 20, 22, 30 to 33, 37, 40, 41 | `judge` |
//! | 37, 39, 40, 45, 46 | `alerts`, `alerts_mail` |
//! | 42, 43, 44, 45 | `openclaw` |
//! | 47 | `logs` |
//! | 48, 49, 50 | `cron` |
//! | 17, 18, 34, 35, 38 | here |

use std::fs;
use std::path::Path;

use crate::home::{Home, finish, number};
use crate::procs::{alive, kill_together, now_ms, until};

#[test]
fn d17_no_program_of_the_system_is_needed_to_start_watch_and_stop() {
    let mut home = Home::new();
    home.set_env("PATH", "/nowhere");
    home.ok(&["register", "bot", "--start", "--", "/bin/sleep", "1000"]);
    home.ok(&["healthcheck"]);
    home.ok(&["restart", "bot"]);
    home.ok(&["stop", "bot"]);
    assert_eq!(home.managed(), Vec::<i32>::new());
}

#[test]
fn d18_the_end_of_the_callers_control_group_is_not_the_end_of_what_it_started() {
    let home = Home::new();
    let group = Callers::new(&home);
    home.ok(&["register", "bot", "--", "exec sleep 1000"]);
    let line =
        format!("echo $$ > {}/cgroup.procs && exec {} start bot", group.path.display(), home.program().display());
    let mut caller = home.other_command("/bin/sh".as_ref());
    caller.args(["-c", &line]);
    finish(caller).expect(0);
    let (shim, bot) = (home.shim_pid("bot"), home.pid("bot"));
    fs::write(group.path.join("cgroup.kill"), "1").unwrap();
    until("the group is empty", || fs::read_to_string(group.path.join("cgroup.procs")).unwrap().is_empty());
    assert!(alive(shim) && alive(bot), "it died with its caller's control group");
}

/// A control group like the one of a service whose stop kills all that is in it.
struct Callers {
    path: std::path::PathBuf,
}

impl Callers {
    fn new(home: &Home) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let unified = |line: &str| -> Option<String> {
            let fields: Vec<&str> = line.split(' ').collect();
            (fields[2] == "cgroup2" && fields[3].starts_with("rw")).then(|| fields[1].to_owned())
        };
        let mount = mounts.lines().find_map(unified).expect("a cgroup2 file system that can be written");
        let path = Path::new(&mount).join(home.path("x").parent().unwrap().file_name().unwrap());
        fs::create_dir(&path).expect("needs root for a control group: run scripts/test");
        Self { path }
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        drop(fs::write(self.path.join("cgroup.kill"), "1"));
        until("the group is empty", || fs::remove_dir(&self.path).is_ok());
    }
}

#[test]
fn d34_when_it_started_does_not_follow_the_times_of_any_file() {
    let home = Home::new();
    home.up("bot", &["--target", "8h"], "exec sleep 1000");
    let began = home.status("bot")["started_at"].clone();
    let pid_file = home.sentinel("bot", "pid");
    let copy = home.path("copy");
    fs::copy(&pid_file, &copy).unwrap();
    fs::rename(&copy, &pid_file).unwrap();
    let old = fs::File::options().write(true).open(&pid_file).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    home.run(&["healthcheck"]).expect(0);
    let after = home.status("bot");
    assert_eq!(after["started_at"], began);
    assert!(number(&after["uptime_s"]) < 120, "{after}");
}

#[test]
fn d30_a_lost_pid_file_does_not_make_it_forgotten_or_doubled() {
    let home = Home::new();
    home.up("bot", &[], "echo $$ >> pids; exec sleep 1000");
    let bot = home.pid("bot");
    fs::remove_file(home.sentinel("bot", "pid")).unwrap();
    home.run(&["healthcheck"]);
    assert_eq!(home.pid("bot"), bot);
    assert_eq!(home.lines("pids").len(), 1);
}

#[test]
fn d35_a_pass_never_removes_an_entry_or_a_log_however_old() {
    let home = Home::new();
    home.up("job", &["--target", "exit"], "echo precious");
    home.reaches("job", "completed");
    home.ok(&["register", "never-started", "--", "sleep", "1"]);
    let registry = home.registry();
    let log = home.state_dir().join("log/job.log");
    let library = crate::shim::faketime();
    let mut pass = home.command(&["healthcheck"]);
    pass.env("LD_PRELOAD", library).env("FAKETIME", "+400d").env("DONT_FAKE_MONOTONIC", "1");
    finish(pass).expect(0);
    assert_eq!(home.registry(), registry);
    assert_eq!(fs::read_to_string(log).unwrap(), "precious\n");
    assert_eq!(home.state("job"), "completed");
}

#[test]
fn d38_one_pass_brings_many_dead_back_together_and_two_passes_at_once_do_not_double_any() {
    let home = Home::new();
    let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    for name in &names {
        home.up(name, &["--backoff", "0s", "--group", "many"], "echo $GUARDIAN_NAME >> began; exec sleep 1000");
    }
    home.has_lines("began", 20);
    kill_together(&home.processes());
    let begun = now_ms();
    std::thread::scope(|scope| {
        scope.spawn(|| home.run(&["healthcheck"]));
        scope.spawn(|| home.run(&["healthcheck"]));
    });
    let took = now_ms() - begun;
    let mut began = home.has_lines("began", 40);
    began.sort();
    let mut expected = [names.clone(), names].concat();
    expected.sort();
    assert_eq!(began, expected);
    assert!(took < 20_000, "{took} ms for twenty: one after the other with a pause each");
}
