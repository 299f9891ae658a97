//! The dead-man pings: an outside service hears that guardian runs, and that processes do, and tells when it does not.
//!
//! Those of a pass are sent at most once or a few times and never kept: the next pass sends the next. One thread sends the beginning at
//! once, while the pass works, and the end when it is over; others tell of the processes that are well; the pass waits a bounded
//! time for all. The begin and the end of a run come through the outbox like an alert ([`send`]). A ping that fails is no fault of a process.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::ping_wire::{self, Ping, derived, fresh};
use super::{Message, Sent, secret};
use crate::model::delivery::Outcome;
use crate::model::event::EventKind;
use crate::model::name::Name;
use crate::model::sink::SecretSource;
use crate::os::clock;
use crate::policy::pings::{Verb, verb};

/// Limit on one try.
const TRY: Duration = Duration::from_secs(3);
/// The longest that a pass waits after its own work.
const WAIT: Duration = Duration::from_secs(5);
/// Tries of the end: a name server or a proxy may stumble once.
const TRIES: u32 = 2;
/// So many processes are told of at once.
const THREADS: usize = 16;

/// How a pass ended.
#[derive(Debug)]
pub struct End {
    /// Whether it could do its work; a process that is down is another matter.
    pub well: bool,
    /// A summary.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

/// Pings of one pass, under way.
#[derive(Debug)]
pub struct Pings {
    end: Sender<End>,
    answer: Receiver<Result<(), String>>,
}

/// Pings of processes, under way.
#[derive(Debug)]
pub struct Wells {
    left: usize,
    /// On the boot clock; `None`: it cannot be read, then nobody waits.
    until: Option<u64>,
    answers: Receiver<(Name, Result<(), String>)>,
}

/// Says that a pass begins. Returns at once.
#[must_use]
pub fn begin(source: &SecretSource) -> Pings {
    let ((end, ends), (answers, answer)) = (mpsc::channel::<End>(), mpsc::channel());
    let (source, rid) = (source.clone(), fresh());
    thread::spawn(move || {
        let url = secret::read(&source, "ping_url", TRY);
        if let Ok(url) = &url {
            // Only the end counts: the start measures how long a pass takes.
            drop(ping_wire::send(url.expose(), &Ping { verb: Some(Verb::Start), rid: &rid, ..Ping::default() }, TRY));
        }
        // A pass that broke off says nothing more, and its silence is noticed.
        let Ok(end) = ends.recv() else { return };
        let verb = Some(if end.well { Verb::Well } else { Verb::Fail });
        let ping = Ping { verb, rid: &rid, body: &end.body, took: Some(end.took) };
        let told = url.and_then(|url| insist(url.expose(), &ping));
        drop(answers.send(told)); // nobody waits any more
    });
    Pings { end, answer }
}

impl Pings {
    /// Says how the pass ended, and waits for that a bounded time.
    ///
    /// # Errors
    /// Why the ping failed, without its address.
    pub fn end(self, end: End) -> Result<(), String> {
        drop(self.end.send(end)); // a thread that is gone gives no answer either
        match self.answer.recv_timeout(WAIT) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => Err(format!("no answer within {} s", WAIT.as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err("the ping broke off".to_owned()),
        }
    }
}

/// Says that these processes are well. Returns at once.
#[must_use]
pub fn well(processes: Vec<(Name, SecretSource, String)>) -> Wells {
    let (told, answers) = mpsc::channel();
    let left = processes.len();
    let wait = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
    let until = clock::boot_ms().ok().map(|now| now.saturating_add(wait));
    let queue = Arc::new(Mutex::new(processes));
    for _ in 0..left.min(THREADS) {
        let (queue, told) = (Arc::clone(&queue), told.clone());
        thread::spawn(move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some((name, source, body)) = next else { return };
                let ping = Ping { verb: Some(Verb::Well), body: &body, ..Ping::default() };
                let answer = secret::read(&source, "ping_url", TRY).and_then(|url| insist(url.expose(), &ping));
                drop(told.send((name, answer))); // nobody waits any more
            }
        });
    }
    Wells { left, until, answers }
}

