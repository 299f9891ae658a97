//! Each agent's door, with programs and sockets that write down what they are told.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;
use crate::alert::fake::{Act, http as server_of, message};
use crate::model::sink::Secret;

const LONG: Duration = Duration::from_secs(20);

/// A directory with a program of this name that writes its arguments, one on each line, into `told`, and ends with `code`.
fn agent(name: &str, code: i32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let script = format!("#!/bin/sh\npwd > {0}.cwd\nprintf '%s\\n' \"$@\" >> {0}\nexit {code}\n", told.display());
    let path = dir.path().join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (dir, told)
}

fn wake(harness: Harness, dir: &tempfile::TempDir) -> Wake {
    let path = Secret::new(format!("{}:/usr/bin:/bin", dir.path().display()));
    let environment = [("PATH".to_owned(), path)].into();
    Wake { session: Some("s1".to_owned()), environment, ..Wake::new(harness) }
}

/// What the agent was told by then; a resumed session starts by itself.
fn heard(told: &PathBuf) -> Vec<String> {
    for _ in 0..2000 {
        if let Ok(text) = fs::read_to_string(told)
            && text.contains("id ")
        {
            return text.lines().map(str::to_owned).collect();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing was told");
}

#[test]
fn each_agent_is_told_in_its_own_words() {
    let facts = line(&message().event, &message().log, 0);
    for (harness, want) in [
        (Harness::Claude, vec!["-p", "--resume=s1", "FACTS"]),
        (Harness::Codex, vec!["exec", "resume", "s1", "FACTS", "--json"]),
        (Harness::Openclaw, vec!["system", "event", "--mode", "now", "--session-key", "s1", "--text", "FACTS"]),
        (Harness::Opencode, vec!["run", "-s", "s1", "FACTS"]),
        (Harness::Gemini, vec!["--resume", "s1", "-p", "FACTS"]),
        (Harness::Copilot, vec!["--resume=s1", "-p", "FACTS"]),
        (Harness::Tmux, vec!["send-keys", "-t", "s1", "-l", "--", "FACTS", "send-keys", "-t", "s1", "Enter"]),
    ] {
        let (dir, told) = agent(harness.word(), 0);
        let outcome = send(&wake(harness, &dir), &message(), LONG);
        assert!(matches!(outcome, Ok(Outcome::Delivered { .. })), "{harness:?}: {outcome:?}");
        let mut said = heard(&told);
        if harness == Harness::Tmux {
            said = fs::read_to_string(&told).unwrap().lines().map(str::to_owned).collect();
        }
        let want: Vec<String> = want.into_iter().map(|word| word.replace("FACTS", &facts)).collect();
        assert_eq!(said, want, "{harness:?}");
    }
}

#[test]
fn a_living_session_of_claude_is_told_over_its_socket_and_a_dead_one_is_resumed_where_it_worked() {
    let (dir, told) = agent("claude", 0);
    let socket = dir.path().join("s.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let hears = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        BufReader::new(stream)
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect::<Vec<serde_json::Value>>()
    });
    let claude = Wake {
        socket: Some(socket.display().to_string()),
        token: Some(SecretSource::Inline(Secret::new("hush".to_owned()))),
        cwd: Some(dir.path().display().to_string()),
        ..wake(Harness::Claude, &dir)
    };
    assert_eq!(send(&claude, &message(), LONG), Ok(Outcome::delivered("by its socket")));
    let lines = hears.join().unwrap();
    assert_eq!(lines[0], json!({"type": "auth", "token": "hush"}));
    assert_eq!(lines[1]["message"]["content"], line(&message().event, &message().log, 0).as_str());
    assert!(!told.exists());
    fs::remove_file(&socket).unwrap();
    assert_eq!(send(&claude, &message(), LONG), Ok(Outcome::delivered("by a resumed session")));
    heard(&told);
    let cwd = fs::read_to_string(told.with_extension("cwd")).unwrap();
    assert_eq!(fs::canonicalize(cwd.trim()).unwrap(), fs::canonicalize(dir.path()).unwrap());
}

#[test]
fn a_session_that_nobody_finds_leaves_the_message_in_the_inbox_once_and_without_one_it_is_tried_again() {
    let (dir, _) = agent("other", 0);
    let inbox = dir.path().join("inbox.jsonl");
    let dead = wake(Harness::Gemini, &dir);
    let failed = send(&dead, &message(), LONG).unwrap_err();
    assert!(matches!(&failed, Outcome::Failed { error, .. } if error.contains("no program `gemini`")), "{failed:?}");
    let kept = Wake { inbox: Some(inbox.display().to_string()), ..dead };
    for _ in 0..2 {
        let outcome = send(&kept, &message(), LONG).unwrap();
        assert!(
            matches!(&outcome, Outcome::Delivered { reply, .. } if reply.contains("in the inbox alone")),
            "{outcome:?}"
        );
    }
    assert_eq!(fs::read_to_string(&inbox).unwrap().lines().count(), 1);
}

#[test]
fn an_agent_that_cannot_resume_is_told_by_its_command_or_its_inbox_and_one_that_works_is_not_waited_for() {
    let (dir, told) = agent("codex", 0);
    let fails_to = |word: &str| {
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> {}\n[ \"$1\" != {word} ]\n", told.display());
        fs::write(dir.path().join("codex"), script).unwrap();
    };
    fails_to("exec");
    let outcome = send(&wake(Harness::Codex, &dir), &message(), LONG);
    assert_eq!(outcome, Ok(Outcome::delivered("by its command")));
    assert!(heard(&told).concat().contains("execresumes1"), "the thread that nobody is at is opened first");
    fs::write(dir.path().join("codex"), "#!/bin/sh\nexit 7\n").unwrap();
    let failed = send(&wake(Harness::Codex, &dir), &message(), LONG).unwrap_err();
    assert!(
        matches!(&failed, Outcome::Failed { error, .. } if error.contains("ended at once with code 7")),
        "{failed:?}"
    );
    let gone = Wake { cwd: Some("/nowhere".to_owned()), ..wake(Harness::Claude, &dir) };
    let (with_claude, _) = agent("claude", 0);
    let gone = Wake { environment: wake(Harness::Claude, &with_claude).environment, ..gone };
    let failed = send(&gone, &message(), LONG).unwrap_err();
    assert!(matches!(&failed, Outcome::Failed { error, .. } if error.contains("`/nowhere` is gone")), "{failed:?}");
    let pid = dir.path().join("pid");
    let script = format!("#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}\nexec sleep 600\n", pid.display());
    fs::write(dir.path().join("codex"), script).unwrap();
    let outcome = send(&wake(Harness::Codex, &dir), &message(), Duration::from_millis(400));
    let pid: i32 = (0..2000)
        .find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            fs::read_to_string(&pid).ok()?.trim().parse().ok()
        })
        .expect("it works");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(outcome, Ok(Outcome::delivered("by a resumed session")));
}

