//! The `sendmail` sink: the letter on the standard input of the local mail system's program (`-i -t`).
//!
//! Its exit code is one of `sysexits.h`: it says whether a failure passes.

use std::time::Duration;

use super::{Message, email, program};
use crate::model::channel::Sendmail;
use crate::model::delivery::Outcome;
use crate::model::units::human_duration;
use crate::view::words::{cut, strip_control};

/// Characters of the program's output that an error repeats.
const SAID: usize = 300;
/// `sysexits.h`: usage, bad input, unknown user or host, no permission, bad configuration. All else may pass.
const FOR_GOOD: [i32; 7] = [64, 65, 66, 67, 68, 77, 78];

/// Sends the message.
pub(super) fn send(sink: &Sendmail, message: &Message, limit: Duration) -> Outcome {
    let name = sink.program.first().map_or("", String::as_str);
    let letter = match email::compose(&sink.from, &sink.to, message) {
        Ok(letter) => letter,
        Err(why) => return Outcome::refused(why),
    };
    let argv: Vec<String> = sink.program.iter().cloned().chain(["-i".to_owned(), "-t".to_owned()]).collect();
    let ran = match program::run(&argv, &[], &letter, limit) {
        Ok(ran) => ran,
        Err(error) => return Outcome::failed(format!("cannot run `{name}`: {error}")),
    };
    let Some(status) = ran.status else {
        return Outcome::failed(format!("`{name}` took longer than {} and was killed", human_duration(limit)));
    };
    if status.success() {
        return Outcome::delivered("the local mail system has it");
    }
    let said = if ran.stderr.trim().is_empty() { &ran.stdout } else { &ran.stderr };
    let said = cut(&strip_control(&said.trim().replace('\n', " | ")), SAID);
    let error = format!("`{name}` ended with {status}{}{said}", if said.is_empty() { "" } else { ": " });
    match status.code() {
        Some(code) if FOR_GOOD.contains(&code) => Outcome::refused(error),
        Some(_) | None => Outcome::failed(error),
    }
}
