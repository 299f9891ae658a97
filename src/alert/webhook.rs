//! The `webhook` sink: the contract's JSON by HTTP POST.
//!
//! Redirects are not followed (they would hand the address's secret to somebody else), and errors
//! never show the address.

use std::time::Duration;

use chrono::DateTime;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::{Message, secret};
use crate::model::delivery::Outcome;
use crate::model::sink::SecretSource;
use crate::os::clock;
use crate::view::words::{cut, strip_control};

/// A server that cannot be reached at all is known soon.
const CONNECT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read.
const ANSWER: u64 = 2048;
/// Characters of an answer that are repeated.
const SAID: usize = 200;

/// Shorter parts of an address are words, not secrets.
const SECRET: usize = 8;

/// Posts the message.
pub(super) fn send(url: &SecretSource, header: &[(String, String)], message: &Message, limit: Duration) -> Outcome {
    let url = match secret::read(url, "url", limit) {
        Ok(url) => url,
        Err(why) => return Outcome::failed(why),
    };
    if !url.expose().starts_with("http://") && !url.expose().starts_with("https://") {
        return Outcome::refused("its url begins with neither http:// nor https://");
    }
    install_crypto();
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(CONNECT.min(limit)))
        .timeout_global(Some(limit))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("guardian/", env!("CARGO_PKG_VERSION")))
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build())
        .build()
        .into();
    let mut request = agent.post(url.expose()).content_type("application/json").header("Idempotency-Key", &message.id);
    for (name, value) in header {
        request = request.header(name, value);
    }
    match request.send(&message.rendered.json) {
        Ok(response) => judge(response, |said| hide(said, url.expose(), header)),
        Err(error) => explain(&error),
    }
}

/// One TLS for the whole program; who comes second finds it installed, which is fine.
fn install_crypto() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

fn judge(mut response: Response<Body>, hide: impl Fn(&str) -> String) -> Outcome {
    let status = response.status();
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(retry_after);
    if status.is_success() {
        // It is delivered, whatever becomes of the answer's body: it is not waited for.
        return Outcome::delivered(format!("HTTP {status}"));
    }
    if status.is_redirection() {
        return Outcome::refused(format!(
            "HTTP {status}: the server redirects, which is not followed; give the final url"
        ));
    }
    let said = response.body_mut().with_config().limit(ANSWER).lossy_utf8(true).read_to_string();
    let said = said.map(|said| cut(&hide(&strip_control(said.trim())), SAID)).unwrap_or_default(); // only for the message
    let error = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
    if worth_another_try(status) {
        Outcome::Failed { error, after, reached: Vec::new() }
    } else {
        Outcome::refused(error)
    }
}

/// An answer without what a server may repeat of our request: the address, its parts, header values.
fn hide(said: &str, url: &str, header: &[(String, String)]) -> String {
    let path = url.splitn(4, '/').nth(3).unwrap_or("");
    let whole = [url.to_owned(), format!("/{path}"), path.to_owned()];
    let parts = path.split(['/', '?', '&', '=']).map(str::to_owned);
    let values = header.iter().flat_map(|(_, value)| value.split(' ').map(str::to_owned));
    let long = |secret: &String| secret.len() >= SECRET;
    whole.into_iter().chain(parts).chain(values).filter(long).fold(said.to_owned(), |said, s| said.replace(&s, "****"))
}

fn worth_another_try(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

/// `Retry-After`: seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(secs) = value.trim().parse() {
        return Some(Duration::from_secs(secs));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    let now = clock::wall().ok()?;
    u64::try_from(date.timestamp_millis().saturating_sub(now.0)).ok().map(Duration::from_millis)
}

/// What went wrong, without the address that some errors carry.
fn explain(error: &ureq::Error) -> Outcome {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => Outcome::refused("its url is not valid"),
        ureq::Error::Http(_) => Outcome::refused("its url or a header is not valid"),
        ureq::Error::HostNotFound => Outcome::failed("the host of its url is not known (DNS)"),
        ureq::Error::Timeout(what) => Outcome::failed(format!("no answer in time ({what})")),
        ureq::Error::Io(error) => Outcome::failed(format!("the connection failed: {error}")),
        ureq::Error::Rustls(error) => Outcome::failed(format!("TLS failed: {error}")),
        ureq::Error::Tls(what) => Outcome::failed(format!("TLS failed: {what}")),
        ureq::Error::ConnectionFailed => Outcome::failed("the connection failed"),
        ureq::Error::Protocol(_) => Outcome::failed("the server does not speak HTTP as it should"),
        ureq::Error::InvalidProxyUrl => Outcome::failed("the proxy in the environment is not valid"),
        // These concern bodies, redirects and certificates of ours; the enum is open beyond them.
        ureq::Error::StatusCode(_)
        | ureq::Error::RedirectFailed
        | ureq::Error::BodyExceedsLimit(_)
        | ureq::Error::TooManyRedirects
        | ureq::Error::Pem(_)
        | ureq::Error::LargeResponseHeader(..)
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::TlsRequired
        | ureq::Error::Other(_)
        | _ => Outcome::failed("the request failed"),
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
