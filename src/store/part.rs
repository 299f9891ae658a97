//! A rotated part of a log in its file: as it was copied (`NAME.log.N`), or compressed (`NAME.log.N.gz`).
//!
//! Compressed, it is gzip that every tool reads: members of 256 KiB of text each, with their own size in a field of the header, so that any
//! place in it is found without unpacking what lies before. The plain file goes only after the compressed one is on the disk, and
//! readers ask for the plain one first: at each moment at least one is there.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

use super::rotation_note as note;

/// Bytes of text in one member.
const BLOCK: usize = 256 << 10;
/// The header of a member: ten bytes of gzip, and a field `GL` with the size of the member.
const HEADER: usize = 20;
/// Where in it that size stands.
const SIZE_AT: usize = 16;
/// No member is larger: text that cannot be compressed grows by a few bytes.
const LARGEST: usize = BLOCK + 4096;

/// The member that was unpacked last, for who reads on.
#[derive(Debug, Clone, Default)]
pub(super) struct Unpacked(Arc<Mutex<Option<Block>>>);

#[derive(Debug)]
struct Block {
    file: PathBuf,
    nth: usize,
    text: Vec<u8>,
}

/// Where the compressed form of a part lies.
pub(super) fn packed(log: &Path, number: u64) -> PathBuf {
    let mut path = note::part(log, number).into_os_string();
    path.push(".gz");
    path.into()
}

/// Reads what lies in a part from its byte `at` on, as much as fits and lies together.
pub(super) fn read(log: &Path, number: u64, at: u64, into: &mut [u8], last: &Unpacked) -> io::Result<usize> {
    match File::open(note::part(log, number)) {
        Ok(file) => file.read_at(into, at),
        Err(error) if error.kind() == io::ErrorKind::NotFound => read_packed(&packed(log, number), at, into, last),
        Err(error) => Err(error),
    }
}

fn read_packed(path: &Path, at: u64, into: &mut [u8], last: &Unpacked) -> io::Result<usize> {
    let at = usize::try_from(at).map_err(io::Error::other)?;
    let (nth, skip) = (at / BLOCK, at % BLOCK);
    let mut last = last.0.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_ref().is_none_or(|block| block.nth != nth || block.file != path) {
        let text = unpack(path, nth)?;
        *last = Some(Block { file: path.to_owned(), nth, text });
    }
    let text = last.as_ref().and_then(|block| block.text.get(skip..)).unwrap_or(&[]);
    let length = text.len().min(into.len());
    let (Some(from), Some(into)) = (text.get(..length), into.get_mut(..length)) else { return Ok(0) };
    into.copy_from_slice(from);
    Ok(length)
}

/// The text of the nth member; none there: the end.
fn unpack(path: &Path, nth: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut at = 0;
    for _ in 0..nth {
        match size(path, &file, at)? {
            0 => return Ok(Vec::new()),
            size => at += u64::try_from(size).map_err(io::Error::other)?,
        }
    }
    let mut member = vec![0; size(path, &file, at)?];
    file.read_exact_at(&mut member, at)?;
    let mut text = Vec::new();
    if !member.is_empty() {
        GzDecoder::new(member.as_slice()).read_to_end(&mut text).map_err(|error| damaged(path, &error.to_string()))?;
    }
    Ok(text)
}

/// The size of the member that begins at `at`; 0: that is the end.
fn size(path: &Path, file: &File, at: u64) -> io::Result<usize> {
    let mut header = [0; HEADER];
    match file.read_at(&mut header, at)? {
        0 => return Ok(0),
        HEADER => {}
        _ => return Err(damaged(path, "it ends in the middle")),
    }
    let [0x1f, 0x8b, 8, 4, .., 8, 0, b'G', b'L', 4, 0, a, b, c, d] = header else {
        return Err(damaged(path, "a member does not begin as guardian writes them"));
    };
    let size = usize::try_from(u32::from_le_bytes([a, b, c, d])).map_err(io::Error::other)?;
    if (HEADER..=LARGEST).contains(&size) { Ok(size) } else { Err(damaged(path, "a member has no possible size")) }
}

