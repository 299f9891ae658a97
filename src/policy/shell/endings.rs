//! Commands that end what an earlier part of the same command has started: a server for the tests is no process left behind.

use super::options::operand;
use super::words::Arg;
use super::{Launch, options::Valued};

/// Who ends what: a program, its words, and how the launches are called that it ends.
static ENDERS: &[(&[&str], &[&str], &str)] = &[
    (&["docker", "podman", "nerdctl"], &["stop", "kill", "rm", "wait"], " run -d"),
    (&["docker", "podman", "nerdctl"], &["stop", "kill", "rm", "wait"], " exec -d"),
    (&["docker-compose", "podman-compose"], &["down", "stop", "kill", "rm"], "compose up"),
    (&["tmux"], &["kill-session", "kill-server", "kill-window", "kill-pane"], "tmux "),
    (&["screen"], &["quit", "kill"], "screen "),
    (&["pm2"], &["stop", "delete", "kill"], "pm2 start"),
    (&["forever"], &["stop", "stopall"], "forever start"),
    (&["systemctl"], &["stop", "kill"], "systemd-run"),
    (&["start-stop-daemon"], &["--stop", "-K"], "start-stop-daemon"),
    (&["redis-cli"], &["shutdown"], "redis-server"),
    (&["caddy"], &["stop"], "caddy start"),
];
/// Launches that no signal to a process of this machine is known to reach.
const ELSEWHERE: [&str; 6] = ["docker", "podman", "nerdctl", "compose", "systemd-run", "at"];
/// Programs that run what a file of the project says, under names that the command does not tell.
const OF_PROJECT: [&str; 9] = ["npm ", "npx ", "yarn ", "pnpm ", "bun ", "make ", "just ", "cargo run", "uv run"];

/// Whether `launch` is a process that a signal may reach.
fn is_near(launch: &Launch) -> bool {
    !ELSEWHERE.iter().any(|how| launch.how == *how || launch.how.starts_with(&format!("{how} ")))
}

/// Whom `pkill` and its like end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Targets<'a> {
    /// Nobody: it only asks.
    Nobody,
    /// Only the machine knows, so it may be any.
    Any,
    /// Those whose command has one of these words.
    Words(Vec<&'a str>),
}

impl<'a> Targets<'a> {
    /// The targets of a program with these arguments.
    pub(super) fn of(base: &str, args: &'a [Arg]) -> Self {
        let given = |options: &[&str]| args.iter().any(|arg| options.iter().any(|option| arg.text.starts_with(option)));
        match base {
            "pkill" | "killall" if given(&["-0"]) => Self::Nobody,
            "pkill" | "killall" if given(&["-P"]) => Self::Any, // its own children
            "pkill" | "killall" => {
                Self::Words(args.iter().map(|arg| arg.text.as_str()).filter(|text| !text.starts_with('-')).collect())
            }
            "fuser" if !given(&["-k", "--kill"]) => Self::Nobody,
            _ => Self::Any,
        }
    }

    /// Whether they mean `launch`.
    pub(super) fn mean(&self, launch: &Launch) -> bool {
        let command = if launch.text.is_empty() { &launch.program } else { &launch.text };
        is_near(launch)
            && match self {
                Self::Nobody => false,
                Self::Any => true,
                Self::Words(words) => words.iter().any(|word| means(word, command)),
            }
    }
}

/// Whether a word of `pkill` means a command.
fn means(word: &str, command: &str) -> bool {
    // `[n]ode` is how one keeps from finding oneself.
    word.contains(['$', '`'])
        || command.contains(&word.replace(['[', ']', '^', '$'], ""))
        || OF_PROJECT.iter().any(|runner| command.contains(runner))
}

/// Whether the program named `base` ends anything at all.
pub(super) fn may_end(base: &str) -> bool {
    ENDERS.iter().any(|(names, ..)| names.contains(&base))
}

/// Whether `argv` ends `launch`.
pub(super) fn ends(argv: &[Arg], launch: &Launch) -> bool {
    let Some((name, args)) = argv.split_first() else { return false };
    let compose = matches!(name.base(), "docker" | "podman" | "nerdctl")
        && args
            .get(operand(args, Valued { short: "Hlc", long: &["host", "context"] }))
            .is_some_and(|a| a.text == "compose");
    let base = if compose { "docker-compose" } else { name.base() };
    ENDERS.iter().filter(|(names, ..)| names.contains(&base)).any(|(_, words, how)| {
        let Some(at) = args.iter().position(|arg| words.contains(&arg.text.as_str())) else { return false };
        let operands: Vec<&str> = args
            .iter()
            .skip(at + 1)
            .map(|arg| arg.text.as_str())
            .filter(|text| !text.starts_with('-') && !matches!(*text, ";" | "container"))
            .collect();
        let all = operands.is_empty() || base == "docker-compose";
        let meant = |word: &&str| {
            let word = word.trim_start_matches('=').split(':').next().unwrap_or_default();
            word == "all" || word.contains(['$', '`']) || launch.text.contains(word)
        };
        launch.how.contains(how) && (all || operands.iter().any(meant))
    })
}
