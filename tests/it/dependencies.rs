//! What depends on what: the order of starts and stops, who waits for whom, and what an end does to those that need it.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::procs::{alive, eventually, kill_together, now_ms, signal, until};
use crate::reboot::Boot;

/// A line that writes its name into `order` when it begins and again, with `-`, when it is asked to end.
fn told(home: &Home) -> String {
    let order = home.path("order");
    let order = order.display();
    format!(
        "trap 'echo -$GUARDIAN_NAME >>{order}; exit 0' TERM; echo $GUARDIAN_NAME >>{order}; while :; do sleep 0.02; done"
    )
}

impl Home {
    /// Registers a service whose order of starting and ending is seen; it needs these.
    fn service(&self, name: &str, needs: &str, options: &[&str]) {
        let mut all = vec!["register", name];
        if !needs.is_empty() {
            all.extend(["--depends-on", needs]);
        }
        all.extend(options);
        let line = told(self);
        all.extend(["--", &line]);
        self.ok(&all);
    }

    /// A database that is ready when its file is there.
    fn database(&self, options: &[&str]) -> PathBuf {
        let file = self.path("db-is-ready");
        let ready = format!("cmd:test -e {}", file.display());
        let mut all = vec!["--ready", &ready];
        all.extend(options);
        self.service("db", "", &all);
        file
    }

    fn order(&self) -> Vec<String> {
        self.lines("order")
    }

    /// The run of a process that is up, another one than `before`.
    fn next_run(&self, name: &str, before: u64) -> u64 {
        eventually(&format!("`{name}` runs again"), || {
            let now = self.status(name);
            (now["state"] == "running" && now["run"].as_u64() > Some(before)).then(|| now["run"].as_u64().unwrap())
        })
    }

    /// What a process waits for.
    fn waits(&self, name: &str, want: &str) {
        eventually(&format!("`{name}` waits for {want}"), || {
            let now = self.status(name);
            (now["state"] == "waiting" && now["waits_for"] == want).then_some(())
        });
    }
}

#[test]
fn a_circle_is_refused_with_its_path_and_its_place_and_only_those_on_it_are_not_guarded() {
    let home = Home::new();
    home.ok(&["register", "c", "--", "true"]);
    home.ok(&["register", "b", "--depends-on", "c", "--", "true"]);
    home.ok(&["register", "a", "--depends-on", "b", "--", "true"]);
    let before = home.registry();
    let refused = home.run(&["register", "c", "--depends-on", "a", "--replace", "--", "true"]).expect(2);
    refused.complains("`depends_on` runs in a circle: `c -> a -> b -> c`");
    home.run(&["register", "x", "--depends-on", "x", "--", "true"]).expect(2).complains("`x -> x`");
    assert_eq!(home.registry(), before, "nothing was written");

    let entry = |name: &str, needs: &str| format!("[process.{name}]\nshell = \"sleep 1000\"\ndepends_on = [{needs}]\n");
    let other = "[process.other]\nshell = \"sleep 1000\"\n";
    home.write_registry([&entry("a", "'b'"), &entry("b", "'c'"), &entry("c", "'a'"), other].concat());
    let checked = home.run(&["config", "check"]).expect(78).stdout;
    let place = "registry.toml:3:14: process `a`: `depends_on` runs in a circle: `a -> b -> c -> a`";
    assert!(checked.contains(place), "{checked}");
    home.run(&["start", "other"]).expect(78).complains("a -> b -> c -> a");
    let pid = home.pid("other");
    signal(pid, Signal::SIGKILL);
    eventually("the one that is on no circle is guarded", || {
        let now = home.status("other");
        (now["state"] == "running" && now["pid"] != pid).then_some(())
    });
    home.run(&["start", "a"]).expect(78);
}

#[test]
fn an_unknown_dependency_is_refused_and_one_that_is_missing_later_blocks_the_start_with_the_reason() {
    let home = Home::new();
    let refused = home.run(&["register", "web", "--depends-on", "db", "--", "sleep 1000"]).expect(2);
    refused.complains("error: `depends_on`: there is no process `db`").complains("hint: register `db` first");
    home.run(&["register", "web", "--notify", "ops", "--", "x"])
        .expect(2)
        .complains("error: `notify`: there is no sink");
    home.write_registry("[process.web]\nshell = 'sleep 1000'\ndepends_on = ['db']\n");
    home.run(&["config", "check"]).expect(78);
    let refused = home.run(&["start", "web"]);
    assert_ne!(refused.code, 0);
    refused.complains("`web` was not started: it depends on `db`: it is not registered");
    assert_eq!(home.status("web")["waits_for"], "`db`, which is not registered");
    home.write_registry("[process.web]\nshell = 'sleep 1000'\ndepends_on = ['db']\n[process.db]\n");
    assert_eq!(home.status("web")["waits_for"], "`db`, whose entry in the registry is not valid");
    assert!(home.managed().is_empty(), "nothing was started");
}

