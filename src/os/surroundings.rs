//! What a process inherits besides environment and directory: limits, user, kernel.

use std::collections::BTreeMap;

/// Resource limits of this process, soft and hard; `None` in them: unlimited. One that cannot be asked is left out.
#[must_use]
pub fn rlimits() -> BTreeMap<String, [Option<u64>; 2]> {
    limits(|resource| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure lives through the call.
        let got = unsafe { libc::getrlimit(resource, &raw mut limit) };
        (got == 0).then_some(limit)
    })
}

/// Those of another process.
#[cfg(target_os = "linux")]
#[must_use]
pub fn rlimits_of(pid: i32) -> BTreeMap<String, [Option<u64>; 2]> {
    limits(|resource| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: nothing is set, and the structure for the answer lives through the call.
        let got = unsafe { libc::prlimit(pid, resource, std::ptr::null(), &raw mut limit) };
        (got == 0).then_some(limit)
    })
}

/// Those of another process, which this system does not show.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn rlimits_of(_pid: i32) -> BTreeMap<String, [Option<u64>; 2]> {
    BTreeMap::new()
}

/// How the kernel's resources are numbered.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Resource = libc::__rlimit_resource_t;
/// How the kernel's resources are numbered.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
type Resource = libc::c_int;

fn limits(ask: impl Fn(Resource) -> Option<libc::rlimit>) -> BTreeMap<String, [Option<u64>; 2]> {
    let asked = [
        ("as", libc::RLIMIT_AS),
        ("core", libc::RLIMIT_CORE),
        ("cpu", libc::RLIMIT_CPU),
        ("data", libc::RLIMIT_DATA),
        ("fsize", libc::RLIMIT_FSIZE),
        ("memlock", libc::RLIMIT_MEMLOCK),
        ("nofile", libc::RLIMIT_NOFILE),
        ("nproc", libc::RLIMIT_NPROC),
        ("stack", libc::RLIMIT_STACK),
    ];
    let number = |limit: u64| (limit != libc::RLIM_INFINITY).then_some(limit);
    let found = asked.into_iter().filter_map(|(name, resource)| {
        let limit = ask(resource)?;
        Some((name.to_owned(), [number(limit.rlim_cur), number(limit.rlim_max)]))
    });
    found.collect()
}

/// User, group and further groups of this process, those ascending; `None`: they cannot be asked.
#[must_use]
pub fn ids() -> (u32, u32, Option<Vec<u32>>) {
    let groups = further_groups();
    (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw(), groups)
}

#[cfg(target_os = "linux")]
fn further_groups() -> Option<Vec<u32>> {
    let mut groups: Vec<u32> = nix::unistd::getgroups().ok()?.into_iter().map(nix::unistd::Gid::as_raw).collect();
    groups.sort_unstable();
    Some(groups)
}

#[cfg(not(target_os = "linux"))]
fn further_groups() -> Option<Vec<u32>> {
    None // the system gives an unordered excerpt
}

/// Number of the pid namespace that a machine begins with.
pub const INITIAL_PIDS: u64 = 0xEFFF_FFFC;

/// Number of the pid namespace of this process; `None`: it cannot be asked, or there is no such thing here.
#[must_use]
pub fn pid_namespace() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/pid").ok().map(|namespace| namespace.ino())
}

/// Release of the kernel.
#[must_use]
pub fn kernel() -> Option<String> {
    sysinfo::System::kernel_version().ok()
}

/// Device and inode of what `pid` executes; `None`: it is gone, or cannot be asked here.
#[must_use]
pub fn executed(pid: i32) -> Option<(u64, u64)> {
    super::platform::executable(pid)
}
