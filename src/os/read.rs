//! Reading small files with as few system calls as there are: a pass does it for every process, every minute.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::read;

/// First size of the buffer, in bytes: nearly every file that is read this way is smaller.
const FIRST: usize = 2048;

/// Opens `path` for reading, close-on-exec.
///
/// # Errors
/// Those of `openat`.
pub fn open(path: &Path) -> io::Result<File> {
    Ok(File::from(openat(AT_FDCWD, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?))
}

/// The content of `file` from where it stands, appended to `buffer`. A read that does not fill the buffer reached the end.
///
/// # Errors
/// Those of `read`.
pub fn to_end(file: &File, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut first = [0; FIRST];
    let got = loop {
        match read(file, &mut first) {
            Err(nix::errno::Errno::EINTR) => {}
            outcome => break outcome?,
        }
    };
    buffer.extend_from_slice(first.get(..got).unwrap_or(&first));
    if got < FIRST {
        return Ok(());
    }
    let mut filled = buffer.len();
    loop {
        buffer.resize((filled * 2).max(FIRST), 0);
        let room = buffer.len() - filled;
        let got = match buffer.get_mut(filled..).map(|free| read(file, free)) {
            Some(Ok(got)) => got,
            Some(Err(nix::errno::Errno::EINTR)) => continue,
            Some(Err(error)) => return Err(error.into()),
            None => 0,
        };
        filled += got;
        if got < room {
            buffer.truncate(filled);
            return Ok(());
        }
    }
}

/// The content of the file at `path`; `None`: there is none.
///
/// # Errors
/// Anything but its absence.
pub fn small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut buffer = Vec::new();
    to_end(&file, &mut buffer)?;
    Ok(Some(buffer))
}
