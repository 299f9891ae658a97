//! Ways to end by oneself: an exit code, a fault, a limit; and never to have begun.

use super::acts::{full_log, hold_open, murder_the_child, plant, the_child_lives};
use super::row::Act::{Does, Instead, Murder};
use super::row::Program::{Bare, Die, Exec, Sh};
use super::row::{JOB, Row, SERVICE, TRACED, Then, Whom, row};

const AFTER: &[&str] = &["--target", "200ms"];
const MEMORY: &[&str] = &["--backoff", "0s", "--memory", "24M"];
const NEVER: &[&str] = &["--restart", "never"];

pub(super) static CODES: &[Row] =
    &[
        row("exit-0-service", "a service exits 0", SERVICE, Sh("exit 0")).dies("exited 0"),
        row("exit-0-job", "a job exits 0", JOB, Sh("exit 0")).completes("exited 0"),
        row("exit-1-service", "a service exits 1", SERVICE, Sh("exit 1")).dies("exited 1"),
        row("exit-1-job", "a job exits 1", JOB, Sh("exit 1")).fails("exited 1"),
        row("exit-2-service", "a service exits 2, which no restart mends", SERVICE, Sh("exit 2")).ends(
            "exited 2",
            "premature",
            Then::Dead,
        ),
        row("exit-3-job", "a job exits 3", JOB, Sh("exit 3")).fails("exited 3"),
        row(
            "exit-42-success",
            "a job exits 42, one of its `success_codes`",
            &["--target", "exit", "--success-codes", "0,42"],
            Sh("exit 42"),
        )
        .completes("exited 42"),
        row(
            "exit-75-on-failure",
            "a job that is to be tried again exits 75",
            &["--target", "exit", "--restart", "on-failure", "--backoff", "0s"],
            Sh("exit 75"),
        )
        .ends("exited 75", "failed", Then::Restarted),
        row("exit-78-service", "a service exits 78, a mistake in its configuration", SERVICE, Sh("exit 78")).ends(
            "exited 78",
            "premature",
            Then::Dead,
        ),
        row("exit-126-service", "its shell finds a file that it cannot execute", SERVICE, Sh("/etc/passwd")).ends(
            "exited 126",
            "premature",
            Then::Dead,
        ),
        row("exit-127-service", "its shell does not find the command", SERVICE, Sh("no-such-command")).ends(
            "exited 127",
            "premature",
            Then::Dead,
        ),
        row("exit-137-job", "a job chooses 137: no SIGKILL came", JOB, Sh("exit 137")).fails("exited 137"),
        row("exit-143-service", "a service chooses 143: no SIGTERM came", SERVICE, Sh("exit 143")).dies("exited 143"),
        row("exit-255-job", "a job exits -1, which is 255", JOB, Die(&["exit", "-1"])).fails("exited 255"),
        row("exit-256-job", "a job exits 256, which is 0", JOB, Die(&["exit", "256"])).completes("exited 0"),
        row("early", "exit 0 long before its target", &["--target", "1h", "--backoff", "0s"], Sh("exit 0"))
            .dies("exited 0"),
        row("late", "exit 0 after its target", AFTER, Sh("sleep 0.25; exit 0")).completes("exited 0"),
        row("late-exit-3", "exit 3 after its target", AFTER, Sh("sleep 0.25; exit 3")).fails("exited 3"),
        row("tolerated", "exit 0 at 80 % of its target", &["--target", "1s", "--tolerance", "0.2"], Sh("sleep 0.25"))
            .completes("exited 0"),
        row("never-restarted", "exit 1 under `restart = \"never\"`", NEVER, Sh("exit 1")).ends(
            "exited 1",
            "premature",
            Then::Dead,
        ),
        row("backed-off", "exit 1 with an hour of backoff", &["--backoff", "1h", "--backoff-max", "1h"], Sh("exit 1"))
            .ends("exited 1", "premature", Then::Waiting),
        row("tripped", "exit 1 with `max_failures = 1`", &["--backoff", "0s", "--max-failures", "1"], Sh("exit 1"))
            .ends("exited 1", "premature", Then::Tripped),
        row("no-time-at-all", "a job that is over at once", JOB, Bare(&["/bin/true", "x"])).completes("exited 0"),
        row("underscore-exit", "`_exit`, past all handlers", SERVICE, Die(&["_exit", "5"])).dies("exited 5"),
        row("thread-exits", "another thread calls exit", SERVICE, Die(&["thread", "6"])).dies("exited 6"),
        row("leader-gone", "the first thread ends before the one that exits", SERVICE, Die(&["leader-gone", "7"]))
            .dies("exited 7"),
        row("thread-sleeps", "exit while another thread sleeps", JOB, Die(&["sleeper", "8"])).fails("exited 8"),
        row("thread-execs", "another thread executes another program", SERVICE, Die(&["thread-execs", "20"]))
            .dies("exited 20"),
        row("timed-out", "its work is ended by `timeout`", JOB, Sh("timeout 0.1 sleep 1000")).fails("exited 124"),
        row(
            "child-terminated",
            "its child gets SIGTERM, its shell says 143",
            JOB,
            Sh("sleep 1000 & echo >>ready; wait $!"),
        )
        .act(Does(murder_the_child))
        .fails("exited 143"),
        row("vfork", "a job that used vfork", JOB, Die(&["vfork", "9"])).fails("exited 9"),
        row("zombies", "a job that leaves 20 zombies", JOB, Die(&["zombies", "0"])).completes("exited 0"),
        row(
            "other-program",
            "it executes another program, which exits 10",
            SERVICE,
            Exec(&["/usr/bin/env", "sh", "-c", "exit 10"]),
        )
        .dies("exited 10"),
        row("shell-exec", "a shell line that ends in `exec`", JOB, Sh("exec sh -c 'exit 11'")).fails("exited 11"),
        row("setsid", "the work is in a session of its own", JOB, Sh("setsid --wait sh -c 'exit 12'"))
            .fails("exited 12"),
        row("other-user", "it becomes another user", SERVICE, Die(&["setuid", "13"])).dies("exited 13"),
        row("closes-all", "it closes every descriptor, those of guardian as well", SERVICE, Die(&["closes", "14"]))
            .dies("exited 14"),
        row("no-input", "it reads its standard input to the end", JOB, Sh("cat; exit 15")).fails("exited 15"),
        row("false-pipe-cat", "`false | cat`: the shell says 0", JOB, Sh("false | cat")).completes("exited 0"),
        row("child-killed", "its child is killed, the shell says 137", JOB, Sh("sh -c 'kill -KILL $$'; exit $?"))
            .fails("exited 137"),
        row("log-full", "its log is on a full disk", SERVICE, Exec(&["yes"])).act(Instead(full_log)).dies("exited 1"),
        row("leaves-a-child", "a child lives on, and is ended", SERVICE, Die(&["leaves", "17"])).dies("exited 17"),
        row(
            "leaves-a-deaf-child",
            "a child lives on that ignores SIGTERM, and is killed",
            &["--backoff", "0s", "--grace", "100ms"],
            Die(&["leaves", "18", "deaf"]),
        )
        .dies("exited 18"),
        row("daemon", "a job that puts itself into the background, and is ended there", JOB, Die(&["daemon", "0"]))
            .completes("exited 0"),
        row(
            "daemon-kept",
            "the same under `leftover = \"keep\"`",
            &["--target", "exit", "--leftover", "keep"],
            Die(&["daemon", "0"]),
        )
        .act(Does(the_child_lives))
        .completes("exited 0"),
    ];

