//! Whether somebody hears: sinks as a whole, and each by itself.

use std::time::Duration;

use crate::model::check::Check;
use crate::model::units::human_duration;

use super::super::stuck::Backlog;

/// What a look at the way to a sink showed. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It is there, in these words.
    There(String),
    /// It is not there, for this reason.
    Not(String),
    /// Nobody can know without telling it something.
    Untold(String),
}

/// Whether somebody hears. `delivered`: since the last delivery of any sink.
#[must_use]
pub fn sinks(count: usize, backlog: &Backlog, delivered: Option<Duration>) -> Check {
    const NAME: &str = "sinks";
    if count == 0 {
        return Check::red(
            NAME,
            "there is no sink: nobody is told of anything",
            "add `[sinks.NAME]`, see docs/registry.md",
        );
    }
    if backlog.is_bad() {
        let why = backlog.last_error.as_deref().unwrap_or("the error is not known");
        let sink = backlog.sink.as_deref().unwrap_or("?");
        return Check::red(NAME, format!("alerts are stuck: sink `{sink}`: {why}"), "guardian alerts");
    }
    match delivered {
        Some(ago) => Check::green(NAME, format!("{count}, the last delivery was {} ago", human_duration(ago))),
        None => Check::yellow(NAME, format!("{count}, and none has ever delivered"), "guardian alerts test NAME"),
    }
}

/// One sink: whether it can be reached (`None`: that took too long), and since when it has last delivered.
#[must_use]
pub fn sink(name: &str, kind: &str, reached: Option<&Reached>, delivered: Option<Duration>) -> Check {
    const NAME: &str = "sink";
    let last = match delivered {
        Some(ago) => format!("delivered {} ago", human_duration(ago)),
        None => "has never delivered".to_owned(),
    };
    let test = format!("guardian alerts test {name}");
    match (reached, delivered) {
        (Some(Reached::There(how)), _) => Check::green(NAME, format!("{kind} `{name}`: {how}; it {last}")),
        (Some(Reached::Untold(how)), Some(_)) => Check::green(NAME, format!("{kind} `{name}`: {how}; it {last}")),
        (Some(Reached::Untold(how)), None) => Check::yellow(NAME, format!("{kind} `{name}`: {how}; it {last}"), test),
        (Some(Reached::Not(why)), _) => Check::red(NAME, format!("{kind} `{name}`: {why}; it {last}"), test),
        (None, _) => Check::red(NAME, format!("{kind} `{name}`: no answer in time; it {last}"), test),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{graded, strict};
    use super::*;
    use crate::model::check::Grade;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn somebody_must_hear() {
        let well = Backlog::default();
        let stuck = Backlog { dead: 1, ..Backlog::default() };
        graded(&[
            ("nobody", sinks(0, &well, None), Grade::Red),
            ("never delivered", sinks(1, &well, None), Grade::Yellow),
            ("delivered", sinks(2, &well, Some(MINUTE)), Grade::Green),
            ("stuck", sinks(2, &stuck, Some(MINUTE)), Grade::Red),
            ("never delivered, and nobody looks", strict(sinks(1, &well, None)), Grade::Red),
        ]);
    }

    #[test]
    fn a_sink_that_cannot_be_reached_is_red_however_well_it_was() {
        let of = |reached: Option<Reached>, delivered| sink("ops", "email", reached.as_ref(), delivered);
        let word = || "x".to_owned();
        graded(&[
            ("there", of(Some(Reached::There(word())), None), Grade::Green),
            ("not there", of(Some(Reached::Not(word())), Some(MINUTE)), Grade::Red),
            ("too slow", of(None, Some(MINUTE)), Grade::Red),
            ("not to be known, and delivered", of(Some(Reached::Untold(word())), Some(MINUTE)), Grade::Green),
            ("not to be known", of(Some(Reached::Untold(word())), None), Grade::Yellow),
        ]);
    }
}
