//! TLS is verified, always: own authorities, bad certificates, proxies; over real sockets, with certificates made by openssl.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::home::{Home, PYTHON};
use crate::mail::{MailServer, PASSWORD};

/// The secret in the address of every sink here.
const SECRET: &str = "hush-hush-token";

/// Certificates: of an authority `ca`, of servers under it that are `good`, `expired` or for another host (`other`), and one that is
/// `alone`, signed by nobody but itself.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        const SCRIPT: &str = "set -e; cd \"$1\"
            new='req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
            ca='-x509 -days 2 -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign'
            openssl $new $ca -subj '/CN=guardian test authority' -keyout ca.key -out ca.pem
            openssl $new -x509 -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout alone.key -out alone.pem
            sign() { # name, host, days
              openssl $new -subj \"/CN=$2\" -keyout $1.key -out $1.csr
              printf 'subjectAltName=DNS:%s\\nbasicConstraints=critical,CA:FALSE\\nextendedKeyUsage=serverAuth\\n' $2 >$1.ext
              openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3 -extfile $1.ext -out $1.pem
            }
            sign good localhost 2; sign expired localhost -1; sign other hooks.example.org 2";
        let dir = tempfile::Builder::new().prefix("guardian-tls-").tempdir().unwrap();
        let output = Command::new("/bin/sh").args(["-c", SCRIPT, "sh"]).arg(dir.path()).output().unwrap();
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server with this certificate.
    fn server(&self, name: &str) -> Peer {
        let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        Peer::new(self.path(&format!("{name}.log")), "https", &[&certificate, &key])
    }

    fn proxy(&self, to: &Peer) -> Peer {
        Peer::new(self.path("proxy.log"), "proxy", &[Path::new(&to.port.to_string())])
    }
}

/// A running `peer.py`; it ends with the value.
struct Peer {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Peer {
    fn new(log: PathBuf, mode: &str, arguments: &[&Path]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/peer.py");
        let mut command = Command::new(PYTHON);
        command.arg(script).arg(mode).arg(&log).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap(), log }
    }

