//! What the kernel tells of an end beyond the wait status: limits, want of memory, core dumps.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::home::{Home, PYTHON};
use crate::procs::eventually;

/// Runs a line that ends by itself, without restarts; what is said of the end.
fn end_of(home: &Home, line: &str) -> Value {
    home.up("x", &["--restart", "never"], line);
    eventually("it ended", || {
        let last = home.status("x")["last_exit"].clone();
        (!last.is_null()).then_some(last)
    })
}

/// Burns CPU time until somebody stops it.
fn burn(home: &Home) -> String {
    let path = home.script("burn.py", "while True: pass\n");
    format!("exec {PYTHON} {}", path.display())
}

#[test]
fn a_resource_limit_that_ended_it_is_the_cause_and_the_same_signal_by_hand_is_not() {
    let home = Home::new();
    let spin = burn(&home);
    let file = home.path("file");
    let write = format!("exec head -c 100000 /dev/zero >{}", file.display());
    // Python ignores SIGXFSZ, `head` does not.
    let cases = [
        ("the soft CPU limit", format!("ulimit -c 0; ulimit -S -t 1; {spin}"), "cpu_limit", "limit_s", 1),
        ("the hard CPU limit", format!("ulimit -t 1; {spin}"), "cpu_limit", "limit_s", 1),
        ("the file size limit", format!("ulimit -f 8; {write}"), "file_size_limit", "limit_bytes", 4096),
        ("SIGXCPU by hand", "ulimit -S -t 9; kill -XCPU $$".to_owned(), "signaled", "signal", 0),
        ("SIGXFSZ by hand", "kill -XFSZ $$".to_owned(), "signaled", "signal", 0),
        ("SIGKILL by hand", "ulimit -t 9; kill -KILL $$".to_owned(), "signaled", "signal", 0),
        ("its own 137", "exit 137".to_owned(), "exited", "code", 137),
    ];
    for (claim, line, kind, field, value) in cases {
        let home = Home::new();
        let last = end_of(&home, &line);
        assert_eq!(last["cause"]["kind"], kind, "{claim}: {last}");
        assert!(value == 0 || last["cause"][field] == value, "{claim}: {last}");
    }
}

#[test]
fn a_core_dump_is_found_where_the_kernel_put_it() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let home = Home::new();
    fs::create_dir(home.path("work")).unwrap();
    let dir = home.path("work");
    home.up("x", &["--restart", "never", "--cwd", dir.to_str().unwrap()], "ulimit -c unlimited; kill -SEGV $$");
    let last = home.reaches("x", "dead")["last_exit"].clone();
    assert_eq!(last["cause"]["core_dumped"], true, "{last}");
    let said = home.json(&["why", "x"]);
    let core = said["core"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned();
    assert!(home.ok(&["why", "x"]).contains(&core));
    if pattern.starts_with('|') {
        assert!(core.starts_with("given to "), "{core}");
    } else {
        assert!(PathBuf::from(&core).is_file(), "{core}");
    }
}

/// A control group with 24 MiB for all in it.
struct Group(PathBuf);

impl Group {
    /// Where this machine lets us make one.
    fn new() -> Self {
        let name = format!("guardian-it-{}", std::process::id());
        let (old, new) =
            (PathBuf::from("/sys/fs/cgroup/memory").join(&name), PathBuf::from("/sys/fs/cgroup").join(&name));
        let v1 = fs::create_dir(&old).is_ok() && fs::write(old.join("memory.limit_in_bytes"), "24M").is_ok();
        if v1 {
            return Self(old);
        }
        drop(fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
        fs::create_dir(&new).expect("needs root: run scripts/test");
        fs::write(new.join("memory.max"), "24M").unwrap();
        drop(fs::write(new.join("memory.swap.max"), "0"));
        Self(new)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        crate::procs::until("its group is empty", || fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_kill_for_want_of_memory_is_told_from_a_kill_by_hand() {
    let home = Home::new();
    let group = Group::new();
    let into = format!("echo $$ >{}/cgroup.procs", group.0.display());
    home.script("eat.py", "x = []\nwhile True: x.append(bytearray(1 << 20))\n");
    let eat = format!("{into}; exec {PYTHON} {}", home.path("eat.py").display());
    let last = end_of(&home, &eat);
    assert_eq!(last["cause"]["kind"], "oom_killed", "{last}");
    // The kernel has killed somebody since this run began, but not this one.
    home.up("y", &["--restart", "never"], "echo up >>up; while :; do sleep 0.1; done");
    home.has_lines("up", 1);
    home.ok(&["start", "x"]);
    home.reaches("x", "dead");
    crate::procs::signal(home.pid("y"), nix::sys::signal::Signal::SIGKILL);
    let last = home.reaches("y", "dead")["last_exit"].clone();
    assert_eq!(last["cause"]["kind"], "signaled", "{last}");
    assert_eq!(home.status("x")["last_exit"]["cause"]["kind"], "oom_killed");
}
