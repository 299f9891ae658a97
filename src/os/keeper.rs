//! A descriptor in flight: it is open for as long as a socket is in which it was sent and not yet received.
//!
//! So a process may keep a pipe open that it does not know of, and another one may close it: whoever has the same socket
//! takes it out.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

/// Room for a message about one descriptor, aligned as its header must be.
#[repr(C, align(8))]
struct Room([u8; ROOM]);

/// Bytes of it.
const ROOM: usize = 64;

/// A socket that keeps `file` open, besides whoever else does.
///
/// # Errors
/// No descriptor is left, or too many are in flight.
pub fn keep(file: &File) -> io::Result<OwnedFd> {
    let (from, to) = UnixDatagram::pair()?;
    let (mut byte, mut room) = (0_u8, Room([0; ROOM]));
    let (mut part, mut message) = message(&mut byte, &mut room);
    message.msg_iov = &raw mut part;
    // SAFETY: everything that the message points to lives through the calls, and the room is larger than one descriptor takes.
    let sent = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(DESCRIPTOR) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(file.as_raw_fd());
        message.msg_controllen = libc::CMSG_SPACE(DESCRIPTOR) as _;
        libc::sendmsg(from.as_raw_fd(), &raw const message, 0)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(to.into()) }
}

/// Takes out of `socket` what [`keep`] put there, and closes it. False: nothing is in it any more.
///
/// # Errors
/// Those of `recvmsg`.
pub fn let_go(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let (mut byte, mut room) = (0_u8, Room([0; ROOM]));
    let (mut part, mut message) = message(&mut byte, &mut room);
    message.msg_iov = &raw mut part;
    // SAFETY: as above; the descriptor that comes was made for us by this call.
    unsafe {
        if libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) };
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Ok(false);
        }
        drop(OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<i32>().read_unaligned()));
    }
    Ok(true)
}

/// Bytes of one descriptor.
const DESCRIPTOR: u32 = 4;

/// A message of one byte with room for a descriptor.
fn message(byte: &mut u8, room: &mut Room) -> (libc::iovec, libc::msghdr) {
    let part = libc::iovec { iov_base: std::ptr::from_mut(byte).cast(), iov_len: 1 };
    // SAFETY: zeroes are a valid header without any parts.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iovlen = 1;
    message.msg_control = room.0.as_mut_ptr().cast();
    #[allow(clippy::cast_possible_truncation, reason = "its type differs between platforms; it is some bytes")]
    {
        message.msg_controllen = ROOM as _;
    }
    (part, message)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_pipe_is_open_until_it_is_let_go_of_and_then_at_its_end() {
        let (mut read, mut write) = crate::os::descriptor::pipe().unwrap();
        let socket = keep(&write).unwrap();
        write.write_all(b"x").unwrap();
        drop(write);
        crate::os::descriptor::set_nonblocking(&read).unwrap();
        let mut bytes = [0; 8];
        assert_eq!(read.read(&mut bytes).unwrap(), 1);
        assert_eq!(read.read(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock, "somebody has it open");
        assert!(let_go(socket.as_fd()).unwrap());
        assert_eq!(read.read(&mut bytes).unwrap(), 0, "nobody has");
        assert!(!let_go(socket.as_fd()).unwrap());
    }
}
