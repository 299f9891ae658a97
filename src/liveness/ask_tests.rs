//! Questions to things that answer, refuse, hang and drip.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use super::*;

const LIMIT: Duration = Duration::from_millis(400);

fn line(line: &str) -> Result<(), String> {
    let environment = Environment::from([("PATH".into(), "/usr/bin:/bin".into())]);
    Question::Line { line: line.to_owned(), cwd: PathBuf::from("/"), environment, user: None }.ask(LIMIT)
}

fn no(why: &str) -> Result<(), String> {
    Err(why.to_owned())
}

#[test]
fn a_line_says_how_it_failed_with_the_last_line_that_it_wrote() {
    assert_eq!(line("echo fine"), Ok(()));
    assert_eq!(line("echo a; echo b >&2; exit 3"), no("exit code 3: b"));
    assert_eq!(line("exit 4"), no("exit code 4"));
    assert_eq!(line("kill -15 $$"), no("SIGTERM"));
    assert_eq!(line("printf '\\033[31mred\\n\\n'; false"), no("exit code 1: red"));
}

#[test]
fn a_line_that_writes_without_end_hangs_or_leaves_children_is_over_in_its_time() {
    let until = Until::after(LIMIT * 4);
    assert_eq!(line("exec yes"), no("no answer within 400ms"));
    assert_eq!(line("sleep 100"), no("no answer within 400ms"));
    assert_eq!(line("sleep 100 & exit 0"), Ok(()), "who holds its output is not waited for");
    assert!(!until.left().is_zero(), "it took too long");
}

#[test]
fn a_port_listens_or_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let question = Question::Tcp { host: "127.0.0.1".to_owned(), port };
    assert_eq!(question.ask(LIMIT), Ok(()));
    drop(listener);
    assert_eq!(question.ask(LIMIT), no("connection refused"));
}

/// Serves one answer, in pieces with a pause after each.
fn server(pieces: &'static [&'static str], pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut asked = [0; 1024];
        let _request = client.read(&mut asked);
        for piece in pieces {
            if client.write_all(piece.as_bytes()).is_err() {
                return;
            }
            std::thread::sleep(pause);
        }
    });
    url
}

#[test]
fn an_answer_over_http_is_whole_in_its_time_and_has_the_status_that_is_wanted() {
    let ask = |pieces, pause, status| Question::Http { url: server(pieces, pause), status }.ask(LIMIT);
    let now = Duration::ZERO;
    let drop_by_drop = Duration::from_millis(150);
    const WHOLE: &[&str] = &["HTTP/1.1 204 No Content\r\n\r\n"];
    assert_eq!(ask(WHOLE, now, None), Ok(()));
    assert_eq!(ask(WHOLE, now, Some(200)), no("status 204"));
    assert_eq!(ask(&["HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"], now, None), no("status 503"));
    let dripping = no("no answer within 400ms");
    assert_eq!(ask(&["HTTP", "/1.1", " 200", " OK", "\r\n", "a: b", "\r\n"], drop_by_drop, None), dripping);
    const BODY: &[&str] = &["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "x", "x", "x", "x", "x", "x"];
    assert_eq!(ask(BODY, drop_by_drop, None), dripping);
}

#[test]
fn a_file_is_there_or_not() {
    assert_eq!(Question::File(PathBuf::from("/")).ask(LIMIT), Ok(()));
    assert_eq!(Question::File(PathBuf::from("/nonexistent/x")).ask(LIMIT), no("no such file or directory"));
}
