"""Threads, children and signals in Python; ends with 3 at SIGTERM."""
import os, signal, subprocess, sys, threading

hits = []
signal.signal(signal.SIGUSR1, lambda *_: hits.append(1))
for _ in range(100):
    os.kill(os.getpid(), signal.SIGUSR1)
print("hits", len(hits))
sums = []
threads = [threading.Thread(target=lambda n=n: sums.append(sum(range(n * 1000)))) for n in range(30)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("threads", sum(sums))
print("children", [subprocess.run(["/bin/sh", "-c", f"exit {n}"]).returncode for n in range(5)])
print("killed", subprocess.Popen(["/bin/sh", "-c", "kill -9 $$"]).wait())
pool = [os.fork() or os._exit(n) for n in range(5)]
print("forks", [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pool])
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(4)
_, status = os.waitpid(child, os.WUNTRACED)
os.kill(child, signal.SIGCONT)
print("stopped", os.WIFSTOPPED(status), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("ready", flush=True)
while True:
    signal.pause()
