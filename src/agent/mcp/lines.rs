//! The lines of a client before the SDK reads them: it passes over what is no JSON without a word, and ends when anything but a
//! request comes first. Here that is said, and the server goes on; what is well-formed goes through as it came.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

/// Longest line that is read.
const LONGEST: u64 = 16 * 1024 * 1024;
/// Bytes that wait between the two sides.
const ROOM: usize = 64 * 1024;

/// How a line that cannot be used is told.
pub type Complain = Box<dyn Fn(&str) + Send>;

/// `input` without what cannot be used, which is told by `complain`.
pub(super) fn checked(input: impl AsyncRead + Unpin + Send + 'static, complain: Complain) -> DuplexStream {
    let (mut into, out) = tokio::io::duplex(ROOM);
    tokio::spawn(async move {
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        let mut begun = false;
        // An input that fails is at its end.
        while let Ok(true) = next(&mut input, &mut line).await {
            if line.len() as u64 > LONGEST {
                complain(&format!("guardian mcp: a message is longer than {LONGEST} bytes; it is passed over"));
                continue;
            }
            match usable(&line, &mut begun) {
                Ok(()) => {
                    line.push(b'\n');
                    if into.write_all(&line).await.is_err() {
                        return; // the server has ended
                    }
                }
                Err(why) => complain(&format!("guardian mcp: {why}; it is passed over")),
            }
        }
    });
    out
}

/// The next line without its end, or so much of it that it is too long. False: there is none any more.
async fn next(input: &mut (impl AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut rest = Vec::new();
    if input.take(LONGEST + 1).read_until(b'\n', line).await? == 0 {
        return Ok(false);
    }
    let mut whole = line.last() == Some(&b'\n');
    while !whole && line.len() as u64 > LONGEST {
        rest.clear();
        let read = input.take(LONGEST).read_until(b'\n', &mut rest).await?;
        whole = read == 0 || rest.last() == Some(&b'\n');
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(true)
}

/// Why a line is not for the server.
fn usable(line: &[u8], begun: &mut bool) -> Result<(), String> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    let message: Value = serde_json::from_slice(line).map_err(|error| format!("a message is not JSON: {error}"))?;
    let has = |key: &str| message.get(key).is_some_and(|value| !value.is_null());
    *begun |= has("method") && has("id");
    if *begun || !message.is_object() {
        return Ok(());
    }
    Err("a message before the first request is none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_first_request_and_what_is_no_json_is_not_for_the_server() {
        let mut begun = false;
        let notice = br#"{"jsonrpc":"2.0","method":"x"}"#;
        assert!(usable(notice, &mut begun).is_err());
        assert!(usable(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#, &mut begun).is_err());
        assert!(usable(b"[1]", &mut begun).is_ok() && usable(b" ", &mut begun).is_ok(), "those it answers, or skips");
        assert!(usable(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, &mut begun).is_ok());
        assert!(usable(notice, &mut begun).is_ok());
        for wrong in [&b"{"[..], b"\xff", b"\0", b"{\"a\":\"\xff\"}", &[b'['; 9999]] {
            assert!(usable(wrong, &mut begun).is_err(), "{wrong:?}");
        }
    }
}
