//! Programs that start another one and do not wait for it, and options that make a program go into the background.
//!
//! Left out on purpose: what another supervisor looks after (`systemctl start`, `supervisorctl`, `docker start`), what
//! runs on another machine (`ssh HOST …`), and daemons that nothing in the command gives away.

use super::options::{NONE, Valued, has, is, operand, without};
use super::words::Arg;
use super::wrappers::{SUDO, only_asks, shell_line};

/// A command that leaves something running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    /// What gave it away: a program, or a program with its option.
    pub(super) how: String,
    /// The command that would run in the foreground instead; empty: it cannot be told.
    pub(super) argv: Vec<Arg>,
    /// Whether `argv` is what the launcher executes; else it is the same program with other options.
    pub(super) inner: bool,
}

fn inner(how: &str, argv: &[Arg]) -> Option<Left> {
    let argv = argv.strip_prefix(&[Arg::plain("--")]).unwrap_or(argv).to_vec();
    Some(Left { how: how.to_owned(), argv, inner: true })
}

fn same(how: &str, argv: Vec<Arg>) -> Option<Left> {
    Some(Left { how: how.to_owned(), argv, inner: false })
}

fn from(args: &[Arg], at: usize) -> &[Arg] {
    args.get(at..).unwrap_or_default()
}

/// What `argv` leaves running by itself; `None`: nothing that is known.
pub(super) fn left(argv: &[Arg]) -> Option<Left> {
    let (name, args) = argv.split_first()?;
    let base = name.base();
    if only_asks(args) {
        return None;
    }
    match base {
        "nohup" => (!args.is_empty()).then(|| inner(base, args))?,
        "setsid" => {
            let waits = has(args, NONE, 'w', &["wait"]);
            (!waits && !args.is_empty()).then(|| inner(base, from(args, operand(args, NONE))))?
        }
        "daemonize" => {
            let at = operand(args, Valued { short: "cEeoplu", long: &[] });
            (at < args.len()).then(|| inner(base, from(args, at)))?
        }
        "daemon" => daemon(args),
        "start-stop-daemon" => start_stop_daemon(args),
        "screen" => screen(args),
        "tmux" => tmux(args),
        "dtach" => args.first().is_some_and(|arg| arg.text == "-n").then(|| inner("dtach -n", from(args, 2)))?,
        "abduco" => args.first().is_some_and(|arg| arg.text == "-n").then(|| inner("abduco -n", from(args, 2)))?,
        "systemd-run" => systemd_run(args),
        "at" => {
            let about = ["-l", "-d", "-r", "-c"];
            let asks = args.is_empty() || args.iter().any(|arg| about.contains(&arg.text.as_str()));
            (!asks).then(|| same("at", Vec::new()))?
        }
        "batch" => same(base, Vec::new()),
        "tsp" | "nq" => {
            let words = from(args, operand(args, Valued { short: "LND", long: &[] }));
            (!words.is_empty()).then(|| inner(base, words))?
        }
        "launchctl" => {
            let submit = args.strip_prefix(&[Arg::plain("submit")])?;
            let at = submit.iter().position(|arg| arg.text == "--")?;
            inner("launchctl submit", from(submit, at + 1))
        }
        "docker" | "podman" | "nerdctl" => docker(name, args),
        "docker-compose" | "podman-compose" => compose(argv, 1),
        "pm2" => pm2(args),
        "forever" => {
            let valued = Valued { short: "loepcmw", long: &["uid", "sourceDir", "pidFile", "workingDir"] };
            let script = from(args, operand(args, valued)).strip_prefix(&[Arg::plain("start")])?;
            inner("forever start", &with_interpreter(from(script, operand(script, valued))))
        }
        _ => flagged(argv),
    }
}

/// `sudo -b`, which is a wrapper otherwise.
pub(super) fn sudo(argv: &[Arg]) -> Option<Left> {
    let (name, args) = argv.split_first().filter(|(name, _)| name.base() == "sudo")?;
    has(args, SUDO, 'b', &["background"]).then(|| {
        let mut kept = vec![name.clone()];
        kept.extend(without(args, SUDO, 'b', &["background"]));
        same("sudo -b", kept)
    })?
}

