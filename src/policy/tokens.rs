//! Where in a text there is what has the form of a well-known token, password or key.
//!
//! No regular expressions: nearly every token is a prefix and a run of characters, a shim has no room for compiled
//! ones, and the time is bounded on any input. Better a few too many than one too few, but a hash, a UUID, a path
//! and a block of base64 stay as they are.

use std::ops::Range;

use super::secrets::{is_strong_name, is_worth_masking};

/// What a token consists of after its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// `A-Z 0-9`
    Upper,
    /// `a-f 0-9`
    Hex,
    /// `A-Z a-z 0-9`
    Alnum,
    /// Those and `_`.
    Word,
    /// Those and `-`.
    Url,
    /// Those and `.`.
    Dotted,
    /// Those and `/`.
    Path,
}

impl Body {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Url => Self::Word.has(byte) || byte == b'-',
            Self::Dotted => Self::Url.has(byte) || byte == b'.',
            Self::Path => Self::Dotted.has(byte) || byte == b'/',
        }
    }
}

/// One form: prefix, what follows, how many of it at least. An exact one has no more.
struct Form {
    prefix: &'static str,
    body: Body,
    least: usize,
    exact: bool,
}

const fn at_least(prefix: &'static str, body: Body, least: usize) -> Form {
    Form { prefix, body, least, exact: false }
}

const fn exactly(prefix: &'static str, body: Body, least: usize) -> Form {
    Form { prefix, body, least, exact: true }
}

/// Prefixes as their makers document them.
const FORMS: &[Form] = &[
    // AWS, "IAM identifiers", unique ID prefixes: long-term and temporary access keys, bearer tokens.
    exactly("AKIA", Body::Upper, 16),
    exactly("ASIA", Body::Upper, 16),
    exactly("ABIA", Body::Upper, 16),
    // GitHub, "About authentication to GitHub", token formats.
    at_least("ghp_", Body::Word, 36),
    at_least("gho_", Body::Word, 36),
    at_least("ghu_", Body::Word, 36),
    at_least("ghs_", Body::Dotted, 36),
    at_least("ghr_", Body::Word, 36),
    at_least("github_pat_", Body::Word, 22),
    // GitLab, "Token overview", token prefixes.
    at_least("glpat-", Body::Dotted, 20),
    at_least("gldt-", Body::Dotted, 20),
    at_least("glrt-", Body::Dotted, 20),
    at_least("glptt-", Body::Dotted, 20),
    at_least("glcbt-", Body::Dotted, 20),
    at_least("glsoat-", Body::Dotted, 20),
    // Slack, "Token types"; the secret of an incoming webhook is its path.
    at_least("xoxb-", Body::Url, 10),
    at_least("xoxp-", Body::Url, 10),
    at_least("xoxa-", Body::Url, 10),
    at_least("xoxr-", Body::Url, 10),
    at_least("xoxs-", Body::Url, 10),
    at_least("xoxc-", Body::Url, 10),
    at_least("xoxd-", Body::Url, 10),
    at_least("xoxe.", Body::Dotted, 10),
    at_least("xoxe-", Body::Url, 10),
    at_least("xapp-", Body::Url, 10),
    at_least("hooks.slack.com/services/", Body::Path, 16),
    at_least("hooks.slack.com/workflows/", Body::Path, 16),
    // Discord, "Webhook resource": id and token are in the path.
    at_least("discord.com/api/webhooks/", Body::Path, 16),
    at_least("discordapp.com/api/webhooks/", Body::Path, 16),
    // Stripe, "API keys" and "Webhooks".
    at_least("sk_live_", Body::Alnum, 16),
    at_least("sk_test_", Body::Alnum, 16),
    at_least("rk_live_", Body::Alnum, 16),
    at_least("rk_test_", Body::Alnum, 16),
    at_least("whsec_", Body::Alnum, 16),
    // OpenAI and Anthropic, API keys; the old form of OpenAI is `sk-` and 48 letters and digits.
    at_least("sk-ant-", Body::Url, 20),
    at_least("sk-proj-", Body::Url, 20),
    at_least("sk-svcacct-", Body::Url, 20),
    at_least("sk-admin-", Body::Url, 20),
    at_least("sk-or-v1-", Body::Hex, 32),
    at_least("sk-", Body::Alnum, 20),
    // Google Cloud, "API keys"; OAuth access tokens and client secrets.
    exactly("AIza", Body::Url, 35),
    at_least("ya29.", Body::Dotted, 20),
    at_least("GOCSPX-", Body::Url, 20),
    // npm, "About access tokens"; PyPI, "API tokens" (a macaroon in base64).
    at_least("npm_", Body::Alnum, 36),
    at_least("pypi-", Body::Url, 50),
    // Hugging Face, DigitalOcean, HashiCorp Vault, SendGrid, Groq, xAI, age: each its page on tokens.
    at_least("hf_", Body::Alnum, 30),
    at_least("dop_v1_", Body::Hex, 64),
    at_least("hvs.", Body::Dotted, 24),
    at_least("SG.", Body::Dotted, 40),
    at_least("gsk_", Body::Alnum, 40),
    at_least("xai-", Body::Alnum, 40),
    at_least("AGE-SECRET-KEY-1", Body::Upper, 50),
];

