//! The code of a run as its caller would have seen it; and what a code usually means, where there is a convention. A
//! meaning is a custom, never a cause.

use crate::model::ending::{Cause, EndedRun, WaitStatus};
use crate::model::evidence::SpawnStep;
use crate::model::signal::Signal;

/// The code of the process, as its caller would have seen it.
///
/// A run that guardian ended for a limit was ended by a signal, whatever it said on the way out.
#[must_use]
pub fn code_of(last: &EndedRun) -> u8 {
    let code = match (&last.cause, last.status) {
        (
            Cause::TimeLimit { .. }
            | Cause::Hung { .. }
            | Cause::MemoryLimit { .. }
            | Cause::NotReady { .. }
            | Cause::Overlap,
            Some(WaitStatus::Code(0)),
        ) => 128 + libc::SIGTERM,
        (_, Some(status)) => status.code(),
        (Cause::SpawnFailed { step: Some(SpawnStep::Cwd | SpawnStep::EnvFile | SpawnStep::Fork), .. }, None) => 126,
        (Cause::SpawnFailed { errno: libc::ENOENT | libc::ENOTDIR, .. }, None) => 127,
        (Cause::SpawnFailed { .. }, None) => 126,
        (Cause::PreflightFailed { code: Some(code), .. }, None) => *code,
        (_, None) => 1, // how it ended is not known: surely not well
    };
    u8::try_from(code).unwrap_or(1) // codes are 0 to 255, signals 1 to 64
}

/// What the code usually means; `None`: nothing in particular.
#[must_use]
pub fn exit_code_meaning(code: i32) -> Option<String> {
    let known = match code {
        2 => "by custom: wrong usage, or a shell builtin that failed",
        64 => "sysexits: wrong usage",
        65 => "sysexits: bad input data",
        66 => "sysexits: input cannot be opened",
        67 => "sysexits: no such user",
        68 => "sysexits: no such host",
        69 => "sysexits: a service is unavailable",
        70 => "sysexits: internal error",
        71 => "sysexits: system error",
        72 => "sysexits: a file of the system is missing",
        73 => "sysexits: output cannot be created",
        74 => "sysexits: input/output error",
        75 => "sysexits: try again later",
        76 => "sysexits: protocol error",
        77 => "sysexits: permission denied",
        78 => "sysexits: configuration error",
        124 => "by custom: `timeout` ended a command whose time was up",
        126 => "by a shell: found but cannot be executed",
        127 => "by a shell: command not found",
        129..=192 => {
            let signal = Signal(code - 128);
            return Some(format!("by a shell: a child ended by {signal}; the program itself chose this code"));
        }
        _ => return None,
    };
    Some(known.to_owned())
}

/// The exception of Python's that the output ends with: only a whole traceback that nothing follows is one.
#[must_use]
pub fn python_exception(tail: &[String]) -> Option<&str> {
    let begin = tail.iter().rposition(|line| line.starts_with("Traceback (most recent call last):"))?;
    let (last, frames) = tail.get(begin + 1..)?.split_last()?;
    let framed = !frames.is_empty() && frames.iter().all(|line| line.starts_with(' '));
    let name = last.split(':').next()?;
    let named = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_alphanumeric() || "_.".contains(letter));
    (framed && named).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_beyond_128_is_said_to_be_the_programs_own_choice() {
        assert!(exit_code_meaning(143).unwrap().contains("SIGTERM; the program itself chose this code"));
        for code in [0, 1, 3, 128, 193, 255] {
            assert_eq!(exit_code_meaning(code), None, "{code}");
        }
    }

    #[test]
    fn only_a_whole_traceback_at_the_end_is_an_exception() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let whole =
            "x\nTraceback (most recent call last):\n  File \"b.py\", line 1, in <module>\n    f()\nValueError: no: 7";
        assert_eq!(python_exception(&lines(whole)), Some("ValueError: no: 7"));
        for text in [
            "",
            "ValueError: no",
            &format!("{whole}\ngoing on"),
            "Traceback (most recent call last):\nValueError: x",
            "Traceback (most recent call last):\n  File \"b.py\"",
        ] {
            assert_eq!(python_exception(&lines(text)), None, "{text}");
        }
    }
}
