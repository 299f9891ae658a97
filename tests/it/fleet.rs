//! `guardian fleet status`: through a real sshd, and through stand-ins for ssh that hang, lie or are not there.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::procs::{cmdline, now_ms, signal, until};

/// Puts a program called `ssh` before all others.
fn with_ssh(home: &mut Home, script: &str) {
    let bin = home.path("bin");
    fs::create_dir_all(&bin).unwrap();
    home.script("bin/ssh", script);
    let path = format!("{}:{}", bin.display(), home.env()["PATH"]);
    home.set_env("PATH", &path);
}

/// Answers as the name of the host says; `$6` is the host, `$7` the command.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1 $2 $3 $5" = "-o BatchMode=yes -o --" ] || exit 99
case $6 in
  here*) exec sh -c "$7" ;;
  hangs) echo hello; sleep 600 & wait ;;
  garbage) echo 'Welcome to {"this host"}'; exit 0 ;;
  newer) echo '{"schema":2,"hosts":[]}' ;;
  older) echo sh: guardian: not found >&2; exit 127 ;;
  gone) echo 'ssh: connect to host gone port 22: Connection refused' >&2; exit 255 ;;
  endless) exec yes '{"schema":1,"processes":[]}' ;;
  dead) echo '{"schema":1,"processes":[{"name":"bot","state":"dead","last_exit":{"verdict":"failed","cause":{"kind":"exited","code":3}}}]}'; exit 1 ;;
esac
"#;

#[track_caller]
fn fleet(home: &Home, hosts: &str, more: &[&str]) -> (i32, Value) {
    let program = home.program().to_str().unwrap().to_owned();
    let arguments = [&["fleet", "status", "--json", "--program", &program, "--ssh", hosts], more].concat();
    let output = home.run(&arguments);
    let document = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.code, document)
}

/// What is said of one host.
fn of<'v>(document: &'v Value, host: &str) -> &'v Value {
    document["hosts"].as_array().unwrap().iter().find(|row| row["host"] == host).unwrap_or_else(|| panic!("{document}"))
}

#[test]
fn every_host_is_a_row_whatever_is_wrong_with_it() {
    let mut home = Home::new();
    with_ssh(&mut home, STAND_IN);
    home.ok(&["healthcheck"]);
    home.up("web", &[], "exec sleep 600");
    let (code, document) = fleet(&home, "here,here2", &[]);
    assert_eq!(code, 0, "{document}");
    assert_eq!(of(&document, "here2")["status"]["processes"][0]["name"], "web");
    home.run(&["fleet", "status", "--ssh", "here,here", "-q", "--program", home.program().to_str().unwrap()]).expect(0);

    let began = now_ms();
    let hosts = "here,hangs,garbage,newer,older,gone,dead";
    let (code, document) = fleet(&home, hosts, &["--timeout", "3s"]);
    assert!(now_ms() - began < 60_000, "bounded");
    assert_eq!(code, 1, "{document}");
    for (host, why) in [
        ("hangs", "no answer within 3s"),
        ("garbage", "not an answer of guardian's (exit code 0): Welcome"),
        ("newer", "newer"),
        ("older", "no guardian there: sh: guardian: not found"),
        ("gone", "ssh failed: ssh: connect to host gone port 22: Connection refused"),
    ] {
        let row = of(&document, host);
        assert!(row["well"] == false && row["error"].as_str().is_some_and(|error| error.contains(why)), "{row}");
    }
    let counts = &document["counts"];
    assert_eq!(
        (&counts["hosts"], &counts["well"], &counts["unreachable"]),
        (&7.into(), &1.into(), &5.into()),
        "{counts}"
    );
    let names: Vec<&str> =
        document["hosts"].as_array().unwrap().iter().map(|row| row["host"].as_str().unwrap()).collect();
    assert_eq!(names.join(","), hosts, "in the order given");

    let program = home.program().to_str().unwrap();
    let output = home.run(&["fleet", "status", "--ssh", "dead,here", "--program", program]).expect(1);
    assert!(output.stdout.contains("last run failed: exited 3") && !output.stdout.contains("web"), "{output:?}");
    assert!(output.stdout.ends_with("1 of 2 hosts well; 1 of 2 processes well\n"), "{output:?}");
}

#[test]
fn an_answer_without_an_end_is_cut_off_and_nothing_of_ssh_is_left() {
    let mut home = Home::new();
    with_ssh(&mut home, STAND_IN);
    let (code, document) = fleet(&home, "endless,hangs", &["--timeout", "5s"]);
    assert_eq!(code, 1);
    let why = of(&document, "endless")["error"].as_str().unwrap().to_owned();
    assert!(why.contains("no end") || why.contains("no answer within"), "{why}");
    let left = || home.processes().into_iter().map(cmdline).collect::<Vec<_>>();
    until("no stand-in is left", || left().is_empty());
}

#[test]
fn more_hosts_than_are_asked_at_once_are_all_asked() {
    let mut home = Home::new();
    with_ssh(&mut home, "#!/bin/sh\necho x >>asked\necho '{\"schema\":1,\"processes\":[]}'\n");
    let hosts: Vec<String> = (0..40).map(|nth| format!("h{nth}")).collect();
    let (code, document) = fleet(&home, &hosts.join(","), &["--timeout", "60s"]);
    assert_eq!((code, &document["counts"]["well"]), (0, &40.into()), "{document}");
    assert_eq!(home.lines("asked").len(), 40);
}

