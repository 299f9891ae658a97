//! Ways to be killed: by somebody who aims at the program or its shim, by the operator, by guardian, with the machine.

use super::acts::{
    asked_by_nobody, damage_record, freeze_then_kill, freeze_then_term, frozen_then_stop, goes, group,
    ignored_then_exit, kill_both, kill_shim_then, kill_shim_then_kill, killed_by_nobody, murder_the_daemon, one_thread,
    pid_reuse, pkill, reboot, register_again, shim_frozen, stubborn, whole_tree,
};
use super::row::Act::{Does, Instead, Murder, Operator};
use super::row::Program::{Die, Exec, Sh};
use super::row::Whom::{Program, Shim};
use super::row::{JOB, Row, SERVICE, TRACED, Then, row};

const WAIT: super::row::Program = Die(&["wait"]);
const POLITE: super::row::Program = Die(&["polite", "0"]);
const POLITE_SH: &str = "trap 'echo >>got; exit 0' TERM; echo >>ready; while :; do sleep 0.02; done";
const POLITE_PYTHON: &[&str] = &[
    "/usr/bin/python3",
    "-c",
    "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nopen('ready', 'a').write('x')\nwhile True: time.sleep(0.02)",
];
const HANGS: &[&str] = &["--hang-after", "1s", "--backoff", "1h", "--backoff-max", "1h"];
const FOLLOW: &[&str] = &["--follow", "fork", "--backoff", "0s"];
const BACKGROUND: &str = "setsid sh -c 'echo >>ready; while [ ! -e go ]; do sleep 0.02; done; exit 27' &";
const SHORT_GRACE: &[&str] = &["--grace", "200ms", "--backoff", "0s"];

pub(super) static UNTRACED: &[Row] = &[
    row("story", "the founding story: SIGTERM straight to it, it tidies up and exits 0", SERVICE, POLITE)
        .act(Murder(Program, "TERM"))
        .dies("exited 0")
        .signals(&["SIGTERM from murderer"]),
    row("term", "SIGTERM from somebody", SERVICE, WAIT)
        .act(Murder(Program, "TERM"))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from murderer"]),
    row("int", "SIGINT from somebody", SERVICE, WAIT)
        .act(Murder(Program, "INT"))
        .dies("signaled SIGINT")
        .signals(&["SIGINT from murderer"]),
    row("hup", "SIGHUP from somebody", SERVICE, WAIT)
        .act(Murder(Program, "HUP"))
        .dies("signaled SIGHUP")
        .signals(&["SIGHUP from murderer"]),
    row("quit", "SIGQUIT from somebody", SERVICE, WAIT)
        .act(Murder(Program, "QUIT"))
        .dies("signaled SIGQUIT")
        .signals(&["SIGQUIT from murderer"]),
    row("usr1", "SIGUSR1 from somebody", SERVICE, WAIT)
        .act(Murder(Program, "USR1"))
        .dies("signaled SIGUSR1")
        .signals(&["SIGUSR1 from murderer"]),
    row("kill", "SIGKILL from somebody", SERVICE, WAIT)
        .act(Murder(Program, "KILL"))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from murderer"]),
    row("kill-by-other-user", "SIGKILL from another user to that user's program", SERVICE, Die(&["uid"]))
        .act(Does(killed_by_nobody))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from murderer, another user"]),
    row("exit-143-on-term", "its handler for SIGTERM exits 143", SERVICE, Die(&["polite", "143"]))
        .act(Murder(Program, "TERM"))
        .dies("exited 143")
        .signals(&["SIGTERM from murderer"]),
    row("xcpu-by-hand", "SIGXCPU from somebody: no limit was reached", SERVICE, WAIT)
        .act(Murder(Program, "XCPU"))
        .dies("signaled SIGXCPU")
        .signals(&["SIGXCPU from murderer"]),
    row("xfsz-by-hand", "SIGXFSZ from somebody: no limit was reached", SERVICE, WAIT)
        .act(Murder(Program, "XFSZ"))
        .dies("signaled SIGXFSZ")
        .signals(&["SIGXFSZ from murderer"]),
    row("pkill", "SIGTERM by `pkill -f` with a word of its command", SERVICE, Die(&["wait", "DIR/word"]))
        .act(Does(pkill))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from pkill"]),
    row(
        "followed",
        "under `follow = \"fork\"` it puts itself into the background, and is killed there",
        FOLLOW,
        Die(&["daemon", "0"]),
    )
    .act(Does(murder_the_daemon))
    .dies("signaled SIGKILL")
    .signals(&["SIGKILL from murderer"]),
    row(
        "followed-exit",
        "under `follow = \"fork\"` it puts itself into the background, and exits 27 there",
        FOLLOW,
        Sh(BACKGROUND),
    )
    .act(Does(goes))
    .dies("exited 27"),
    row("stopped-killed", "SIGSTOP, then SIGKILL", SERVICE, WAIT)
        .act(Does(freeze_then_kill))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from murderer"]),
    row("group-killed", "SIGKILL to its process group", SERVICE, Sh("sleep 1000 & echo >>ready; wait"))
        .act(Does(group))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from murderer"]),
    row("tree-killed", "SIGKILL to it and its children at once", SERVICE, Sh("sleep 1000 & echo >>ready; wait"))
        .act(Does(whole_tree))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from the test"]),
];

