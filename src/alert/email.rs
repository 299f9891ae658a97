//! The `email` sink: one message to all recipients, by SMTP.
//!
//! The steps of a transaction are taken one by one, because what must be known is which recipients
//! the server took: one that it refuses for good must not keep the message from the others, and one
//! that it puts off must not make the others get it twice.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::{Address, Message as Letter};

use super::{Message, secret, trust};
use crate::model::delivery::Outcome;
use crate::model::sink::{SecretSource, Tls};
use crate::view::alert::Rendered;
use crate::view::escape::header;
use crate::view::words::{cut, strip_control};

/// How long the server may take to say goodbye; the message is its own by then.
const GOODBYE: Duration = Duration::from_millis(200);
/// Characters of a server's answer that are repeated.
const SAID: usize = 200;

/// The server and how it is spoken to.
pub(super) struct Server<'s> {
    /// Host name or address.
    pub(super) host: &'s str,
    /// Port.
    pub(super) port: u16,
    /// How TLS is begun.
    pub(super) tls: Tls,
    /// Login name and where its password is.
    pub(super) login: Option<(&'s str, &'s SecretSource)>,
}

/// Sends the message to those of `to` that do not have it yet.
pub(super) fn send(server: &Server<'_>, from: &str, to: &[String], message: &Message, limit: Duration) -> Outcome {
    let prepared = mailbox(from).and_then(|from| {
        let to = to.iter().map(|one| mailbox(one)).collect::<Result<Vec<_>, _>>()?;
        Ok((from.clone(), letter(from, &to, message)?, to))
    });
    let (from, letter, to) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return Outcome::refused(why),
    };
    let due: Vec<Address> = to.into_iter().map(|one| one.email).filter(|one| !has_it(message, one)).collect();
    match connect(server, limit) {
        Ok(mut connection) => transact(&mut connection, from.email, due, &letter.formatted(), message),
        Err(outcome) => outcome,
    }
}

/// The whole letter, for whoever else can send one.
///
/// # Errors
/// An address is not valid, or the letter cannot be made.
pub(super) fn compose(from: &str, to: &[String], message: &Message) -> Result<String, String> {
    let to = to.iter().map(|one| mailbox(one)).collect::<Result<Vec<_>, _>>()?;
    let letter = letter(mailbox(from)?, &to, message)?.formatted();
    String::from_utf8(letter).map_err(|error| format!("the message cannot be made: {error}"))
}

fn has_it(message: &Message, address: &Address) -> bool {
    message.reached.iter().any(|reached| *reached == address.to_string())
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|error| format!("mail address {:?} is not valid: {error}", strip_control(text)))
}

/// The letter; the same id at each try, so that a reader's program shows doubles as one.
fn letter(from: Mailbox, to: &[Mailbox], message: &Message) -> Result<Letter, String> {
    let mut builder = Letter::builder()
        .from(from)
        .subject(header(&message.rendered.subject))
        .message_id(Some(message_id(&message.id, &message.host)))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    for one in to {
        builder = builder.to(one.clone());
    }
    if let Some(answers) = &message.answers {
        let id = message_id(answers, &message.host);
        builder = builder.in_reply_to(id.clone()).references(id);
    }
    if let Ok(ms) = u64::try_from(message.at.0) {
        builder = builder.date(UNIX_EPOCH + Duration::from_millis(ms));
    }
    let Rendered { text, html, .. } = &message.rendered;
    let parts = MultiPart::alternative_plain_html(text.clone(), html.clone());
    builder.multipart(parts).map_err(|error| format!("the message cannot be made: {error}"))
}

fn message_id(id: &str, host: &str) -> String {
    let safe = |text: &str| {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect::<String>()
    };
    format!("<{}@{}.guardian>", safe(id), safe(host))
}

fn connect(server: &Server<'_>, limit: Duration) -> Result<SmtpConnection, Outcome> {
    if server.tls == Tls::None && server.login.is_some() && !is_loopback(server.host) {
        return Err(Outcome::refused("a password is not sent without TLS: set tls to \"starttls\" or \"implicit\""));
    }
    let credentials = match server.login {
        Some((user, source)) => {
            let password = secret::read(source, "password", limit).map_err(Outcome::failed)?;
            Some(Credentials::new(user.to_owned(), password.expose().to_owned()))
        }
        None => None,
    };
    let step = |what: &'static str| move |error: SmtpError| explain(what, &error);
    let hello = ClientId::default();
    let wrapped = match server.tls {
        Tls::Implicit => Some(trust::mail(server.host)?),
        Tls::Starttls | Tls::None => None,
    };
    let at = (server.host, server.port);
    let mut connection =
        SmtpConnection::connect(at, Some(limit), &hello, wrapped.as_ref(), None).map_err(step("connecting"))?;
    if server.tls == Tls::Starttls {
        connection.starttls(&trust::mail(server.host)?, &hello).map_err(step("STARTTLS"))?;
    }
    if let Some(credentials) = credentials {
        connection.auth(DEFAULT_MECHANISMS, &credentials).map_err(step("login"))?;
    }
    Ok(connection)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// 5xx is for good; all else (4xx, network, TLS, a server that breaks off) is worth another try.
fn explain(step: &str, error: &SmtpError) -> Outcome {
    let text = format!("{step}: {}", said(error));
    if error.is_permanent() { Outcome::refused(text) } else { Outcome::failed(text) }
}

fn said(error: &SmtpError) -> String {
    if let Some(why) = trust::complaint(error) {
        return why;
    }
    cut(&strip_control(&error.to_string()), SAID)
}

fn transact(
    connection: &mut SmtpConnection,
    from: Address,
    due: Vec<Address>,
    letter: &[u8],
    message: &Message,
) -> Outcome {
    let ascii = due.iter().chain([&from]).all(|address| address.to_string().is_ascii());
    let options = if ascii { Vec::new() } else { vec![MailParameter::SmtpUtfEight] };
    if let Err(error) = connection.command(Mail::new(Some(from), options)) {
        return explain("sender", &error);
    }
    let (mut taken, mut refused, mut put_off) = (Vec::new(), Vec::new(), Vec::new());
    for address in due {
        match connection.command(Rcpt::new(address.clone(), Vec::new())) {
            Ok(_) => taken.push(address.to_string()),
            Err(error) if error.is_permanent() => refused.push(format!("{address}: {}", said(&error))),
            Err(error) if error.is_transient() => put_off.push(format!("{address}: {}", said(&error))),
            Err(error) => return explain("recipient", &error),
        }
    }
    let mut reply = "all recipients have it".to_owned();
    if !taken.is_empty() {
        match connection.command(Data).and_then(|_| connection.message(letter)) {
            Ok(response) => reply = cut(&strip_control(&response.message().collect::<Vec<_>>().join(" ")), SAID),
            Err(error) => return explain("message", &error),
        }
    }
    // Its answer changes nothing any more.
    drop(connection.set_timeout(Some(GOODBYE)).map(|()| connection.quit()));
    if !put_off.is_empty() {
        let error = format!("put off: {}", put_off.join("; "));
        return Outcome::Failed { error, after: None, reached: taken };
    }
    if taken.is_empty() && message.reached.is_empty() {
        return Outcome::refused(format!("every recipient is refused: {}", refused.join("; ")));
    }
    Outcome::Delivered { reply, refused }
}

#[cfg(test)]
#[path = "email_tests.rs"]
mod tests;
