//! The process table of macOS as the kernel gives it to everybody (`kern.proc`), zombies and other users' included.

use std::ffi::CStr;
use std::io;
use std::mem::{offset_of, size_of};

use super::process::Process;

/// `struct kinfo_proc`: only what is read here has a name.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Entry {
    started_s: i64,
    started_us: i32,
    _a: [u8; 24],
    state: u8,
    pid: i32,
    _b: [u8; 199],
    comm: [u8; 17],
    _c: [u8; 132],
    real_uid: u32,
    _d: [u8; 164],
    parent: i32,
    _e: [u8; 84],
}

// Where the fields lie in the public header, on both 64-bit architectures.
const _: () = assert!(offset_of!(Entry, state) == 36 && offset_of!(Entry, pid) == 40);
const _: () = assert!(offset_of!(Entry, comm) == 243 && offset_of!(Entry, real_uid) == 392);
const _: () = assert!(offset_of!(Entry, parent) == 560 && size_of::<Entry>() == 648);

/// Entries that may be made between the question how many there are and the answer.
const MORE: usize = 64;
/// Questions until an answer fits.
const TRIES: u32 = 8;

impl Entry {
    /// What it is to the rest of guardian. Its start time is in microseconds since 1970, which the kernel keeps as it was.
    pub(super) fn process(&self) -> Process {
        let name = CStr::from_bytes_until_nul(&self.comm).map_or(&self.comm[..], CStr::to_bytes);
        Process {
            pid: self.pid,
            parent: self.parent,
            started: u64::try_from(self.started_s * 1_000_000 + i64::from(self.started_us)).unwrap_or(0), // after 1970
            zombie: u32::from(self.state) == libc::SZOMB,
            comm: String::from_utf8_lossy(name).into_owned(),
        }
    }

    /// Its real user.
    pub(super) fn uid(&self) -> u32 {
        self.real_uid
    }
}

/// The process `pid`; `None`: there is none.
pub(super) fn one(pid: i32) -> io::Result<Option<Entry>> {
    let mut found = Vec::with_capacity(1);
    ask(&mut [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, pid], &mut found)?;
    Ok(found.into_iter().find(|entry: &Entry| entry.pid == pid))
}

/// All processes.
pub(super) fn all() -> io::Result<Vec<Entry>> {
    let mut name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_ALL];
    for _ in 0..TRIES {
        let mut found = Vec::with_capacity(count(&mut name)? + MORE);
        match ask(&mut name, &mut found) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(found),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// How many entries an answer would have, about.
fn count(name: &mut [i32]) -> io::Result<usize> {
    let mut bytes = 0;
    let words = libc::c_uint::try_from(name.len()).map_err(io::Error::other)?;
    // SAFETY: the name has this many words; without a buffer only the size is written, which lives through the call.
    let done = unsafe {
        libc::sysctl(name.as_mut_ptr(), words, std::ptr::null_mut(), &raw mut bytes, std::ptr::null_mut(), 0)
    };
    if done == 0 { Ok(bytes / size_of::<Entry>()) } else { Err(io::Error::last_os_error()) }
}

/// Fills `found`, as far as it has room, with the answer.
fn ask(name: &mut [i32], found: &mut Vec<Entry>) -> io::Result<()> {
    let mut bytes = found.capacity() * size_of::<Entry>();
    let words = libc::c_uint::try_from(name.len()).map_err(io::Error::other)?;
    // SAFETY: the name has this many words; the buffer has room for that many bytes, and both live through the call.
    let done = unsafe {
        libc::sysctl(name.as_mut_ptr(), words, found.as_mut_ptr().cast(), &raw mut bytes, std::ptr::null_mut(), 0)
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel wrote this many bytes, at most the room there was; every bit pattern is an entry.
    unsafe { found.set_len((bytes / size_of::<Entry>()).min(found.capacity())) };
    Ok(())
}