pub(super) static TRACED_ROWS: &[Row] = &[
    row("story-traced", "the founding story under `--trace-signals`", TRACED, POLITE)
        .act(Murder(Program, "TERM"))
        .dies("exited 0")
        .signals(&["SIGTERM from murderer"]),
    row("story-sh", "the same, a shell script", TRACED, Sh(POLITE_SH))
        .act(Murder(Program, "TERM"))
        .dies("exited 0")
        .signals(&["SIGTERM from murderer"]),
    row("story-python", "the same, a Python program", TRACED, Exec(POLITE_PYTHON))
        .act(Murder(Program, "TERM"))
        .dies("exited 0")
        .signals(&["SIGTERM from murderer"]),
    row("term-traced", "SIGTERM", TRACED, WAIT)
        .act(Murder(Program, "TERM"))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from murderer"]),
    row("int-traced", "SIGINT", TRACED, WAIT)
        .act(Murder(Program, "INT"))
        .dies("signaled SIGINT")
        .signals(&["SIGINT from murderer"]),
    row("hup-traced", "SIGHUP", TRACED, WAIT)
        .act(Murder(Program, "HUP"))
        .dies("signaled SIGHUP")
        .signals(&["SIGHUP from murderer"]),
    row("quit-traced", "SIGQUIT", TRACED, WAIT)
        .act(Murder(Program, "QUIT"))
        .dies("signaled SIGQUIT")
        .signals(&["SIGQUIT from murderer"]),
    row("usr1-traced", "SIGUSR1", TRACED, WAIT)
        .act(Murder(Program, "USR1"))
        .dies("signaled SIGUSR1")
        .signals(&["SIGUSR1 from murderer"]),
    row("xcpu-traced", "SIGXCPU by hand", TRACED, WAIT)
        .act(Murder(Program, "XCPU"))
        .dies("signaled SIGXCPU")
        .signals(&["SIGXCPU from murderer"]),
    row("kill-traced", "SIGKILL", TRACED, WAIT)
        .act(Murder(Program, "KILL"))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from murderer"]),
    row("term-by-other-user", "SIGTERM from another user to that user's program", TRACED, Die(&["uid"]))
        .act(Does(asked_by_nobody))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from murderer, another user"]),
    row("stubborn", "SIGTERM, which it survives, then SIGKILL", TRACED, Die(&["deaf"]))
        .act(Does(stubborn))
        .dies("signaled SIGKILL")
        .signals(&["SIGTERM from murderer", "SIGKILL from murderer"]),
    row(
        "ignored",
        "SIGTERM, which it ignores, and then it exits 0",
        TRACED,
        Sh("trap '' TERM; echo >>ready; while [ ! -e go ]; do sleep 0.02; done; exit 0"),
    )
    .act(Does(ignored_then_exit))
    .dies("exited 0")
    .signals(&["SIGTERM from murderer"]),
    row("stopped-term", "SIGSTOP, SIGCONT, SIGTERM", TRACED, WAIT)
        .act(Does(freeze_then_term))
        .dies("signaled SIGTERM")
        .signals(&["SIGSTOP from murderer", "SIGCONT from murderer", "SIGTERM from murderer"]),
    row("thread-term", "SIGTERM to one of its threads", TRACED, Die(&["threads"]))
        .act(Does(one_thread))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from murderer"]),
    row("child-term", "SIGTERM from its own child", TRACED, Die(&["child", "15"]))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from die"]),
    row("thread-execs-traced", "another thread executes another program", TRACED, Die(&["thread-execs", "23"]))
        .dies("exited 23"),
    row("leader-gone-traced", "the first thread ends before the one that exits", TRACED, Die(&["leader-gone", "24"]))
        .dies("exited 24"),
    row("vfork-traced", "it used vfork", TRACED, Die(&["vfork", "25"])).dies("exited 25"),
    row(
        "children-traced",
        "it ran 30 programs",
        TRACED,
        Sh("for i in 0 1 2 3 4 5 6 7 8 9; do true | env true | env sh -c :; done; exit 26"),
    )
    .dies("exited 26"),
    row("exit-137-traced", "it chooses 137", TRACED, Sh("exit 137")).dies("exited 137"),
    row("segv-traced", "a write through a null pointer", TRACED, Die(&["signal", "segv"]))
        .dies("signaled SIGSEGV")
        .signals(&["SIGSEGV from the kernel"]),
    row("not-found-traced", "its shell finds no such command", TRACED, Sh("no-such-command")).ends(
        "exited 127",
        "premature",
        Then::Dead,
    ),
];