/// A program with an option that sends it into the background.
struct Flag {
    names: &'static [&'static str],
    letter: char,
    long: &'static [&'static str],
    valued: Valued,
}

const fn flag(
    names: &'static [&'static str],
    letter: char,
    long: &'static [&'static str],
    short: &'static str,
) -> Flag {
    Flag { names, letter, long, valued: Valued { short, long: &[] } }
}

/// No option has this letter.
const NO_LETTER: char = '\0';

static FLAGS: &[Flag] = &[
    flag(&["ssh", "autossh"], 'f', &[], "BbcDEeFIiJLlmOopQRSWw"),
    flag(&["wget"], 'b', &["background"], "aeoOtwTQPUlADRIXiB"),
    flag(&["aria2c"], 'D', &["daemon"], "dijkmolst"),
    flag(&["gunicorn"], 'D', &["daemon"], "cbkwtpuge"),
    flag(&["celery"], 'D', &["detach"], "AbclnPQE"),
    flag(&["airflow"], 'D', &["daemon"], "plp"),
    flag(&["puma", "rails"], 'd', &["daemon"], "pbeCwtu"),
    flag(&["memcached"], 'd', &["daemon"], "pUslumcPtR"),
    flag(&["php-fpm"], 'D', &["daemonize"], "cygp"),
    flag(&["mongod", "mongos"], NO_LETTER, &["fork"], ""),
    flag(&["emacs"], NO_LETTER, &["daemon", "bg-daemon"], ""),
    flag(&["rsync", "git-daemon"], NO_LETTER, &["daemon", "detach"], ""),
    flag(&["jekyll"], 'B', &["detach"], "PHosd"),
    flag(&["mosquitto"], 'd', &["daemon"], "cp"),
    flag(&["uwsgi"], 'd', &["daemonize"], ""),
    flag(&["overmind"], 'D', &["daemonize"], "fplPnscTtNr"),
];

fn flagged(argv: &[Arg]) -> Option<Left> {
    let (name, args) = argv.split_first()?;
    let base = name.base();
    let words = |args: &[Arg]| args.iter().map(|arg| arg.text.clone()).collect::<Vec<_>>();
    match base {
        "caddy" if args.first().is_some_and(|arg| arg.text == "start") => {
            let mut run = vec![name.clone(), Arg::plain("run")];
            run.extend_from_slice(from(args, 1));
            return same("caddy start", run);
        }
        "redis-server" => {
            let at = words(args).windows(2).position(|pair| pair == ["--daemonize", "yes"])?;
            let mut kept = argv.to_vec();
            kept.drain(at + 1..at + 3);
            return same("redis-server --daemonize yes", kept);
        }
        _ => {}
    }
    let flag = FLAGS
        .iter()
        .find(|flag| flag.names.contains(&base) || (base.starts_with("php-fpm") && flag.names.contains(&"php-fpm")))?;
    // `rails server -d`: its options come after a word.
    let first = if matches!(base, "rails" | "celery" | "airflow" | "gunicorn" | "jekyll" | "overmind") {
        args.len()
    } else {
        operand(args, flag.valued)
    };
    let options = args.get(..first).unwrap_or_default();
    let found = options.iter().find(|arg| is(&arg.text, flag.valued, flag.letter, flag.long))?;
    // Two programs of one option: a server with `--daemon`, and a transfer that only mentions it.
    if base == "rsync" && options.iter().any(|arg| arg.text == "--no-detach") {
        return None;
    }
    let cluster = !found.text.starts_with("--") && found.text.len() > 2;
    let rest = cluster.then(|| Arg::plain(&found.text.replacen(flag.letter, "", 1)));
    let kept = argv.iter().filter_map(|arg| if arg == found { rest.clone() } else { Some(arg.clone()) }).collect();
    same(&format!("{base} {}", found.text), kept)
}