/// Longest part of a token of three that is looked for its dot, in bytes: longer ones are none.
const PART_MAX: usize = 4096;

/// All such places, in no order; they may overlap.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = url_passwords(text).collect();
    found.extend(keys(text));
    let mut at = 0;
    while at < bytes.len() {
        let begins = at == 0 || !Body::Word.has(byte(bytes, at - 1));
        match begins.then(|| token(text, at)).flatten() {
            Some(range) => {
                at = range.end.max(at + 1);
                found.push(range);
            }
            None => at += 1,
        }
    }
    found.extend((0..bytes.len()).filter_map(|at| assigned(bytes, at)));
    found
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// How many bytes from `at` on are of that kind, `most` at most.
fn run(bytes: &[u8], at: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take(most).take_while(|byte| is(**byte)).count()
}

/// The token that begins at `at`, where a word begins.
fn token(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let rest = bytes.get(at..)?;
    for form in FORMS.iter().filter(|form| rest.starts_with(form.prefix.as_bytes())) {
        let body = at + form.prefix.len();
        let length = run(bytes, body, usize::MAX, |byte| form.body.has(byte));
        let fits = if form.exact { length == form.least } else { length >= form.least };
        if fits {
            // Of an address the host may be known.
            let start = if form.prefix.ends_with('/') { body } else { at };
            return Some(start..body + length);
        }
    }
    json_web_token(bytes, at)
        .or_else(|| telegram(bytes, at))
        .or_else(|| discord(bytes, at))
        .or_else(|| bearer(bytes, at))
}

/// RFC 7519: three parts in base64url, the first begins with `{"`.
fn json_web_token(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    bytes.get(at..)?.starts_with(b"eyJ").then_some(())?;
    parts(bytes, at, [10..=PART_MAX, 10..=64 * PART_MAX, 10..=PART_MAX])
}

/// Discord, "Reference": the id of the bot, a time and a signature.
fn discord(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    matches!(byte(bytes, at), b'M' | b'N' | b'O').then_some(())?;
    parts(bytes, at, [23..=28, 6..=7, 27..=40])
}

/// Three parts of such lengths, with dots between them.
fn parts(bytes: &[u8], at: usize, lengths: [std::ops::RangeInclusive<usize>; 3]) -> Option<Range<usize>> {
    let mut end = at;
    for (nth, length) in lengths.into_iter().enumerate() {
        if nth > 0 {
            (byte(bytes, end) == b'.').then_some(())?;
            end += 1;
        }
        let part = run(bytes, end, length.end() + 1, |byte| Body::Url.has(byte));
        length.contains(&part).then_some(())?;
        end += part;
    }
    Some(at..end)
}

/// Telegram, "Bot API", authorizing your bot: the id of the bot, a colon and 35 characters.
fn telegram(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let at = if bytes.get(at..)?.starts_with(b"bot") { at + 3 } else { at };
    let id = run(bytes, at, 17, |byte| byte.is_ascii_digit());
    ((6..=16).contains(&id) && byte(bytes, at + id) == b':').then_some(())?;
    let body = run(bytes, at + id + 1, 64, |byte| Body::Url.has(byte));
    (body == 35).then_some(at..at + id + 1 + body)
}

