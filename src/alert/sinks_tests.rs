//! What every sink that speaks HTTP must do with each answer: one table for all of them.

use std::io::Read;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::fake::{Act, http, message};
use super::{Message, send};
use crate::model::channel::{
    Alertmanager, Apprise, Discord, Gotify, Matrix, Ntfy, Otlp, Pagerduty, Pushover, Slack, Telegram, TemplateSource,
    Webhook,
};
use crate::model::delivery::Outcome;
use crate::model::sample::sink;
use crate::model::sink::{Secret, SecretSource, SinkKind};
use crate::model::wake::{Harness, Wake};

/// The secret of every sink here: it may show nowhere.
pub(super) const SECRET: &str = "hush-hush-token";
/// Long enough for a server on loopback, whatever else the machine does.
const PATIENT: Duration = Duration::from_secs(20);
/// For servers that never answer.
const SOON: Duration = Duration::from_millis(300);

fn secret() -> SecretSource {
    SecretSource::Inline(Secret::new(SECRET.to_owned()))
}

/// A sink, and what its service says when all is well.
pub(super) struct Case {
    pub(super) kind: SinkKind,
    pub(super) well: &'static str,
}

fn openclaw(api_base: String) -> Wake {
    Wake { token: Some(secret()), api_base: Some(api_base), ..Wake::new(Harness::Openclaw) }
}

/// Every sink that speaks HTTP, at the server at `base`.
pub(super) fn cases(base: &str) -> Vec<Case> {
    let api_base = base.trim_end_matches("/secret-path").to_owned();
    let url = || SecretSource::Inline(Secret::new(format!("{api_base}/{SECRET}")));
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let case = |kind, well| Case { kind, well };
    vec![
        case(SinkKind::Webhook(Webhook::plain(url(), vec![("X-Key".to_owned(), SECRET.to_owned())])), ok),
        case(
            SinkKind::Telegram(Telegram { api_base: api_base.clone(), token: secret(), chat: "-100".to_owned() }),
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}",
        ),
        case(SinkKind::Slack(Slack::Webhook { url: url() }), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        case(
            SinkKind::Slack(Slack::Bot { api_base: api_base.clone(), token: secret(), channel: "U1".to_owned() }),
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}",
        ),
        case(SinkKind::Discord(Discord { url: url() }), "HTTP/1.1 204 No Content\r\n\r\n"),
        case(SinkKind::Ntfy(Ntfy { api_base: api_base.clone(), topic: secret(), token: Some(secret()) }), ok),
        case(
            SinkKind::Pushover(Pushover { api_base: api_base.clone(), token: secret(), user: "u".to_owned() }),
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"status\":1}",
        ),
        case(SinkKind::Gotify(Gotify { api_base: api_base.clone(), token: secret() }), ok),
        case(
            SinkKind::Matrix(Matrix { api_base: api_base.clone(), token: secret(), room: "!r:x".to_owned() }),
            "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"event_id\":\"$abc\"}",
        ),
        case(
            SinkKind::Pagerduty(Pagerduty { api_base: api_base.clone(), routing_key: secret() }),
            "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}",
        ),
        case(SinkKind::Alertmanager(Alertmanager { url: url(), peers: vec![], token: Some(secret()) }), ok),
        case(
            SinkKind::Webhook(Webhook {
                put: true,
                content_type: "application/x-www-form-urlencoded".to_owned(),
                template: Some(TemplateSource::Inline("id={{id}}&text={{text}}".to_owned())),
                ..Webhook::plain(url(), vec![])
            }),
            ok,
        ),
        case(SinkKind::Apprise(Apprise { api_base: Some(api_base.clone()), url: secret(), program: vec![] }), ok),
        case(SinkKind::Otlp(Otlp { url: url(), header: vec![("X-Key".to_owned(), SECRET.to_owned())] }), ok),
        case(SinkKind::Wake(openclaw(api_base)), ok),
    ]
}

/// What each of the sinks makes of one answer, with its name; `None` is "all is well".
fn outcomes(act: Option<Act>, limit: Duration) -> Vec<(&'static str, Outcome)> {
    let count = cases("http://127.0.0.1:1").len();
    let run = |nth: usize| {
        let well = cases("http://127.0.0.1:1").remove(nth).well;
        let (base, served) = http(vec![act.clone().unwrap_or(Act::Say(well))]);
        let kind = cases(&base).remove(nth).kind;
        let name = kind.type_name();
        let outcome = send(&sink("s", kind), &message(), limit);
        served.join().unwrap();
        let shown = format!("{outcome:?}");
        assert!(!shown.contains(SECRET), "{name} shows its secret: {shown}");
        assert!(!shown.contains('\u{1b}'), "{name} shows control characters: {shown}");
        (name, outcome)
    };
    (0..count).map(run).collect()
}

#[test]
fn what_the_service_takes_is_delivered() {
    for (name, outcome) in outcomes(None, PATIENT) {
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{name}: {outcome:?}");
    }
}

#[test]
fn errors_of_the_server_and_too_many_requests_are_tried_again() {
    for status in ["500 Internal Server Error", "502 Bad Gateway", "503 No", "429 Too Many Requests", "408 Timeout"] {
        let words: &'static str = Box::leak(
            format!("HTTP/1.1 {status}\r\nContent-Length: 27\r\n\r\n\u{1b}[31m /hush-hush-token no!\n")
                .into_boxed_str(),
        );
        for (name, outcome) in outcomes(Some(Act::Say(words)), PATIENT) {
            assert!(matches!(outcome, Outcome::Failed { .. }), "{name}, {status}: {outcome:?}");
        }
    }
}