pub(super) static TO_THE_SHIM: &[Row] = &[
    row("shim-story", "SIGTERM to the shim, the program tidies up and exits 0", SERVICE, POLITE)
        .act(Murder(Shim, "TERM"))
        .dies("exited 0")
        .signals(&["SIGTERM from murderer, to the shim"]),
    row("shim-term", "SIGTERM to the shim", SERVICE, WAIT)
        .act(Murder(Shim, "TERM"))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from murderer, to the shim"]),
    row("shim-int", "SIGINT to the shim", SERVICE, WAIT)
        .act(Murder(Shim, "INT"))
        .dies("signaled SIGINT")
        .signals(&["SIGINT from murderer, to the shim"]),
    row("shim-hup", "SIGHUP to the shim", SERVICE, WAIT)
        .act(Murder(Shim, "HUP"))
        .dies("signaled SIGHUP")
        .signals(&["SIGHUP from murderer, to the shim"]),
    row("shim-quit", "SIGQUIT to the shim", SERVICE, WAIT)
        .act(Murder(Shim, "QUIT"))
        .dies("signaled SIGQUIT")
        .signals(&["SIGQUIT from murderer, to the shim"]),
    row("shim-usr2", "SIGUSR2 to the shim", SERVICE, WAIT)
        .act(Murder(Shim, "USR2"))
        .dies("signaled SIGUSR2")
        .signals(&["SIGUSR2 from murderer, to the shim"]),
    row("shim-real-time", "a real-time signal to the shim", SERVICE, WAIT)
        .act(Murder(Shim, "40"))
        .dies("signaled SIG40")
        .signals(&["SIG40 from murderer, to the shim"]),
    row(
        "shim-frozen",
        "SIGSTOP to the shim, and the program exits 19: a pass wakes the shim",
        SERVICE,
        Die(&["go", "19"]),
    )
    .act(Does(shim_frozen))
    .dies("exited 19"),
    row("shim-killed-exit", "SIGKILL to the shim, later the program exits 0", SERVICE, Die(&["go", "0"]))
        .act(Does(kill_shim_then))
        .dies("exited 0"),
    row("shim-killed-kill", "SIGKILL to the shim, later to the program", SERVICE, WAIT)
        .act(Does(kill_shim_then_kill))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from the test"]),
    row(
        "shim-killed-leader-gone",
        "the first thread has ended, SIGKILL to the shim, later another thread exits",
        SERVICE,
        Die(&["leader-gone-goes", "0"]),
    )
    .act(Does(kill_shim_then))
    .dies("exited 0"),
    row("both-killed", "SIGKILL to shim and program at once", SERVICE, WAIT).act(Does(kill_both)).dies("shim_killed"),
    row("both-killed-job", "the same, a job", JOB, WAIT).act(Does(kill_both)).fails("shim_killed"),
    row("pid-reuse", "the same, and another program gets its pid", &["--restart", "never"], WAIT)
        .act(Instead(pid_reuse))
        .ends("shim_killed", "premature", Then::Stopped),
    row("record-damaged", "both are killed, and a bit flips in the record of the run", SERVICE, WAIT)
        .act(Does(damage_record))
        .dies("unknown"),
    row("reboot", "the machine goes down", SERVICE, WAIT).act(Does(reboot)).dies("reboot"),
    row("reboot-never", "the same under `on_boot = \"never\"`", &["--on-boot", "never"], WAIT).act(Does(reboot)).ends(
        "reboot",
        "premature",
        Then::Dead,
    ),
    row("reboot-job", "the machine goes down under a job", JOB, WAIT).act(Does(reboot)).ends(
        "reboot",
        "failed",
        Then::Restarted,
    ),
];

