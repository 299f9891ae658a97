//! Reading small files with as few system calls as there are: a pass does it for every process, every minute.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
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

/// The content of the regular file at `path`, at most `most` bytes: for files that somebody else may have put there. Nothing
/// that makes a reader wait (a fifo) or never ends (a device) is read.
///
/// # Errors
/// Anything but a regular file, a larger one, those of `open` and `read`.
pub fn regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    whole(OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?, most)
}

/// The same of a file that was opened without waiting.
///
/// # Errors
/// Those of [`regular`].
pub fn whole(file: File, most: u64) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_reader_wait_or_never_ends_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let (fifo, file) = (dir.path().join("fifo"), dir.path().join("file"));
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR).unwrap();
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(regular(&file, 5).unwrap(), b"12345");
        assert_eq!(regular(&file, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        for odd in [fifo.as_path(), Path::new("/dev/zero"), dir.path()] {
            assert_eq!(regular(odd, 5).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{}", odd.display());
        }
    }
}
