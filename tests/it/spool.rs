//! Where nothing survives, a start is asked for instead, and the next pass makes it; only what its own user wrote is believed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use serde_json::Value;

use crate::home::{Home, Output, finish};
use crate::procs::{PATIENCE, alive};

/// A directory that is a repository, with the place for its requests.
fn project(home: &Home) -> (PathBuf, PathBuf) {
    let project = home.path("project");
    fs::create_dir_all(project.join(".git")).unwrap();
    fs::create_dir_all(project.join("src")).unwrap();
    (project.clone(), project.join(".guardian/requests"))
}

/// Runs guardian below `cwd` in a sandbox with process ids of its own, all of which end with it.
fn in_pids_of_its_own(home: &Home, cwd: &Path, arguments: &[&str]) -> Output {
    let mut command = home.other_command("unshare".as_ref());
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]).arg(home.program());
    command.args(arguments).current_dir(cwd).env("COLOUR", "green").env("CODEX_THREAD_ID", "secret");
    finish(command)
}

/// The same where the state cannot be written.
fn read_only(home: &Home, cwd: &Path, arguments: &[&str]) -> Output {
    let mut command = home.other_command("unshare".as_ref());
    let line = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", line, "sh"]).arg(home.root());
    command.arg(home.program()).args(arguments).current_dir(cwd);
    finish(command)
}

fn answer(spool: &Path, kind: &str, file: &str) -> Value {
    let path = spool.join(kind).join(file);
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))).unwrap()
}

#[test]
fn a_start_in_a_foreign_pid_namespace_is_left_for_the_next_pass_which_makes_it_as_it_was_asked_for() {
    let home = Home::new();
    let (project, spool) = project(&home);
    home.write_registry(format!("[healthcheck]\nspool = [{:?}]\n", spool.display().to_string()));
    let line = "pwd > ../where; umask >> ../where; echo \"$COLOUR $CODEX_THREAD_ID\" >> ../where; exec sleep 1000";
    let register = ["--json", "register", "bot", "--start", "--", line];
    in_pids_of_its_own(&home, &project.join("src"), &["healthcheck"]).expect(0);
    home.ok(&["healthcheck"]); // passes run here, as far as anybody can know
    let output = in_pids_of_its_own(&home, &project.join("src"), &register).expect(75);
    let said: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(said["processes"][0]["result"], "requested", "{said}");
    let file = PathBuf::from(said["processes"][0]["request"].as_str().unwrap());
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(file.parent() == Some(&spool) && name.starts_with("register-bot-"), "{said}");
    assert!(!home.registry().contains("bot"), "nothing is done there");
    let request = fs::read_to_string(&file).unwrap();
    let request: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(request["environment"]["COLOUR"], "green", "{request}");
    assert!(request["environment"]["CODEX_THREAD_ID"].is_null(), "{request}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(project.join(".guardian/.gitignore")).unwrap(), "*\n");
    let pass = home.run(&["healthcheck"]).expect(0);
    assert!(pass.stdout.contains("bot: request done"), "{pass:?}");
    assert_eq!(home.state("bot"), "running");
    assert!(alive(home.pid("bot")));
    home.has_lines("project/where", 3);
    let place = fs::canonicalize(project.join("src")).unwrap();
    assert_eq!(home.lines("project/where"), [place.to_str().unwrap(), "0022", "green "]);
    assert!(!file.exists());
    let done = answer(&spool, "done", name);
    assert!(done["request"]["environment"].is_null() && done["request"]["session"].is_null(), "{done}");
    assert_eq!(done["done"], true, "{done}");
    in_pids_of_its_own(&home, &project, &["signal", "bot", "HUP"]).expect(5).complains("cannot be reached");
    // Asked once more by a second sandbox, through the project of a process that is registered now.
    home.write_registry(home.registry().replace("spool", "# spool"));
    home.ok(&["stop", "bot"]);
    in_pids_of_its_own(&home, &project, &["start", "bot"]).expect(75);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!((home.state("bot"), &home.status("bot")["run"]), ("running".to_owned(), &2.into()));
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.status("bot")["run"], 2, "once");
}

