//! The socket through which a program speaks of itself (sd_notify): datagrams with who sent them.
//!
//! Its name is abstract: it needs no file, so a program that changed its user or its root directory still reaches it, and
//! nothing of it is left when the shim is gone. A datagram raises SIGURG, which means nothing else to a shim.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Who sent a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// Its pid; 0: it lies in a namespace that cannot be seen.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// A socket that is bound.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// A name that nobody can guess, for one run.
///
/// # Errors
/// The kernel gives no random numbers.
pub fn fresh_name() -> io::Result<String> {
    let mut random = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(format!("guardian-notify-{:016x}", u64::from_le_bytes(random)))
}

impl Socket {
    /// Binds `name` in the abstract namespace.
    ///
    /// # Errors
    /// Those of `socket`, `setsockopt`, `bind` and `fcntl`; the name is taken or too long.
    pub fn bind(name: &[u8]) -> io::Result<Self> {
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        let fd = socket.0.as_raw_fd();
        // SAFETY: zeroes are a valid address of this family.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = libc::AF_UNIX.try_into().map_err(io::Error::other)?;
        // The first byte stays zero: that makes it abstract.
        let places = address.sun_path.get_mut(1..=name.len()).ok_or(io::ErrorKind::InvalidInput)?;
        for (place, byte) in places.iter_mut().zip(name) {
            *place = *byte as libc::c_char;
        }
        let length = std::mem::offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len();
        let one: libc::c_int = 1;
        // SAFETY: option and address live through the calls and have the lengths that are given.
        unsafe {
            check(libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_PASSCRED,
                (&raw const one).cast(),
                size::<libc::c_int>()?,
            ))?;
            check(libc::bind(fd, (&raw const address).cast(), length.try_into().map_err(io::Error::other)?))?;
            check(libc::fcntl(fd, libc::F_SETOWN, libc::getpid()))?;
            check(libc::fcntl(fd, F_SETSIG, libc::SIGURG))?;
            check(libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK | libc::O_ASYNC))?;
        }
        Ok(socket)
    }

    /// The next datagram and who sent it; `None`: there is none now. One that is too long is cut. Descriptors that come
    /// with it are closed by the kernel, for there is no room for them: whoever waits for that is answered.
    ///
    /// # Errors
    /// Those of `recvmsg`.
    pub fn receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<(Writer, &'b [u8])>> {
        let mut control = MaybeUninit::<Control>::zeroed();
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: zeroes are a valid message header.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = CONTROL as _; // u32 in one C library, usize in another
        // SAFETY: header, buffers and control room live through the call.
        let length = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        if length < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        }
        // SAFETY: the header is as the kernel left it; the first control message is read only where there is one, of this
        // kind, and so of this size.
        let writer = unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const message);
            if first.is_null() || (*first).cmsg_level != libc::SOL_SOCKET || (*first).cmsg_type != libc::SCM_CREDENTIALS
            {
                return Err(io::Error::other("a datagram without a sender"));
            }
            let sender: libc::ucred = std::ptr::read_unaligned(libc::CMSG_DATA(first).cast());
            Writer { pid: sender.pid, uid: sender.uid }
        };
        let length = usize::try_from(length).map_err(io::Error::other)?;
        Ok(buffer.get(..length).map(|text| (writer, text)))
    }
}

/// Which signal tells of data: Linux has it, the C library's crate does not on every target.
const F_SETSIG: libc::c_int = 10;

/// Room for the sender, and for no descriptor beside it.
// SAFETY: it computes a length and touches no memory.
const CONTROL: u32 = unsafe { libc::CMSG_SPACE(SENDER) };

/// A sender: three numbers of 4 bytes.
const SENDER: u32 = 12;
const _: () = assert!(size_of::<libc::ucred>() == SENDER as usize);

/// The same, aligned as headers of control messages are.
#[repr(C)]
struct Control {
    _align: [libc::cmsghdr; 0],
    _room: [u8; CONTROL as usize],
}

fn size<T>() -> io::Result<libc::socklen_t> {
    size_of::<T>().try_into().map_err(io::Error::other)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[test]
    fn a_datagram_arrives_with_its_sender_and_nothing_more_is_nothing() {
        let name = fresh_name().unwrap();
        let socket = Socket::bind(name.as_bytes()).unwrap();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        UnixDatagram::unbound().unwrap().send_to_addr(b"READY=1\n", &address).unwrap();
        let mut buffer = [0; 64];
        let (writer, text) = socket.receive(&mut buffer).unwrap().unwrap();
        assert_eq!((writer.pid, text), (nix::unistd::getpid().as_raw(), &b"READY=1\n"[..]));
        assert_eq!(socket.receive(&mut buffer).unwrap(), None);
        assert!(Socket::bind(name.as_bytes()).is_err(), "the name is taken");
    }
}
