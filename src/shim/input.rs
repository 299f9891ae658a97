//! What the program reads and the shim has a part in: a pipe that it can end, or a terminal whose other end it has.
//!
//! Only for programs that have such an input; every other shim waits for signals and nothing else. Of a terminal the shim
//! copies the output into the log, and what `send` wrote into the terminal. The other end is also open in the program itself
//! (descriptor 62), so a killed shim hangs nothing up and ends no input: its successor gets it from there.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::model::name::Name;
use crate::os::orphan::{Orphan, Woken};
use crate::os::program::{self, HELD_FD};
use crate::os::spawn::{KEPT_FD, TYPED_FD};
use crate::os::{descriptor, keeper, signals, terminal};
use crate::store::paths::Paths;
use crate::store::stdin::{self, Reader};

/// Bytes that are copied at once.
const PIECE: usize = 4096;

/// What the program reads.
pub(super) enum Input {
    /// A pipe, and what keeps it open.
    Pipe {
        /// Any end of it.
        pipe: OwnedFd,
        /// See [`keeper`].
        kept: OwnedFd,
    },
    /// A terminal.
    Terminal(Terminal),
}

/// A terminal that the program runs in.
pub(super) struct Terminal {
    master: File,
    /// The program's end: as long as somebody has it open the terminal is not at its end.
    _slave: Option<File>,
    /// What `send` writes to.
    typed: Option<File>,
    /// Readable while a signal waits for this process.
    signals: OwnedFd,
    /// Typed and not taken by the terminal yet.
    pending: Vec<u8>,
    /// It was hung up.
    over: bool,
}

/// How a program is to be given what the shim was told by `word`.
pub(super) fn kind(word: &[u8]) -> program::Input {
    match word {
        b"pty" => program::Input::Terminal,
        b"pipe" => program::Input::Pipe,
        _ => program::Input::Plain,
    }
}

impl Input {
    /// What the launcher made for the program.
    pub(super) fn inherited(kind: program::Input) -> io::Result<Option<Self>> {
        match kind {
            program::Input::Plain => Ok(None),
            program::Input::Pipe => {
                let pipe = io::stdin().as_fd().try_clone_to_owned()?;
                Ok(Some(Self::Pipe { pipe, kept: descriptor::inherited(KEPT_FD)?.into() }))
            }
            program::Input::Terminal => {
                let master = descriptor::inherited(KEPT_FD)?;
                let typed = descriptor::inherited(TYPED_FD)?;
                Terminal::new(master, None, Some(typed)).map(|terminal| Some(Self::Terminal(terminal)))
            }
        }
    }

    /// The same from a program that runs already.
    ///
    /// # Errors
    /// The program does not have it any more, or the kernel does not give it (`EPERM`).
    pub(super) fn of_orphan(
        kind: program::Input,
        orphan: &Orphan,
        paths: &Paths,
        name: &Name,
    ) -> io::Result<Option<Self>> {
        match kind {
            program::Input::Plain => Ok(None),
            program::Input::Pipe => {
                let (pipe, kept) = (orphan.descriptor(0)?.into(), orphan.descriptor(HELD_FD)?.into());
                Ok(Some(Self::Pipe { pipe, kept }))
            }
            program::Input::Terminal => {
                let master = orphan.descriptor(HELD_FD)?;
                let slave = terminal::peer(&master)?;
                // Without the pipe nothing can be typed; what the program writes is still taken from it.
                let typed = stdin::hold(paths, name, Reader::Terminal).ok();
                Terminal::new(master, Some(slave), typed).map(|terminal| Some(Self::Terminal(terminal)))
            }
        }
    }

    /// Ends a pipe that was taken away: that is how `send --eof` asks for it.
    pub(super) fn look(&self) {
        let Self::Pipe { pipe, kept } = self else { return };
        let gone = nix::sys::stat::fstat(pipe).is_ok_and(|stat| stat.st_nlink == 0);
        if gone {
            drop(keeper::let_go(kept.as_fd())); // asked again: nothing is in it any more
        }
    }

    /// What the program wrote to its terminal until now goes into the log.
    pub(super) fn drain(&mut self) {
        if let Self::Terminal(terminal) = self {
            while terminal.take_output() {}
        }
    }
}

impl Terminal {
    fn new(master: File, slave: Option<File>, typed: Option<File>) -> io::Result<Self> {
        let signals = signals::readable()?;
        Ok(Self { master, _slave: slave, typed, signals, pending: Vec::new(), over: false })
    }

    /// Copies until a signal is pending, or `end` is readable. Uses no CPU while nothing comes.
    pub(super) fn wait(&mut self, end: Option<BorrowedFd<'_>>) -> io::Result<Woken> {
        loop {
            let [signal, ended, output, room, typed] = self.ready(end)?;
            // A signal first: one that came before the end is recorded before it.
            if signal {
                return Ok(Woken::Signal);
            }
            if ended {
                return Ok(Woken::Ended);
            }
            if output {
                self.take_output();
            }
            if typed {
                self.take_typed();
            }
            if room {
                self.put_typed();
            }
        }
    }

    /// Which of these are ready: a signal, the end, output, room for what is pending, something typed.
    fn ready(&self, end: Option<BorrowedFd<'_>>) -> io::Result<[bool; 5]> {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::POLLIN, !self.over);
        wanted.set(PollFlags::POLLOUT, !self.pending.is_empty());
        let signals = self.signals.as_fd();
        // What is not to be looked at is replaced by the signals, which are looked at anyway.
        let typed = self.typed.as_ref().filter(|_| self.pending.is_empty()).map_or(signals, File::as_fd);
        let master = if self.over { signals } else { self.master.as_fd() };
        let mut fds = [
            PollFd::new(signals, PollFlags::POLLIN),
            PollFd::new(end.unwrap_or(signals), PollFlags::POLLIN),
            PollFd::new(master, wanted),
            PollFd::new(typed, PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [signal, ended, master, typed] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        let room = master.contains(PollFlags::POLLOUT);
        let output = master.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR);
        Ok([!signal.is_empty(), !ended.is_empty(), output, room, !typed.is_empty()])
    }

    /// Copies a piece of the output. False: there is none now.
    #[inline(never)] // its buffer is no part of the frame that waits
    fn take_output(&mut self) -> bool {
        let mut piece = [0; PIECE];
        match (&self.master).read(&mut piece) {
            Ok(read) if read > 0 => {
                // A full disk takes what it can, as it would from the program.
                descriptor::write_output(piece.get(..read).unwrap_or(&[]));
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => {
                self.over = true;
                false
            }
        }
    }

    #[inline(never)] // as above
    fn take_typed(&mut self) {
        let mut piece = [0; PIECE];
        let Some(mut typed) = self.typed.as_ref() else { return };
        match typed.read(&mut piece) {
            Ok(read) if read > 0 => {
                self.pending.extend(piece.iter().take(read));
                self.put_typed();
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Ok(_) | Err(_) => self.typed = None,
        }
    }

    fn put_typed(&mut self) {
        match (&self.master).write(&self.pending) {
            Ok(written) => drop(self.pending.drain(..written)),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(_) => self.pending.clear(), // hung up: nobody reads it any more
        }
    }
}
