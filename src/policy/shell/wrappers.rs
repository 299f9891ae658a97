//! Programs that execute the command which stands in their own arguments, and wait for it.

use super::options::{NONE, Valued, operand};
use super::words::Arg;

/// A wrapper: its names, its options with values, and how many operands come before the command.
struct Wrapper {
    names: &'static [&'static str],
    valued: Valued,
    operands: usize,
}

const fn wrapper(
    names: &'static [&'static str],
    short: &'static str,
    long: &'static [&'static str],
    operands: usize,
) -> Wrapper {
    Wrapper { names, valued: Valued { short, long }, operands }
}

static WRAPPERS: &[Wrapper] = &[
    wrapper(&["sudo"], SUDO.short, SUDO.long, 0),
    wrapper(&["doas"], "uC", &[], 0),
    wrapper(&["env"], "uSC", &["unset", "chdir"], 0),
    wrapper(&["timeout", "gtimeout"], "ks", &["kill-after", "signal"], 1),
    wrapper(&["nice"], "n", &["adjustment"], 0),
    wrapper(&["ionice"], "cnpPu", &["class", "classdata"], 0),
    wrapper(&["stdbuf"], "ioe", &["input", "output", "error"], 0),
    wrapper(&["time"], "fo", &["format", "output"], 0),
    wrapper(&["exec"], "a", &[], 0),
    wrapper(&["command", "builtin", "unbuffer", "dbus-run-session", "catchsegv", "winpty", "rtk"], "", &[], 0),
    wrapper(&["linux32", "linux64", "busybox", "toybox", "noglob", "nocorrect"], "", &[], 0),
    wrapper(&["chroot"], "", &["userspec", "groups"], 1),
    wrapper(&["unshare"], "RwSG", &["root", "wd", "setuid", "setgid", "propagation", "map-user", "map-group"], 0),
    wrapper(&["nsenter"], "tSGrw", &["target", "setuid", "setgid", "root", "wd"], 0),
    wrapper(&["taskset"], "", &[], 1),
    wrapper(&["chrt"], "TPD", &["sched-runtime", "sched-period", "sched-deadline"], 1),
    wrapper(&["numactl"], "mNCipl", &["membind", "cpunodebind", "physcpubind", "interleave", "preferred"], 0),
    wrapper(&["setarch"], "", &[], 1),
    wrapper(&["prlimit", "setpriv", "firejail"], "", &["reuid", "regid", "groups"], 0),
    wrapper(&["runuser"], "uUgG", &["user", "group", "supp-group"], 0),
    wrapper(&["flock"], "wE", &["timeout", "wait", "conflict-exit-code"], 1),
    wrapper(
        &["xargs"],
        "IEeLlnPsad",
        &["max-args", "max-procs", "max-lines", "max-chars", "delimiter", "arg-file", "replace"],
        0,
    ),
    wrapper(&["strace"], "oepsuSEPaIbOX", &["output", "trace"], 0),
    wrapper(&["ltrace"], "oepsuan", &["output"], 0),
    wrapper(&["caffeinate"], "tw", &[], 0),
    wrapper(&["npx", "bunx"], "pcw", &["package", "call", "workspace"], 0),
    wrapper(&["cross-env", "cross-env-shell", "tini", "dumb-init", "catatonit", "fakeroot", "torsocks"], "", &[], 0),
    wrapper(&["proxychains", "proxychains4", "steam-run", "ssh-agent", "rlwrap", "with-contenv"], "f", &[], 0),
    wrapper(&["gosu", "su-exec", "setuidgid", "s6-setuidgid", "envdir", "s6-envdir", "faketime"], "f", &[], 1),
    wrapper(&["chpst"], "ubeopnmdlfcrst/CvP", &[], 0),
    wrapper(&["cpulimit"], "lpePc", &["limit", "path", "exe", "pid", "cpu"], 0),
    wrapper(&["systemd-inhibit"], "", &[], 0),
    wrapper(&["valgrind", "heaptrack", "cgexec", "proot"], "grbw", &[], 0),
    wrapper(&["xvfb-run"], "nsefp", &["server-num", "server-args", "error-file", "auth-file"], 0),
];

/// What `sudo` takes values for.
pub(super) const SUDO: Valued = Valued {
    short: "ugpCcDRTrthU",
    long: &["user", "group", "prompt", "close-from", "chdir", "chroot", "role", "type", "host", "other-user"],
};