#[test]
fn a_session_goes_on_with_what_it_was_begun_with_and_no_shell_of_a_pass_has_that() {
    let (dir, told) = agent("other", 0);
    let script = format!(
        "#!/bin/sh\n{{ echo \"$ANTHROPIC_BASE_URL $HOME\"; printf '%s\\n' \"$@\"; env | grep -c ^CARGO || :; }} >> {}\n",
        told.display()
    );
    let executed = dir.path().join("2.1.329");
    fs::write(&executed, script).unwrap();
    fs::set_permissions(&executed, fs::Permissions::from_mode(0o755)).unwrap();
    let mut claude = wake(Harness::Claude, &dir);
    claude.executed = vec![executed.display().to_string()];
    claude.options = vec!["--model=opus".to_owned()];
    for (name, value) in [("ANTHROPIC_BASE_URL", "http://127.0.0.1:1"), ("HOME", "/nobody")] {
        claude.environment.insert(name.to_owned(), Secret::new(value.to_owned()));
    }
    assert_eq!(send(&claude, &message(), LONG), Ok(Outcome::delivered("by a resumed session")));
    let said = heard(&told);
    let facts = line(&message().event, &message().log, 0);
    assert_eq!(said, ["http://127.0.0.1:1 /nobody", "-p", "--model=opus", "--resume=s1", &facts, "0"]);
}

#[test]
fn servers_are_told_with_the_token_and_a_stable_key() {
    for (harness, path, field) in [
        (Harness::Openclaw, "POST /hooks/wake ", "\"mode\":\"now\""),
        (Harness::Opencode, "POST /session/s1/prompt_async ", "\"parts\":[{"),
    ] {
        let (base, served) = server_of(vec![Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")]);
        let dir = tempfile::tempdir().unwrap();
        let sink = Wake {
            api_base: Some(base.trim_end_matches("/secret-path").to_owned()),
            token: Some(SecretSource::Inline(Secret::new("hush".to_owned()))),
            ..wake(harness, &dir)
        };
        assert_eq!(send(&sink, &message(), LONG), Ok(Outcome::delivered("by its server")));
        let requests = served.join().unwrap();
        let request = requests[0].to_lowercase();
        assert!(requests[0].starts_with(path) && requests[0].contains(field), "{requests:?}");
        assert!(
            request.contains("authorization: bearer hush")
                && request.contains(&format!("idempotency-key: {}", message().id))
        );
    }
}