pub(super) static FAULTS: &[Row] = &[
    row("abort", "abort", SERVICE, Die(&["signal", "abort"]))
        .dies("signaled SIGABRT")
        .signals(&["SIGABRT from itself"]),
    row("segv", "a write through a null pointer", SERVICE, Die(&["signal", "segv"]))
        .dies("signaled SIGSEGV")
        .signals(&["SIGSEGV from the kernel"]),
    row("segv-core", "the same where a core may be dumped", SERVICE, Die(&["signal", "segv", "core"]))
        .dies("signaled SIGSEGV, core")
        .signals(&["SIGSEGV from the kernel"]),
    row("stack-overflow", "recursion without an end", JOB, Die(&["signal", "overflow"]))
        .fails("signaled SIGSEGV")
        .signals(&["SIGSEGV from the kernel"]),
    row("bus", "a read beyond the end of a mapped file", SERVICE, Die(&["signal", "bus"]))
        .dies("signaled SIGBUS")
        .signals(&["SIGBUS from the kernel"]),
    row("fpe", "SIGFPE to itself", SERVICE, Die(&["signal", "8"]))
        .dies("signaled SIGFPE")
        .signals(&["SIGFPE from itself"]),
    row("ill", "SIGILL to itself", SERVICE, Die(&["signal", "4"]))
        .dies("signaled SIGILL")
        .signals(&["SIGILL from itself"]),
    row("trap", "SIGTRAP to itself", SERVICE, Die(&["signal", "5"]))
        .dies("signaled SIGTRAP")
        .signals(&["SIGTRAP from itself"]),
    row("sys", "a system call that its filter forbids", SERVICE, Die(&["signal", "sys"]))
        .dies("signaled SIGSYS")
        .signals(&["SIGSYS from the kernel"]),
    row("seccomp-strict", "the same under the strict filter, which kills", SERVICE, Die(&["signal", "strict"]))
        .dies("signaled SIGKILL"),
    row("pipe", "a write into a pipe that nobody reads", SERVICE, Die(&["signal", "pipe"])).dies("signaled SIGPIPE"),
    row("alarm", "an alarm that it does not handle", SERVICE, Die(&["signal", "alarm"])).dies("signaled SIGALRM"),
    row("real-time", "a real-time signal to itself", SERVICE, Die(&["signal", "40"])).dies("signaled SIG40"),
    row("own-term", "SIGTERM to itself", SERVICE, Sh("kill -TERM $$"))
        .dies("signaled SIGTERM")
        .signals(&["SIGTERM from itself"]),
    row("own-kill", "SIGKILL to itself", JOB, Sh("kill -KILL $$"))
        .fails("signaled SIGKILL")
        .signals(&["SIGKILL from itself"]),
    row("patricide", "its child kills it", SERVICE, Die(&["child", "9"]))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from die"]),
    row(
        "strace",
        "it runs under strace, and SIGKILL ends it",
        JOB,
        Exec(&["strace", "-f", "-o", "/dev/null", "sh", "-c", "kill -KILL $$"]),
    )
    .fails("signaled SIGKILL")
    .signals(&["SIGKILL from itself"]),
];

