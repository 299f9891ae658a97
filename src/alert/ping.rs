//! The dead-man pings of a pass: an outside service hears that guardian runs, and tells when it does not.
//!
//! Used by the pass over all processes, where `ping_url` is set in `[healthcheck]`. One thread sends the beginning at once, while
//! the pass works, and the end when the pass is over; the pass waits a bounded time for it. A ping is sent at most once or a
//! few times and never kept: the next pass sends the next. It is no sink, and its failure is no fault of a process.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::http::{self, Request, percent};
use super::secret;
use crate::model::delivery::Outcome;
use crate::model::sink::SecretSource;
use crate::view::words::cut;

/// Limit on one try.
const TRY: Duration = Duration::from_secs(3);
/// The longest that a pass waits after its own work.
const WAIT: Duration = Duration::from_secs(5);
/// Tries of the end: a name server or a proxy may stumble once.
const TRIES: u32 = 2;
/// Bytes of a body: what healthchecks keeps by default.
const BODY: usize = 10_000;
/// Characters of a message in an address, as Uptime Kuma wants it.
const SHORT: usize = 200;
/// How the path of an Uptime Kuma push monitor begins.
const KUMA: &str = "/api/push/";

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

/// What is pinged about.
enum Moment<'a> {
    Start,
    End(&'a End),
}

/// What one ping is on the wire.
#[derive(Debug, PartialEq, Eq)]
struct Wire {
    url: String,
    get: bool,
}

/// Says that a pass begins. Returns at once.
#[must_use]
pub fn begin(source: &SecretSource) -> Pings {
    let ((end, ends), (answers, answer)) = (mpsc::channel(), mpsc::channel());
    let (source, rid) = (source.clone(), rid());
    thread::spawn(move || {
        let url = secret::read(&source, "ping_url", TRY);
        if let Ok(url) = &url {
            // Only the end counts: the start measures how long a pass takes.
            drop(send(url.expose(), &rid, &Moment::Start));
        }
        // A pass that broke off says nothing more, and its silence is noticed.
        let Ok(end) = ends.recv() else { return };
        let told = url.and_then(|url| insist(url.expose(), &rid, &Moment::End(&end)));
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

/// Tries a few times, as long as that can help.
fn insist(url: &str, rid: &str, moment: &Moment<'_>) -> Result<(), String> {
    let mut told = Err(String::new());
    for _ in 0..TRIES {
        told = match send(url, rid, moment) {
            Some(Outcome::Failed { error, .. }) => Err(error),
            Some(Outcome::Refused { error }) => return Err(error),
            Some(Outcome::Delivered { .. }) | None => return Ok(()),
        };
    }
    told
}

/// One try; `None`: this service has nothing to be told then.
fn send(url: &str, rid: &str, moment: &Moment<'_>) -> Option<Outcome> {
    let wire = wire(url, rid, moment)?;
    let body = match moment {
        Moment::Start => "",
        Moment::End(end) => bounded(&end.body),
    };
    let secrets = vec![url];
    let request =
        Request { url: &wire.url, get: wire.get, content_type: "text/plain", body, secrets, ..Request::default() };
    Some(match http::send(&request, TRY) {
        Ok(answer) => answer.judge(),
        Err(outcome) => outcome,
    })
}

/// The address of a ping, by what kind of service the path of `url` shows.
fn wire(url: &str, rid: &str, moment: &Moment<'_>) -> Option<Wire> {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    if path.contains(KUMA) {
        let Moment::End(end) = moment else { return None }; // it knows no beginning
        let status = if end.well { "up" } else { "down" };
        let said = percent(&cut(end.body.lines().next().unwrap_or(""), SHORT));
        // Kuma shows an example query behind the address; it is taken for what it is.
        let url = format!("{path}?status={status}&msg={said}&ping={}", end.took.as_millis());
        return Some(Wire { url, get: true });
    }
    let verb = match moment {
        Moment::Start => "/start",
        Moment::End(End { well: true, .. }) => "",
        Moment::End(End { well: false, .. }) => "/fail",
    };
    let query = query.map_or(String::new(), |query| format!("{query}&"));
    Some(Wire { url: format!("{}{verb}?{query}rid={rid}", path.trim_end_matches('/')), get: false })
}

/// As much as is kept, of whole characters.
fn bounded(body: &str) -> &str {
    body.get(..body.floor_char_boundary(BODY)).unwrap_or(body)
}

/// A random UUID, version 4: it tells apart passes that run at once.
fn rid() -> String {
    let [high, low] = [0, 1].map(|_| RandomState::new().build_hasher().finish());
    let (high, low) = ((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fake::{Act, http};
    use crate::model::sink::Secret;

    fn end(well: bool) -> End {
        End { well, body: "1 of 2 processes as desired\nmore".to_owned(), took: Duration::from_millis(12) }
    }

    #[test]
    fn each_service_gets_the_address_that_it_knows() {
        let (well, bad) = (end(true), end(false));
        let said = "msg=1%20of%202%20processes%20as%20desired&ping=12";
        let cases = [
            ("https://hc/u", Moment::Start, Some("https://hc/u/start?rid=R".to_owned())),
            ("https://hc/u/", Moment::End(&well), Some("https://hc/u?rid=R".to_owned())),
            ("https://hc/u", Moment::End(&bad), Some("https://hc/u/fail?rid=R".to_owned())),
            ("https://hc/k/s?create=1", Moment::End(&bad), Some("https://hc/k/s/fail?create=1&rid=R".to_owned())),
            ("https://k/api/push/T?status=up&msg=OK&ping=", Moment::Start, None),
            (
                "https://k/api/push/T?status=up&msg=OK&ping=",
                Moment::End(&well),
                Some(format!("https://k/api/push/T?status=up&{said}")),
            ),
            ("https://k/api/push/T", Moment::End(&bad), Some(format!("https://k/api/push/T?status=down&{said}"))),
        ];
        for (url, moment, wanted) in cases {
            assert_eq!(wire(url, "R", &moment).map(|wire| wire.url), wanted, "{url}");
        }
    }

    #[test]
    fn a_request_id_is_a_uuid_and_another_one_each_time() {
        let (one, other) = (rid(), rid());
        assert_ne!(one, other);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'4');
    }

    #[test]
    fn a_body_is_cut_at_a_whole_character() {
        assert_eq!(bounded(&"€".repeat(4000)).len(), 9_999);
    }

    #[test]
    fn a_refused_ping_is_said_without_its_address() {
        let no = Act::Say("HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\nConnection: close\r\n\r\nsecret-path");
        let (url, served) = http(vec![no.clone(), no]);
        let told = begin(&SecretSource::Inline(Secret::new(url))).end(end(true)).unwrap_err();
        assert!(told.contains("404") && !told.contains("secret-path"), "{told}");
        let requests = served.join().unwrap();
        assert!(requests[0].starts_with("POST /secret-path/start?rid="), "{}", requests[0]);
        assert!(requests[1].starts_with("POST /secret-path?rid="), "{}", requests[1]);
    }
}