pub(super) static BY_GUARDIAN: &[Row] = &[
    row("stop", "`stop`", SERVICE, WAIT)
        .act(Operator(&["stop", "NAME"]))
        .stops("signaled SIGTERM")
        .signals(&["SIGTERM from guardian", "asked by guardian"]),
    row("stop-polite", "`stop`, and it exits 0", SERVICE, POLITE)
        .act(Operator(&["stop", "NAME"]))
        .stops("exited 0")
        .signals(&["SIGTERM from guardian", "asked by guardian"]),
    row("stop-stubborn", "`stop`, and it ignores SIGTERM", SHORT_GRACE, Die(&["ignores"]))
        .act(Operator(&["stop", "NAME"]))
        .stops("signaled SIGKILL")
        .signals(&["SIGKILL from guardian", "asked by guardian"]),
    row("stop-frozen", "`stop`, and it was stopped by SIGSTOP", SERVICE, WAIT)
        .act(Does(frozen_then_stop))
        .stops("signaled SIGTERM")
        .signals(&["SIGTERM from guardian", "asked by guardian"]),
    row("stop-int", "`stop` with `stop_signal = \"INT\"`", &["--stop-signal", "INT"], WAIT)
        .act(Operator(&["stop", "NAME"]))
        .stops("signaled SIGINT")
        .signals(&["SIGINT from guardian", "asked by guardian"]),
    row("restart", "`restart`", SERVICE, WAIT)
        .act(Operator(&["restart", "NAME"]))
        .ends("signaled SIGTERM", "stopped", Then::Restarted)
        .untold()
        .signals(&["SIGTERM from guardian", "asked by guardian"]),
    row("deregister", "`deregister --stop`, and registered again", SERVICE, WAIT)
        .act(Does(register_again))
        .stops("signaled SIGTERM")
        .signals(&["SIGTERM from guardian", "asked by guardian"]),
    row(
        "time-limit",
        "it outlives its `time_limit`",
        &["--time-limit", "200ms", "--backoff", "1h", "--backoff-max", "1h"],
        WAIT,
    )
    .ends("time_limit", "premature", Then::Waiting)
    .signals(&["SIGTERM from guardian"]),
    row(
        "time-limit-stubborn",
        "the same, and it ignores SIGTERM",
        &["--target", "exit", "--time-limit", "200ms", "--grace", "200ms"],
        Die(&["ignores"]),
    )
    .fails("time_limit")
    .signals(&["SIGKILL from guardian"]),
    row(
        "time-limit-polite",
        "the same, a job that exits 0 when asked",
        &["--target", "exit", "--time-limit", "200ms"],
        POLITE,
    )
    .fails("time_limit")
    .signals(&["SIGTERM from guardian"]),
    row(
        "stop-at-target",
        "its target is reached, with `stop_at_target`",
        &["--target", "200ms", "--stop-at-target"],
        WAIT,
    )
    .completes("signaled SIGTERM")
    .signals(&["SIGTERM from guardian"]),
    row("hung", "it shows no progress for `hang_after`", HANGS, WAIT)
        .ends("hung", "premature", Then::Waiting)
        .signals(&["SIGTERM from guardian"]),
    row(
        "hung-job",
        "a job shows no progress, ignores SIGTERM and is killed",
        &["--target", "exit", "--hang-after", "1s", "--grace", "200ms"],
        Die(&["ignores"]),
    )
    .fails("hung")
    .signals(&["SIGKILL from guardian"]),
    row("hung-polite", "it shows no progress, and exits 0 when asked to end", HANGS, POLITE)
        .ends("hung", "premature", Then::Waiting)
        .signals(&["SIGTERM from guardian"]),
    row("hung-frozen", "SIGSTOP from somebody, under `hang_after`", HANGS, WAIT)
        .act(Murder(Program, "STOP"))
        .ends("hung", "premature", Then::Waiting)
        .signals(&["SIGTERM from guardian"]),
    row(
        "no-heartbeat",
        "it shows no heartbeat",
        &["--heartbeat", "1s", "--backoff", "1h", "--backoff-max", "1h"],
        WAIT,
    )
    .ends("hung", "premature", Then::Waiting)
    .signals(&["SIGTERM from guardian"]),
    row(
        "memory-limit",
        "it uses more than `memory` where guardian watches that itself",
        &["--target", "exit", "--memory", "24M", "--isolation", "session"],
        Die(&["holds", "0"]),
    )
    .fails("memory_limit")
    .signals(&["SIGTERM from guardian"]),
    row(
        "not-ready",
        "it is not ready within `ready_timeout`",
        &["--ready", "file:/nonexistent", "--ready-timeout", "300ms", "--backoff", "1h", "--backoff-max", "1h"],
        WAIT,
    )
    .ends("not_ready", "premature", Then::Waiting)
    .signals(&["SIGTERM from guardian"]),
    row(
        "not-ready-job",
        "a job is not ready in time, and exits 0 when asked to end",
        &["--target", "exit", "--ready", "file:/nonexistent", "--ready-timeout", "300ms"],
        POLITE,
    )
    .fails("not_ready")
    .signals(&["SIGTERM from guardian"]),
];
