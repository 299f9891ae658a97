//! The keys of a `[process.NAME]`: the rows of the one table.

use super::choices::{FOLLOW, ISOLATION, LEFTOVER, ON_BOOT, ON_DEPENDENCY_END, ON_HANG, OVERLAP, RESTART, STDIN};
use super::keys::{Chapter, Field, Key};
use super::secret::Spelling;

const fn key(chapter: Chapter, name: &'static str, field: Field, help: &'static str) -> Key {
    Key { name, field, help, chapter }
}

/// Every key of a process, in the order in which they are written.
pub static PROCESS: &[Key] = &[
    key(Chapter::Start, "command", Field::Argv, "Program and arguments, executed as they are, byte for byte"),
    key(Chapter::Start, "shell", Field::Shell, "A line for `/bin/sh -c`, instead of `command`"),
    key(Chapter::Start, "cwd", Field::Path(|s| &mut s.cwd), "Working directory; left out: the home directory"),
    key(
        Chapter::Start,
        "env",
        Field::Pairs(|s| &mut s.env),
        "Variables set last, over all others and those of `[defaults]`",
    ),
    key(Chapter::Start, "env_file", Field::Path(|s| &mut s.env_file), "File of `NAME=value` lines, read at each start"),
    key(
        Chapter::Start,
        "pass_env",
        Field::Variables(|s| &mut s.pass_env),
        "Variables taken from guardian's own environment at each start",
    ),
    key(
        Chapter::Start,
        "clean_env",
        Field::Switch(|s| &mut s.clean_env),
        "Start from PATH, HOME, USER, LOGNAME, SHELL and LANG only",
    ),
    key(
        Chapter::Start,
        "isolation",
        ISOLATION,
        "What keeps it alive when its caller is ended: the best there is, a control group of its own or nothing is started, or only a session of its own",
    ),
    key(
        Chapter::Start,
        "follow",
        FOLLOW,
        "`fork`: the program puts itself into the background; what it leaves behind is the main process",
    ),
    key(Chapter::Start, "stdin", STDIN, "What it reads from standard input: nothing, or what `send` writes"),
    key(
        Chapter::Start,
        "pty",
        Field::Switch(|s| &mut s.pty),
        "It runs in a terminal of its own; its output goes to the log as a terminal gets it, `send` types into it",
    ),
    key(Chapter::Start, "pty_size", Field::Window(|s| &mut s.pty_size), "Columns and rows of that terminal"),
    key(
        Chapter::Start,
        "preflight",
        Field::Lines(|s| &mut s.preflight),
        "Lines for `/bin/sh -c` that must succeed before each start",
    ),
    key(Chapter::Start, "ready", Field::Ready, "What shows that it is ready"),
    key(Chapter::Start, "ready_timeout", Field::SomeTime(|s| &mut s.ready_timeout), "Time that it has to get ready"),
    key(
        Chapter::Start,
        "depends_on",
        Field::Processes(|s| &mut s.depends_on),
        "Processes that must be there before it is started: running and ready, or completed where `target` is `exit`",
    ),
    key(
        Chapter::Start,
        "schedule",
        Field::Schedule,
        "When it is started by itself: a line as in a crontab; its `target` is then `exit`",
    ),
    key(Chapter::Start, "timezone", Field::Zone, "Whose clock `schedule` goes by; left out: the machine's"),
    key(
        Chapter::Start,
        "overlap",
        OVERLAP,
        "A time of `schedule` that comes while a run lives: leave it out, let it follow that run, or end that run for it",
    ),
    key(Chapter::Start, "group", Field::Text(|s| &mut s.group), "Group, for commands on several processes"),
    key(
        Chapter::End,
        "target",
        Field::Target,
        "How long a run is meant to live: a duration, `forever` (a service) or `exit` (a job)",
    ),
    key(
        Chapter::End,
        "tolerance",
        Field::Share(|s| &mut s.tolerance),
        "Share of a duration target that counts as reached",
    ),
    key(
        Chapter::End,
        "stop_at_target",
        Field::Switch(|s| &mut s.stop_at_target),
        "End a run at its target, as completed",
    ),
    key(Chapter::End, "time_limit", Field::Limit(|s| &mut s.time_limit), "End a run that lives longer than this"),
    key(Chapter::End, "memory", Field::Size(|s| &mut s.memory), "Memory of all its processes together; more ends it"),
    key(
        Chapter::End,
        "cpu",
        Field::Cores(|s| &mut s.cpu),
        "Processors that all its processes together may use; needs a control group",
    ),
    key(
        Chapter::End,
        "tasks",
        Field::Most(|s| &mut s.tasks),
        "Processes and threads that it may have; needs a control group",
    ),
    key(
        Chapter::End,
        "hang_after",
        Field::Limit(|s| &mut s.hang_after),
        "It is hung when output, heartbeat, CPU time and I/O of all its processes are silent for this long",
    ),
    key(
        Chapter::End,
        "output_stale",
        Field::Limit(|s| &mut s.output_stale),
        "It is hung when it writes no output for this long",
    ),
    key(
        Chapter::End,
        "heartbeat",
        Field::Limit(|s| &mut s.heartbeat),
        "It is hung when it gives no heartbeat for this long",
    ),
    key(
        Chapter::End,
        "watchdog",
        Field::Limit(|s| &mut s.watchdog),
        "It is hung when it sends no `WATCHDOG=1` (sd_notify) for this long, from `READY=1` or its start on",
    ),
    key(Chapter::End, "probe", Field::Liveness, "What shows, each time it is asked, that it is alive"),
    key(
        Chapter::End,
        "probe_every",
        Field::SomeTime(|s| &mut s.probe_every),
        "From the moment that it is ready to the first `probe`, and from each to the next",
    ),
    key(
        Chapter::End,
        "probe_timeout",
        Field::SomeTime(|s| &mut s.probe_timeout),
        "Time for the whole answer to `probe`",
    ),
    key(
        Chapter::End,
        "probe_failures",
        Field::Times(|s| &mut s.probe_failures),
        "It is hung when `probe` fails this often in a row",
    ),
    key(
        Chapter::End,
        "on_hang",
        ON_HANG,
        "What is done about a hang: end it and follow `restart`, end it for good, or only tell",
    ),
    key(
        Chapter::End,
        "hang_probe",
        Field::Text(|s| &mut s.hang_probe),
        "A line for `/bin/sh -c` that must fail before a hang is called",
    ),
    key(Chapter::End, "success_codes", Field::SomeCodes(|s| &mut s.success_codes), "Exit codes that count as success"),
    key(
        Chapter::End,
        "stop_signal",
        Field::Signal(|s| &mut s.stop_signal),
        "Signal that asks it to end, by name or number",
    ),
    key(Chapter::End, "grace", Field::Duration(|s| &mut s.grace), "Time from the stop signal to KILL"),
    key(Chapter::End, "leftover", LEFTOVER, "Processes that outlive the main one: end them or leave them alone"),
    key(Chapter::Restart, "restart", RESTART, "After which ends it is started again"),
    key(Chapter::Restart, "backoff", Field::Duration(|s| &mut s.backoff), "First delay after an unhealthy run"),
    key(
        Chapter::Restart,
        "backoff_max",
        Field::Duration(|s| &mut s.backoff_max),
        "Longest delay; each one is twice the one before",
    ),
    key(
        Chapter::Restart,
        "healthy_after",
        Field::Duration(|s| &mut s.healthy_after),
        "A run that lives this long makes earlier failures forgotten",
    ),
    key(
        Chapter::Restart,
        "max_failures",
        Field::Count(|s| &mut s.max_failures),
        "Failures in a row that open the breaker; 0: never",
    ),
    key(
        Chapter::Restart,
        "max_restarts",
        Field::Count(|s| &mut s.max_restarts),
        "Restarts within `window` that open the breaker; 0: off",
    ),
    key(Chapter::Restart, "window", Field::SomeTime(|s| &mut s.window), "The window of `max_restarts`"),
    key(
        Chapter::Restart,
        "breaker_cooldown",
        Field::SomeTime(|s| &mut s.breaker_cooldown),
        "How long an open breaker waits for its first new try; doubles up to 6h",
    ),
    key(
        Chapter::Restart,
        "never_restart",
        Field::Never(|s| &mut s.never_restart),
        "Ends after which there is no restart: exit codes, signals, causes by their name; exit code 125 always is one",
    ),
    key(
        Chapter::Restart,
        "on_dependency_end",
        ON_DEPENDENCY_END,
        "What the end of one of `depends_on` does to it: nothing; it is stopped until that one is there again; it is restarted once that one has come back",
    ),
    key(
        Chapter::Restart,
        "on_boot",
        ON_BOOT,
        "After a reboot: start it even if it had been given up, start it if it was up or due, or leave it down",
    ),
    key(
        Chapter::Other,
        "notify",
        Field::Sinks(|s| &mut s.notify),
        "Sinks that are told; empty: every sink that wants it; `auto`: also the agent's session that started it, which is woken",
    ),
    key(
        Chapter::Other,
        "ping_url",
        Field::Secret(Spelling::Value, |s| &mut s.ping_url),
        "Address of a dead-man's switch (healthchecks.io, Uptime Kuma) that hears of its runs; a secret, so better one of the next three",
    ),
    key(
        Chapter::Other,
        "ping_url_file",
        Field::Secret(Spelling::File, |s| &mut s.ping_url),
        "`ping_url` is the first line of this file",
    ),
    key(
        Chapter::Other,
        "ping_url_env",
        Field::Secret(Spelling::Env, |s| &mut s.ping_url),
        "`ping_url` is in this variable of guardian's own environment",
    ),
    key(
        Chapter::Other,
        "ping_url_command",
        Field::Secret(Spelling::Command, |s| &mut s.ping_url),
        "`ping_url` is the first line of what this prints",
    ),
    key(
        Chapter::Other,
        "log_max",
        Field::SizeOrOff(|s| &mut s.log_max),
        "Size at which the log is rotated, without losing a line; `0`: never",
    ),
    key(
        Chapter::Other,
        "log_keep",
        Field::Count(|s| &mut s.log_keep),
        "Rotated parts of the log that are kept, each of about `log_max`",
    ),
    key(
        Chapter::Other,
        "log_every",
        Field::Limit(|s| &mut s.log_every),
        "Rotated as well when its oldest line is older than this, however small it is",
    ),
    key(
        Chapter::Other,
        "log_keep_for",
        Field::Limit(|s| &mut s.log_keep_for),
        "Rotated parts that are older than this go",
    ),
    key(
        Chapter::Other,
        "log_plain",
        Field::Switch(|s| &mut s.log_plain),
        "Rotated parts stay as they are, instead of being compressed (gzip)",
    ),
    key(
        Chapter::Other,
        "forget_after",
        Field::Limit(|s| &mut s.forget_after),
        "Once it is completed for this long, a pass takes it out of the registry, with its log and history",
    ),
    key(
        Chapter::Other,
        "trace_signals",
        Field::Switch(|s| &mut s.trace_signals),
        "Record who sends it signals (Linux, by ptrace)",
    ),
];

/// Keys of the contract that this version does not have. They are refused by name, because a
/// limit that is written down and not kept is worse than an error.
pub static UNSUPPORTED: &[&str] = &["user"];