impl Wells {
    /// Waits for them a bounded time.
    ///
    /// # Errors
    /// Why the first one that failed did, without its address.
    pub fn end(self) -> Result<(), String> {
        let mut failed = Ok(());
        for waiting in (1..=self.left).rev() {
            let now = clock::boot_ms().unwrap_or(u64::MAX);
            let left = Duration::from_millis(self.until.map_or(0, |until| until.saturating_sub(now)));
            match self.answers.recv_timeout(left) {
                Ok((name, Err(why))) if failed.is_ok() => failed = Err(format!("process `{name}`: {why}")),
                Ok(_) => {}
                Err(_) => {
                    let late = format!("{waiting} of {} processes: no answer within {} s", self.left, WAIT.as_secs());
                    return failed.and(Err(late));
                }
            }
        }
        failed
    }
}

/// Tries a few times, as long as that can help.
fn insist(url: &str, ping: &Ping<'_>) -> Result<(), String> {
    let mut told = Err(String::new());
    for _ in 0..TRIES {
        told = match ping_wire::send(url, ping, TRY) {
            Some(Outcome::Failed { error, .. }) => Err(error),
            Some(Outcome::Refused { error }) => return Err(error),
            Some(Outcome::Delivered { .. }) | None => return Ok(()),
        };
    }
    told
}

/// Tells the switch of a process of the begin or the end of a run.
pub(super) fn send(source: &SecretSource, message: &Message, limit: Duration) -> Sent {
    let url = secret::read(source, "ping_url", limit).map_err(Outcome::failed)?;
    let event = &message.event;
    // The id of the event without its kind: the same for all that is told of a run.
    let run = event.id.strip_suffix(event.kind.word()).unwrap_or(&event.id);
    let rid = if event.kind == EventKind::Test { fresh() } else { derived(&format!("{} {run}", message.host)) };
    let body = format!("{}\n\n{}", message.rendered.subject, message.rendered.text);
    let took = event.ran_s.map(Duration::from_secs_f64);
    let ping = Ping { verb: Some(verb(event)), rid: &rid, body: &body, took };
    Ok(ping_wire::send(url.expose(), &ping, limit)
        .unwrap_or_else(|| Outcome::delivered("it takes nothing of this kind".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fake::{Act, http, message};
    use crate::model::sink::Secret;

    const OK: Act = Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK");

    fn inline(url: String) -> SecretSource {
        SecretSource::Inline(Secret::new(url))
    }

    #[test]
    fn a_refused_ping_is_said_without_its_address() {
        let no = Act::Say("HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\nConnection: close\r\n\r\nsecret-path");
        let (url, served) = http(vec![no.clone(), no]);
        let end = End { well: true, body: "1 of 2 processes as desired".to_owned(), took: Duration::from_millis(12) };
        let told = begin(&inline(url)).end(end).unwrap_err();
        assert!(told.contains("404") && !told.contains("secret-path"), "{told}");
        let requests = served.join().unwrap();
        assert!(requests[0].starts_with("POST /secret-path/start?rid="), "{}", requests[0]);
        assert!(requests[1].starts_with("POST /secret-path?rid="), "{}", requests[1]);
    }

    #[test]
    fn the_end_of_a_run_has_its_certificate_as_body_and_always_the_same_request_id() {
        let (url, served) = http(vec![OK, OK]);
        for _ in 0..2 {
            let sent = send(&inline(url.clone()), &message(), TRY);
            assert!(matches!(sent, Ok(Outcome::Delivered { .. })), "{sent:?}");
        }
        let requests = served.join().unwrap();
        assert!(requests[0].starts_with("POST /secret-path/fail?rid="), "{}", requests[0]);
        assert!(requests[0].contains("btc-bot") && requests[0].contains("3s of 8h"), "{}", requests[0]);
        assert_eq!(requests[0].lines().next(), requests[1].lines().next());
    }

    #[test]
    fn the_processes_that_are_well_are_told_each_at_its_own_address() {
        let (url, served) = http(vec![OK]);
        let name: Name = "btc-bot".parse().unwrap();
        assert_eq!(well(vec![(name.clone(), inline(url), "up for 1h".to_owned())]).end(), Ok(()));
        assert!(served.join().unwrap()[0].starts_with("POST /secret-path HTTP"));
        let nowhere = SecretSource::File("/nowhere".to_owned());
        let failed = well(vec![(name, nowhere, String::new())]).end().unwrap_err();
        assert!(failed.starts_with("process `btc-bot`: ping_url: cannot read"), "{failed}");
    }
}
