//! What a run that shows no progress is blocked on: a sentence for people, and a snapshot of its processes for later.
//!
//! Reads the processes and changes nothing. The snapshot is bounded; what may not be read is left out of it.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use crate::model::progress::Stuck;
use crate::model::time::Identity;
use crate::os::counters::{self, Waiting};
use crate::os::process;
use crate::view::words::{cut, strip_control};

/// Longest snapshot, in bytes.
const SNAPSHOT: usize = 8 * 1024;
/// Threads of one process that are shown.
const THREADS: usize = 16;
/// Descriptors of one process that are shown.
const DESCRIPTORS: usize = 24;
/// Longest line, in characters.
const WIDTH: usize = 200;
/// How often one that is met running is looked at again, and the pause between: who wakes ten times a second, for
/// nothing, is to be seen where it waits.
const AGAIN: u32 = 10;
const PAUSE: Duration = Duration::from_millis(3);

/// What is seen of `processes`, parents first: the sentence, and the snapshot that begins with it.
pub(crate) fn look(processes: &[Identity], shim: Option<i32>) -> Stuck {
    let mut first: Option<String> = None;
    let mut telling: Option<String> = None;
    let mut text = String::new();
    for identity in processes {
        let pid = identity.pid;
        let threads = counters::threads(pid);
        let name = process::look(pid).ok().flatten().map_or("?".to_owned(), |found| strip_control(&found.comm));
        let by_shim = shim.is_some() && counters::tracer(pid) == shim;
        let main = first_living(pid, &threads, by_shim);
        if let Some(main) = &main {
            let state = main.state;
            let count = threads.len();
            let plural = if count == 1 { "" } else { "s" };
            let said = format!("{name} (pid {pid}) {}, state {state}, {count} thread{plural}", reason(main));
            // A parent that waits for its child says less than the child.
            if telling.is_none() && !is_parent(main) {
                telling = Some(said.clone());
            }
            first.get_or_insert(said);
        }
        describe(&mut text, pid, &name, &threads, by_shim);
    }
    let mut sentence = telling.or(first).unwrap_or_else(|| "what it waits for cannot be read".to_owned());
    if processes.len() > 1 {
        let _infallible = write!(sentence, ", one of {} processes", processes.len());
    }
    let mut snapshot = format!("{sentence}\n\n{text}");
    let end = snapshot.floor_char_boundary(SNAPSHOT);
    snapshot.truncate(end);
    Stuck { sentence, snapshot }
}

/// What the first thread of a process waits for; where that has ended before the others, the next one that lives.
fn first_living(pid: i32, threads: &[i32], by_shim: bool) -> Option<Waiting> {
    let mut first = waiting(pid, pid, by_shim);
    for _ in 0..AGAIN {
        if first.as_ref().is_none_or(|seen| seen.state != 'R') {
            break;
        }
        thread::sleep(PAUSE);
        first = waiting(pid, pid, by_shim);
    }
    if first.as_ref().is_none_or(|seen| seen.state != 'Z') {
        return first;
    }
    let others = threads.iter().filter(|thread| **thread != pid);
    others.filter_map(|thread| waiting(pid, *thread, by_shim)).find(|seen| seen.state != 'Z').or(first)
}

/// What a thread waits for. One that is stopped while the shim traces its signals is not in a debugger.
fn waiting(pid: i32, thread: i32, by_shim: bool) -> Option<Waiting> {
    let seen = counters::waiting(pid, thread)?;
    let state = if by_shim && seen.state == 't' { 'T' } else { seen.state };
    Some(Waiting { state, ..seen })
}

/// One process of the snapshot.
fn describe(text: &mut String, pid: i32, name: &str, threads: &[i32], by_shim: bool) {
    let mut add = |line: String| {
        if text.len() < SNAPSHOT {
            text.push_str(&cut(&line, WIDTH));
            text.push('\n');
        }
    };
    add(format!("process {pid} {name}"));
    for thread in threads.iter().take(THREADS) {
        let Some(seen) = waiting(pid, *thread, by_shim) else { continue };
        let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
        let on = seen.descriptor.map_or(String::new(), |fd| format!(" fd {fd} {}", or(&seen.target)));
        add(format!(
            "  thread {thread} {} in {} at {}{on}: {}",
            seen.state,
            or(&seen.call),
            or(&seen.wchan),
            reason(&seen)
        ));
        for line in seen.stack.iter().flat_map(|stack| stack.lines()) {
            add(format!("    {}", strip_control(line)));
        }
    }
    if threads.len() > THREADS {
        add(format!("  and {} more threads", threads.len() - THREADS));
    }
    let open = counters::descriptors(pid);
    for (fd, target) in open.iter().take(DESCRIPTORS) {
        add(format!("  fd {fd} {}", strip_control(target)));
    }
    if open.len() > DESCRIPTORS {
        add(format!("  and {} more descriptors", open.len() - DESCRIPTORS));
    }
}

