//! One look from outside: does somebody listen, does it answer, is the file there, does the line succeed.
//!
//! Each takes a limited time. What cannot be reached is not ready; why is nobody's concern yet.

use std::fs;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::model::time::Wall;
use crate::os::{clock, user};
use crate::policy::environment::Environment;

/// Longest time for a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(1);
/// Longest time for an answer to a GET.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// Longest time for a line for the shell.
const LINE: Duration = Duration::from_secs(10);
/// Between two looks whether a line has ended.
const ENDED: Duration = Duration::from_millis(5);
/// The kernel stamps files with a clock that lags by up to a tick.
const TICK_MS: i64 = 50;

/// Whether somebody takes a connection there.
pub(super) fn listens(host: &str, port: u16) -> bool {
    let Ok(addresses) = (host, port).to_socket_addrs() else { return false };
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, CONNECT).is_ok())
}

/// What GETs are made with: time for the connection, and for all of it. Redirects are answers, not followed.
pub(crate) fn agent(connect: Duration, answer: Duration) -> ureq::Agent {
    // Who comes second finds it installed, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    ureq::Agent::config_builder()
        .timeout_connect(Some(connect))
        .timeout_global(Some(answer))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None) // what is asked is the program, not a proxy of the environment
        .user_agent(concat!("guardian/", env!("CARGO_PKG_VERSION")))
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build())
        .build()
        .into()
}

/// Whether a GET of `url` is answered by `status`; `None`: by any from 200 to 399.
pub(super) fn answers(agent: &ureq::Agent, url: &str, status: Option<u16>) -> bool {
    let Ok(answer) = agent.get(url).call() else { return false };
    let given = answer.status().as_u16();
    status.map_or((200..400).contains(&given), |wanted| wanted == given)
}

/// Whether the file is there and was made or changed since `began`: one that an earlier run left says nothing of this one.
pub(super) fn is_new(path: &str, began: Wall) -> bool {
    let Ok(metadata) = fs::metadata(path) else { return false };
    let changed = metadata.ctime() * 1000 + metadata.ctime_nsec() / 1_000_000;
    changed + TICK_MS >= began.0
}

/// A line for the shell, in the program's surroundings.
pub(super) struct Shell {
    /// The line.
    pub(super) line: String,
    /// The program's working directory.
    pub(super) cwd: PathBuf,
    /// The program's environment.
    pub(super) environment: Environment,
    /// As whom it is run; `None`: as guardian itself.
    pub(super) user: Option<user::Ids>,
}

impl Shell {
    /// Whether the line succeeds, within its time.
    pub(super) fn succeeds(&self) -> io::Result<bool> {
        let mut command = Command::new("/bin/sh");
        self.user.iter().for_each(|ids| user::run_as(&mut command, ids));
        let mut child = command
            .args(["-c", &self.line])
            .current_dir(&self.cwd)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let begun = clock::boot_ms()?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.success());
            }
            if Duration::from_millis(clock::boot_ms()?.saturating_sub(begun)) >= LINE {
                // It is not waited for yet, so that the pid is still its own.
                let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
                if killpg(group, Signal::SIGKILL).is_err() {
                    child.kill()?;
                }
                child.wait()?;
                return Ok(false);
            }
            std::thread::sleep(ENDED);
        }
    }
}
