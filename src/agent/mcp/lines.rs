//! The lines of a client before the SDK reads them: it passes over what is no JSON without a word, and ends when anything but a
//! request comes first. Here the one is answered, the other said, and the server goes on; what is well-formed goes through as it came.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

/// Longest line that is read.
const LONGEST: u64 = 16 * 1024 * 1024;
/// Bytes that wait between the two sides.
const ROOM: usize = 64 * 1024;
/// Answers that wait for a client that does not read.
const WAITING: usize = 16;
/// So many lines in a row that are no JSON are answered: who answers an answer with such a line shall not do so for ever.
const ANSWERED: u32 = 100;
/// Most messages of a batch.
const BATCH: usize = 1000;

/// How a line that cannot be used is told.
pub type Complain = Box<dyn Fn(&str) + Send>;

/// `input` without what cannot be used, which is told by `complain`, and answered by `answers` where the protocol has an answer. The
/// task ends with the input.
pub(super) fn checked(
    input: impl AsyncRead + Unpin + Send + 'static,
    complain: Complain,
    answers: Sender<String>,
) -> (DuplexStream, JoinHandle<()>) {
    let (mut into, out) = tokio::io::duplex(ROOM);
    let task = tokio::spawn(async move {
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        let mut begun = false;
        let mut wrong = 0;
        // An input that fails is at its end.
        while let Ok(true) = next(&mut input, &mut line).await {
            let read = match line.len() as u64 > LONGEST {
                true => Err(Unusable { why: format!("a message is longer than {LONGEST} bytes"), answered: true }),
                false => usable(&line, &mut begun),
            };
            match read {
                Ok(messages) => {
                    wrong = 0;
                    for message in messages {
                        if into.write_all(&message).await.is_err() {
                            return; // the server has ended
                        }
                    }
                }
                Err(Unusable { why, answered }) => {
                    complain(&format!("guardian mcp: {why}; it is passed over"));
                    wrong += 1;
                    if answered && wrong <= ANSWERED {
                        // Nobody writes any more when this fails.
                        drop(answers.send(parse_error(&why)).await);
                    }
                }
            }
        }
    });
    (out, task)
}

/// A writer for the server whose lines go to `output`, and between them those of the receiver. The task ends once the server has
/// closed it and all is written.
pub(super) fn merged(
    mut output: impl AsyncWrite + Unpin + Send + 'static,
    mut answers: Receiver<String>,
) -> (DuplexStream, JoinHandle<()>) {
    let (server, from) = tokio::io::duplex(ROOM);
    let task = tokio::spawn(async move {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        let mut open = true;
        while open {
            // What was read of a line stays in it while an answer goes first.
            let written = tokio::select! {
                read = from.read_until(b'\n', &mut line) => {
                    open = matches!(read, Ok(read) if read > 0);
                    let written = output.write_all(&line).await;
                    line.clear();
                    written
                }
                Some(answer) = answers.recv() => output.write_all(answer.as_bytes()).await,
            };
            if written.is_err() || output.flush().await.is_err() {
                return; // the client reads no more: the server finds its end closed
            }
        }
        while let Ok(answer) = answers.try_recv() {
            if output.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        drop(output.flush().await);
    });
    (server, task)
}

/// The way for answers from one side to the other.
pub(super) fn answers() -> (Sender<String>, Receiver<String>) {
    mpsc::channel(WAITING)
}

/// The answer of JSON-RPC 2.0 to what it cannot read; which request it was is not known.
fn parse_error(why: &str) -> String {
    let error = json!({"code": -32700, "message": format!("Parse error: {why}")});
    format!("{}\n", json!({"jsonrpc": "2.0", "id": null, "error": error}))
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

/// A line that is not for the server.
#[derive(Debug, PartialEq, Eq)]
struct Unusable {
    why: String,
    /// Whether the protocol answers it.
    answered: bool,
}

/// The messages of a line, each with its end: one, or those of a batch, which a client of 2025-03-26 may send.
fn usable(line: &[u8], begun: &mut bool) -> Result<Vec<Vec<u8>>, Unusable> {
    if line.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let message: Value = serde_json::from_slice(line)
        .map_err(|error| Unusable { why: format!("a message is not JSON: {error}"), answered: true })?;
    let is_request = |message: &Value| {
        let has = |key: &str| message.get(key).is_some_and(|value| !value.is_null());
        has("method") && has("id")
    };
    let ended = |text: &[u8]| [text, b"\n"].concat();
    if let Value::Array(batch) = &message
        && !batch.is_empty()
        && batch.len() <= BATCH
        && batch.iter().all(Value::is_object)
    {
        *begun |= batch.iter().any(is_request);
        let messages = batch.iter().filter(|message| *begun || is_request(message));
        return Ok(messages.map(|message| ended(message.to_string().as_bytes())).collect());
    }
    *begun |= is_request(&message);
    if *begun || !message.is_object() {
        return Ok(vec![ended(line)]);
    }
    Err(Unusable { why: "a message before the first request is none".to_owned(), answered: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_first_request_and_what_is_no_json_is_not_for_the_server() {
        let mut begun = false;
        let notice = br#"{"jsonrpc":"2.0","method":"x"}"#;
        let answered = |read: Result<_, Unusable>| read.unwrap_err().answered;
        assert!(!answered(usable(notice, &mut begun)));
        assert!(!answered(usable(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#, &mut begun)));
        assert!(usable(b"[1]", &mut begun).is_ok() && usable(b" ", &mut begun).is_ok(), "those it answers, or skips");
        assert!(usable(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, &mut begun).is_ok());
        assert!(usable(notice, &mut begun).is_ok());
        for wrong in [&b"{"[..], b"\xff", b"\0", b"{\"a\":\"\xff\"}", &[b'['; 9999]] {
            assert!(answered(usable(wrong, &mut begun)), "{wrong:?}");
        }
    }

    #[test]
    fn a_batch_is_its_messages_one_by_one() {
        let batch = br#"[{"id":"a","method":"ping"},{"method":"x"}]"#;
        let lines = usable(batch, &mut false).unwrap();
        assert_eq!(lines, [&b"{\"id\":\"a\",\"method\":\"ping\"}\n"[..], b"{\"method\":\"x\"}\n"]);
    }
}