#[test]
fn a_start_with_a_read_only_home_is_left_in_the_spool_that_the_environment_names() {
    let mut home = Home::new();
    let spool = home.path("spool");
    home.set_env("GUARDIAN_SPOOL", spool.to_str().unwrap());
    home.ok(&["register", "bot", "--", "sleep", "1000"]);
    let output = read_only(&home, &home.path(""), &["start", "bot"]).expect(75);
    assert!(
        output.stdout.contains("cannot be written from here") && output.stdout.contains("start-bot.json"),
        "{output:?}"
    );
    read_only(&home, &home.path(""), &["register", "x", "--", "true"]).expect(74); // not a start
    assert_eq!(home.state("bot"), "new");
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.state("bot"), "running");
    home.ok(&["start", "bot"]); // here it is no request
    // What ends is asked for as well, and done unless somebody has started it since.
    read_only(&home, &home.path(""), &["stop", "bot", "--grace", "5s"]).expect(75);
    home.ok(&["restart", "bot"]);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.state("bot"), "running", "it was started since");
    read_only(&home, &home.path(""), &["stop", "bot", "--grace", "5s"]).expect(75);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.state("bot"), "stopped");
    for (asked, state) in
        [(["start", "stop"], "stopped"), (["stop", "start"], "running"), (["stop", "stop"], "stopped")]
    {
        for verb in asked {
            read_only(&home, &home.path(""), &[verb, "bot"]).expect(75);
        }
        home.run(&["healthcheck"]).expect(0);
        assert_eq!(home.state("bot"), state, "what was asked last holds: {asked:?}");
    }
    read_only(&home, &home.path(""), &["deregister", "bot"]).expect(75);
    home.run(&["healthcheck"]).expect(0);
    assert!(!home.registry().contains("bot"));
}

#[test]
fn a_run_that_was_asked_for_twice_is_made_once_and_nobody_stays_with_it() {
    let mut home = Home::new();
    home.set_env("GUARDIAN_SPOOL", home.path("spool").to_str().unwrap());
    home.write_registry("");
    let run = ["run", "--yield", "1h", "--name", "job", "--", "echo $$ >> ran; exit 3"];
    read_only(&home, &home.path(""), &run).expect(75);
    let spool = home.path("spool");
    let file = fs::read_dir(&spool).unwrap().next().unwrap().unwrap().path();
    let request = fs::read(&file).unwrap();
    home.run(&["healthcheck"]).expect(0);
    home.has_lines("ran", 1);
    home.reaches("job", "dead");
    fs::write(&file, request).unwrap(); // as if the pass had been killed before it took it away
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    home.run(&["healthcheck"]);
    assert!(!file.exists());
    assert_eq!(home.lines("ran").len(), 1);
    assert_eq!(home.status("job")["run"], 1);
}

#[test]
fn what_was_to_be_registered_is_although_a_run_has_begun_meanwhile_and_nothing_is_started_for_it() {
    let mut home = Home::new();
    home.set_env("GUARDIAN_SPOOL", home.path("spool").to_str().unwrap());
    home.up("bot", &[], "sleep 1000");
    let register = ["register", "bot", "--replace", "--target", "2h", "--start", "--", "echo --start; sleep 1000"];
    read_only(&home, &home.path(""), &register).expect(75);
    home.ok(&["restart", "bot"]);
    home.run(&["healthcheck"]).expect(0);
    let status = home.status("bot");
    assert_eq!((&status["target"], &status["run"]), (&"2h".into(), &2.into()), "{status}");
    assert!(home.registry().contains("echo --start"), "{}", home.registry());
}

#[test]
fn a_request_that_somebody_else_may_have_written_is_refused_and_says_why() {
    let mut home = Home::new();
    let spool = home.path("spool");
    home.set_env("GUARDIAN_SPOOL", spool.to_str().unwrap());
    home.ok(&["register", "bot", "--", "sleep", "1000"]);
    read_only(&home, &home.path(""), &["start", "bot"]).expect(75);
    let good = fs::read(spool.join("start-bot.json")).unwrap();
    let file = spool.join("start-bot.json");
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let refused = |why: &str| {
        home.run(&["healthcheck"]).expect(5).complains(why);
        assert_eq!(home.state("bot"), "new");
        assert!(!file.exists(), "it is not looked at again");
        let answer = answer(&spool, "refused", "start-bot.json");
        assert!(answer["reason"].as_str().unwrap().contains(why), "{answer}");
    };
    mode(&file, 0o620);
    refused("others than its owner may write it");
    fs::write(home.path("elsewhere"), &good).unwrap();
    symlink(home.path("elsewhere"), &file).unwrap();
    refused("it is a symbolic link");
    fs::write(&file, &good).unwrap();
    std::os::unix::fs::chown(&file, Some(crate::home::plain_user().uid.as_raw()), None).unwrap();
    refused("not to you");
    fs::write(&file, "{").unwrap();
    mode(&file, 0o600);
    refused("it is no request");
    fs::write(&file, &good).unwrap();
    mode(&file, 0o600);
    mode(&spool, 0o777);
    home.run(&["healthcheck"]).expect(5).complains("is not trusted: others than its owner may write it");
    assert_eq!(home.state("bot"), "new");
    mode(&spool, 0o700);
    home.run(&["healthcheck"]).expect(0);
    assert_eq!(home.state("bot"), "running", "it was good all the time");
}

