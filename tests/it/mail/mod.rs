//! A real mail server (`smtpd.py` on aiosmtpd) with a certificate authority of its own, and what arrived there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::procs::eventually;

/// The login that the server takes.
pub(crate) const PASSWORD: &str = "open sesame";

/// A running server; it ends with the value.
pub(crate) struct MailServer {
    dir: TempDir,
    options: Vec<String>,
    child: Option<Child>,
    /// Where it listens, on 127.0.0.1; the same after [`MailServer::stop`] and [`MailServer::start`].
    pub(crate) port: u16,
}

/// A message that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    /// Whom it was delivered to.
    pub(crate) to: Vec<String>,
    /// The decoded subject.
    pub(crate) subject: String,
    /// All headers as they came.
    pub(crate) headers: String,
    /// The decoded text.
    pub(crate) text: String,
    /// The same as HTML, decoded.
    pub(crate) html: String,
    /// The type of the whole, what the parser found wrong with it, and its longest line as it came.
    pub(crate) form: (String, Vec<String>, usize),
}

impl MailServer {
    /// With STARTTLS and AUTH; more `options` as `smtpd.py` has them.
    pub(crate) fn new(options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("guardian-mail-").tempdir().unwrap();
        make_certificates(dir.path());
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut server = Self { dir, options, child: None, port: 0 };
        server.start();
        server
    }

    /// Starts it again, on the port that it had.
    pub(crate) fn start(&mut self) {
        let python = here("../../../.venv/bin/python");
        assert!(python.exists(), "no {}: scripts/test makes it", python.display());
        let announced = self.dir.path().join("port");
        drop(fs::remove_file(&announced));
        let child = Command::new(python)
            .arg(here("smtpd.py"))
            .arg(self.dir.path())
            .args(&self.options)
            .args(["--port", &self.port.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.port = eventually("the mail server answers", || fs::read_to_string(&announced).ok()?.trim().parse().ok());
    }

    /// Takes it down; connections are refused from then on.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The authority that signed its certificate, for `SSL_CERT_FILE`; any user may read it.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// `[sinks.ops]` for this server, with more lines.
    pub(crate) fn sink(&self, more: &str) -> String {
        let tls = if self.options.iter().any(|option| option == "--implicit") { "implicit" } else { "starttls" };
        format!(
            "[sinks.ops]\ntype = \"email\"\nhost = \"localhost\"\nport = {}\ntls = \"{tls}\"\nuser = \"guardian\"\n\
             from = \"guardian@example.org\"\nto = [\"ops@example.org\"]\n{more}\n",
            self.port
        )
    }

    /// What arrived, oldest first.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let Ok(entries) = fs::read_dir(self.dir.path().join("new")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        paths.sort();
        paths.iter().map(|path| read(path)).collect()
    }

    /// Waits for a message that satisfies `wanted`.
    #[track_caller]
    pub(crate) fn receives(&self, what: &str, wanted: impl Fn(&Mail) -> bool) -> Mail {
        eventually(&format!("a mail arrives: {what}"), || self.mails().into_iter().find(|mail| wanted(mail)))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn here(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mail").join(relative)
}

/// Decoded by Python's own parser, so that an encoding mistake of ours shows.
fn read(path: &Path) -> Mail {
    const DECODE: &str = "import email, email.policy, json, sys\n\
        m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)\n\
        h = ''.join(f'{k}: {v}\\n' for k, v in m.items())\n\
        t, x = (m.get_body((kind,)).get_content() for kind in ('plain', 'html'))\n\
        d = [repr(d) for p in m.walk() for d in p.defects + [d for v in p.values() for d in v.defects]]\n\
        l = max(map(len, open(sys.argv[1], 'rb').read().split(b'\\n')))\n\
        print(json.dumps([m['subject'], h, t, x, [m.get_content_type(), d, l]]))";
    let output = Command::new("/usr/bin/python3").args(["-c", DECODE]).arg(path).output().unwrap();
    assert!(output.status.success(), "not a mail: {}", String::from_utf8_lossy(&output.stderr));
    let (subject, headers, text, html, form) = serde_json::from_slice(&output.stdout).unwrap();
    let to = fs::read_to_string(path.with_extension("to")).unwrap().lines().map(str::to_owned).collect();
    Mail { to, subject, headers, text, html, form }
}

/// An authority and a certificate for `localhost`, valid for two days.
fn make_certificates(dir: &Path) {
    const SCRIPT: &str = "set -e; cd \"$1\"
        new='req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        openssl $new -x509 -days 2 -subj '/CN=guardian test authority' -keyout ca.key -out ca.pem \
          -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
        openssl $new -subj /CN=localhost -keyout server.key -out server.csr
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nbasicConstraints=critical,CA:FALSE\\nextendedKeyUsage=serverAuth\\n' >ext
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem
        chmod 755 . && chmod 644 ca.pem";
    let output = Command::new("/bin/sh").args(["-c", SCRIPT, "sh"]).arg(dir).output().unwrap();
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}