pub(super) static LIMITS: &[Row] = &[
    row("cpu-limit", "it uses more CPU time than its soft limit", SERVICE, Die(&["cpu", "1", "5"]))
        .dies("cpu_limit 1 s")
        .signals(&["SIGXCPU from the kernel"]),
    row("cpu-limit-hard", "it ignores SIGXCPU and is killed at the hard limit", JOB, Die(&["cpu", "1", "1"]))
        .fails("cpu_limit 1 s")
        .signals(&["SIGKILL from the kernel"]),
    row("cpu-limit-traced", "the soft limit, traced", TRACED, Die(&["cpu", "1", "5"]))
        .dies("cpu_limit 1 s")
        .signals(&["SIGXCPU from the kernel"]),
    row("file-limit", "it writes a file beyond its limit", SERVICE, Die(&["file", "65536", "65536"]))
        .dies("file_size_limit 65536 bytes"),
    row("out-of-memory", "it uses more than `memory`", MEMORY, Die(&["eats", "0"]))
        .dies("oom_killed")
        .signals(&["SIGKILL from the kernel"]),
    row("child-out-of-memory", "its child uses more than `memory`, it exits 21", MEMORY, Die(&["child-eats", "21"]))
        .dies("exited 21"),
    row("killed-under-memory", "SIGKILL from somebody, and `memory` was not reached", MEMORY, Die(&["wait"]))
        .act(Murder(Whom::Program, "KILL"))
        .dies("signaled SIGKILL")
        .signals(&["SIGKILL from murderer"]),
    row(
        "killed-after-child",
        "SIGKILL from somebody, after its child had used more than `memory`",
        MEMORY,
        Die(&["child-eats", "0", "wait"]),
    )
    .act(Murder(Whom::Program, "KILL"))
    .dies("signaled SIGKILL")
    .signals(&["SIGKILL from murderer"]),
    row(
        "tasks",
        "it starts more processes than `tasks`, which is refused, and exits 22",
        &["--backoff", "0s", "--tasks", "8", "--grace", "200ms"],
        Die(&["forks", "22"]),
    )
    .dies("exited 22"),
];