/// Whether it waits for a child: for its end, or (made by `vfork`) until it executes a program.
fn is_parent(seen: &Waiting) -> bool {
    let made = seen.state == 'D' && matches!(seen.call.as_deref(), Some("vfork" | "clone" | "clone3"));
    made || matches!(seen.call.as_deref(), Some("wait4" | "waitid")) || seen.wchan.as_deref() == Some("do_wait")
}

/// What a thread waits for, in words: by its system call where that may be read, else by the place in the kernel.
fn reason(seen: &Waiting) -> String {
    match seen.state {
        'T' => return "is stopped (SIGSTOP)".to_owned(),
        't' => return "is held by a debugger".to_owned(),
        'R' => return "runs".to_owned(),
        'Z' => return "has ended".to_owned(),
        'D' if is_parent(seen) => return "waits for a child that it made (vfork)".to_owned(),
        'D' => return format!("cannot be woken: it waits in the kernel{}", place(seen)),
        _ => {}
    }
    if is_parent(seen) {
        return "waits for a child".to_owned();
    }
    let by_call = match seen.call.as_deref() {
        Some("read" | "readv" | "pread64" | "recvfrom" | "recvmsg") => Some(reads(seen)),
        Some("accept" | "accept4") => Some("waits for somebody to connect to it".to_owned()),
        Some("open" | "openat") => {
            Some("waits for a file to open: a named pipe without its other end, or a device".to_owned())
        }
        Some("write" | "writev" | "sendto" | "sendmsg") => {
            Some(format!("waits until somebody reads what it writes to {}", object(seen)))
        }
        Some("futex") => Some("waits for a lock (futex)".to_owned()),
        Some("flock" | "fcntl") => Some(format!("waits for a lock on {}", object(seen))),
        Some("connect") => Some("waits for a connection".to_owned()),
        Some("nanosleep" | "clock_nanosleep" | "restart_syscall") => Some("sleeps".to_owned()),
        Some("poll" | "ppoll" | "select" | "pselect6" | "epoll_wait" | "epoll_pwait") => {
            Some("waits for events".to_owned())
        }
        Some("pause" | "rt_sigsuspend" | "rt_sigtimedwait") => Some("waits for a signal".to_owned()),
        Some(call) => Some(format!("waits in {call}")),
        None => None,
    };
    by_call.or_else(|| by_place(seen.wchan.as_deref()?)).unwrap_or_else(|| format!("waits{}", place(seen)))
}

fn reads(seen: &Waiting) -> String {
    match seen.descriptor {
        Some(0) => format!("waits for its standard input, {}", object(seen)),
        Some(_) | None => format!("waits for {}", object(seen)),
    }
}

/// What the descriptor is open on, in words.
fn object(seen: &Waiting) -> String {
    match seen.target.as_deref() {
        Some(tty) if tty.starts_with("/dev/pts/") || tty.starts_with("/dev/tty") => format!("a terminal ({tty})"),
        Some(pipe) if pipe.starts_with("pipe:") => "a pipe".to_owned(),
        Some(socket) if socket.starts_with("socket:") => "a socket".to_owned(),
        Some(other) => strip_control(&cut(other, 80)),
        None => "something that cannot be read".to_owned(),
    }
}

/// The places in the kernel that are worth a word of their own.
fn by_place(wchan: &str) -> Option<String> {
    let known = [
        ("futex", "waits for a lock (futex)"),
        ("pipe_read", "waits for a pipe"),
        ("pipe_write", "waits until somebody reads its pipe"),
        ("n_tty_read", "waits for a terminal"),
        ("nanosleep", "sleeps"),
        ("poll", "waits for events"),
        ("select", "waits for events"),
        ("accept", "waits for somebody to connect to it"),
        ("wait_for_partner", "waits for a named pipe to be opened at its other end"),
        ("wait_woken", "waits for a socket or terminal"),
        ("locks_lock", "waits for a lock on a file"),
        ("stream_read", "waits for a socket"),
        ("sk_wait_data", "waits for a socket"),
    ];
    known.iter().find(|(part, _)| wchan.contains(part)).map(|(_, words)| (*words).to_owned())
}

fn place(seen: &Waiting) -> String {
    seen.wchan.as_ref().map_or(String::new(), |wchan| format!(" ({wchan})"))
}
