"""guardian under measurement: a home of its own, commands, and the end of everything in it."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from measure import activity, kill, timed, wait_for


class Guardian:
    """One binary with one throw-away home."""

    def __init__(self, binary, home, programs):
        self.binary, self.home, self.programs = binary, home, programs
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "GUARDIAN_HOME": str(home)}

    def __enter__(self):
        self.home.mkdir()
        return self

    def __exit__(self, *_):
        self.clear()

    def timed(self, *arguments):
        return timed([self.binary, *arguments], self.env)

    def stamps(self, name):
        return self.home / f"{name}.stamps"

    def write_registry(self, names, mode="stamp", keys=lambda number: ""):
        """As an operator would who has many: restarts at once, without a breaker, and not paced as in a storm. `keys`: more lines for each, by its number."""
        entries = ['[healthcheck]\nstorm = 0\n[defaults]\nbackoff = "0s"\nmax_failures = 0\n']
        for number, name in enumerate(names):
            entries.append(f'[process.{name}]\ncommand = ["{self.programs}", "{mode}", "{self.stamps(name)}"]\n{keys(number)}\n')
        path = self.home / "registry.toml"
        path.write_text("\n".join(entries))
        path.chmod(0o600)

    def all_status(self):
        out = subprocess.run([self.binary, "status", "--json"], env=self.env, capture_output=True, text=True, check=False)
        return json.loads(out.stdout)["processes"]

    def status(self, name):
        return next(process for process in self.all_status() if process["name"] == name)

    def settled(self, name, earlier_run):
        status = self.status(name)
        return status["run"] > earlier_run and status["state"] == "running" and status["pid"]

    def log_cost_ms(self):
        """CPU of the shim while its process writes 200 MB."""
        go, done = self.home / "go", self.home / "done"
        line = f"while [ ! -e {go} ]; do sleep 0.01; done; head -c 200000000 /dev/zero; touch {done}; exec sleep 1000"
        self.timed("register", "writer", "--start", "--", line)
        shim = self.status("writer")["shim_pid"]
        before, _ = activity([shim])
        go.touch()
        wait_for("200 MB are written", done.exists)
        after, _ = activity([shim])
        self.timed("stop", "writer")
        (self.home / "state" / "log" / "writer.log").unlink()
        return (after - before) / 1e6

    def kill_a_shim(self):
        """How many copies live after a pass and a start, and whether `status` shows the one."""
        before = self.status("one")
        kill(before["shim_pid"])
        wait_for("the shim is gone", lambda: not Path(f"/proc/{before['shim_pid']}/stat").exists())
        timed([self.binary, "healthcheck"], self.env, expect=(0, 1))
        self.timed("start", "one")
        copies = subprocess.run(["pgrep", "-cf", f"stamp {self.stamps('one')}"], capture_output=True, text=True, check=False)
        right = self.status("one")["pid"] == before["pid"]
        return f"{copies.stdout.strip()}, {'yes' if right else 'no'}"

    def clear(self):
        """Ends everything and forgets it."""
        if not (self.home / "registry.toml").exists():
            return
        subprocess.run([self.binary, "stop", "--all"], env=self.env, capture_output=True, check=False)
        # The push of an earlier death may still be under way.
        time.sleep(0.2)
        for path in self.home.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