#[test]
fn a_project_whose_directory_leads_elsewhere_is_not_believed() {
    let home = Home::new();
    let (project, spool) = project(&home);
    home.write_registry(format!("[healthcheck]\nspool = [{:?}]\n", spool.display().to_string()));
    fs::create_dir_all(home.path("other/requests")).unwrap();
    symlink(home.path("other"), project.join(".guardian")).unwrap();
    home.run(&["healthcheck"]).expect(5).complains("a symbolic link");
}

#[test]
fn a_command_that_cannot_be_asked_for_is_refused_and_what_is_meant_for_another_home_is_left_alone() {
    let mut home = Home::new();
    let spool = home.path("spool");
    home.set_env("GUARDIAN_SPOOL", spool.to_str().unwrap());
    home.ok(&["register", "bot", "--", "sleep", "1000"]);
    read_only(&home, &home.path(""), &["start", "bot"]).expect(75);
    let file = spool.join("start-bot.json");
    let good: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut other = good.clone();
    other["registry"] = "/elsewhere".into();
    fs::write(&file, other.to_string()).unwrap();
    home.run(&["healthcheck"]).expect(0);
    assert!(file.exists());
    let mut bad = good;
    bad["verb"] = "prune".into();
    fs::write(&file, bad.to_string()).unwrap();
    home.run(&["healthcheck"]).expect(1).complains("not among the commands that can be asked for");
    assert!(home.registry().contains("bot"));
}

#[test]
fn the_session_that_asked_from_its_sandbox_is_woken_at_the_end_and_the_program_never_sees_its_token() {
    let mut home = Home::new();
    let spool = home.path("spool");
    home.set_env("GUARDIAN_SPOOL", spool.to_str().unwrap());
    home.write_registry("");
    home.ok(&["healthcheck"]);
    let listener = UnixListener::bind(home.path("s.sock")).unwrap();
    let (sender, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let lines: Vec<String> = BufReader::new(stream.unwrap()).lines().map_while(Result::ok).collect();
            if sender.send(lines).is_err() {
                return;
            }
        }
    });
    let mut command = home.other_command("unshare".as_ref());
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]).arg(home.program());
    command.args(["run", "--name", "job", "--notify", "auto", "--", "env > seen; exit 3"]);
    command.env("CLAUDECODE", "1").env("CLAUDE_CODE_SESSION_ID", "session-1");
    command
        .env("CLAUDE_CODE_MESSAGING_SOCKET", home.path("s.sock"))
        .env("CLAUDE_CODE_MESSAGING_TOKEN", "hush-0123456789");
    let asked = finish(command).expect(75);
    let file = fs::read_dir(&spool).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let pass = home.run(&["healthcheck"]).expect(0);
    let lines = heard.recv_timeout(PATIENCE).expect("the session is told");
    assert!(lines[0].contains("hush-0123456789") && lines[1].contains("process job run 1: failed"), "{lines:?}");
    home.has_lines("seen", 1);
    let open = [
        fs::read_to_string(home.path("seen")).unwrap(),
        fs::read_to_string(spool.join("done").join(file.file_name().unwrap())).unwrap(),
        asked.stdout + &asked.stderr + &pass.stdout + &pass.stderr,
    ];
    assert!(open.iter().all(|text| !text.contains("hush") && !text.contains("CLAUDE_CODE")), "{open:?}");
}

#[cfg(feature = "mcp")]
#[test]
fn a_server_outside_of_the_sandbox_makes_the_start_that_was_asked_for_in_it() {
    let mut home = Home::new();
    home.set_env("GUARDIAN_SPOOL", home.path("spool").to_str().unwrap());
    home.ok(&["register", "bot", "--", "sleep", "1000"]);
    read_only(&home, &home.path(""), &["start", "bot"]).expect(75);
    let mut server = home.command(&["mcp"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    home.reaches("bot", "running");
    drop(server.stdin.take()); // its end
    server.wait().unwrap();
    assert!(alive(home.pid("bot")));
}
