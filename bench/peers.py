"""runit and s6, for the rows that they have an answer to. What is not installed is left out of the table."""

import shutil
import subprocess
from pathlib import Path

from measure import NOTHING, activity, children_of, kill, median, now, pss_kib, stamp_after, stamps, timed, wait_for, wait_for_stamps

# Both hold back a service that began less than a second ago.
PAUSE_S = 1.2


class Peer:
    """A supervision tree over service directories; a subclass names its programs."""

    name = supervisor = ""
    scanner = ()

    @classmethod
    def installed(cls):
        return all(shutil.which(program) for program in (cls.scanner[0], cls.supervisor))

    def __init__(self, work, programs):
        self.work = Path(work) / self.name
        self.scan = self.work / "scan"
        self.scan.mkdir(parents=True)
        self.programs = programs
        self.root = None

    def define(self, name, up):
        """A service of its own directory that is up, or down until somebody says so."""
        service = self.work / "services" / name
        service.mkdir(parents=True)
        run = service / "run"
        run.write_text(f"#!/bin/sh\nexec {self.programs} stamp {self.work}/{name}.stamps\n")
        run.chmod(0o755)
        if not up:
            (service / "down").touch()
        (self.scan / name).symlink_to(service)

    def stamps(self, name):
        return self.work / f"{name}.stamps"

    def __enter__(self):
        self.root = subprocess.Popen([*self.scanner, self.scan], stdin=NOTHING, stdout=NOTHING, stderr=NOTHING)

    def supervisors(self):
        return [pid for pid in children_of(self.root.pid) if self.is_supervisor(pid)]

    def is_supervisor(self, pid):
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() == self.supervisor
        except FileNotFoundError:
            return False

    def __exit__(self, *_):
        """Supervisors first, so that nothing comes back, then what they watched."""
        supervisors = self.supervisors()
        watched = [child for pid in supervisors for child in children_of(pid)]
        for pid in [self.root.pid, *supervisors, *watched]:
            try:
                kill(pid)
            except ProcessLookupError:
                pass
        self.root.wait()

    def service_pid(self, name):
        raise NotImplementedError

    def start(self, name):
        raise NotImplementedError

    def stop(self, name):
        raise NotImplementedError


class Runit(Peer):
    name, scanner, supervisor = "runit", ("runsvdir",), "runsv"

    def start(self, name):
        return timed(["sv", "start", self.scan / name])

    def stop(self, name):
        return timed(["sv", "stop", self.scan / name])

    def service_pid(self, name):
        return int((self.scan / name / "supervise" / "pid").read_text() or 0)

    def status(self, names):
        return timed(["sv", "status", *(self.scan / name for name in names)])


class S6(Peer):
    name, scanner, supervisor = "s6", ("s6-svscan", "-c", "2000"), "s6-supervise"

    def start(self, name):
        return timed(["s6-svc", "-uwu", self.scan / name])

    def stop(self, name):
        return timed(["s6-svc", "-dwd", self.scan / name])

    def service_pid(self, name):
        shown = subprocess.run(["s6-svstat", "-o", "pid", self.scan / name], capture_output=True, text=True, check=True)
        return int(shown.stdout)

    def status(self, names):
        return None


ALL = [Runit, S6]


def measure(kind, work, programs, rounds, idle_s, sleep):
    """Figures of one peer, by the names of the rows."""
    peer = kind(work, programs)
    peer.define("one", up=False)
    with peer:
        return single(peer, rounds, sleep) | many(kind, work, programs, idle_s, sleep)


def single(peer, rounds, sleep):
    """Start, and restart after a kill, of one."""
    figures, firsts, returns, pushes = {}, [], [], []
    control = {"runit": "supervise/ok", "s6": "supervise/control"}[peer.name]
    wait_for(f"{peer.name} watches", (peer.scan / "one" / control).exists)
    fewer = max(5, rounds // 4)
    for _ in range(fewer):
        had = len(stamps(peer.stamps("one")))
        at, ended, _ = peer.start("one")
        firsts.append(stamp_after(peer.stamps("one"), had) - at)
        returns.append(ended - at)
        sleep(PAUSE_S)
        peer.stop("one")
        sleep(PAUSE_S)
    peer.start("one")
    for _ in range(fewer):
        sleep(PAUSE_S)
        had = len(stamps(peer.stamps("one")))
        at = kill(peer.service_pid("one"))
        pushes.append(stamp_after(peer.stamps("one"), had) - at)
    figures["start_first"], figures["start_returned"] = median(firsts) / 1e6, median(returns) / 1e6
    figures["push"] = median(pushes) / 1e6
    return figures


def many(kind, work, programs, idle_s, sleep):
    """Memory and rest of a hundred, and bringing up a thousand."""
    figures, totals = {}, {}
    for count in (10, 110, 1000):
        peer = kind(Path(work) / str(count), programs)
        names = [f"p{number}" for number in range(count)]
        for name in names:
            peer.define(name, up=True)
        at = now()
        with peer:
            wait_for_stamps(peer.stamps(name) for name in names)
            if count == 1000:
                figures["bring_up"] = (max(stamps(peer.stamps(name))[0] for name in names) - at) / 1e9
            else:
                totals[count] = sum(map(pss_kib, peer.supervisors()))
            if count == 110:
                pids = peer.supervisors()[:100]
                before = activity(pids)
                sleep(idle_s)
                cpu, switches = (b - a for a, b in zip(before, activity(pids)))
                figures["idle_cpu"], figures["idle_switches"] = cpu / 1e6, switches
            for number in (1, 100, 1000):
                run = peer.status(names[:number]) if number <= count else None
                if run:
                    figures[f"status_{number}"] = (run[1] - run[0]) / 1e6
    figures["memory"] = (totals[110] - totals[10]) / 100
    return figures
