//! Programs that look dead and work.

use super::row::Program::{C, Node, Python, Sh};
use super::row::Sign::{Cpu, Heartbeat, Io, Output, Processes, Unwatched};
use super::row::{Row, well};

pub(super) static WELL: &[Row] = &[
    well("computes", "computes silently", Python("while True: pass"), Cpu),
    well(
        "starved",
        "computes on a fiftieth of a processor",
        Python(
            "import time
while True:
    end = time.process_time() + 0.02
    while time.process_time() < end: pass
    time.sleep(1)",
        ),
        Cpu,
    ),
    well(
        "threads",
        "its first thread waits, another computes",
        Python("import threading\ndef work():\n    while True: pass\nthreading.Thread(target=work).start()"),
        Cpu,
    ),
    well(
        "leaderless-busy",
        "its first thread has ended, another computes",
        C("leaderless-computing", ""),
        Cpu,
    ),
    well(
        "parent",
        "waits for a child, which computes",
        Python("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"),
        Cpu,
    ),
    well("vfork-busy", "waits in the kernel (vfork) for a child, which computes", C("vfork-computing", ""), Cpu),
    well(
        "orphan",
        "sleeps; what it put into the background, in a session of its own, computes",
        Python(
            "import os, time
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        while True: pass
    os._exit(0)
os.wait()
while True: time.sleep(1000)",
        ),
        Cpu,
    ),
    well("forks", "starts one short program after the other", Sh("while :; do true | true; sleep 0.4; done"), Processes),
    well(
        "reads",
        "reads a byte now and then",
        Python("import time\nf = open('/dev/zero', 'rb', 0)\nwhile True: f.read(1); time.sleep(0.4)"),
        Io,
    ),
    well(
        "writes-file",
        "writes a byte to a file now and then",
        Python(
            "import os, time\nf = os.open('out', os.O_CREAT | os.O_WRONLY)\nwhile True: os.write(f, b'x'); time.sleep(0.4)",
        ),
        Io,
    ),
    well("mapped", "writes to a file through memory, without a call", C("mapped", "MAPPED"), Io),
    well(
        "pipe-busy",
        "hands a byte to a child now and then, through a pipe",
        Python(
            "import os, time
r, w = os.pipe()
if os.fork() == 0:
    while True: os.read(r, 1)
while True: os.write(w, b'x'); time.sleep(0.4)",
        ),
        Io,
    ),
    well(
        "compresses",
        "a chain of pipes, through which little goes",
        Sh("while :; do echo line; sleep 0.4; done | gzip | cat >archive"),
        Processes,
    ),
    well(
        "tcp",
        "receives a byte now and then by TCP, with `recv`",
        Python(
            "import socket, os, time
s = socket.create_server(('127.0.0.1', 0))
if os.fork() == 0:
    c = socket.create_connection(s.getsockname())
    while True: c.send(b'x'); time.sleep(0.4)
c, _ = s.accept()
while True: c.recv(1)",
        ),
        Io,
    ),
    well(
        "unix",
        "moves a byte now and then through a Unix socket, with `read` and `write`",
        Python(
            "import socket, os, time
a, b = socket.socketpair()
if os.fork() == 0:
    while True: os.read(b.fileno(), 1)
while True: os.write(a.fileno(), b'x'); time.sleep(0.4)",
        ),
        Io,
    ),
    well(
        "unix-send",
        "moves a megabyte a second through a Unix socket, with `send` and `recv`",
        Python(
            "import socket, os, time
a, b = socket.socketpair()
if os.fork() == 0:
    while True: b.recv(256)
while True:
    for _ in range(400): a.send(b'x' * 256)
    time.sleep(0.1)",
        ),
        Cpu,
    ),
    well(
        "served",
        "an event loop that answers now and then (Node.js)",
        Node(
            "const http = require('http')
const server = http.createServer((_, answer) => answer.end('x')).listen(0, '127.0.0.1', () =>
  setInterval(() => http.get({ port: server.address().port, host: '127.0.0.1' }, (a) => a.resume()), 500))",
        ),
        Io,
    ),
    well("prints", "writes a line just within the limit", Sh("while :; do echo x; sleep 2.5; done"), Output).speaks(),
    well(
        "beats",
        "touches its heartbeat file",
        Python(
            "import os, pathlib, time\nwhile True: pathlib.Path(os.environ['GUARDIAN_HEARTBEAT_FILE']).touch(); time.sleep(1)",
        ),
        Heartbeat,
    )
    .beats(),
    well("beats-by-hand", "calls `guardian beat`", Sh("while :; do GUARDIAN beat; sleep 1; done"), Heartbeat).beats(),
    well(
        "watchdog",
        "says `WATCHDOG=1` (sd_notify)",
        Python(
            "import os, socket, time
name = os.environ['NOTIFY_SOCKET']
name = '\\0' + name[1:] if name[0] == '@' else name
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
every = int(os.environ['WATCHDOG_USEC']) / 2e6
while True: s.sendto(b'WATCHDOG=1', name); time.sleep(every)",
        ),
        Heartbeat,
    )
    .beats(),
    well(
        "paused",
        "is stopped (SIGSTOP) for less than the limit, goes on and computes",
        Python(
            "import os, signal, time
me = os.getpid()
if os.fork() == 0:
    while True:
        os.kill(me, signal.SIGSTOP); time.sleep(2)
        os.kill(me, signal.SIGCONT); time.sleep(1)
while True: pass",
        ),
        Cpu,
    ),
    well("asleep", "sleeps, and no key asks for progress", Sh("exec sleep 1000"), Unwatched).unwatched(),
];
