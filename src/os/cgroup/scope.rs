//! A transient scope of systemd, for those who may not make a control group themselves.
//!
//! Asked of the manager through `busctl`, which comes with systemd; only where systemd runs the caller.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::parse;

/// Where `busctl` lies.
const BUSCTL: [&str; 2] = ["/usr/bin/busctl", "/bin/busctl"];
/// Looks for the new group, and the pause between two: the manager moves a process after it has answered.
const LOOKS: u32 = 400;
const PAUSE: Duration = Duration::from_millis(5);

/// Moves this process into a scope of its own named after `group`; the scope's group, or why not.
pub(super) fn enter(group: &str) -> Result<String, String> {
    if !Path::new("/run/systemd/system").exists() {
        return Err("systemd does not run this machine".to_owned());
    }
    let here = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
    if !parse::unit(&here).is_some_and(of_systemd) {
        return Err("systemd does not run its caller".to_owned());
    }
    let program = BUSCTL.into_iter().find(|path| Path::new(path).exists()).ok_or("`busctl` is not installed")?;
    let uid = nix::unistd::geteuid().as_raw();
    let unit = format!("guardian-{group}.scope");
    let mut command = Command::new(program);
    command.args(request(&unit, std::process::id(), uid)).env_clear().stdin(Stdio::null());
    if uid != 0 {
        let runtime = format!("/run/user/{uid}");
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={runtime}/bus"));
        command.env("XDG_RUNTIME_DIR", runtime);
    }
    let output = command.output().map_err(|error| format!("`busctl` cannot be run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "systemd gives no scope: {}",
            said.trim().lines().next_back().unwrap_or("no reason given")
        ));
    }
    for _ in 0..LOOKS {
        let now = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        if let Some(path) = parse::unit(&now).filter(|path| path.ends_with(&unit)) {
            return Ok(path.to_owned());
        }
        std::thread::sleep(PAUSE);
    }
    Err("systemd gave a scope and moved nothing into it".to_owned())
}

/// Whether a group is that of a unit, or below one.
fn of_systemd(group: &str) -> bool {
    group.split('/').any(|part| part.ends_with(".service") || part.ends_with(".scope"))
}

/// Arguments of `busctl` that ask for the scope.
fn request(unit: &str, pid: u32, uid: u32) -> Vec<String> {
    let bus = if uid == 0 { "--system" } else { "--user" };
    let pid = pid.to_string();
    let call = [
        bus,
        "--timeout=5",
        "--quiet",
        "call",
        "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager",
        "StartTransientUnit",
        "ssa(sv)a(sa(sv))",
        unit,
        "fail",
        "4",
        "PIDs",
        "au",
        "1",
        &pid,
        "Delegate",
        "b",
        "true",
        "CollectMode",
        "s",
        "inactive-or-failed",
        "Description",
        "s",
        "a process under guardian",
        "0",
    ];
    call.map(str::to_owned).to_vec()
}

/// What ends a scope of this user all the same.
pub(super) fn mortality() -> Option<String> {
    if nix::unistd::geteuid().is_root() {
        return None;
    }
    let user = std::env::var("LOGNAME").or_else(|_| std::env::var("USER")).ok()?;
    let lingers = Path::new("/var/lib/systemd/linger").join(user).exists();
    (!lingers).then(|| "it ends with the last login of this user: `loginctl enable-linger` keeps it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_a_session_and_a_user_manager_are_run_by_systemd_and_a_container_is_not() {
        let cases = [
            ("/system.slice/cron.service", true),
            ("/user.slice/user-7.slice/session-2.scope", true),
            ("/user.slice/user-7.slice/user@7.service/app.slice", true),
            ("/docker/0123456789ab", false),
            ("/", false),
        ];
        for (group, want) in cases {
            assert_eq!(of_systemd(group), want, "{group}");
        }
    }

    #[test]
    fn a_plain_user_asks_the_own_manager_for_a_scope_with_this_one_process_in_it() {
        let text = request("guardian-bot.x.1.scope", 42, 1000).join(" ");
        assert!(text.starts_with("--user ") && text.contains(" fail 4 PIDs au 1 42 Delegate b true "), "{text}");
        assert!(request("u", 1, 0).join(" ").starts_with("--system "));
    }
}
