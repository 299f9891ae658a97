//! What the program says of itself (sd_notify), as it comes: written into the run's record, judged by nobody here.
//!
//! Only processes of the run are heard. A sign of life (`WATCHDOG=1`) sets the time of the heartbeat file and of
//! [`crate::store::notify`], which nobody else touches; the words of
//! `STATUS=` replace each other in a small file, so that a program which talks much fills nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;

use crate::model::evidence::{Ready, Said};
use crate::model::time::BootId;
use crate::os::notify::{Socket, Writer};
use crate::os::process;
use crate::policy::secrets::Mask;
use crate::store::notify;
use crate::store::record::{Durable, Line};

use super::now;

/// Longest message that is read whole.
const LONGEST: usize = 4096;
/// Bytes of a status that are kept.
const STATUS: usize = 256;
/// Things said that are written down for one run, beside being ready.
const SAID_KEPT: u32 = 200;
/// Longest chain of parents that is followed from a sender up to us.
const PARENTS: usize = 32;

/// The program's words.
pub(super) struct Notices {
    socket: Socket,
    heartbeat: PathBuf,
    says: PathBuf,
    /// That somebody listens here, and when it last gave a sign of life.
    heard: PathBuf,
    /// The program, where it does not descend from us.
    adopted: Option<i32>,
    ready: bool,
    main: Option<i32>,
    said: u32,
}

impl Notices {
    /// Listens under `name`, to `adopted` where that does not descend from us.
    pub(super) fn bind(name: &[u8], heartbeat: PathBuf, says: PathBuf, adopted: Option<i32>) -> io::Result<Self> {
        let heard = says.with_extension(notify::EXTENSION);
        let socket = Socket::bind(name).inspect_err(|_| drop(std::fs::remove_file(&heard)))?;
        let noted = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&heard);
        // Without the note nobody waits for signs of life, and a shim that takes over hears none.
        drop(noted.and_then(|file| file.write_all_at(name, 0)));
        Ok(Self { socket, heartbeat, says, heard, adopted, ready: false, main: None, said: 0 })
    }

    /// Takes all that has come. True: something did that a pass should see now.
    #[inline(never)] // its buffer is no part of the frame that waits
    pub(super) fn hear(&mut self, record: &mut File, boot: &BootId) -> bool {
        let mut buffer = [0; LONGEST];
        let was_ready = self.ready;
        // A socket that fails says nothing more; the run goes on, and its time to get ready ends.
        while let Ok(Some((writer, text))) = self.socket.receive(&mut buffer) {
            if is_ours(writer, self.adopted) {
                for line in text.split(|byte| *byte == b'\n') {
                    // What cannot be written is lost, as on a full disk; the program goes on.
                    drop(self.take(line, record, boot));
                }
            }
        }
        self.ready != was_ready
    }

    /// The main process that the program named last.
    pub(super) fn named_main(&self) -> Option<i32> {
        self.main
    }

    fn take(&mut self, line: &[u8], record: &mut File, boot: &BootId) -> io::Result<()> {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else { return Ok(()) };
        let (key, value) = line.split_at(equals);
        let value = value.get(1..).unwrap_or(&[]); // the sign itself is there
        let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
        match key {
            b"READY" if value == b"1" && !self.ready => {
                let ready = Ready { at: now(boot)?, by: "notify".to_owned() };
                Line::Ready { ready }.append(record, Durable::No)?;
                self.ready = true;
                Ok(())
            }
            b"WATCHDOG" if value == b"1" => self.beat(),
            b"STATUS" => self.status(value),
            b"STOPPING" if value == b"1" => self.note(Said::Stopping(now(boot)?), record),
            b"MAINPID" => {
                match number().and_then(|pid| i32::try_from(pid).ok()).filter(|pid| self.main != Some(*pid)) {
                    Some(pid) => {
                        self.main = Some(pid);
                        self.note(Said::Main(pid), record)
                    }
                    None => Ok(()),
                }
            }
            b"EXTEND_TIMEOUT_USEC" if !self.ready => match number() {
                Some(micros) => self.note(Said::Extended(now(boot)?.plus(Duration::from_micros(micros))), record),
                None => Ok(()),
            },
            _ => Ok(()), // what else there is concerns service managers that keep descriptors
        }
    }

    fn note(&mut self, said: Said, record: &mut File) -> io::Result<()> {
        self.said += 1;
        if self.said > SAID_KEPT {
            return Ok(());
        }
        Line::Said { said }.append_sparing(record)
    }

    fn beat(&self) -> io::Result<()> {
        // Where there is no note, none is made: nobody could have waited for the signs before this one.
        if let Ok(file) = OpenOptions::new().write(true).open(&self.heard) {
            futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.heartbeat)?;
        Ok(futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)?)
    }

    fn status(&self, text: &[u8]) -> io::Result<()> {
        let masked = Mask::default().text(&String::from_utf8_lossy(text)).into_bytes();
        let text = masked.get(..STATUS).unwrap_or(&masked);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.says)?;
        file.write_all_at(text, 0)?;
        file.set_len(u64::try_from(text.len()).map_err(io::Error::other)?)
    }
}

/// Whether the sender belongs to the run: it descends from us, or from the program that was `adopted`. One that is gone already is believed when it was ours or
/// root's: who calls `systemd-notify` from a script ends at once.
fn is_ours(writer: Writer, adopted: Option<i32>) -> bool {
    let me = nix::unistd::getpid().as_raw();
    let mut pid = writer.pid;
    for _ in 0..PARENTS {
        match process::look(pid) {
            _ if pid == me || Some(pid) == adopted => return true,
            Ok(Some(process)) => pid = process.parent,
            Ok(None) => return pid == writer.pid && (writer.uid == nix::unistd::geteuid().as_raw() || writer.uid == 0),
            Err(_) => return false,
        }
    }
    false
}