/// Programs that run a command in an environment that they make, after a word of their own.
static RUNNERS: &[(&[&str], &[&str], Valued)] = &[
    (
        &["pixi", "dotenv", "dotenvx", "devbox", "doppler"],
        &["run"],
        Valued { short: "fpc", long: &["env-file", "config"] },
    ),
    (&["perf"], &["stat", "record", "trace"], Valued { short: "eoFcr", long: &["event", "output"] }),
    (
        &["uv"],
        &["run"],
        Valued {
            short: "p",
            long: &["with", "python", "project", "directory", "env-file", "extra", "group", "with-requirements"],
        },
    ),
    (&["poetry", "pipenv", "pdm", "rye", "hatch"], &["run"], Valued { short: "pC", long: &["project", "directory"] }),
    (&["conda", "mamba", "micromamba"], &["run"], Valued { short: "np", long: &["name", "prefix", "cwd"] }),
    (&["npm", "pnpm", "yarn"], &["exec", "dlx", "x"], Valued { short: "pc", long: &["package", "call"] }),
    (&["bundle", "mise", "asdf"], &["exec", "x"], NONE),
    (
        &["doppler", "op", "infisical"],
        &["run"],
        Valued { short: "pc", long: &["project", "config", "env-file", "env"] },
    ),
];

/// Programs that run what stands behind a word of theirs, whatever comes before it.
static UP_TO: &[(&[&str], &[&str], &[&str])] = &[
    (&["nix"], &["develop", "shell", "env"], &["-c", "--command"]),
    (&["aws-vault", "chamber"], &["exec"], &["--"]),
    (&["guix", "flox", "distrobox", "toolbox", "devbox"], &["shell", "activate", "enter", "run"], &["--"]),
    (&["dotenv"], &[], &["--"]),
];

/// How many words of `argv` stand before the command of a program of [`UP_TO`].
fn up_to(argv: &[Arg]) -> Option<usize> {
    let (name, args) = argv.split_first()?;
    let (_, words, ends) = UP_TO.iter().find(|(names, ..)| names.contains(&name.base()))?;
    let fits = words.is_empty() || args.first().is_some_and(|word| words.contains(&word.text.as_str()));
    let at = args.iter().position(|arg| ends.contains(&arg.text.as_str())).filter(|_| fits)?;
    (at + 2 < argv.len()).then_some(at + 2)
}

/// What `env -S 'command and arguments'` runs.
pub(super) fn split(argv: &[Arg]) -> Option<Vec<Arg>> {
    let (_, args) = argv.split_first().filter(|(name, _)| name.base() == "env")?;
    let at = args.iter().take_while(|arg| arg.text.starts_with('-')).position(|arg| {
        arg.text.starts_with("--split-string") || (!arg.text.starts_with("--") && arg.text.contains('S'))
    })?;
    let option = args.get(at)?;
    let own = option.text.strip_prefix("--split-string").map(|rest| rest.strip_prefix('=').unwrap_or(rest));
    let own = own.or_else(|| option.text.split_once('S').map(|(_, rest)| rest)).filter(|own| !own.is_empty());
    let (text, after) =
        own.map_or_else(|| Some((args.get(at + 1)?.text.as_str(), at + 2)), |own| Some((own, at + 1)))?;
    let words = shlex::split(text)?.into_iter().map(|word| Arg::of_value(&word));
    let mut inner = vec![Arg::plain("env")];
    inner.extend(words.chain(args.get(after..).unwrap_or_default().iter().cloned()));
    (inner.len() > 1).then_some(inner)
}

/// How many words of `argv` are a runner with its word and its options.
fn runner(argv: &[Arg]) -> Option<usize> {
    if let Some(length) = up_to(argv) {
        return Some(length);
    }
    let (name, args) = argv.split_first()?;
    if name.base() == "direnv" && args.first().is_some_and(|word| word.text == "exec") {
        return (argv.len() > 3).then_some(3);
    }
    let (_, words, valued) = RUNNERS.iter().find(|(names, ..)| names.contains(&name.base()))?;
    let word = args.first().filter(|word| words.contains(&word.text.as_str()))?;
    let rest = args.get(1..)?;
    // `mise exec node@20 -- command`.
    let dashes = rest.iter().position(|arg| arg.text == "--").filter(|_| word.text == "exec" || word.text == "x");
    let at = 2 + dashes.map_or_else(|| operand(rest, *valued), |dashes| dashes + 1);
    (at < argv.len()).then_some(at)
}

/// How many words of `argv` are a wrapper with its options; `None`: it is none, or wraps nothing.
pub(super) fn length(argv: &[Arg]) -> Option<usize> {
    if let Some(length) = runner(argv) {
        return Some(length);
    }
    let (name, args) = argv.split_first()?;
    let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name.base()))?;
    // `command -v x` looks x up; `taskset -p` and `ionice -p` are about a process that runs.
    let first = args.first().map(|arg| arg.text.as_str());
    let asks = match name.base() {
        "command" => matches!(first, Some("-v" | "-V")),
        "taskset" | "chrt" | "prlimit" => args.iter().any(|arg| arg.text == "-p" || arg.text.starts_with("--pid")),
        "runuser" => args.iter().any(|arg| arg.text.starts_with('-') && arg.text.ends_with('c')),
        _ => false,
    };
    if asks {
        return None;
    }
    let mut at = operand(args, wrapper.valued);
    if matches!(name.base(), "env" | "sudo" | "doas" | "cross-env" | "cross-env-shell") {
        at += args.iter().skip(at).take_while(|arg| is_assignment(&arg.text)).count();
    }
    at += wrapper.operands;
    // `timeout 5 -- cmd` and `flock file -c cmd`, which is a shell's business.
    let next = args.get(at)?;
    if next.text == "-c" && name.base() == "flock" {
        return None;
    }
    at += usize::from(next.text == "--");
    (at < args.len()).then_some(at + 1)
}