#[test]
fn no_host_can_be_an_option_of_ssh_and_nothing_is_run_for_a_mistake() {
    let mut home = Home::new();
    with_ssh(&mut home, "#!/bin/sh\ntouch asked\n");
    for bad in ["-oProxyCommand=touch owned", "well,-lroot", "a b", ",", ""] {
        home.run(&["fleet", "status", &format!("--ssh={bad}")]).expect(2);
    }
    for timeout in ["0s", "10", "soon"] {
        home.run(&["fleet", "status", "--ssh", "a", "--timeout", timeout]).expect(2);
    }
    assert!(!home.path("asked").exists());
    with_ssh(&mut home, STAND_IN);
    let evil = "guardian; touch owned; echo";
    let output = home.run(&["fleet", "status", "--ssh", "here", "--program", evil]).expect(1);
    assert!(output.stdout.contains("no guardian there"), "{output:?}");
    assert!(!home.path("owned").exists());
}

#[test]
fn without_ssh_every_host_says_so() {
    let mut home = Home::new();
    let empty = home.path("empty");
    fs::create_dir(&empty).unwrap();
    home.set_env("PATH", empty.to_str().unwrap());
    let (code, document) = fleet(&home, "a,b", &[]);
    assert_eq!(code, 1);
    assert!(of(&document, "b")["error"].as_str().unwrap().contains("cannot run `ssh`"), "{document}");
}

/// A real sshd with a key of its own, on a port of its own; it ends with the test.
struct Sshd {
    child: Child,
    port: u16,
}

impl Sshd {
    fn start(home: &Home) -> Self {
        let dir = home.path("ssh");
        fs::create_dir(&dir).unwrap();
        for key in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key));
            assert!(keygen.status().unwrap().success());
        }
        fs::create_dir_all("/run/sshd").unwrap(); // where it gives up its rights
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {0}/host\nAuthorizedKeysFile {0}/user.pub\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nPermitRootLogin yes\nPidFile none\nSetEnv GUARDIAN_HOME={1}\n",
            dir.display(),
            home.root().display()
        );
        fs::write(dir.join("sshd_config"), config).unwrap();
        let log = fs::File::create(dir.join("log")).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = sshd.spawn().expect("openssh-server: scripts/test");
        until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { child, port }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        signal(i32::try_from(self.child.id()).unwrap(), Signal::SIGKILL);
        drop(self.child.wait());
    }
}

/// What a client knows: how each host is reached, and whose key it should have.
fn client(dir: &Path, sshd: u16, silent: u16, refused: u16) -> PathBuf {
    let key = |file: &str| fs::read_to_string(dir.join(file)).unwrap().trim().to_owned();
    fs::write(dir.join("known"), format!("[127.0.0.1]:{sshd} {}\n", key("host.pub"))).unwrap();
    fs::write(dir.join("wrong"), format!("[127.0.0.1]:{sshd} {}\n", key("user.pub"))).unwrap();
    let host = |name: &str, port: u16, known: &str| {
        format!("Host {name}\n  Port {port}\n  UserKnownHostsFile {}/{known}\n", dir.display())
    };
    let hosts = [
        host("web1", sshd, "known"),
        host("silent", silent, "known"),
        host("refused", refused, "known"),
        host("impostor", sshd, "wrong"),
    ];
    let all = format!(
        "Host *\n  HostName 127.0.0.1\n  User root\n  IdentityFile {}/user\n  IdentitiesOnly yes\n  StrictHostKeyChecking yes\n",
        dir.display()
    );
    fs::write(dir.join("config"), hosts.concat() + &all).unwrap();
    dir.join("config")
}

#[test]
fn a_real_sshd_is_asked_and_one_that_never_answers_is_not_waited_for() {
    let mut home = Home::new();
    home.ok(&["healthcheck"]);
    home.up("bot", &[], "exec sleep 600");
    let sshd = Sshd::start(&home);
    // Connections are taken by the kernel; nobody says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = client(&home.path("ssh"), sshd.port, silent.local_addr().unwrap().port(), refused);
    with_ssh(&mut home, &format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", config.display()));

    let (code, document) = fleet(&home, "web1", &["--timeout", "60s"]);
    assert_eq!(code, 0, "{document}\n{}", fs::read_to_string(home.path("ssh/log")).unwrap());
    assert_eq!(of(&document, "web1")["status"]["processes"][0]["name"], "bot");

    let (code, document) = fleet(&home, "web1,silent,refused,impostor", &["--timeout", "20s"]);
    assert_eq!(code, 1, "{document}");
    assert_eq!(of(&document, "web1")["well"], true, "{document}");
    let why = |host: &str| of(&document, host)["error"].as_str().unwrap().to_owned();
    assert!(why("refused").contains("Connection refused"), "{document}");
    assert!(why("impostor").contains("Host key verification failed"), "{document}");
    // ssh's own limit on a connection, or ours on the whole.
    assert!(why("silent").contains("timed out") || why("silent").contains("no answer within"), "{document}");
    let took = Duration::from_millis(of(&document, "silent")["took_ms"].as_u64().unwrap());
    assert!(took >= Duration::from_secs(15) && took < Duration::from_secs(90), "{took:?}");

    let pid = home.pid("bot");
    home.ok(&["stop", "bot"]);
    assert!(!crate::procs::alive(pid));
    fs::write(home.state_dir().join("process/bot/state.json"), "garbage").unwrap();
    let (code, document) = fleet(&home, "web1", &["--timeout", "60s"]);
    assert_eq!(
        (code, &of(&document, "web1")["exit_code"]),
        (1, &74.into()),
        "what cannot be read is not well: {document}"
    );
}