    /// What it was sent, all of it.
    fn got(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn hook(host: &str, port: u16, more: &str) -> String {
    format!("[sinks.hook]\ntype = 'webhook'\nurl = 'https://{host}:{port}/{SECRET}'\n{more}\n")
}

#[test]
fn a_server_under_an_own_authority_is_trusted_by_key_or_by_environment_and_not_without() {
    let certificates = Certificates::new();
    let server = certificates.server("good");
    let ca = certificates.path("ca.pem");
    let mut home = Home::new();
    home.write_registry(hook("localhost", server.port, &format!("ca_file = {ca:?}")));
    home.run(&["alerts", "test", "hook"]).expect(0);
    assert!(server.got().starts_with(&format!("POST /{SECRET} ")), "{}", server.got());
    home.write_registry(hook("localhost", server.port, ""));
    home.run(&["alerts", "test", "hook"]).expect(1).complains("nobody that is trusted vouches");
    home.set_env("SSL_CERT_FILE", ca.to_str().unwrap());
    home.run(&["alerts", "test", "hook"]).expect(0);
    assert_eq!(server.got().matches("POST /").count(), 2);
    // The key stands instead of the system's authorities, which know this server, too.
    home.write_registry(hook("localhost", server.port, &format!("ca_file = {:?}", certificates.path("alone.pem"))));
    home.run(&["alerts", "test", "hook"]).expect(1).complains("nobody that is trusted vouches");
    assert_eq!(server.got().matches("POST /").count(), 2);
}

#[test]
fn every_kind_of_sink_that_speaks_https_takes_the_key() {
    let certificates = Certificates::new();
    let server = certificates.server("good");
    let ca = certificates.path("ca.pem");
    let home = Home::new();
    let base = format!("https://localhost:{}", server.port);
    for (kind, keys) in [
        ("telegram", "token = 's3cr3t-token'\nchat = '42'\napi_base = 'URL'"),
        ("slack", "url = 'URL/s3cr3t-token'"),
        ("discord", "url = 'URL/s3cr3t-token'"),
        ("ntfy", "topic = 's3cr3t-token'\napi_base = 'URL'"),
        ("pushover", "token = 's3cr3t-token'\nuser = 'u'\napi_base = 'URL'"),
        ("gotify", "token = 's3cr3t-token'\napi_base = 'URL'"),
        ("matrix", "token = 's3cr3t-token'\nroom = '!a:b'\napi_base = 'URL'"),
        ("pagerduty", "routing_key = 's3cr3t-token'\napi_base = 'URL'"),
        ("alertmanager", "url = 'URL'\ntoken = 's3cr3t-token'"),
        ("apprise", "url = 'json://s3cr3t-token'\napi_base = 'URL'"),
    ] {
        let before = server.got().len();
        home.write_registry(format!("[sinks.s]\ntype = '{kind}'\nca_file = {ca:?}\n{}\n", keys.replace("URL", &base)));
        // What it makes of a bare 204 is its own affair: the request arrived.
        home.run(&["alerts", "test", "s"]);
        assert!(server.got()[before..].contains("guardian/"), "{kind} did not get through: {}", server.got());
    }
}

#[test]
fn a_bad_certificate_is_refused_with_its_cause_and_the_secret_is_never_sent() {
    let certificates = Certificates::new();
    let ca = certificates.path("ca.pem");
    for (name, cause) in [("alone", "signed by itself"), ("expired", "has expired"), ("other", "for another host")] {
        let server = certificates.server(name);
        let home = Home::new();
        home.write_registry(hook("localhost", server.port, &format!("ca_file = {ca:?}")));
        let output = home.run(&["alerts", "test", "hook"]).expect(1).complains(cause);
        assert!(!format!("{output:?}").contains(SECRET), "{name}: {output:?}");
        assert_eq!(server.got(), "", "{name} got something");
    }
}

#[test]
fn an_authority_file_that_is_not_there_or_empty_is_named_and_nothing_is_sent() {
    let certificates = Certificates::new();
    let server = certificates.server("good");
    let home = Home::new();
    for (file, cause) in [("nowhere.pem", "cannot be read"), ("good.key", "holds no certificate")] {
        let path = certificates.path(file);
        home.write_registry(hook("localhost", server.port, &format!("ca_file = {path:?}")));
        home.run(&["alerts", "test", "hook"]).expect(1).complains(cause).complains(file);
    }
    assert_eq!(server.got(), "");
    home.write_registry(hook("localhost", server.port, "ca_file = 'relative.pem'"));
    assert!(home.run(&["config", "check"]).expect(78).stdout.contains("ca_file"));
}

#[test]
fn a_proxy_is_asked_to_connect_and_sees_neither_path_nor_body() {
    let certificates = Certificates::new();
    let server = certificates.server("good");
    let other = certificates.server("other");
    let (proxy, beyond) = (certificates.proxy(&server), certificates.proxy(&other));
    let ca = format!("ca_file = {:?}", certificates.path("ca.pem"));
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let mut home = Home::new();
        home.set_env(variable, &format!("http://127.0.0.1:{}", proxy.port));
        let before = server.got().len();
        home.write_registry(hook("localhost", 4433, &ca));
        home.run(&["alerts", "test", "hook"]).expect(0);
        assert!(server.got().len() > before, "{variable}: nothing arrived");
        assert!(proxy.got().contains("CONNECT localhost:4433 "), "{variable}: {}", proxy.got());
        assert!(!proxy.got().contains(SECRET), "{variable}: {}", proxy.got());
        // Its certificate is checked through the proxy as well, against the host that was meant.
        home.set_env(variable, &format!("http://127.0.0.1:{}", beyond.port));
        home.run(&["alerts", "test", "hook"]).expect(1).complains("for another host");
        assert_eq!(other.got(), "");
        // And who needs no proxy is reached without.
        home.set_env(variable, "http://127.0.0.1:1");
        home.set_env("NO_PROXY", "localhost");
        home.write_registry(hook("localhost", server.port, &ca));
        home.run(&["alerts", "test", "hook"]).expect(0);
    }
}

#[test]
fn mail_takes_the_key_too_and_checks_who_answers() {
    let server = MailServer::new(&[]);
    let mut home = Home::new();
    home.set_env("MAIL_PASSWORD", PASSWORD);
    let ca = format!("password_env = \"MAIL_PASSWORD\"\nca_file = {:?}", server.authority());
    home.write_registry(server.sink(&ca));
    home.run(&["alerts", "test", "ops"]).expect(0);
    assert_eq!(server.mails().len(), 1);
    home.write_registry(server.sink("password_env = \"MAIL_PASSWORD\""));
    home.run(&["alerts", "test", "ops"]).expect(1).complains("nobody that is trusted vouches");
    home.write_registry(server.sink(&ca).replace("\"localhost\"", "\"127.0.0.2\""));
    let output = home.run(&["alerts", "test", "ops"]).expect(1);
    assert!(!format!("{output:?}").contains(PASSWORD), "{output:?}");
    assert_eq!(server.mails().len(), 1, "only the first was sent");
}
