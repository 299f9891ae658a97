//! What systemd can say of a service and guardian cannot: why, and what to do instead.

use super::Taking;
use super::systemd::Unit;
use super::systemd_text::Setting;

/// Said of everything that systemd itself must do.
const WRAP: &str = "keep the unit, with `ExecStart=guardian exec NAME` in it: systemd does this, guardian the rest";

/// Keys that describe, or that say what holds here anyway.
const SILENT: [&str; 10] = [
    "Description",
    "Documentation",
    "SyslogIdentifier",
    "RemainAfterExit",
    "NotifyAccess",
    "GuessMainPID",
    "PIDFile",
    "MemoryAccounting",
    "CPUAccounting",
    "TasksAccounting",
];

/// A setting that has no equal, named with its line.
pub(super) fn other(taking: &mut Taking<'_>, unit: &Unit<'_>, setting: &Setting) {
    let Setting { section, key, value, line } = setting;
    if SILENT.contains(&key.as_str()) || is_usual(key, value) {
        return;
    }
    let (why, instead) = match section.as_str() {
        "Service" => of_service(key, value),
        _ => of_others(section, key),
    };
    let in_section = if section == "Service" { String::new() } else { format!("[{section}] ") };
    let name = super::names::slug(unit.name.rsplit_once('.').map_or(unit.name, |(stem, _)| stem));
    let instead = instead.replace("NAME", &name);
    taking.note(*line, format!("{in_section}{key}={value}"), why, instead);
}

/// Why a setting outside of `[Service]` has no equal, and what to do instead.
fn of_others(section: &str, key: &str) -> (&'static str, &'static str) {
    match (section, key) {
        ("Install", _) => {
            ("what is up is started again after a reboot by guardian's own trigger", "`guardian install`")
        }
        ("Unit", "After" | "Before" | "Wants" | "Requires" | "Requisite" | "BindsTo" | "PartOf" | "Upholds") => (
            "other units are not known here",
            "`depends_on` names processes; `ready` and `preflight` wait for what else is needed, such as the network",
        ),
        ("Unit", "OnFailure" | "OnSuccess") => {
            ("no unit is started for it", "a sink of type `command` in `[sinks.…]`, with `events` and `processes`")
        }
        ("Unit", condition) if condition.starts_with("Condition") || condition.starts_with("Assert") => {
            ("a start has no conditions", "`preflight` is a line that must succeed before each start")
        }
        ("Unit", _) => ("it is for systemd's own order of units", WRAP),
        (_, _) => ("only [Unit], [Service] and [Install] are read", ""),
    }
}

/// The same for one of `[Service]`.
fn of_service(key: &str, value: &str) -> (&'static str, &'static str) {
    match key {
        "ExecStartPost" => (
            "nothing is executed after a start",
            "a sink of type `command` with `events = [\"ready\"]`, or the program itself",
        ),
        "ExecCondition" => ("a start has no conditions", "`preflight` is a line that must succeed; it failing is told"),
        "ExecReload" if value.contains("kill") && value.contains("HUP") => {
            ("there is no reload", "`guardian signal NAME HUP`")
        }
        "ExecReload" => ("there is no reload", "call that command yourself"),
        "ExecStop" => ("a stop is a signal to the whole tree", "`stop_signal`, and `grace` until KILL"),
        "ExecStopPost" => ("nothing is executed after an end", "a sink of type `command` in `[sinks.…]` gets each end"),
        "Group" | "SupplementaryGroups" => ("a process has the groups of its user", WRAP),
        "StandardOutput" | "StandardError" => (
            "output goes to the log of the process",
            "`guardian logs NAME` reads it, `guardian status --json` has its path",
        ),
        "StandardInput" => ("there is nothing to read", "`stdin = \"pipe\"` and `guardian send`, or `pty = true`"),
        "UMask" => ("a process has the umask of who registered it", "put `umask 022;` before the command in `shell`"),
        "Nice" | "OOMScoreAdjust" | "IOSchedulingClass" | "IOSchedulingPriority" | "CPUSchedulingPolicy" => {
            ("priorities are not set", "put `nice`, `ionice`, `choom` or `chrt` before the command")
        }
        limit if limit.starts_with("Limit") => {
            ("limits of the kernel are not set", "put `ulimit` or `prlimit` before the command")
        }
        "MemoryHigh" | "MemoryLow" | "MemoryMin" | "MemorySwapMax" | "CPUWeight" | "IOWeight" | "AllowedCPUs" => {
            ("a control group gets `memory`, `cpu` and `tasks` only", WRAP)
        }
        "Slice" | "Delegate" | "DevicePolicy" | "DeviceAllow" => ("control groups are guardian's own", WRAP),
        "RuntimeDirectory" | "StateDirectory" | "CacheDirectory" | "LogsDirectory" | "ConfigurationDirectory" => {
            ("no directory is made", "`preflight = \"mkdir -p DIR\"`")
        }
        "UnsetEnvironment" => (
            "nothing is taken out of the environment",
            "`clean_env` begins with next to nothing; `env -u VARIABLE` before the command",
        ),
        "RestartForceExitStatus" | "RestartMode" => {
            ("a restart has no such rule", "`restart`, `never_restart`, `backoff` and `backoff_max`")
        }
        "TimeoutAbortSec"
        | "TimeoutStartFailureMode"
        | "TimeoutStopFailureMode"
        | "FinalKillSignal"
        | "WatchdogSignal"
        | "SendSIGKILL"
        | "SendSIGHUP"
        | "RestartKillSignal" => ("an end is `stop_signal`, then KILL after `grace`", ""),
        "RootDirectory"
        | "RootImage"
        | "DynamicUser"
        | "CapabilityBoundingSet"
        | "AmbientCapabilities"
        | "SecureBits" => ("guardian confines nothing", WRAP),
        sandbox if confines(sandbox) => ("guardian confines nothing", WRAP),
        _ => ("there is no equal", WRAP),
    }
}

/// What holds here as well.
fn is_usual(key: &str, value: &str) -> bool {
    matches!(
        (key, value),
        ("StandardInput", "null")
            | ("SendSIGKILL", "yes")
            | ("FinalKillSignal", "SIGKILL")
            | ("KillMode", "control-group")
    )
}

fn confines(key: &str) -> bool {
    [
        "Protect",
        "Private",
        "Restrict",
        "ReadOnly",
        "ReadWrite",
        "Inaccessible",
        "SystemCall",
        "NoNewPrivileges",
        "Lock",
        "Bind",
        "TemporaryFileSystem",
        "IPAddress",
        "Socket",
        "SELinux",
        "AppArmor",
        "Keyring",
        "Proc",
        "Mount",
        "Load",
        "Set",
        "Network",
    ]
    .iter()
    .any(|start| key.starts_with(start))
}
