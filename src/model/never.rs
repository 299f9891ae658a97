//! An end after which there is no restart: one item of `never_restart`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ending::Cause;
use super::signal::Signal;

/// An exit code, a signal, or a kind of cause by its name in the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {
    /// 0 to 255.
    Code(i32),
    /// The signal that ended it.
    Signal(Signal),
    /// One of [`Cause::KINDS`].
    Kind(String),
}

impl Never {
    /// The built-in default: usage, configuration, cannot be executed, not found.
    pub const USUAL: [Self; 4] = [Self::Code(2), Self::Code(78), Self::Code(126), Self::Code(127)];

    /// Every word that it may be, for whoever looks for the one that was meant.
    #[must_use]
    pub fn words() -> Vec<&'static str> {
        Cause::KINDS.into_iter().chain(Signal::names()).collect()
    }
}

impl FromStr for Never {
    type Err = String;

    /// # Errors
    /// A text that is none of the three; the error says so.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(code) = text.parse::<i64>() {
            let code = i32::try_from(code).ok().filter(|code| (0..256).contains(code));
            return code.map(Self::Code).ok_or_else(|| format!("{text} is not an exit code"));
        }
        let kind = text.to_ascii_lowercase().replace('-', "_");
        if Cause::KINDS.contains(&kind.as_str()) {
            return Ok(Self::Kind(kind));
        }
        let signal = text.parse::<Signal>().map(Self::Signal);
        signal.map_err(|_| format!("{text:?} is neither an exit code nor a signal nor a cause"))
    }
}

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::Kind(kind) => f.write_str(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_signals_and_causes_are_read_and_written_alike() {
        let cases = [
            ("78", Never::Code(78), "78"),
            ("SIGSEGV", Never::Signal(Signal(libc::SIGSEGV)), "SIGSEGV"),
            ("kill", Never::Signal(Signal(libc::SIGKILL)), "SIGKILL"),
            ("oom_killed", Never::Kind("oom_killed".to_owned()), "oom_killed"),
            ("oom-killed", Never::Kind("oom_killed".to_owned()), "oom_killed"),
        ];
        for (text, want, shown) in cases {
            let read: Never = text.parse().unwrap();
            assert_eq!((&read, read.to_string().as_str()), (&want, shown), "{text}");
        }
        for bad in ["", "256", "-1", "1.5", "SIGNOPE", "oom"] {
            assert!(bad.parse::<Never>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_word_that_is_offered_can_be_read() {
        for word in Never::words() {
            assert!(word.parse::<Never>().is_ok(), "{word}");
        }
    }
}