#[test]
fn what_another_one_needs_is_not_deregistered_but_together_with_it() {
    let home = Home::new();
    home.ok(&["register", "db", "--", "sleep 1000"]);
    home.ok(&["register", "web", "--depends-on", "db", "--", "sleep 1000"]);
    home.run(&["deregister", "db"]).expect(5).complains("process `web` depends on `db`");
    home.ok(&["deregister", "db", "web"]);
}

#[test]
fn start_brings_up_what_is_needed_first_and_waits_until_that_is_ready() {
    let home = Home::new();
    home.service("db", "", &["--ready", "delay:400ms"]);
    home.service("cache", "db", &[]);
    home.service("web", "cache,db", &[]);
    let began = now_ms();
    let said = home.ok(&["start", "web"]);
    assert!(now_ms() - began >= 400, "it waited until db was ready");
    home.has_lines("order", 3);
    assert_eq!(home.order(), ["db", "cache", "web"]);
    assert!(said.contains("db: started") && said.contains("cache: started") && said.contains("web: started"), "{said}");
    let again = home.json(&["start", "web"]);
    assert_eq!((&again["processes"][0]["result"], &again["needed"]), (&"already_running".into(), &Value::Null));
}

#[test]
fn several_are_started_in_order_and_side_by_side_where_nothing_is_waited_for() {
    let home = Home::new();
    for name in ["a", "b", "c", "d"] {
        home.service(name, "", &["--ready", "delay:2s"]);
    }
    home.service("all", "a,b,c,d", &[]);
    let began = now_ms();
    home.ok(&["start", "--all"]);
    let took = now_ms() - began;
    assert_eq!(home.has_lines("order", 5)[4], "all");
    assert!((2000..7500).contains(&took), "four times 2 s at once took {took} ms");
}

#[test]
fn a_job_is_there_when_it_has_completed_and_one_that_fails_keeps_its_dependant_waiting() {
    let home = Home::new();
    let gate = home.path("gate");
    let line = format!("sleep 0.3; test -e {}", gate.display());
    home.ok(&["register", "migrate", "--target", "exit", "--", &line]);
    home.service("web", "migrate", &[]);
    let refused = home.run(&["start", "web"]).expect(1);
    refused.complains("`web` was not started: it depends on `migrate`").complains("hint: it waits");
    home.waits("web", "`migrate`, which is dead");
    fs::write(&gate, "").unwrap();
    home.ok(&["start", "migrate"]);
    home.reaches("web", "running"); // by itself
    assert_eq!(home.reaches("migrate", "completed")["run"], 2);
    home.ok(&["restart", "web"]);
    assert_eq!(home.status("migrate")["run"], 2, "what has completed is there: it is not run again");
}

#[test]
fn a_job_that_takes_longer_than_its_ready_timeout_ends_the_wait_with_124_and_not_the_start() {
    let home = Home::new();
    let gate = home.path("gate");
    let line = format!("while ! test -e {}; do sleep 0.02; done", gate.display());
    home.ok(&["register", "migrate", "--target", "exit", "--ready-timeout", "300ms", "--", &line]);
    home.service("web", "migrate", &[]);
    home.run(&["start", "web"]).expect(124).complains("depends on `migrate`: it has not completed within 300ms");
    home.waits("web", "`migrate` to complete");
    fs::write(&gate, "").unwrap();
    home.reaches("web", "running");
}

#[test]
fn a_dependency_that_does_not_get_ready_is_named_and_its_dependant_starts_once_it_does() {
    let home = Home::new();
    let file = home.database(&["--ready-timeout", "400ms", "--backoff", "100ms", "--max-failures", "0"]);
    home.service("web", "db", &[]);
    let refused = home.run(&["start", "web"]).expect(1);
    refused
        .complains("`web` was not started: it depends on `db`: `db` was not ready within 1s, so guardian ended run 1");
    assert_eq!(home.status("web")["state"], "waiting");
    fs::write(file, "").unwrap();
    home.reaches("web", "running");
}