#[test]
fn a_server_that_says_when_to_come_back_is_obeyed() {
    let act = Act::Say("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 77\r\nContent-Length: 2\r\n\r\n{}");
    for (name, outcome) in outcomes(Some(act), PATIENT) {
        let wait = Some(Duration::from_secs(77));
        assert!(matches!(&outcome, Outcome::Failed { after, .. } if *after == wait), "{name}: {outcome:?}");
    }
}

#[test]
fn what_the_service_refuses_is_not_tried_again() {
    for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "413 Too Large"] {
        let words: &'static str = Box::leak(
            format!("HTTP/1.1 {status}\r\nContent-Length: 27\r\n\r\n\u{1b}[31m /hush-hush-token no!\n")
                .into_boxed_str(),
        );
        for (name, outcome) in outcomes(Some(Act::Say(words)), PATIENT) {
            assert!(matches!(outcome, Outcome::Refused { .. }), "{name}, {status}: {outcome:?}");
        }
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let act = Act::Say("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/evil\r\nContent-Length: 0\r\n\r\n");
    for (name, outcome) in outcomes(Some(act), PATIENT) {
        assert!(matches!(outcome, Outcome::Refused { .. }), "{name}: {outcome:?}");
    }
}

#[test]
fn silence_a_closed_connection_and_a_server_that_is_not_there_are_tried_again() {
    for (act, limit) in [
        (Act::Stall(""), SOON),
        (Act::Stall("HTTP/1.1 503 No\r\nContent-Length: 9999\r\n\r\npart"), SOON),
        (Act::Drop, PATIENT),
    ] {
        for (name, outcome) in outcomes(Some(act.clone()), limit) {
            assert!(matches!(outcome, Outcome::Failed { .. }), "{name}, {act:?}: {outcome:?}");
        }
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for case in cases(&format!("http://{nobody}")) {
        let name = case.kind.type_name();
        let outcome = send(&sink("s", case.kind), &message(), PATIENT);
        assert!(matches!(outcome, Outcome::Failed { .. }), "{name}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains(SECRET), "{name}: {outcome:?}");
    }
}

#[test]
fn a_secret_that_is_not_there_now_is_tried_again_and_named() {
    let gone = || SecretSource::File("/nonexistent/secret".to_owned());
    let base = "http://127.0.0.1:1".to_owned();
    for kind in [
        SinkKind::Telegram(Telegram { api_base: base.clone(), token: gone(), chat: "1".to_owned() }),
        SinkKind::Gotify(Gotify { api_base: base.clone(), token: gone() }),
        SinkKind::Discord(Discord { url: gone() }),
        SinkKind::Pagerduty(Pagerduty { api_base: base, routing_key: gone() }),
    ] {
        let outcome = send(&sink("s", kind), &message(), PATIENT);
        assert!(
            matches!(&outcome, Outcome::Failed { error, .. } if error.contains("/nonexistent/secret")),
            "{outcome:?}"
        );
    }
}

#[test]
fn each_try_says_the_same() {
    let count = cases("http://127.0.0.1:1").len();
    let evil = |message: &mut Message| message.rendered.brief.push_str("\n</pre><b>&\"``` <!channel> @everyone");
    for nth in 0..count {
        let case = cases("http://127.0.0.1:1").remove(nth);
        let (base, served) = http(vec![Act::Say("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), Act::Say(case.well)]);
        let sink = sink("s", cases(&base).remove(nth).kind);
        let mut message = message();
        evil(&mut message);
        let first = send(&sink, &message, PATIENT);
        let second = send(&sink, &message, PATIENT);
        assert!(
            matches!((&first, &second), (Outcome::Failed { .. }, Outcome::Delivered { .. })),
            "{first:?} {second:?}"
        );
        let requests = served.join().unwrap();
        assert_eq!(requests[0], requests[1], "{}", case.kind.type_name());
        let id = match case.kind.type_name() {
            // These have a place for an id of ours, by which a receiver drops doubles; the others know none.
            "webhook" | "openclaw" | "matrix" | "otlp" => message.id.clone(),
            "pagerduty" => message.incident(),
            _ => continue,
        };
        assert!(requests[0].contains(&id) && requests[1].contains(&id), "{id} in {requests:?}");
    }
}

/// A server that shows everybody a certificate that nobody vouches for; its address, and what came through to it in clear.
fn unvouched(connections: usize) -> (String, JoinHandle<Vec<u8>>) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
    let words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
    let mut openssl = Command::new("openssl");
    let made = openssl.args(words.split(' ')).arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let chain = CertificateDer::pem_file_iter(&certificate).unwrap().map(Result::unwrap).collect();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&key).unwrap())
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = format!("https://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let mut heard = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).unwrap(), stream);
            drop(tls.read_to_end(&mut heard)); // the client goes away
        }
        heard
    });
    (address, served)
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_told_so_and_nothing_is_sent() {
    let count = cases("http://127.0.0.1:1").len();
    let (base, served) = unvouched(count);
    for case in cases(&base) {
        let name = case.kind.type_name();
        let outcome = send(&sink("s", case.kind), &message(), PATIENT);
        assert!(
            matches!(&outcome, Outcome::Failed { error, .. } if error.contains("TLS refused: ")),
            "{name}: {outcome:?}"
        );
        assert!(!format!("{outcome:?}").contains(SECRET), "{name}: {outcome:?}");
    }
    assert!(served.join().unwrap().is_empty(), "something was sent to it");
}