fn daemon(args: &[Arg]) -> Option<Left> {
    let asks = ["--stop", "--running", "--restart", "--list", "--signal"];
    if args.is_empty() || args.iter().any(|arg| asks.contains(&arg.text.as_str())) {
        return None;
    }
    let valued =
        Valued { short: "nXeEioOlFuPpmMtTc", long: &["name", "output", "stdout", "stderr", "pidfile", "user"] };
    inner("daemon", from(args, operand(args, valued)))
}

fn start_stop_daemon(args: &[Arg]) -> Option<Left> {
    let given = |words: &[&str]| args.iter().any(|arg| words.contains(&arg.text.as_str()));
    if !given(&["-b", "--background", "-Sb", "-bS"]) {
        return None;
    }
    let value = |words: &[&str]| {
        let at = args.iter().position(|arg| words.contains(&arg.text.as_str()));
        at.and_then(|at| args.get(at + 1)).cloned()
    };
    let program = value(&["-a", "--startas"]).or_else(|| value(&["-x", "--exec"]));
    let mut argv: Vec<Arg> = program.into_iter().collect();
    if let (Some(at), false) = (args.iter().position(|arg| arg.text == "--"), argv.is_empty()) {
        argv.extend_from_slice(from(args, at + 1));
    }
    Some(Left { how: "start-stop-daemon --background".to_owned(), argv, inner: true })
}

fn screen(args: &[Arg]) -> Option<Left> {
    let valued = Valued { short: "cehpsStTX", long: &[] };
    let any = |letter| has(args, valued, letter, &[]);
    if !any('m') || !(any('d') || any('D')) || any('X') {
        return None;
    }
    inner("screen -dm", from(args, operand(args, valued)))
}

fn tmux(args: &[Arg]) -> Option<Left> {
    let globals = operand(args, Valued { short: "cfLST", long: &[] });
    let (command, args) = from(args, globals).split_first()?;
    let (valued, session) = match command.text.as_str() {
        "new" | "new-session" => (Valued { short: "ceFfnstxy", long: &[] }, true),
        "neww" | "new-window" | "splitw" | "split-window" | "respawnp" | "respawn-pane" | "respawnw"
        | "respawn-window" => (Valued { short: "ceFlnpt", long: &[] }, false),
        _ => return None,
    };
    if session && !has(args, valued, 'd', &[]) {
        return None; // stays in the foreground, on a terminal
    }
    let line = from(args, operand(args, valued));
    let line = line.split(|arg| arg.text == ";").next().unwrap_or_default();
    let how = format!("tmux {}", command.text);
    match line {
        [] => Some(Left { how, argv: Vec::new(), inner: true }),
        [one] => Some(Left { how, argv: shell_line(one), inner: true }),
        words => inner(&how, words),
    }
}

fn systemd_run(args: &[Arg]) -> Option<Left> {
    let long = &[
        "unit",
        "property",
        "description",
        "slice",
        "uid",
        "gid",
        "nice",
        "working-directory",
        "setenv",
        "machine",
        "host",
        "service-type",
        "on-active",
        "on-boot",
        "on-startup",
        "on-unit-active",
        "on-calendar",
        "timer-property",
        "path-property",
        "socket-property",
    ];
    let valued = Valued { short: "upEMH", long };
    let waits = has(args, valued, 't', &["wait", "pty", "pipe", "scope"]) || has(args, valued, 'P', &[]);
    (!waits && !args.is_empty()).then(|| inner("systemd-run", from(args, operand(args, valued))))?
}

