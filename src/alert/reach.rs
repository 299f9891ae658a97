//! Whether the way to a sink is there: its server takes connections, its program lies somewhere, its file can be written.
//!
//! For `doctor`. Sends nothing: what is told to a sink would be a message. All sinks are looked at beside each other, and no
//! look is waited for longer than its limit; it is left behind then, and ends with the command.

use std::env;
use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::unistd::{AccessFlags, access};
use ureq::Proxy;
use ureq::http::Uri;

use super::secret;
use crate::error::{Code, Error};
use crate::model::channel::{Slack, SyslogAddress};
use crate::model::sink::{Secret, SecretSource, Sink, SinkKind, Tls};
use crate::model::wake::Wake;
use crate::os::clock;
use crate::policy::doctor::Reached;

/// For one connection, and for one secret.
const ONE: Duration = Duration::from_secs(2);

/// Looks at all of them for at most `limit`; `None`: no answer by then.
///
/// # Errors
/// The clock cannot be read.
pub fn all(sinks: &[Sink], limit: Duration) -> Result<Vec<Option<Reached>>, Error> {
    let (sender, receiver) = mpsc::channel();
    for (at, sink) in sinks.iter().cloned().enumerate() {
        let sender = sender.clone();
        // One that cannot be started gives no answer.
        drop(thread::Builder::new().name("reach".to_owned()).spawn(move || sender.send((at, look(&sink)))));
    }
    drop(sender);
    let now = || {
        clock::boot_ms().map_err(|error| Error::new(Code::System, "clock", format!("cannot read the clock: {error}")))
    };
    let end = now()? + u64::try_from(limit.as_millis()).unwrap_or(u64::MAX / 2);
    let mut found = vec![None; sinks.len()];
    // Ends early when all have answered: then nobody is left who could send.
    while let Ok((at, reached)) = receiver.recv_timeout(Duration::from_millis(end.saturating_sub(now()?))) {
        if let Some(slot) = found.get_mut(at) {
            *slot = Some(reached);
        }
    }
    Ok(found)
}

fn look(sink: &Sink) -> Reached {
    match &sink.kind {
        SinkKind::Email { host, port, tls, .. } => mail(host, *port, *tls),
        SinkKind::Webhook(webhook) => secret_address(&webhook.url),
        SinkKind::Slack(Slack::Webhook { url }) => secret_address(url),
        SinkKind::Discord(discord) => secret_address(&discord.url),
        SinkKind::Alertmanager(alertmanager) => secret_address(&alertmanager.url),
        SinkKind::Ping(url) => secret_address(url),
        SinkKind::Slack(Slack::Bot { api_base, .. }) => address(api_base),
        SinkKind::Telegram(telegram) => address(&telegram.api_base),
        SinkKind::Ntfy(ntfy) => address(&ntfy.api_base),
        SinkKind::Pushover(pushover) => address(&pushover.api_base),
        SinkKind::Gotify(gotify) => address(&gotify.api_base),
        SinkKind::Matrix(matrix) => address(&matrix.api_base),
        SinkKind::Pagerduty(pagerduty) => address(&pagerduty.api_base),
        SinkKind::Apprise(apprise) => match &apprise.api_base {
            Some(base) => address(base),
            None => program(&apprise.program, None),
        },
        SinkKind::Command { command } => program(command, None),
        SinkKind::Sendmail(sendmail) => program(&sendmail.program, None),
        SinkKind::File { path } => file(Path::new(path)),
        SinkKind::Desktop => Reached::Untold("it shows up for who is logged in then".to_owned()),
        SinkKind::Wake(wake) => session(wake),
        SinkKind::Otlp(otlp) => secret_address(&otlp.url),
        SinkKind::Journald { socket } => datagrams(socket),
        SinkKind::Syslog(syslog) => match &syslog.to {
            SyslogAddress::Socket(path) => datagrams(path),
            SyslogAddress::Tcp(to) => address(&format!("http://{to}")),
            SyslogAddress::Udp(to) => Reached::Untold(format!("udp://{to} confirms nothing")),
        },
    }
}

/// The server of a web address that is secret, or may be.
fn secret_address(url: &SecretSource) -> Reached {
    match secret::read(url, "url", ONE) {
        Ok(url) => address(url.expose()),
        Err(why) => Reached::Not(why),
    }
}

