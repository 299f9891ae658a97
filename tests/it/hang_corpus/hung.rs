//! Programs that live and do nothing more.

use super::row::Program::{C, Node, Python, Sh};
use super::row::{Row, hung};

pub(super) static HUNG: &[Row] = &[
    hung("sleeps", "sleeps", Sh("exec sleep 1000"), "clock_nanosleep", "sleep (pid …) sleeps, state S, 1 thread"),
    hung(
        "stopped",
        "stopped itself (SIGSTOP)",
        Python("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
        "T",
        "python3 (pid …) is stopped (SIGSTOP), state T, 1 thread",
    ),
    hung(
        "mutexes",
        "two threads, each of which wants the mutex of the other (C)",
        C("mutexes", ""),
        "futex",
        "stuck (pid …) waits for a lock (futex), state S, 2 threads",
    ),
    hung(
        "locks",
        "the same in Python",
        Python(
            "import threading, time
a, b = threading.Lock(), threading.Lock()
def take(first, second):
    with first:
        time.sleep(0.2)
        with second: pass
threading.Thread(target=take, args=(a, b)).start()
take(b, a)",
        ),
        "futex",
        "python3 (pid …) waits for a lock (futex), state S, 2 threads",
    ),
    hung(
        "futex",
        "waits for a futex that nobody wakes",
        C("futex", ""),
        "futex",
        "stuck (pid …) waits for a lock (futex), state S, 1 thread",
    ),
    hung(
        "impatient",
        "waits for a condition, with a timeout of a tenth of a second, again and again",
        C("impatient", ""),
        "futex",
        "stuck (pid …) waits for a lock (futex), state S, 1 thread",
    ),
    hung(
        "pipe",
        "reads its standard input, a pipe that nobody writes to",
        Python("import os\nr, w = os.pipe()\nos.dup2(r, 0)\ninput()"),
        "read",
        "python3 (pid …) waits for its standard input, a pipe, state S, 1 thread",
    ),
    hung(
        "fifo",
        "opens a named pipe that nobody opens at the other end",
        Sh("mkfifo named; exec cat named"),
        "openat",
        "cat (pid …) waits for a file to open: a named pipe without its other end, or a device, state S, 1 thread",
    ),
    hung(
        "terminal",
        "a child reads a terminal",
        Python("import os, pty\npid, fd = pty.fork()\nif pid == 0: os.execlp('cat', 'cat')\nos.waitpid(pid, 0)"),
        "read",
        "cat (pid …) waits for its standard input, a terminal (/dev/pts/…), state S, 1 thread, one of 2 processes",
    ),
    hung(
        "flock",
        "wants a lock on a file that another process has",
        Python(
            "import fcntl, os, time
held = open('lock', 'w')
fcntl.flock(held, fcntl.LOCK_EX)
if os.fork() == 0:
    fcntl.flock(open('lock'), fcntl.LOCK_EX)
os.wait()",
        ),
        "flock",
        "python3 (pid …) waits for a lock on …/lock, state S, 1 thread, one of 2 processes",
    ),
    hung(
        "accepts",
        "accepts connections, which do not come",
        Python("import socket\nsocket.create_server(('127.0.0.1', 0)).accept()"),
        "accept4",
        "python3 (pid …) waits for somebody to connect to it, state S, 1 thread",
    ),
    hung(
        "connects",
        "connects to a server that accepts nobody",
        Python(
            "import socket
server = socket.create_server(('127.0.0.1', 0), backlog=0)
first = [socket.socket() for _ in range(4)]
for each in first: each.setblocking(False); each.connect_ex(server.getsockname())
socket.socket().connect(server.getsockname())",
        ),
        "connect",
        "python3 (pid …) waits for a connection, state S, 1 thread",
    ),
    hung(
        "receives",
        "is connected to one who says nothing",
        Python(
            "import socket
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
other, _ = server.accept()
client.recv(1)",
        ),
        "recvfrom",
        "python3 (pid …) waits for a socket, state S, 1 thread",
    ),
    hung(
        "pair",
        "the same through a Unix socket",
        Python("import socket\na, b = socket.socketpair()\na.recv(1)"),
        "recvfrom",
        "python3 (pid …) waits for a socket, state S, 1 thread",
    ),
    hung(
        "writes",
        "writes to a pipe that nobody reads",
        Python("import os\nr, w = os.pipe()\nwhile True: os.write(w, b'x' * 4096)"),
        "write",
        "python3 (pid …) waits until somebody reads what it writes to a pipe, state S, 1 thread",
    ),
    hung(
        "signals",
        "waits for a signal",
        Python("import signal\nsignal.pause()"),
        "pause",
        "python3 (pid …) waits for a signal, state S, 1 thread",
    ),
    hung(
        "polls",
        "looks ten times a second whether there is something to do (C)",
        C("poll", ""),
        "poll",
        "stuck (pid …) waits for events, state S, 1 thread",
    ),
    hung(
        "naps",
        "sleeps a tenth of a second, again and again",
        Python("import time\nwhile True: time.sleep(0.1)"),
        "clock_nanosleep",
        "python3 (pid …) sleeps, state S, 1 thread",
    ),
    hung(
        "awaits",
        "awaits what never comes (Python)",
        Python("import asyncio\nasync def main(): await asyncio.Event().wait()\nasyncio.run(main())"),
        "epoll_wait",
        "python3 (pid …) waits for events, state S, 1 thread",
    ),
    hung(
        "ticks",
        "awaits a timer ten times a second, for nothing (Python)",
        Python("import asyncio\nasync def main():\n    while True: await asyncio.sleep(0.1)\nasyncio.run(main())"),
        "epoll_wait",
        "python3 (pid …) waits for events, state S, 1 thread",
    ),
    hung(
        "node",
        "an event loop with a server that nobody asks and a timer that does nothing (Node.js)",
        Node("require('http').createServer(() => {}).listen(0); setInterval(() => {}, 250)"),
        "epoll_",
        "… (pid …) waits for events, state S, … threads",
    ),
    hung(
        "child-stopped",
        "waits for a child that is stopped",
        Python("import subprocess\nsubprocess.run(['sh', '-c', 'kill -STOP $$'])"),
        "wait4",
        "sh (pid …) is stopped (SIGSTOP), state T, 1 thread, one of 2 processes",
    ),
    hung(
        "child-hung",
        "a shell script whose child hangs",
        Sh("sleep 1000 | cat; echo done"),
        "wait4",
        "sleep (pid …) sleeps, state S, 1 thread, one of 3 processes",
    ),
    hung(
        "vfork",
        "made a child with vfork, which neither executes a program nor ends",
        C("vfork", ""),
        "vfork",
        "stuck (pid …) waits for a signal, state S, 1 thread, one of 2 processes",
    ),
    hung(
        "leaderless",
        "its first thread has ended, the other one waits",
        C("leaderless", ""),
        "pause",
        "stuck (pid …) waits for a signal, state S, 2 threads",
    ),
];
