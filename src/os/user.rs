//! Who asks, and as whom a program runs.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

/// The name of the user who runs this, else the number.
#[must_use]
pub fn name() -> String {
    let id = nix::unistd::getuid();
    User::from_uid(id).ok().flatten().map_or_else(|| format!("uid {id}"), |user| user.name)
}

/// User, group and further groups, as a process takes them on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its groups, that one included.
    pub groups: Vec<u32>,
}

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// As whom it runs.
    pub ids: Ids,
    /// Its home directory.
    pub home: PathBuf,
    /// Its shell.
    pub shell: PathBuf,
}

fn look_up(text: &str) -> nix::Result<Option<User>> {
    match User::from_name(text)? {
        Some(user) => Ok(Some(user)),
        None => text.parse().map_or(Ok(None), |uid| User::from_uid(Uid::from_raw(uid))),
    }
}

/// Whether there is an account of this name or number. A user database that cannot be asked refuses nobody: the start will tell.
#[must_use]
pub fn is_there(text: &str) -> bool {
    !matches!(look_up(text), Ok(None))
}

/// The account of this name or number; `None`: there is none.
///
/// # Errors
/// The user database cannot be asked.
pub fn account(text: &str) -> io::Result<Option<Account>> {
    let Some(user) = look_up(text)? else { return Ok(None) };
    let name = CString::new(user.name.as_str())?;
    let ids = Ids { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups: groups(&name, user.gid)? };
    Ok(Some(Account { name: user.name, ids, home: user.dir, shell: user.shell }))
}

#[cfg(not(target_os = "macos"))]
fn groups(name: &CStr, gid: Gid) -> io::Result<Vec<u32>> {
    Ok(nix::unistd::getgrouplist(name, gid)?.into_iter().map(Gid::as_raw).collect())
}

#[cfg(target_os = "macos")]
fn groups(_name: &CStr, gid: Gid) -> io::Result<Vec<u32>> {
    Ok(vec![gid.as_raw()]) // the system takes the others from its own list by the user
}

#[cfg(not(target_os = "macos"))]
fn count(groups: usize) -> libc::size_t {
    groups
}

#[cfg(target_os = "macos")]
fn count(groups: usize) -> libc::c_int {
    libc::c_int::try_from(groups).unwrap_or(0) // there is one
}

/// Whether this process runs as that user already.
#[must_use]
pub fn is_mine(uid: u32) -> bool {
    nix::unistd::geteuid().as_raw() == uid
}

impl Ids {
    /// The form in which a shim is told of them.
    #[must_use]
    pub fn encode(&self) -> String {
        let groups: String = self.groups.iter().map(|group| format!(" {group}")).collect();
        format!("{} {}{groups}", self.uid, self.gid)
    }

    /// What [`Self::encode`] wrote; `None`: it is not that.
    #[must_use]
    pub fn decode(text: &CStr) -> Option<Self> {
        let mut numbers = text.to_str().ok()?.split(' ').map(str::parse);
        let (uid, gid) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self { uid, gid, groups: numbers.collect::<Result<_, _>>().ok()? })
    }

    /// Becomes them, for good. Async-signal-safe.
    ///
    /// # Errors
    /// Those of `setgroups`, `setgid` and `setuid`.
    pub fn take_on(&self) -> io::Result<()> {
        let check = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        // SAFETY: the groups live through the call, which only reads them; the others pass no memory.
        unsafe {
            check(libc::setgroups(count(self.groups.len()), self.groups.as_ptr()))?;
            check(libc::setgid(self.gid))?;
            check(libc::setuid(self.uid))
        }
    }
}

/// `command` is executed as `ids`.
pub fn run_as(command: &mut Command, ids: &Ids) {
    let ids = ids.clone();
    // SAFETY: between fork and exec only async-signal-safe calls are made, on memory that is there already.
    unsafe { command.pre_exec(move || ids.take_on()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shim_is_told_of_a_user_it_reads_back() {
        let ids = Ids { uid: 7, gid: 8, groups: vec![8, 9] };
        assert_eq!(Ids::decode(&CString::new(ids.encode()).unwrap()), Some(ids));
        for wrong in [c"", c"7", c"7 x", c"7 8 "] {
            assert_eq!(Ids::decode(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_account_is_found_by_name_and_by_number() {
        let root = account("root").unwrap().unwrap();
        assert_eq!((root.ids.uid, account("0").unwrap()), (0, Some(root)));
        assert_eq!((account("no-such-user").unwrap(), is_there("no-such-user")), (None, false));
    }
}