/// `NAME=value`.
fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Shells whose language this is.
pub(super) fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "mksh" | "rbash" | "fish")
}

/// What a shell is to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script<'a> {
    /// `-c TEXT`.
    Text(&'a str),
    /// What it reads.
    Input,
    /// A file; empty where it cannot be told which.
    File(&'a str),
}

/// What the arguments of a shell, without its name, tell it to run.
pub(super) fn script(args: &[Arg]) -> Script<'_> {
    let valued = Valued { short: "oO", long: &["rcfile", "init-file"] };
    let at = operand(args, valued);
    let is_cluster = |text: &str| text.starts_with(['-', '+']) && !text.starts_with("--");
    let options = args.get(..at).unwrap_or_default();
    if options.iter().any(|arg| is_cluster(&arg.text) && arg.text.contains('c')) {
        return args.get(at).map_or(Script::File(""), |arg| Script::Text(&arg.text));
    }
    let reads = options.iter().any(|arg| is_cluster(&arg.text) && arg.text.contains('s'));
    match args.get(at).map(|arg| arg.text.as_str()) {
        None | Some("-" | "/dev/stdin") => Script::Input,
        Some(_) if reads => Script::Input,
        Some(path) => Script::File(path),
    }
}

/// The lines that programs such as `su -c LINE` give to a shell.
pub(super) fn lines_of(argv: &[Arg]) -> Vec<String> {
    let Some((name, args)) = argv.split_first() else { return Vec::new() };
    let texts = || args.iter().map(|arg| arg.text.as_str());
    let after = |options: &[&str]| {
        let at = texts().position(|text| options.contains(&text));
        at.and_then(|at| args.get(at + 1)).map(|arg| arg.text.clone())
    };
    match name.base() {
        "su" | "script" | "flock" | "runuser" | "sg" | "nix-shell" => {
            let line = args.iter().enumerate().find_map(|(at, arg)| match arg.text.as_str() {
                "--command" | "--run" => args.get(at + 1).map(|arg| arg.text.as_str()),
                text if text.starts_with("--") => text.strip_prefix("--command="),
                text if text.starts_with('-') && text.ends_with('c') => args.get(at + 1).map(|arg| arg.text.as_str()),
                _ => None,
            });
            line.map(str::to_owned).into_iter().collect()
        }
        "npx" | "bunx" => after(&["-c", "--call"]).into_iter().collect(),
        "nodemon" => after(&["-x", "--exec"]).into_iter().collect(),
        // Each operand is a line of its own.
        "concurrently" | "hyperfine" => texts().filter(|text| text.contains(' ')).map(str::to_owned).collect(),
        // All together are one.
        "parallel" | "watch" | "watchexec" | "entr" => {
            let valued = Valued { short: "jnwedf", long: &["jobs", "interval", "watch", "exts", "joblog"] };
            let own = args.get(operand(args, valued)..).unwrap_or_default().iter().map(|arg| arg.text.as_str());
            let line = own.take_while(|text| !text.starts_with(":::")).collect::<Vec<_>>().join(" ");
            (!line.is_empty()).then_some(line).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The commands of `find … -exec COMMAND ;`.
pub(super) fn executed(argv: &[Arg]) -> Vec<&[Arg]> {
    let Some((name, args)) = argv.split_first() else { return Vec::new() };
    if !matches!(name.base(), "find" | "gfind" | "fd" | "fdfind") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, arg) in args.iter().enumerate() {
        if matches!(arg.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir" | "--exec" | "-x") {
            let rest = args.get(at + 1..).unwrap_or_default();
            let end = rest.iter().position(|arg| matches!(arg.text.as_str(), ";" | "+")).unwrap_or(rest.len());
            found.extend(rest.get(..end));
        }
    }
    found
}

/// `sh -c LINE`, for a line that somebody else would have given to a shell.
pub(super) fn shell_line(line: &Arg) -> Vec<Arg> {
    vec![Arg::plain("sh"), Arg::plain("-c"), line.clone()]
}

/// Whether all options before the first operand are known to want help.
pub(super) fn only_asks(args: &[Arg]) -> bool {
    args.first().is_some_and(|arg| matches!(arg.text.as_str(), "--help" | "--version" | "-h" | "-V"))
        && operand(args, NONE) == args.len()
}
