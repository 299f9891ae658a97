//! A notification on the screen of the user that guardian runs as: which program shows it, and how it is called.

use std::io;

/// A program with its environment.
pub type Call = (Vec<String>, Vec<(&'static str, String)>);

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// It goes away by itself.
    Normal,
    /// It stays until somebody has seen it.
    Critical,
}

/// The call that shows `title` and `text`.
///
/// # Errors
/// The user has no session that could show it.
#[cfg(target_os = "linux")]
pub fn notification(title: &str, text: &str, urgency: Urgency) -> io::Result<Call> {
    let urgency = match urgency {
        Urgency::Normal => "normal",
        Urgency::Critical => "critical",
    };
    // From cron there is no session in the environment: the bus of the user's session is where logind makes it.
    let own = std::env::var("DBUS_SESSION_BUS_ADDRESS").ok().filter(|address| !address.is_empty());
    let address = match own {
        Some(address) => address,
        None => {
            let path = format!("/run/user/{}/bus", nix::unistd::getuid());
            std::fs::metadata(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("nobody to show it to: the session bus `{path}`: {error}"))
            })?;
            format!("unix:path={path}")
        }
    };
    // Servers may read markup in the text; nothing after `--` is an option.
    let text = crate::view::escape::html(text);
    let argv = ["notify-send", "-a", "guardian", "-u", urgency, "--", title, &text];
    Ok((argv.map(str::to_owned).to_vec(), vec![("DBUS_SESSION_BUS_ADDRESS", address)]))
}

/// The call that shows `title` and `text`. macOS knows no urgency.
///
/// # Errors
/// None: whether somebody is logged in shows when it is called.
#[cfg(target_os = "macos")]
pub fn notification(title: &str, text: &str, _urgency: Urgency) -> io::Result<Call> {
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
    Ok((argv.map(str::to_owned).to_vec(), Vec::new()))
}
