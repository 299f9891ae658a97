//! Signals of a run that somebody stopped.

use super::*;
use crate::model::ending::{Arrived, Part, Sender};
use crate::model::sample::{at, btc_bot};
use crate::model::signal::Signal;

#[test]
fn a_sender_that_was_gone_is_the_one_who_stopped_the_run_when_it_has_that_pid_and_came_after_the_order() {
    let by = Sender { guardian: Some(Part::Stop), ..btc_bot().event.signals[0].sender.clone().unwrap() };
    let stopping =
        Stopping { reason: StopReason::Operator, since: at(10), by: Some(by.clone()), because: String::new() };
    let signal = |secs, pid| SignalRecord {
        signal: Signal(15),
        at: at(secs).wall,
        to: Arrived::Kernel,
        sender: Some(Sender::gone(pid, None, Some("guardian".to_owned()))),
        survived: false,
    };
    let told = with_stop(vec![signal(9, by.pid), signal(11, 7), signal(12, by.pid)], Some(&stopping));
    let senders: Vec<_> = told.into_iter().filter_map(|record| record.sender).collect();
    assert_eq!((senders[0].guardian, senders[1].guardian), (None, None), "too early; another one");
    assert_eq!(senders[2], by);
}
