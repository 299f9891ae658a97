//! Servers on loopback that do as a script says, and a message to send them.
//!
//! No server sleeps: one that hangs waits for the client to go away, so a test lasts as long as the
//! client's own limit. Nothing here outlives a minute.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Message;
use crate::model::sample::btc_bot;

/// What a server does next.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Says this and goes on.
    Say(&'static str),
    /// Says this, then nothing more, until the client goes away.
    Stall(&'static str),
    /// Closes the connection.
    Drop,
}

pub(super) fn message() -> Message {
    Message::new(&btc_bot(), &[], None)
}

fn accept(listener: &TcpListener) -> BufReader<TcpStream> {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    BufReader::new(stream)
}

fn stall(stream: &mut BufReader<TcpStream>, words: &str) {
    drop(stream.get_mut().write_all(words.as_bytes()));
    let mut rest = [0; 1024];
    while let Ok(1..) = stream.read(&mut rest) {}
}

/// An HTTP server that serves one connection for each act; gives its URL, and the requests it got.
pub(super) fn http(acts: Vec<Act>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        acts.into_iter()
            .map(|act| {
                let mut stream = accept(&listener);
                let request = read_request(&mut stream);
                match act {
                    Act::Say(words) => drop(stream.get_mut().write_all(words.as_bytes())),
                    Act::Stall(words) => stall(&mut stream, words),
                    Act::Drop => {}
                }
                request
            })
            .collect()
    });
    (url, served)
}

fn read_request(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).unwrap() == 0 {
            return head;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// An SMTP server for one connection. A rule answers the lines that begin with its text; `connect`
/// and `.` stand for the greeting and the end of the message. Gives its port, and what it was told.
pub(super) fn smtp(rules: Vec<(&'static str, Act)>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = thread::spawn(move || {
        let mut stream = accept(&listener);
        let mut told = Vec::new();
        if !answer(&mut stream, &rules, "connect") {
            return told;
        }
        let (mut line, mut in_data) = (String::new(), false);
        while stream.read_line(&mut line).is_ok_and(|count| count > 0) {
            let text = line.trim_end().to_owned();
            line.clear();
            told.push(text.clone());
            let ends = in_data && text == ".";
            if (ends || !in_data) && !answer(&mut stream, &rules, &text) {
                return told;
            }
            in_data = if in_data { !ends } else { text == "DATA" };
        }
        told
    });
    (port, served)
}

/// Whether the connection goes on.
fn answer(stream: &mut BufReader<TcpStream>, rules: &[(&'static str, Act)], line: &str) -> bool {
    let default = match line.split(' ').next().unwrap_or("") {
        "connect" => "220 fake ESMTP\r\n",
        "EHLO" => "250-fake\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n",
        "DATA" => "354 go on\r\n",
        "." => "250 2.0.0 queued as 17\r\n",
        "QUIT" => "221 bye\r\n",
        _ => "250 fine\r\n",
    };
    match rules.iter().find(|(begin, _)| line.starts_with(begin)).map(|(_, act)| act) {
        None => stream.get_mut().write_all(default.as_bytes()).is_ok(),
        Some(Act::Say(words)) => stream.get_mut().write_all(words.as_bytes()).is_ok(),
        Some(Act::Stall(words)) => {
            stall(stream, words);
            false
        }
        Some(Act::Drop) => false,
    }
}