#[test]
fn a_dependant_that_died_waits_for_its_dependency_says_so_and_is_back_the_moment_that_is_ready() {
    let home = Home::new();
    let file = home.database(&["--ready-timeout", "60s", "--backoff", "0s"]);
    home.service("web", "db", &["--backoff", "0s"]);
    fs::write(&file, "").unwrap();
    home.ok(&["start", "web"]);
    let db = home.pid("db");
    fs::remove_file(&file).unwrap();
    signal(db, Signal::SIGKILL);
    until("db is starting", || home.status("db")["run"] == 2 && home.state("db") == "starting");
    signal(home.pid("web"), Signal::SIGKILL);
    home.waits("web", "`db` to be ready");
    let status = home.run(&["status"]).stdout;
    assert!(status.contains("waits for `db` to be ready"), "{status}");
    assert_eq!(home.status("web")["next_action_at"], Value::Null);
    fs::write(&file, "").unwrap();
    home.next_run("web", 1);
    let told = |name: &str, kind: &str| home.events(name).into_iter().rfind(|event| event["kind"] == kind);
    until("both are told", || told("db", "ready").is_some() && told("web", "restarted").is_some());
    let (ready, back) = (told("db", "ready").unwrap(), told("web", "restarted").unwrap());
    assert!(ready["at"].as_str() <= back["at"].as_str(), "{ready} {back}");
}

#[test]
fn a_dependant_of_one_that_is_stopped_or_dead_waits_and_says_for_what_and_starts_with_it() {
    let home = Home::new();
    home.service("db", "", &["--restart", "never"]);
    home.service("web", "db", &["--backoff", "0s"]);
    home.ok(&["start", "web"]);
    home.run(&["stop", "db"]).expect(0).complains("warning: `web` depends on `db`: it runs on");
    signal(home.pid("web"), Signal::SIGKILL);
    home.waits("web", "`db`, which is stopped");
    home.ok(&["start", "db"]);
    home.next_run("web", 1);
    signal(home.pid("db"), Signal::SIGKILL);
    home.reaches("db", "dead");
    signal(home.pid("web"), Signal::SIGKILL);
    home.waits("web", "`db`, which is dead");
    home.run(&["healthcheck"]);
    home.waits("web", "`db`, which is dead");
    home.ok(&["stop", "web"]);
    assert_eq!(home.state("web"), "stopped", "what nobody wants waits for nothing");
}

#[test]
fn after_a_reboot_the_same_order_comes_out_by_itself() {
    let home = Home::new();
    home.service("db", "", &["--ready", "delay:300ms"]);
    home.service("cache", "db", &[]);
    home.service("a-web", "cache", &[]);
    home.ok(&["start", "--all"]);
    home.has_lines("order", 3);
    kill_together(&home.processes());
    let mut boot = Boot::new(&home);
    boot.run(&home, "healthcheck");
    let order = home.has_lines("order", 6);
    assert_eq!(order[3..], ["db", "cache", "a-web"]);
    boot.run(&home, "stop --all");
}

#[test]
fn several_are_stopped_the_other_way_round_and_side_by_side_where_it_can_be() {
    let home = Home::new();
    home.service("db", "", &[]);
    home.service("api", "db", &[]);
    home.service("web", "api", &[]);
    home.ok(&["start", "--all"]);
    home.has_lines("order", 3);
    home.ok(&["stop", "db", "web"]);
    assert_eq!(home.order()[3..], ["-web", "-db"], "also through one that is not stopped");
    home.ok(&["start", "--all"]);
    home.has_lines("order", 7);
    home.ok(&["stop", "--all"]);
    assert_eq!(home.order()[7..], ["-web", "-api", "-db"]);
}

#[test]
fn restart_of_several_goes_in_order_and_restarts_each_once() {
    let home = Home::new();
    home.service("db", "", &["--ready", "delay:200ms"]);
    home.service("web", "db", &["--on-dependency-end", "restart"]);
    home.ok(&["start", "--all"]);
    home.has_lines("order", 2);
    home.ok(&["restart", "web", "db"]);
    home.reaches("web", "running");
    home.run(&["healthcheck"]).expect(0);
    assert_eq!((&home.status("db")["run"], &home.status("web")["run"]), (&2.into(), &2.into()));
    home.ok(&["stop", "--all"]);
    home.ok(&["restart", "web"]);
    assert_eq!(home.state("db"), "running", "restart brings up what is needed");
}

