//! Bytes that went through the TCP connections of processes: what `send` and `recv` move, which the kernel counts for
//! no process. Asked of the kernel's socket diagnostics (netlink), of the network that guardian itself is in.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Longest that the kernel's answer is waited for, in seconds; it comes at once.
const PATIENCE_S: u32 = 1;
/// `SOCK_DIAG_BY_FAMILY`: ask for sockets of one family.
const BY_FAMILY: u16 = 20;
/// `INET_DIAG_INFO`: the attribute that holds `struct tcp_info`.
const TCP_INFO: u16 = 2;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct inet_diag_msg`.
const MESSAGE: usize = 72;
/// Where in it the inode lies.
const INODE: usize = 68;
/// Where in `struct tcp_info` the acknowledged bytes lie; the received ones follow.
const ACKED: usize = 120;

/// Whether the kernel counts them.
pub(super) const IS_COUNTED: bool = true;

/// Inodes of the sockets that `pid` has open; `None`: not ours to read.
pub(super) fn sockets(pid: i32) -> Option<BTreeSet<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Some(
        targets
            .filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
            .collect(),
    )
}

/// Bytes that went through those of `sockets` that are TCP connections, in both directions.
pub(super) fn bytes(sockets: &BTreeSet<u32>) -> io::Result<u64> {
    let mut sum = 0_u64;
    for family in [libc::AF_INET, libc::AF_INET6] {
        let link = ask(family)?;
        let mut buffer = vec![0_u8; 32 * 1024];
        loop {
            // SAFETY: buffer and its length match and outlive the call.
            let got = unsafe { libc::recv(link.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
            let answer = buffer.get(..got).unwrap_or(&buffer);
            if !each(answer, |inode, bytes| {
                if sockets.contains(&inode) {
                    sum = sum.saturating_add(bytes);
                }
            })? {
                break;
            }
        }
    }
    Ok(sum)
}

/// Asks for every TCP socket of a family.
fn ask(family: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes integers; a new descriptor or -1 comes back.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    let link = unsafe { OwnedFd::from_raw_fd(fd) };
    let patience = libc::timeval { tv_sec: PATIENCE_S.into(), tv_usec: 0 };
    let size = libc::socklen_t::try_from(std::mem::size_of::<libc::timeval>()).map_err(io::Error::other)?;
    // SAFETY: the option's value lives through the call, and its size is given.
    let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const patience).cast(), size) };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    let request = request(family)?;
    // SAFETY: the request and its length match and outlive the call.
    let sent = unsafe { libc::send(fd, request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(link) }
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`, 56 bytes.
fn request(family: i32) -> io::Result<Vec<u8>> {
    let small = |number: i32| u8::try_from(number).map_err(io::Error::other);
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER + 56);
    bytes.extend((72_u32).to_ne_bytes()); // the whole length
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]); // sequence, port
    bytes.extend([small(family)?, small(libc::IPPROTO_TCP)?, 1 << (TCP_INFO - 1), 0]);
    bytes.extend(u32::MAX.to_ne_bytes()); // in whatever state
    bytes.extend([0; 48]); // of whatever addresses
    Ok(bytes)
}

/// Calls `found` with inode and bytes of each socket in `answer`; whether more is to come.
fn each(mut answer: &[u8], mut found: impl FnMut(u32, u64)) -> io::Result<bool> {
    while answer.len() >= HEADER {
        let length = usize::try_from(u32_at(answer, 0).unwrap_or(0)).map_err(io::Error::other)?;
        let message = answer.get(..length).filter(|_| length >= HEADER);
        let message = message.ok_or_else(|| io::Error::other("an answer of another form"))?;
        match i32::from(u16_at(message, 4).unwrap_or(0)) {
            libc::NLMSG_DONE => return Ok(false),
            libc::NLMSG_ERROR => return Err(io::Error::other("the kernel does not tell of sockets")),
            _ => {}
        }
        let body = message.get(HEADER..).unwrap_or(&[]);
        if let (Some(inode), Some(bytes)) = (u32_at(body, INODE), body.get(MESSAGE..).and_then(moved)) {
            found(inode, bytes);
        }
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(true)
}

/// Bytes acknowledged and received, from the attributes of a socket.
fn moved(mut attributes: &[u8]) -> Option<u64> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let attribute = attributes.get(..length).filter(|_| length >= 4)?;
        if u16_at(attribute, 2)? == TCP_INFO {
            let info = attribute.get(4..)?;
            return Some(u64_at(info, ACKED)?.saturating_add(u64_at(info, ACKED + 8)?));
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn bytes_of_a_connection_are_counted_at_both_of_its_ends_and_those_of_others_are_not() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (mut other, _) = server.accept().unwrap();
        let mine = sockets(i32::try_from(std::process::id()).unwrap()).unwrap();
        let inode = |fd: i32| {
            let target = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
            let text = target.to_str().unwrap().to_owned();
            text.trim_start_matches("socket:[").trim_end_matches(']').parse::<u32>().unwrap()
        };
        let of_client = BTreeSet::from([inode(client.as_raw_fd())]);
        let of_other = BTreeSet::from([inode(other.as_raw_fd())]);
        assert!(mine.is_superset(&of_client) && mine.is_superset(&of_other));
        assert_eq!(bytes(&of_other).unwrap(), 0);
        client.write_all(&[0; 1000]).unwrap();
        other.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(bytes(&of_other).unwrap(), 1000);
        assert!(bytes(&of_client).unwrap() >= 1000);
        assert_eq!(bytes(&BTreeSet::from([1])).unwrap(), 0);
    }
}
