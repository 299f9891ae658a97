"""What the benchmark measures with: clocks, counters of /proc, medians. Knows no supervisor."""

import os
import signal
import statistics
import subprocess
import time
from pathlib import Path

NOTHING = os.open(os.devnull, os.O_RDWR)


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def median(values):
    return statistics.median(values)


def spawn(argv, env=None):
    """Starts a program with its output thrown away; pid and the time right before."""
    actions = [(os.POSIX_SPAWN_DUP2, NOTHING, fd) for fd in (0, 1, 2)]
    argv = [str(word) for word in argv]
    at = now()
    return os.posix_spawnp(argv[0], argv, os.environ if env is None else env, file_actions=actions), at


def timed(argv, env=None, expect=(0,)):
    """Runs a program to its end; (started, ended, its CPU time), all in ns."""
    pid, at = spawn(argv, env)
    _, status, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in expect:
        raise SystemExit(f"bench: {' '.join(map(str, argv))} ended with {code}")
    return at, now(), int((usage.ru_utime + usage.ru_stime) * 1e9)


def quietly(argv, env=None, **more):
    subprocess.run([str(word) for word in argv], env=env, check=True, stdin=NOTHING, stdout=NOTHING, **more)


def wait_for(what, condition, limit=120, pause=0.002):
    """Polls; the answer of `condition` once it is true."""
    deadline = time.monotonic() + limit
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: waited {limit} s in vain: {what}")
        time.sleep(pause)


def stamps(path):
    """Times written by `programs stamp`, oldest first."""
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        return []
    return [int(line) for line in text[: text.rfind("\n") + 1].split()]


def stamp_after(path, count):
    """The stamp that follows the first `count`."""
    return wait_for(f"a line in {path}", lambda: stamps(path)[count:])[0]


def wait_for_stamps(paths):
    """Until each has one. One after the other: a look at all of them over and over would be a load of its own."""
    for path in paths:
        wait_for(f"a line in {path}", lambda: stamps(path), pause=0.05)


def pss_kib(pid):
    """Proportional set size: shared pages are divided by those who share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise SystemExit(f"bench: no Pss of {pid}")


def activity(pids):
    """CPU ns and context switches of processes so far, summed."""
    cpu = switches = 0
    for pid in pids:
        cpu += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if "ctxt_switches" in line:
                switches += int(line.split()[1])
    return cpu, switches


def cpu_with_children_ms(pids):
    """CPU of processes and of the children that they waited for, summed; each is known to a tick."""
    tick_ms = 1000 / os.sysconf("SC_CLK_TCK")
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(sum(map(int, each[11:15])) for each in fields) * tick_ms


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(pid):
    """SIGKILL; the time right before."""
    at = now()
    os.kill(pid, signal.SIGKILL)
    return at