/// RFC 6750 and RFC 7617: what follows `Bearer`, or `Basic` and the like in an `Authorization` header.
fn bearer(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let is = |byte: u8| Body::Path.has(byte) || matches!(byte, b'~' | b'+' | b'=');
    let rest = bytes.get(at..)?;
    let named = |name: &str| rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()));
    if named("authorization") {
        let mut at = at + "authorization".len();
        let sign = run(bytes, at, 4, |byte| matches!(byte, b' ' | b'"' | b'\'' | b':' | b'='));
        bytes.get(at..at + sign)?.iter().any(|byte| matches!(byte, b':' | b'=')).then_some(())?;
        at += sign + run(bytes, at + sign, 4, |byte| matches!(byte, b' ' | b'"' | b'\''));
        let scheme = run(bytes, at, 16, |byte| Body::Url.has(byte));
        if byte(bytes, at + scheme) == b' ' {
            at += scheme + 1;
        }
        let value = run(bytes, at, usize::MAX, is);
        return (value > 0).then_some(at..at + value);
    }
    named("bearer ").then_some(())?;
    let at = at + "bearer ".len();
    let value = run(bytes, at, usize::MAX, is);
    let digit = bytes.get(at..at + value)?.iter().any(u8::is_ascii_digit);
    (value >= 20 || (value >= 8 && digit)).then_some(at..at + value)
}

/// Passwords of `scheme://user:password@host` (RFC 3986, 3.2.1).
pub(super) fn url_passwords(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(at, sign)| {
        let begin = at + sign.len();
        let rest = text.get(begin..)?;
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`'));
        let authority = rest.get(..end.unwrap_or(rest.len()))?;
        let host = authority.rfind('@')?;
        let colon = authority.get(..host)?.find(':')?;
        (colon + 1 < host).then_some(begin + colon + 1..begin + host)
    })
}

/// Private keys in PEM (RFC 7468), with what is there of one whose other end is missing.
fn keys(text: &str) -> Vec<Range<usize>> {
    const ENDS: &str = "PRIVATE KEY-----";
    const PGP: &str = "PRIVATE KEY BLOCK-----";
    let marks = |of: &'static str| {
        text.match_indices(of).filter_map(move |(at, _)| {
            let line = text.get(at..)?.lines().next()?;
            let end = [ENDS, PGP].iter().find_map(|end| Some(line.find(end)? + end.len()))?;
            Some(at..at + end)
        })
    };
    let begins: Vec<Range<usize>> = marks("-----BEGIN ").collect();
    let ends: Vec<Range<usize>> = marks("-----END ").collect();
    let mut found = Vec::new();
    for begin in &begins {
        let own = ends.iter().find(|end| end.start >= begin.end);
        found.push(begin.start..own.map_or(text.len(), |end| end.end));
    }
    if let Some(end) = ends.first().filter(|end| begins.first().is_none_or(|begin| begin.start > end.start)) {
        found.push(0..end.end);
    }
    found
}

/// The value that follows at `at`: `NAME=value`, `"name": "value"`, `x-name: value`, `--name value`, where the name says that it
/// is secret.
fn assigned(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let sign = byte(bytes, at);
    matches!(sign, b'=' | b':' | b' ').then_some(())?;
    let blanks = if sign == b'=' { bytes.get(..at)?.iter().rev().take_while(|byte| **byte == b' ').count() } else { 0 };
    let before = bytes.get(..at - blanks)?;
    let quoted = before.last().is_some_and(|byte| matches!(byte, b'"' | b'\''));
    let name_end = before.len() - usize::from(quoted);
    let name = before.get(..name_end)?.iter().rev().take(64).take_while(|byte| Body::Url.has(**byte)).count();
    let name = std::str::from_utf8(bytes.get(name_end - name..name_end)?).ok()?;
    let option = name.starts_with("--");
    let names = match sign {
        b'=' => true,
        b':' => quoted || name.contains(['-', '_']),
        _ => option && !quoted,
    };
    (names && is_strong_name(name)).then_some(())?;
    let mut from = at + 1;
    from += run(bytes, from, 2, |byte| byte == b' ' && (sign == b':' || blanks > 0));
    let quote = Some(byte(bytes, from)).filter(|byte| matches!(byte, b'"' | b'\''));
    from += usize::from(quote.is_some());
    let length = run(bytes, from, usize::MAX, |byte| match quote {
        Some(quote) => byte != quote && byte != b'\n',
        None => !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b',' | b';' | b'&' | b')' | b'}'),
    });
    let value = std::str::from_utf8(bytes.get(from..from + length)?).ok()?;
    is_worth_masking(value).then_some(from..from + length)
}
