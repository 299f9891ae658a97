//! What one dead-man ping is on the wire: healthchecks.io's form, or Uptime Kuma's push.
//!
//! Which one, the path of the address says. One try, bounded; no error shows the address.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use super::http::{self, Request, percent};
use crate::model::delivery::Outcome;
use crate::policy::pings::Verb;
use crate::store::checksum;
use crate::view::words::cut;

/// Bytes of a body: what healthchecks keeps by default.
const BODY: usize = 10_000;
/// Characters of a message in an address, as Uptime Kuma wants it.
const SHORT: usize = 200;
/// How the path of an Uptime Kuma push monitor begins.
const KUMA: &str = "/api/push/";

/// One ping.
#[derive(Debug, Default)]
pub(super) struct Ping<'a> {
    /// What it says.
    pub(super) verb: Option<Verb>,
    /// Which run or pass it is about; empty: none.
    pub(super) rid: &'a str,
    /// More about it.
    pub(super) body: &'a str,
    /// How long it took.
    pub(super) took: Option<Duration>,
}

/// Sends it; `None`: this service has nothing to be told then.
pub(super) fn send(url: &str, ping: &Ping<'_>, limit: Duration) -> Option<Outcome> {
    let (wire, get) = wire(url, ping)?;
    let request = Request {
        url: &wire,
        get,
        content_type: "text/plain; charset=utf-8",
        body: bounded(ping.body),
        secrets: vec![url],
        ..Request::default()
    };
    Some(match http::send(&request, limit) {
        Ok(answer) => answer.judge(),
        Err(outcome) => outcome,
    })
}

/// Its address, and whether that is all of it.
fn wire(url: &str, ping: &Ping<'_>) -> Option<(String, bool)> {
    let verb = ping.verb?;
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    if path.contains(KUMA) {
        let status = match verb {
            Verb::Start | Verb::Log => return None, // it knows no such thing
            Verb::Well | Verb::Code(0) => "up",
            Verb::Fail | Verb::Code(_) => "down",
        };
        let said = percent(&cut(ping.body.lines().next().unwrap_or(""), SHORT));
        let took = ping.took.map_or(String::new(), |took| took.as_millis().to_string());
        // Kuma shows an example query behind the address; it is taken for what it is.
        return Some((format!("{path}?status={status}&msg={said}&ping={took}"), true));
    }
    let end = match verb {
        Verb::Start => "/start".to_owned(),
        Verb::Well => String::new(),
        Verb::Code(code) => format!("/{code}"),
        Verb::Fail => "/fail".to_owned(),
        Verb::Log => "/log".to_owned(),
    };
    let rid = (!ping.rid.is_empty()).then(|| format!("rid={}", ping.rid));
    let query: Vec<&str> = query.into_iter().chain(rid.as_deref()).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    Some((format!("{}{end}{mark}{}", path.trim_end_matches('/'), query.join("&")), false))
}

/// As much as is kept, of whole characters.
fn bounded(body: &str) -> &str {
    body.get(..body.floor_char_boundary(BODY)).unwrap_or(body)
}

/// A UUID that is another one each time: it tells apart passes that run at once.
pub(super) fn fresh() -> String {
    uuid([0, 1].map(|_| RandomState::new().build_hasher().finish()))
}

/// A UUID that is always the same for the same `what`.
pub(super) fn derived(what: &str) -> String {
    uuid(["a", "b"].map(|half| checksum::of(format!("{half} {what}").as_bytes())))
}

fn uuid([high, low]: [u64; 2]) -> String {
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

    #[test]
    fn each_service_gets_the_address_that_it_knows() {
        let kuma = "https://k/api/push/T?status=up&msg=OK&ping=";
        let said = "msg=1%20of%202%20processes%20as%20desired&ping=12";
        let cases = [
            ("https://hc/u", Verb::Start, Some("https://hc/u/start?rid=R".to_owned())),
            ("https://hc/u/", Verb::Well, Some("https://hc/u?rid=R".to_owned())),
            ("https://hc/u", Verb::Fail, Some("https://hc/u/fail?rid=R".to_owned())),
            ("https://hc/u", Verb::Log, Some("https://hc/u/log?rid=R".to_owned())),
            ("https://hc/u", Verb::Code(0), Some("https://hc/u/0?rid=R".to_owned())),
            ("https://hc/u", Verb::Code(255), Some("https://hc/u/255?rid=R".to_owned())),
            ("https://hc/k/s?create=1", Verb::Fail, Some("https://hc/k/s/fail?create=1&rid=R".to_owned())),
            (kuma, Verb::Start, None),
            (kuma, Verb::Log, None),
            (kuma, Verb::Well, Some(format!("https://k/api/push/T?status=up&{said}"))),
            (kuma, Verb::Code(0), Some(format!("https://k/api/push/T?status=up&{said}"))),
            (kuma, Verb::Code(1), Some(format!("https://k/api/push/T?status=down&{said}"))),
            ("https://k/api/push/T", Verb::Fail, Some(format!("https://k/api/push/T?status=down&{said}"))),
        ];
        let body = "1 of 2 processes as desired\nmore";
        for (url, verb, wanted) in cases {
            let ping = Ping { verb: Some(verb), rid: "R", body, took: Some(Duration::from_millis(12)) };
            assert_eq!(wire(url, &ping).map(|(url, _)| url), wanted, "{url} {verb:?}");
        }
    }

    #[test]
    fn a_ping_without_a_run_has_no_request_id() {
        let ping = Ping { verb: Some(Verb::Well), ..Ping::default() };
        assert_eq!(wire("https://hc/u", &ping), Some(("https://hc/u".to_owned(), false)));
    }

    #[test]
    fn a_request_id_is_a_uuid_fresh_or_always_the_same() {
        let (one, other) = (fresh(), fresh());
        assert_ne!(one, other);
        assert_eq!(derived("btc-bot.e.3"), derived("btc-bot.e.3"));
        assert_ne!(derived("btc-bot.e.3"), derived("btc-bot.e.4"));
        for id in [one, derived("x")] {
            assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            assert_eq!(id.as_bytes()[14], b'4');
        }
    }

    #[test]
    fn a_body_is_cut_at_a_whole_character() {
        assert_eq!(bounded(&"€".repeat(4000)).len(), 9_999);
    }
}