/// The server of a web address, or the proxy that leads there.
fn address(url: &str) -> Reached {
    let Ok(uri) = url.parse::<Uri>() else { return Reached::Not("its url is not one".to_owned()) };
    let Some(host) = uri.host() else { return Reached::Not("its url names no host".to_owned()) };
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    match Proxy::try_from_env().filter(|proxy| !proxy.is_no_proxy(&uri)) {
        Some(proxy) => connected(proxy.host(), proxy.port(), "the proxy ")
            .map_or_else(Reached::Not, |(_, said)| Reached::There(said)),
        None => connected(host, port, "").map_or_else(Reached::Not, |(_, said)| Reached::There(said)),
    }
}

/// A mail server, which speaks first, unless TLS comes before that.
fn mail(host: &str, port: u16, tls: Tls) -> Reached {
    let (mut stream, said) = match connected(host, port, "") {
        Ok(connected) => connected,
        Err(why) => return Reached::Not(why),
    };
    match tls {
        Tls::Implicit => Reached::There(said),
        Tls::Starttls | Tls::None => {
            let mut greeting = [0; 3];
            let heard = stream.set_read_timeout(Some(ONE)).and_then(|()| stream.read_exact(&mut greeting));
            match heard {
                Ok(()) if greeting == *b"220" => Reached::There(format!("the mail server {host}:{port} greets")),
                Ok(()) => Reached::Not(format!("{host}:{port} does not greet as a mail server does")),
                Err(_) => Reached::Not(format!("{said}, and says nothing")),
            }
        }
    }
}

/// A connection, and a word for it; else why there is none.
fn connected(host: &str, port: u16, what: &str) -> Result<(TcpStream, String), String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, port).to_socket_addrs().map_err(|error| format!("{what}{host} has no address: {error}"))?;
    let mut why = format!("{what}{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, ONE) {
            Ok(stream) => return Ok((stream, format!("{what}{host}:{port} takes connections"))),
            Err(error) => why = format!("{what}{host}:{port} takes no connection: {error}"),
        }
    }
    Err(why)
}

/// The program of a sink. `path`: where to look for it, `None`: in `PATH`.
fn program(argv: &[String], path: Option<&str>) -> Reached {
    let Some(name) = argv.first() else { return Reached::Not("it has no program".to_owned()) };
    let Some(path) = path.map(Into::into).or_else(|| env::var_os("PATH")) else {
        return Reached::Not(format!("PATH is not set, so `{name}` is not found"));
    };
    let mut places: Vec<PathBuf> = vec![name.into()];
    if !name.contains('/') {
        places = env::split_paths(&path).map(|dir| dir.join(name)).collect();
    }
    match places.iter().find(|place| place.is_file() && access(*place, AccessFlags::X_OK).is_ok()) {
        Some(place) => Reached::There(format!("its program is {}", place.display())),
        None => Reached::Not(format!("its program `{name}` is not there, or may not be executed")),
    }
}

fn file(path: &Path) -> Reached {
    let place = if path.exists() { path } else { path.parent().unwrap_or(path) };
    match access(place, AccessFlags::W_OK) {
        Ok(()) => Reached::There(format!("`{}` can be written", path.display())),
        Err(errno) => Reached::Not(format!("`{}` cannot be written: {errno}", place.display())),
    }
}

/// A daemon of this machine that takes datagrams at a socket.
fn datagrams(path: &str) -> Reached {
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    match connected {
        Ok(()) => Reached::There(format!("`{path}` takes messages")),
        Err(error) => Reached::Not(format!("`{path}` takes no messages: {error}")),
    }
}

/// A session of an agent: its server, else its program. An inbox is always there.
fn session(wake: &Wake) -> Reached {
    let way = match &wake.api_base {
        Some(base) => address(base),
        None => program(&wake.program, wake.environment.get("PATH").map(Secret::expose)),
    };
    match (way, wake.inbox.as_deref().map(|inbox| file(Path::new(inbox)))) {
        (Reached::Not(why), Some(Reached::There(inbox))) => Reached::There(format!("{inbox}; {why}")),
        (way, _) => way,
    }
}
