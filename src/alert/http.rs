//! One HTTP request with a limit on the whole exchange, and what the answer usually means.
//!
//! Used by every sink that speaks HTTP. Redirects are not followed (they would hand a secret to somebody else), proxies are those
//! of the environment, TLS is always verified. No error shows an address or one of the request's secrets.

use std::time::Duration;

use chrono::DateTime;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::trust;
use crate::model::delivery::Outcome;
use crate::os::clock;
pub(super) use crate::view::escape::percent;
use crate::view::words::{cut, strip_control};

/// A server that cannot be reached at all is known soon.
const CONNECT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read.
const ANSWER: u64 = 16 * 1024;
/// Characters of an answer that are repeated.
const SAID: usize = 200;
/// Shorter parts of an address are words, not secrets.
const SECRET: usize = 8;

/// A request, with a body unless it is a GET.
#[derive(Debug, Default)]
pub(super) struct Request<'a> {
    /// The whole address.
    pub(super) url: &'a str,
    /// GET instead of POST, without content type and body.
    pub(super) get: bool,
    /// PUT instead of POST.
    pub(super) put: bool,
    /// Of the body.
    pub(super) content_type: &'a str,
    /// Further header lines. Their values are secrets.
    pub(super) header: Vec<(&'a str, &'a str)>,
    /// What is sent.
    pub(super) body: &'a str,
    /// What no error may show, besides the address and the header values.
    pub(super) secrets: Vec<&'a str>,
}

/// What a server said.
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// `Retry-After`, as a time from now.
    pub(super) after: Option<Duration>,
    response: Response<Body>,
    secrets: Vec<String>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {}", self.status)
    }
}

/// Sends a request and waits for the head of its answer, for at most `limit` in all.
///
/// # Errors
/// What came of it, where there is no answer.
pub(super) fn send(request: &Request<'_>, limit: Duration) -> Result<Answer, Outcome> {
    if !request.url.starts_with("http://") && !request.url.starts_with("https://") {
        return Err(Outcome::refused("its url begins with neither http:// nor https://"));
    }
    install_crypto();
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(CONNECT.min(limit)))
        .timeout_global(Some(limit))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("guardian/", env!("CARGO_PKG_VERSION")))
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(trust::roots()?).build())
        .build()
        .into();
    if request.get {
        let response = agent.get(request.url).call().map_err(|error| explain(&error))?;
        return Ok(answer(response, request));
    }
    let builder = if request.put { agent.put(request.url) } else { agent.post(request.url) };
    let mut builder = builder.content_type(request.content_type);
    for (name, value) in &request.header {
        builder = builder.header(*name, *value);
    }
    let response = builder.send(request.body).map_err(|error| explain(&error))?;
    Ok(answer(response, request))
}

fn answer(response: Response<Body>, request: &Request<'_>) -> Answer {
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(retry_after);
    Answer { status: response.status(), after, response, secrets: secrets(request) }
}

impl Answer {
    /// The beginning of the body as it is; `None`: it did not come in time or broke off.
    pub(super) fn body(&mut self) -> Option<String> {
        self.response.body_mut().with_config().limit(ANSWER).lossy_utf8(true).read_to_string().ok()
    }

    /// A text of the server's, fit to be shown: no secret, no control character, not long.
    pub(super) fn shown(&self, said: &str) -> String {
        let hidden = self.secrets.iter().fold(strip_control(said.trim()), |said, secret| said.replace(secret, "****"));
        cut(&hidden, SAID)
    }

    /// What the status says by itself: 2xx is delivered, 5xx, 408, 425 and 429 are tried again, all else is refused.
    pub(super) fn judge(mut self) -> Outcome {
        let status = self.status;
        if status.is_success() {
            // It is delivered, whatever becomes of the answer's body: it is not waited for.
            return Outcome::delivered(format!("HTTP {status}"));
        }
        if status.is_redirection() {
            return Outcome::refused(format!(
                "HTTP {status}: the server redirects, which is not followed; give the final url"
            ));
        }
        let said = self.body().map(|said| self.shown(&said)).unwrap_or_default(); // only for the message
        let error = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
        verdict(status, error, self.after)
    }
}

/// What a status that is no success means by itself.
pub(super) fn verdict(status: StatusCode, error: String, after: Option<Duration>) -> Outcome {
    if worth_another_try(status) {
        Outcome::Failed { error, after, reached: Vec::new() }
    } else {
        Outcome::refused(error)
    }
}

/// Fields of a form, as `application/x-www-form-urlencoded`.
#[must_use]
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect::<Vec<_>>().join("&")
}

/// What a server may repeat of the request: the address, its parts, header values, and what the sink names.
fn secrets(request: &Request<'_>) -> Vec<String> {
    let path = request.url.splitn(4, '/').nth(3).unwrap_or("");
    let whole = [request.url.to_owned(), format!("/{path}"), path.to_owned()];
    let parts = path.split(['/', '?', '&', '=']).map(str::to_owned);
    let values = request.header.iter().flat_map(|(_, value)| value.split(' ').map(str::to_owned));
    let named = request.secrets.iter().map(|secret| (*secret).to_owned());
    let long = |secret: &String| secret.len() >= SECRET;
    whole.into_iter().chain(parts).chain(values).filter(long).chain(named).collect()
}

/// One TLS for the whole program; who comes second finds it installed, which is fine.
fn install_crypto() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Statuses after which the same request may succeed.
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
        ureq::Error::Io(error) if let Some(why) = trust::complaint(error) => Outcome::failed(why),
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
mod tests {
    use super::*;

    #[test]
    fn a_date_to_come_back_at_is_understood() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), None, "past: now");
        assert!(retry_after("Wed, 21 Oct 2099 07:28:00 GMT").is_some());
        assert_eq!(retry_after("soon"), None);
    }
}