#[test]
fn with_stop_a_dependant_is_stopped_when_its_dependency_has_ended_for_good_and_starts_when_it_is_back() {
    let home = Home::new();
    home.service("db", "", &["--restart", "never"]);
    home.service("web", "db", &["--on-dependency-end", "stop"]);
    home.ok(&["start", "web"]);
    home.has_lines("order", 2);
    let web = home.pid("web");
    signal(home.pid("db"), Signal::SIGKILL);
    until("web is ended", || !alive(web));
    home.waits("web", "`db`, which is dead");
    let last = home.status("web")["last_exit"].clone();
    assert_eq!(last["verdict"], "stopped");
    let why = home.run(&["why", "web"]).stdout;
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(why.contains("stopped because it depends on `db`, which is dead"), "{why}");
    let killed = home.events("web").into_iter().find(|event| event["kind"] == "killed").unwrap();
    assert_eq!(killed["action"], "asked to end, because it depends on `db`, which is dead");
    home.ok(&["start", "db"]);
    home.next_run("web", 1);
    let stopped = home.run(&["stop", "db"]).expect(0);
    stopped.complains("warning: `web` depends on `db`: it is stopped as well");
    home.waits("web", "`db`, which is stopped");
}

#[test]
fn with_stop_a_dependency_that_is_only_restarted_ends_nobody() {
    let home = Home::new();
    home.service("db", "", &["--backoff", "0s"]);
    home.service("web", "db", &["--on-dependency-end", "stop"]);
    home.ok(&["start", "web"]);
    signal(home.pid("db"), Signal::SIGKILL);
    home.next_run("db", 1);
    home.ok(&["restart", "db"]);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!((&home.status("web")["run"], home.state("web")), (&1.into(), "running".to_owned()));
}

#[test]
fn with_restart_a_dependant_is_restarted_once_when_its_dependency_has_come_back_and_not_before() {
    let home = Home::new();
    let file = home.database(&["--backoff", "0s"]);
    fs::write(&file, "").unwrap();
    home.service("web", "db", &["--on-dependency-end", "restart"]);
    home.ok(&["start", "web"]);
    fs::remove_file(&file).unwrap();
    signal(home.pid("db"), Signal::SIGKILL);
    until("db is starting", || home.status("db")["run"] == 2 && home.state("db") == "starting");
    home.run(&["healthcheck"]);
    assert_eq!(home.status("web")["run"], 1, "not before it is ready");
    fs::write(&file, "").unwrap();
    assert_eq!(home.next_run("web", 1), 2);
    assert_eq!(home.status("web")["last_exit"]["verdict"], "stopped");
    let because = "stopped because `db`, which it depends on, came back as run 2; restarted at once as run 2 (pid ";
    until("what became of the restart is said", || {
        home.status("web")["last_exit"]["action"].as_str().unwrap().starts_with(because)
    });
    for _ in 0..3 {
        home.run(&["healthcheck"]).expect(0);
    }
    assert_eq!(home.status("web")["run"], 2, "once");
    let web = home.pid("web");
    home.ok(&["stop", "db"]);
    assert!(alive(web), "a shim that was started on behalf of db is none of its own");
    home.ok(&["stop", "web"]);
}

#[test]
fn passes_that_are_killed_at_any_moment_restart_a_dependant_no_second_time() {
    let home = Home::new();
    let file = home.database(&["--backoff", "0s", "--max-failures", "0"]);
    fs::write(&file, "").unwrap();
    home.service("web", "db", &["--on-dependency-end", "restart"]);
    home.ok(&["start", "web"]);
    for round in 1..=5 {
        signal(home.pid("db"), Signal::SIGKILL);
        for nth in 0..6 {
            let mut pass =
                home.command(&["healthcheck", "--quiet"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(nth * round)); // the moment at which it is killed
            pass.kill().unwrap();
            pass.wait().unwrap();
        }
        eventually("both are up again", || {
            home.run(&["healthcheck"]);
            let runs = ["db", "web"].map(|name| home.status(name)["run"].as_u64());
            let up = ["db", "web"].iter().all(|name| home.state(name) == "running");
            (up && runs == [Some(round + 1); 2]).then_some(())
        });
    }
    let begun = home.order().iter().filter(|name| *name == "web").count();
    assert_eq!(begun, 6, "one start and five restarts: {:?}", home.order());
}

#[test]
fn with_ignore_nothing_happens_to_a_dependant() {
    let home = Home::new();
    home.service("db", "", &["--backoff", "0s"]);
    home.service("web", "db", &[]);
    home.ok(&["start", "web"]);
    signal(home.pid("db"), Signal::SIGKILL);
    home.next_run("db", 1);
    home.ok(&["stop", "db"]);
    home.run(&["healthcheck"]);
    assert_eq!((&home.status("web")["run"], home.state("web")), (&1.into(), "running".to_owned()));
}
