//! `user`: root guards processes of other users; and whom guardian believes: homes of others, links, modes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::home::{Home, Output, finish, plain_user};
use crate::procs::until;

/// Guardian as root, on the home of somebody else.
fn as_root(home: &Home, arguments: &[&str]) -> Output {
    let mut command = Command::new(home.program());
    command.env_clear().envs(home.env()).args(arguments);
    finish(command)
}

fn id(options: &[&str]) -> String {
    let mut command = Command::new("id");
    command.args(options);
    finish(command).stdout.trim().to_owned()
}

#[test]
fn a_process_of_another_user_has_that_ones_rights_and_surroundings_and_none_of_roots() {
    let mut home = Home::new();
    home.set_env("ROOTS_SECRET", "hunter2");
    let user = plain_user();
    let line = "id -u; id -g; id -G; pwd; echo $HOME $USER $LOGNAME $SHELL; echo secret=$ROOTS_SECRET; exec sleep 1000";
    home.ok(&["register", "p", "--user", &user.name, "--env", "MODE=paper", "--start", "--", line]);
    let log = home.state_dir().join("log/p.log");
    until("it has said all", || fs::read_to_string(&log).unwrap().contains("secret="));
    let text = fs::read_to_string(&log).unwrap();
    let dir = user.dir.display();
    let want = [
        id(&["-u", &user.name]),
        id(&["-g", &user.name]),
        id(&["-G", &user.name]),
        dir.to_string(),
        format!("{dir} {0} {0} {1}", user.name, user.shell.display()),
        "secret=".to_owned(),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), want);
    let pid = home.pid("p");
    assert_eq!(fs::metadata(format!("/proc/{pid}")).unwrap().uid(), user.uid.as_raw());
    let meta = fs::metadata(&log).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (0, 0o600), "the log is guardian's");
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert!(environment.contains("MODE=paper") && !environment.contains("hunter2"), "{environment}");
    home.ok(&["stop", "p"]);
    assert_eq!(home.state("p"), "stopped");
}

#[test]
fn what_belongs_to_a_process_is_run_as_its_user_too() {
    let home = Home::new();
    let user = plain_user();
    let place = home.path("place");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o711)).unwrap();
    chown(&place, Some(user.uid.as_raw()), None).unwrap();
    let say = |what: &str| format!("id -u >{}/{what}", place.display());
    home.write_registry(format!(
        "[process.p]\ncommand = [\"sleep\", \"1000\"]\nuser = \"{}\"\npreflight = {:?}\nready = {:?}\nprobe = {:?}\nprobe_every = \"1s\"\n",
        user.uid,
        say("preflight"),
        format!("cmd:{}", say("ready")),
        format!("cmd:{}", say("probe")),
    ));
    home.ok(&["start", "p", "--wait-ready"]);
    for what in ["preflight", "ready", "probe"] {
        let path = place.join(what);
        until(what, || fs::read_to_string(&path).is_ok_and(|text| text.trim() == user.uid.to_string()));
    }
}

/// What lies in a directory of that user's is read with the rights of root, by every start.
#[test]
fn what_its_user_puts_in_the_way_neither_stops_a_pass_nor_leads_root_to_what_it_could_not_read() {
    let home = Home::new();
    let user = plain_user();
    let place = home.path("place");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o711)).unwrap();
    let given = |path: &Path| lchown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    given(&place);
    let (secret, env_file) = (home.path("secret"), place.join("env"));
    fs::write(&secret, "TOKEN=hunter2\n").unwrap();
    fs::write(&env_file, "TOKEN=own\n").unwrap();
    let place = place.to_str().unwrap();
    let line = "echo token=$TOKEN; exec sleep 1000";
    home.ok(&[
        "register",
        "p",
        "--user",
        &user.name,
        "--cwd",
        place,
        "--env-file",
        env_file.to_str().unwrap(),
        "--",
        line,
    ]);
    home.ok(&["start", "p"]);
    fs::remove_file(&env_file).unwrap();
    symlink(&secret, &env_file).unwrap();
    given(&env_file);
    home.run(&["restart", "p"]).expect(1).complains("the link `env` belongs to uid");
    fs::remove_file(&env_file).unwrap();
    mkfifo(&env_file, Mode::S_IRWXU).unwrap();
    home.run(&["start", "p"]).expect(1).complains("it is no regular file");
    fs::remove_file(&env_file).unwrap();
    fs::write(&env_file, "TOKEN=mine\n").unwrap();
    let git = home.path("place/.git");
    fs::create_dir(&git).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    for name in ["commondir", "packed-refs"] {
        mkfifo(&git.join(name), Mode::S_IRWXU).unwrap();
    }
    home.ok(&["start", "p"]);
    let log = home.state_dir().join("log/p.log");
    until("it runs again", || fs::read_to_string(&log).unwrap().contains("token=mine"));
    assert_eq!(fs::read_to_string(&log).unwrap(), "token=own\ntoken=mine\n");
    home.ok(&["stop", "p"]);
}