fn damaged(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("part `{}` is damaged: {why}", path.display()))
}

/// Compresses a part that lies there plainly. Returns its size before, 0 where it was compressed already.
pub(super) fn compress(log: &Path, number: u64) -> io::Result<u64> {
    let (plain, packed) = (note::part(log, number), packed(log, number));
    let mut from = match File::open(&plain) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut new = packed.clone().into_os_string();
    new.push(".new");
    let new = PathBuf::from(new);
    let outcome = write(&mut from, &new).and_then(|()| fs::rename(&new, &packed));
    if let Err(error) = outcome {
        drop(fs::remove_file(&new)); // it may be what fills the disk
        return Err(error);
    }
    File::open(note::dir(log))?.sync_all()?;
    fs::remove_file(&plain)?;
    Ok(from.metadata()?.len())
}

/// Writes all of `from` in members, with its time; it is on the disk when this returns.
fn write(from: &mut File, path: &Path) -> io::Result<()> {
    let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    loop {
        let mut text = Vec::new();
        Read::by_ref(from).take(u64::try_from(BLOCK).map_err(io::Error::other)?).read_to_end(&mut text)?;
        if text.is_empty() {
            break;
        }
        let field = [b'G', b'L', 4, 0, 0, 0, 0, 0];
        let mut member = GzBuilder::new().extra(field).write(Vec::new(), Compression::fast());
        member.write_all(&text)?;
        let mut member = member.finish()?;
        let size = u32::try_from(member.len()).map_err(io::Error::other)?.to_le_bytes();
        if let Some(place) = member.get_mut(SIZE_AT..HEADER) {
            place.copy_from_slice(&size);
        }
        to.write_all(&member)?;
    }
    to.set_times(FileTimes::new().set_modified(from.metadata()?.modified()?))?;
    to.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        fs::create_dir(note::dir(&log)).unwrap();
        fs::write(note::part(&log, 1), text).unwrap();
        (dir, log)
    }

    fn text() -> Vec<u8> {
        (0..100_000).flat_map(|n| format!("line {n} {}\n", n * 7919 % 10_007).into_bytes()).collect()
    }

    #[test]
    fn every_place_of_a_compressed_part_is_read_as_before() {
        let text = text();
        let (_dir, log) = part(&text);
        assert_eq!(compress(&log, 1).unwrap(), text.len() as u64);
        assert_eq!(compress(&log, 1).unwrap(), 0, "twice is once");
        assert!(!note::part(&log, 1).exists());
        assert!(fs::metadata(packed(&log, 1)).unwrap().len() < text.len() as u64 / 2);
        let last = Unpacked::default();
        for at in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 77, text.len() - 1, text.len(), text.len() + BLOCK] {
            let mut into = [0; 4000];
            let read = read(&log, 1, at as u64, &mut into, &last).unwrap();
            let rest = text.get(at..).unwrap_or(&[]);
            assert!(rest.starts_with(&into[..read]) && (read > 0 || rest.is_empty()), "at {at}: {read}");
        }
    }

    #[test]
    fn other_tools_read_it() {
        let text = text();
        let (_dir, log) = part(&text);
        compress(&log, 1).unwrap();
        let out = std::process::Command::new("gzip").arg("-dc").arg(packed(&log, 1)).output().unwrap();
        assert!(out.status.success() && out.stdout == text);
    }

    #[test]
    fn damage_is_an_error_and_no_text() {
        let (_dir, log) = part(&text());
        compress(&log, 1).unwrap();
        let whole = fs::read(packed(&log, 1)).unwrap();
        let mut into = [0; 4000];
        for (at, what) in [(0, "magic"), (13, "field"), (17, "size"), (5000, "text")] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            fs::write(packed(&log, 1), &bytes).unwrap();
            assert!(read(&log, 1, 0, &mut into, &Unpacked::default()).is_err(), "{what}");
        }
        fs::write(packed(&log, 1), &whole[..whole.len() / 2]).unwrap();
        let end = (text().len() - 10) as u64;
        assert!(read(&log, 1, end, &mut into, &Unpacked::default()).map_or(true, |read| read == 0), "torn");
    }
}
