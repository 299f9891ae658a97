//! What Linux shows of a process that guardian did not start: environment, directory, mask, output, listening ports.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Most of an environment that is read, in bytes: the kernel lets a program have no more than a few MiB of it.
const ENVIRONMENT_MAX: u64 = 8 << 20;
/// Most descriptors of one process that are looked at.
const DESCRIPTORS_MAX: usize = 4096;
/// Most of a table of sockets that is read, in bytes.
const TABLE_MAX: u64 = 4 << 20;
/// State of a TCP socket that listens.
const LISTENING: &str = "0A";

/// The variables of `pid` as they were when it was executed, `NAME=value` each; `None`: it is gone.
///
/// # Errors
/// It is not ours to read.
pub fn environment(pid: i32) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut bytes = Vec::new();
    let path = format!("/proc/{pid}/environ");
    match File::open(path).and_then(|file| file.take(ENVIRONMENT_MAX).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether `pid` is a thread of the kernel's own: it executes no file and never had an argument.
#[must_use]
pub fn is_of_the_kernel(pid: i32, parent: i32) -> bool {
    (pid == 2 || parent == 2) && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.is_empty())
}

/// The process of which `pid` is a thread, itself where it is no other's; `None`: it is gone.
#[must_use]
pub fn process_of(pid: i32) -> Option<i32> {
    super::platform::thread_group(pid)
}

/// Its working directory.
///
/// # Errors
/// It is gone, or not ours to ask.
pub fn cwd(pid: i32) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd"))
}

/// What it executes, where the kernel still finds that; `None`: it was removed, or is not ours to ask.
#[must_use]
pub fn executable(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok().filter(|path| !path.as_os_str().as_bytes().ends_with(b" (deleted)"))
}

/// Its user, group and further groups, those ascending; `None`: it is gone.
#[must_use]
pub fn ids(pid: i32) -> Option<(u32, u32, Vec<u32>)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = |key: &str| -> Option<Vec<u32>> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
    };
    // Real, effective, saved, that of the file system.
    let (user, group, mut further) = (*numbers("Uid:")?.get(1)?, *numbers("Gid:")?.get(1)?, numbers("Groups:")?);
    further.sort_unstable();
    Some((user, group, further))
}

/// Its file mode creation mask; `None`: it cannot be asked.
#[must_use]
pub fn umask(pid: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(value.trim(), 8).ok()
}

/// What its standard output goes to, as the kernel names it; `None`: it is closed, or not ours to ask.
#[must_use]
pub fn output(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/fd/1")).ok()
}

/// TCP ports that `pids` listen on, in the network that the first of them sees; `None`: it cannot be told.
#[must_use]
pub fn listening(pids: &[i32]) -> Option<BTreeSet<u16>> {
    let mut sockets = BTreeSet::new();
    for pid in pids {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten().take(DESCRIPTORS_MAX) {
            if let Some(inode) = fs::read_link(entry.path()).ok().and_then(|target| socket(target.as_os_str())) {
                sockets.insert(inode);
            }
        }
    }
    if sockets.is_empty() {
        return Some(BTreeSet::new());
    }
    let first = pids.first()?;
    let mut ports = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let mut text = String::new();
        match File::open(format!("/proc/{first}/net/{table}")) {
            Ok(file) => file.take(TABLE_MAX).read_to_string(&mut text).ok()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // a kernel without IPv6
            Err(_) => return None,
        };
        if u64::try_from(text.len()).ok()? >= TABLE_MAX {
            return None;
        }
        ports.extend(text.lines().skip(1).filter_map(|line| port(line, &sockets)));
    }
    Some(ports)
}

/// The inode in `socket:[123]`.
fn socket(target: &OsStr) -> Option<u64> {
    let inner = target.as_bytes().strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inner).ok()?.parse().ok()
}

/// The local port of a line of `/proc/net/tcp`, if it listens and is one of `sockets`.
fn port(line: &str, sockets: &BTreeSet<u64>) -> Option<u16> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    let inode = words.nth(5)?.parse::<u64>().ok()?;
    let (_, port) = local.rsplit_once(':')?;
    (state == LISTENING && sockets.contains(&inode)).then(|| u16::from_str_radix(port, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_of_ours_gives_its_port_and_no_other() {
        let line =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0";
        assert_eq!(port(line, &BTreeSet::from([4711])), Some(8080));
        assert_eq!(port(line, &BTreeSet::from([4712])), None);
        assert_eq!(port(&line.replace(" 0A ", " 01 "), &BTreeSet::from([4711])), None);
    }

    #[test]
    fn a_port_that_this_very_process_listens_on_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(listening(&[me]).unwrap().contains(&listener.local_addr().unwrap().port()));
    }
}
