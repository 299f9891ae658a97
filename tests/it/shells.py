"""Types a line into an interactive shell on a terminal of its own: SCRIPT is sourced, then LINE is typed with TAB where it has <TAB>,
and is executed once the terminal shows SEEN. Ends with 1 and what the terminal showed when that does not come."""
import os
import pty
import select
import sys
import time

script, line, seen = sys.argv[1:4]
shell = sys.argv[4:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(shell[0], shell)

shown = b""


def expect(what, since):
    global shown
    deadline = time.monotonic() + 60
    while what not in shown[since:]:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        try:
            more = os.read(terminal, 65536) if ready else b""
        except OSError:
            more = b""
        if not more:
            os.kill(pid, 9)
            sys.exit("no %r on the terminal: %r" % (what, shown))
        shown += more


# The quotes keep what is typed apart from what it prints.
os.write(terminal, b"source %s; echo rea''dy\n" % script.encode())
expect(b"ready", 0)
at = len(shown)
before, after = line.encode().split(b"<TAB>")
os.write(terminal, before + b"\t")
expect(seen.encode(), at)
at = len(shown)
os.write(terminal, after + b"; echo do''ne\n")
expect(b"done", at)
os.write(terminal, b"exit\n")
os.waitpid(pid, 0)
