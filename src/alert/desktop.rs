//! The `desktop` sink: a notification on the screen of the user that guardian runs as; of root, on those of all who are logged in.
//! Nobody there: it is tried again.

use std::thread;
use std::time::Duration;

use super::{Message, Sent, program};
use crate::model::delivery::Outcome;
use crate::model::event::Severity;
use crate::os::desktop::{Screen, Urgency, screens};

/// Sends the message. One screen that shows it is enough: what is on it already must not come again.
pub(super) fn send(message: &Message, limit: Duration) -> Sent {
    let urgency = match message.event.severity {
        Severity::Critical => Urgency::Critical,
        Severity::Warning | Severity::Info => Urgency::Normal,
    };
    let screens = screens(&message.rendered.subject, &message.rendered.brief, urgency)
        .map_err(|error| Outcome::failed(error.to_string()))?;
    let failures = all(&screens, limit);
    if failures.len() == screens.len() {
        return Err(Outcome::failed(failures.join("; ")));
    }
    Ok(Outcome::Delivered { reply: "it is on the screen".to_owned(), refused: failures })
}

/// Shows it on all screens at once, so that one whose session hangs delays nobody; why it is not on some.
fn all(screens: &[Screen], limit: Duration) -> Vec<String> {
    thread::scope(|scope| {
        let shown: Vec<_> = screens.iter().map(|screen| scope.spawn(move || show(screen, limit))).collect();
        let why =
            |screen: &Screen, why: String| if screens.len() > 1 { format!("{}: {why}", screen.whose) } else { why };
        let done = shown.into_iter().zip(screens).map(|(shown, screen)| (shown.join(), screen));
        done.filter_map(|(shown, screen)| match shown {
            Ok(None) => None,
            Ok(Some(failure)) => Some(why(screen, failure)),
            Err(_) => Some(why(screen, "the thread that showed it broke".to_owned())),
        })
        .collect()
    })
}

fn show(screen: &Screen, limit: Duration) -> Option<String> {
    let ran = match screen.account {
        None => program::run(&screen.argv, &screen.environment, "", limit),
        Some(account) => program::run_as(account, &screen.argv, &screen.environment, limit),
    };
    match ran {
        Ok(ran) => ran.failure(&screen.argv, limit),
        Err(error) => Some(format!("cannot run `{}`: {error}", screen.argv.first().map_or("", String::as_str))),
    }
}
