//! Notifications on screens: which there are, which program shows one there, how it is called and as whom.
//!
//! Of a user it is their own screen. Root has none as a rule (a pass by cron), so there it is that of everybody who is logged in;
//! the program then runs as that user, with nothing of root's environment.

use std::io;
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;
#[cfg(target_os = "linux")]
use std::path::Path;

/// Where logind keeps what belongs to those who are logged in.
#[cfg(target_os = "linux")]
const SESSIONS: &str = "/run/user";

/// Whom a program runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id; there are no further groups.
    pub gid: u32,
}

/// The call that shows something on one screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// Whose it is, for people.
    pub whose: String,
    /// The program with its arguments.
    pub argv: Vec<String>,
    /// What is set in its environment.
    pub environment: Vec<(&'static str, String)>,
    /// Another user whom it runs as, with that environment and no other; `None`: us.
    pub account: Option<Account>,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// It goes away by itself.
    Normal,
    /// It stays until somebody has seen it.
    Critical,
}

/// The calls that show `title` and `text`, one for each screen, at least one.
///
/// # Errors
/// There is no session that could show it.
#[cfg(target_os = "linux")]
pub fn screens(title: &str, text: &str, urgency: Urgency) -> io::Result<Vec<Screen>> {
    let urgency = match urgency {
        Urgency::Normal => "normal",
        Urgency::Critical => "critical",
    };
    // Servers may read markup in the text; nothing after `--` is an option.
    let text = crate::view::escape::html(text);
    let argv = ["notify-send", "-a", "guardian", "-u", urgency, "--", title, &text].map(str::to_owned).to_vec();
    let ours = |address| Screen {
        whose: "our own".to_owned(),
        argv: argv.clone(),
        environment: vec![("DBUS_SESSION_BUS_ADDRESS", address)],
        account: None,
    };
    if let Some(address) = std::env::var("DBUS_SESSION_BUS_ADDRESS").ok().filter(|address| !address.is_empty()) {
        return Ok(vec![ours(address)]);
    }
    let us = nix::unistd::geteuid();
    if us.is_root() {
        let screens: Vec<_> = logged_in()?.into_iter().map(|account| of(account, argv.clone())).collect();
        if screens.is_empty() {
            let why = format!("nobody to show it to: no user has a session bus in `{SESSIONS}`");
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        return Ok(screens);
    }
    // From cron there is no session in the environment: the bus of the user's session is where logind makes it.
    let path = format!("{SESSIONS}/{us}/bus");
    std::fs::metadata(&path).map_err(|error| {
        io::Error::new(error.kind(), format!("nobody to show it to: the session bus `{path}`: {error}"))
    })?;
    Ok(vec![ours(format!("unix:path={path}"))])
}

/// Everybody with a session bus. A directory that is not its user's own is none of logind's.
#[cfg(target_os = "linux")]
fn logged_in() -> io::Result<Vec<Account>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("nobody to show it to: `{SESSIONS}`: {error}"));
    let mut accounts = Vec::new();
    for entry in std::fs::read_dir(SESSIONS).map_err(named)? {
        let entry = entry.map_err(named)?;
        let Some(uid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that logs out meanwhile is not there.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() && meta.uid() == uid && entry.path().join("bus").exists() {
            accounts.push(Account { uid, gid: meta.gid() });
        }
    }
    accounts.sort_by_key(|account| account.uid);
    Ok(accounts)
}

/// The screen of another user. Of our own environment only what says where programs are goes along: the rest may hold secrets, and
/// that user could read them.
#[cfg(target_os = "linux")]
fn of(account: Account, argv: Vec<String>) -> Screen {
    let uid = account.uid;
    // A user whom only a directory service knows has no entry that we can read, and needs none.
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    let home = user.as_ref().map_or(Path::new("/"), |user| user.dir.as_path()).display().to_string();
    let runtime = format!("{SESSIONS}/{uid}");
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let environment = vec![
        ("PATH", path),
        ("HOME", home),
        ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={runtime}/bus")),
        ("XDG_RUNTIME_DIR", runtime),
    ];
    Screen {
        whose: user.map_or_else(|| format!("user {uid}"), |user| user.name),
        argv,
        environment,
        account: Some(account),
    }
}

/// The calls that show `title` and `text`: one. macOS knows no urgency.
///
/// # Errors
/// None: whether somebody is logged in shows when it is called.
#[cfg(target_os = "macos")]
pub fn screens(title: &str, text: &str, _urgency: Urgency) -> io::Result<Vec<Screen>> {
    let argv = [
        "osascript",
        "-e",
        "on run argv",
        "-e",
        "display notification (item 2 of argv) with title (item 1 of argv)",
        "-e",
        "end run",
        title,
        text,
    ];
    let argv = argv.map(str::to_owned).to_vec();
    Ok(vec![Screen { whose: "our own".to_owned(), argv, environment: Vec::new(), account: None }])
}