/// Options of `docker run` and `docker exec` with values; all long ones but these have one.
const CONTAINER: Valued = Valued {
    short: "acehlmpuvw",
    long: &[
        "name",
        "detach-keys",
        "env",
        "env-file",
        "volume",
        "publish",
        "network",
        "net",
        "restart",
        "user",
        "workdir",
        "label",
        "memory",
        "cpus",
        "entrypoint",
        "hostname",
        "mount",
        "gpus",
        "platform",
        "pull",
        "add-host",
        "cap-add",
        "cap-drop",
        "device",
        "dns",
        "expose",
        "health-cmd",
        "ip",
        "ipc",
        "link",
        "log-driver",
        "log-opt",
        "pid",
        "pids-limit",
        "runtime",
        "security-opt",
        "shm-size",
        "stop-signal",
        "stop-timeout",
        "sysctl",
        "tmpfs",
        "ulimit",
        "userns",
        "volumes-from",
        "cidfile",
        "network-alias",
        "annotation",
        "cpu-shares",
        "cpuset-cpus",
    ],
};

fn docker(name: &Arg, args: &[Arg]) -> Option<Left> {
    let globals = operand(args, Valued { short: "Hlc", long: &["host", "context", "log-level", "config"] });
    let mut at = globals;
    if args.get(at).is_some_and(|arg| arg.text == "container") {
        at += 1;
    }
    match args.get(at)?.text.as_str() {
        command @ ("run" | "exec") => {
            let rest = from(args, at + 1);
            if !has(rest, CONTAINER, 'd', &["detach"]) {
                return None;
            }
            let mut kept = vec![name.clone()];
            kept.extend_from_slice(args.get(..=at)?);
            kept.extend(without(rest, CONTAINER, 'd', &["detach"]));
            same(&format!("{} {command} -d", name.base()), kept)
        }
        "compose" => {
            let mut argv = vec![name.clone()];
            argv.extend_from_slice(args);
            compose(&argv, at + 2)
        }
        _ => None,
    }
}

/// `up` of compose, whose own words begin at `at`.
fn compose(argv: &[Arg], at: usize) -> Option<Left> {
    let valued = Valued { short: "fp", long: &["file", "project-name", "profile", "env-file", "project-directory"] };
    let up = at + operand(from(argv, at), valued);
    if argv.get(up)?.text != "up" {
        return None;
    }
    let detaches = |arg: &Arg| matches!(arg.text.as_str(), "-d" | "--detach" | "--wait");
    if !from(argv, up + 1).iter().any(detaches) {
        return None;
    }
    let kept = argv.iter().enumerate().filter(|(at, arg)| *at <= up || !detaches(arg)).map(|(_, arg)| arg.clone());
    same("compose up -d", kept.collect())
}

fn pm2(args: &[Arg]) -> Option<Left> {
    let valued = Valued { short: "nioelp", long: &["name", "instances", "output", "error", "cwd", "interpreter"] };
    let args = from(args, operand(args, valued)).strip_prefix(&[Arg::plain("start")])?;
    if args.iter().any(|arg| arg.text == "--no-daemon") {
        return None;
    }
    let own = args.split(|arg| arg.text == "--").next().unwrap_or_default();
    let program = from(own, operand(own, valued)).first().filter(|arg| {
        let config = [".json", ".yml", ".yaml", ".config.js", ".config.cjs"];
        !config.iter().any(|end| arg.text.ends_with(end))
    });
    let mut argv: Vec<Arg> = match program {
        Some(line) if line.text.contains(' ') => return inner("pm2 start", &shell_line(line)),
        Some(program) => with_interpreter(std::slice::from_ref(program)),
        None => Vec::new(),
    };
    if !argv.is_empty() {
        argv.extend_from_slice(from(args, own.len() + 1));
    }
    Some(Left { how: "pm2 start".to_owned(), argv, inner: true })
}

/// A script with the program that pm2 and forever run it with.
fn with_interpreter(argv: &[Arg]) -> Vec<Arg> {
    let ends = |ends: &[&str]| argv.first().is_some_and(|script| ends.iter().any(|end| script.text.ends_with(end)));
    let interpreter = if ends(&[".js", ".mjs", ".cjs"]) {
        Some("node")
    } else if ends(&[".py"]) {
        Some("python3")
    } else {
        None
    };
    interpreter.map(Arg::plain).into_iter().chain(argv.iter().cloned()).collect()
}