#[test]
fn a_user_that_is_not_there_leaves_out_that_entry_alone_and_is_named_with_its_place() {
    let home = Home::new();
    home.write_registry("[process.a]\ncommand = [\"sleep\", \"1000\"]\nuser = \"no-such-user\"\n[process.b]\ncommand = [\"sleep\", \"1000\"]\n");
    let path = home.registry_path();
    let place = format!("{}:3:8", path.display());
    let checked = home.run(&["config", "check"]).expect(78);
    assert!(checked.stdout.contains(&place) || checked.stderr.contains(&place), "{checked:?}");
    home.run(&["start", "b"]).expect(78).complains("there is no user \"no-such-user\"");
    assert_eq!(home.state("b"), "running");
    home.run(&["start", "a"]).expect(78).complains(&place);
}

#[test]
fn who_is_not_root_is_told_that_only_root_can_start_it_as_another_user() {
    let home = Home::of_user();
    let name = &home.user().unwrap().name;
    home.ok(&["register", "self", "--user", name, "--start", "--", "exec sleep 1000"]);
    assert_eq!(home.state("self"), "running", "one's own name is no other user");
    let failed = home.run(&["register", "p", "--user", "root", "--start", "--", "exec sleep 1000"]).expect(1);
    failed.complains("it is to run as user `root`, and guardian runs as `gtest`").complains("run guardian as root");
    assert_eq!(home.status("p")["last_exit"]["cause"]["kind"], "spawn_failed");
}

#[test]
fn root_believes_no_registry_of_another_user_unless_told_to() {
    let home = Home::of_user();
    home.ok(&["register", "p", "--", "exec sleep 1000"]);
    for command in
        [&["status"][..], &["healthcheck"], &["start", "p"], &["register", "q", "--", "true"], &["config", "check"]]
    {
        as_root(&home, command)
            .expect(5)
            .complains("is not trusted")
            .complains("you are root")
            .complains("--trust-home");
    }
    assert!(as_root(&home, &["doctor"]).stdout.contains("is not trusted"));
    as_root(&home, &["--trust-home", "status"]).expect(0);
    home.ok(&["status"]);
}

#[test]
fn root_makes_no_registry_in_a_directory_of_another_user() {
    let home = Home::of_user();
    fs::create_dir(home.root()).unwrap();
    let user = home.user().unwrap();
    chown(home.root(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    as_root(&home, &["register", "q", "--", "true"]).expect(5).complains("its directory");
    assert_eq!(fs::read_dir(home.root()).unwrap().count(), 0, "nothing was made");
    // Nor in one of root's to which a link of that user's leads.
    let aside = home.path("aside");
    chown(home.root(), Some(0), None).unwrap();
    fs::rename(home.root(), &aside).unwrap();
    symlink(&aside, home.root()).unwrap();
    lchown(home.root(), Some(user.uid.as_raw()), None).unwrap();
    as_root(&home, &["register", "q", "--", "true"]).expect(5).complains("is a link that belongs to uid");
    assert_eq!(fs::read_dir(&aside).unwrap().count(), 0, "nothing was made");
    lchown(home.root(), Some(0), None).unwrap();
    as_root(&home, &["register", "q", "--", "true"]).expect(0);
}

#[test]
fn a_state_directory_of_somebody_else_or_that_others_may_write_is_refused() {
    let home = Home::of_user();
    home.ok(&["register", "p", "--", "exec sleep 1000"]);
    let state = home.state_dir();
    for mode in [0o777, 0o1777, 0o702] {
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
        for command in ["status", "healthcheck"] {
            home.run(&[command]).expect(5).complains("state directory").complains("chmod go-w");
        }
    }
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    home.ok(&["status"]);
    let (aside, foreign) = (home.path("aside"), home.path("foreign"));
    fs::rename(&state, &aside).unwrap();
    symlink(&aside, &state).unwrap();
    let user = home.user().unwrap();
    lchown(&state, Some(65534), None).unwrap();
    home.run(&["status"]).expect(5).complains("belongs to uid 65534");
    lchown(&state, Some(user.uid.as_raw()), None).unwrap();
    home.ok(&["status"]); // a link of one's own to a directory of one's own
    fs::remove_file(&state).unwrap();
    fs::create_dir(&foreign).unwrap();
    fs::rename(&foreign, &state).unwrap();
    chown(&state, Some(65534), None).unwrap();
    home.run(&["healthcheck"]).expect(5).complains("belongs to uid 65534");
}

#[test]
fn a_umask_of_002_changes_nothing_for_who_uses_guardian_alone() {
    let home = Home::of_user();
    let guardian = home.program().display().to_string();
    let line = format!(
        "umask 002; {guardian} register p --start -- 'exec sleep 1000' && {guardian} healthcheck && {guardian} status"
    );
    let mut command = home.other_command("/bin/sh".as_ref());
    command.args(["-c", &line]);
    finish(command).expect(0);
    fs::set_permissions(home.registry_path(), fs::Permissions::from_mode(0o664)).unwrap();
    home.run(&["status"]).expect(5).complains("chmod go-w");
}