pub(super) static SPAWNS: &[Row] = &[
    row("not-found", "the program does not exist", SERVICE, Bare(&["./gone", "x"])).ends(
        "spawn_failed ENOENT",
        "premature",
        Then::Dead,
    ),
    row("not-in-path", "no directory of PATH has it", SERVICE, Bare(&["no-such-command", "x"])).ends(
        "spawn_failed ENOENT",
        "premature",
        Then::Dead,
    ),
    row("bad-interpreter", "its `#!` names a program that does not exist", SERVICE, Bare(&["./bad-interpreter", "x"]))
        .before(plant)
        .ends("spawn_failed ENOENT", "premature", Then::Dead),
    row("dangling", "a link to nothing", SERVICE, Bare(&["./dangling", "x"])).before(plant).ends(
        "spawn_failed ENOENT",
        "premature",
        Then::Dead,
    ),
    row("loop", "a link to itself", JOB, Bare(&["./loop", "x"])).before(plant).fails("spawn_failed ELOOP"),
    row("not-executable", "the file may not be executed", SERVICE, Bare(&["./not-executable", "x"]))
        .before(plant)
        .ends("spawn_failed EACCES", "premature", Then::Dead),
    row("wrong-format", "the file is no program", SERVICE, Bare(&["./wrong-format", "x"])).before(plant).ends(
        "spawn_failed ENOEXEC",
        "premature",
        Then::Dead,
    ),
    row("directory", "it is a directory", SERVICE, Bare(&["./directory", "x"])).before(plant).ends(
        "spawn_failed EACCES",
        "premature",
        Then::Dead,
    ),
    row("below-a-file", "its path leads through a file", SERVICE, Bare(&["./not-executable/x", "x"]))
        .before(plant)
        .ends("spawn_failed ENOTDIR", "premature", Then::Dead),
    row("text-busy", "somebody is writing the program", JOB, Bare(&["./busy", "x"]))
        .before(hold_open)
        .fails("spawn_failed ETXTBSY"),
    row("too-long", "an argument is longer than the kernel takes", JOB, Bare(&["/bin/true", "LONG"]))
        .fails("spawn_failed E2BIG"),
    row(
        "no-cwd",
        "its working directory does not exist",
        &["--target", "exit", "--cwd", "DIR/gone"],
        Bare(&["/bin/true", "x"]),
    )
    .fails("spawn_failed ENOENT"),
    row(
        "preflight",
        "a line of its `preflight` exits 7",
        &["--target", "exit", "--preflight", "exit 7"],
        Die(&["wait"]),
    )
    .fails("preflight_failed 7"),
    row(
        "preflight-killed",
        "a line of its `preflight` is killed",
        &["--target", "exit", "--preflight", "kill -KILL $$"],
        Die(&["wait"]),
    )
    .fails("preflight_failed"),
];
