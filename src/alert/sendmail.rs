//! The `sendmail` sink: the letter on the standard input of the local mail system's program (`-i -t`).
//!
//! Its exit code is one of `sysexits.h`: it says whether a failure passes.

use std::time::Duration;

use super::{Message, Sent, email, program};
use crate::model::channel::Sendmail;
use crate::model::delivery::Outcome;

/// `sysexits.h`: usage, bad input, unknown user, no permission, bad configuration. All else may pass; so does an unknown host
/// (68), which is what msmtp says of its own mail server while there is no DNS.
const FOR_GOOD: [i32; 6] = [64, 65, 66, 67, 77, 78];

/// Sends the message.
pub(super) fn send(sink: &Sendmail, message: &Message, limit: Duration) -> Sent {
    let letter = email::compose(&sink.from, &sink.to, message).map_err(Outcome::refused)?;
    let argv: Vec<String> = sink.program.iter().cloned().chain(["-i".to_owned(), "-t".to_owned()]).collect();
    let ran = program::run_for_sink(&argv, &[], &letter, limit)?;
    let Some(why) = ran.failure(&argv, limit) else {
        return Ok(Outcome::delivered("the local mail system has it"));
    };
    let for_good = ran.status.and_then(|status| status.code()).is_some_and(|code| FOR_GOOD.contains(&code));
    Err(if for_good { Outcome::refused(why) } else { Outcome::failed(why) })
}
