//! Processes that agents leave behind: found by their marks, told apart from tool calls that go on, and never touched.

use std::process::{Child, Command};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, finish, number};
use crate::procs::{alive, carrying, eventually, parent, signal, until};

/// A session of an agent of one test, and the end of all that it started.
pub(crate) struct Session(pub(crate) String);

impl Session {
    pub(crate) fn new(home: &Home) -> Self {
        let unique = home.root().display().to_string();
        Self(unique.chars().filter(char::is_ascii_alphanumeric).collect())
    }

    fn mark(&self) -> String {
        format!("CODEX_THREAD_ID={}", self.0)
    }

    /// Runs a line as an agent's tool call does: in a session of its own, marked.
    pub(crate) fn call(&self, home: &Home, line: &str) -> Command {
        let mut command = home.other_command("setsid".as_ref()); // it leads no group here, so it executes the shell itself
        command.env_remove("GUARDIAN_HOME").env("CODEX_THREAD_ID", &self.0).args(["/bin/sh", "-c", line]);
        command
    }

    /// Leaves a process behind as `nohup … &` does; its pid.
    pub(crate) fn leave(&self, home: &Home, program: &str) -> i32 {
        finish(self.call(home, &format!("nohup {program} >out 2>&1 </dev/null & echo $! >left"))).expect(0);
        let pid = home.has_lines("left", 1)[0].parse().unwrap();
        until("it is an orphan and executes", || {
            let line = crate::procs::cmdline(pid);
            parent(pid) == 1 && !line.starts_with("nohup") && !line.starts_with("/bin/sh")
        });
        pid
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for pid in carrying(&self.mark()) {
            signal(pid, Signal::SIGKILL);
        }
    }
}

/// Those strays that carry this session.
pub(crate) fn strays(home: &Home, session: &Session, older: &str) -> Vec<Value> {
    let found = home.json(&["strays", "--older", older]);
    let all = found["strays"].as_array().unwrap().clone();
    all.into_iter().filter(|stray| stray["agents"][0]["session"] == session.0.as_str()).collect()
}

#[test]
fn what_a_tool_call_left_in_the_background_is_listed_with_who_started_it_and_what_it_holds() {
    let home = Home::new();
    let session = Session::new(&home);
    let server = "/usr/bin/python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 0)); \
                  open(\"port\", \"w\").write(str(s.getsockname()[1]) + \"\\n\"); time.sleep(1000)'";
    let pid = session.leave(&home, server);
    let port: u16 = home.has_lines("port", 1)[0].parse().unwrap();
    let found = strays(&home, &session, "0s");
    assert_eq!(found.len(), 1, "{found:?}");
    let stray = &found[0];
    assert_eq!((number(&stray["pid"]), &stray["agents"][0]["name"]), (pid, &"codex".into()));
    assert_eq!(stray["ports"], serde_json::json!([port]));
    assert!(stray["rss_bytes"].as_u64().unwrap() > 1 << 20 && stray["since"].is_string(), "{stray}");
    assert!(stray["command"].as_str().unwrap().contains("create_server"), "{stray}");
    let text = home.run(&["strays", "--older", "0s"]).expect(1).stdout;
    assert!(text.contains("STARTED BY") && text.contains(&session.0), "{text}");
    assert!(strays(&home, &session, "1h").is_empty(), "it is young");
    assert!(alive(pid), "nothing is killed");
}

#[test]
fn a_tool_call_that_goes_on_and_what_guardian_runs_are_no_strays() {
    let home = Home::new();
    let session = Session::new(&home);
    let mut call: Child = session.call(&home, "sleep 1000 & echo $! >inner; wait").spawn().unwrap();
    home.has_lines("inner", 1);
    // An agent starts the right way; its marks reach the program by name.
    let mut start =
        home.command(&["register", "bot", "--pass-env", "CODEX_THREAD_ID", "--start", "--", "sleep", "1000"]);
    start.env("CODEX_THREAD_ID", &session.0);
    finish(start).expect(0);
    eventually("both carry the session", || (carrying(&session.mark()).len() >= 3).then_some(()));
    assert!(strays(&home, &session, "0s").is_empty());
    signal(i32::try_from(call.id()).unwrap(), Signal::SIGKILL);
    call.wait().unwrap();
    let found = eventually("what its shell left is one", || strays(&home, &session, "0s").pop());
    assert_eq!(found["pid"].to_string(), home.lines("inner")[0]);
}

#[test]
fn what_another_user_cannot_look_at_is_counted_and_never_taken_for_nothing() {
    let home = Home::of_user();
    let session = Session::new(&home);
    let root = Home::new();
    session.leave(&root, "sleep 1000");
    let found = home.json(&["strays", "--older", "0s"]);
    let seen = found["unreadable"].as_u64().unwrap() > 0 || found["others_hidden"] == true;
    assert!(seen, "{found}");
    assert!(strays(&home, &session, "0s").is_empty());
}

#[test]
fn a_stray_is_told_once_when_it_has_been_one_for_as_long_as_was_asked_for_and_its_end_is_not() {
    let home = Home::new();
    let session = Session::new(&home);
    home.write_registry("[healthcheck]\nstrays = \"1s\"\n");
    home.listen("events = [\"stray\"]");
    let pid = session.leave(&home, "sleep 1000");
    let name = format!("stray-{pid}");
    home.run(&["healthcheck"]);
    assert!(home.told().iter().all(|told| told["process"] != name.as_str()), "it is one since a moment ago");
    let told = eventually("it is told", || {
        home.run(&["healthcheck"]);
        home.told().into_iter().find(|told| told["process"] == name.as_str())
    });
    assert_eq!((&told["kind"], &told["severity"]), (&"stray".into(), &"warning".into()), "{told}");
    let text = told.to_string();
    assert!(text.contains(&session.0) && text.contains("sleep 1000") && text.contains("guardian adopt NAME"), "{text}");
    home.run(&["healthcheck"]);
    signal(pid, Signal::SIGKILL);
    until("it is gone", || !alive(pid));
    home.run(&["healthcheck"]);
    let ours = home.told().iter().filter(|told| told["process"] == name.as_str()).count();
    assert_eq!(ours, 1, "once, and nothing of its end");
    assert!(!home.state_dir().join("process").join(&name).exists(), "it leaves no history");
}
