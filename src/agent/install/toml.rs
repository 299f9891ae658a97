//! Codex's `config.toml`: the table of the MCP server, and nothing else of it.

use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::Wrong;
use super::speak::is_guardian;

const SERVERS: &str = "mcp_servers";
const NAME: &str = "guardian";

/// `words` is the command of the MCP server.
pub(super) fn put(old: &str, words: &[String]) -> Result<String, Wrong> {
    let mut document = parse(old)?;
    let Some((program, arguments)) = words.split_first() else { return Ok(old.to_owned()) };
    let servers = document.entry(SERVERS).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(servers) = servers.as_table_like_mut() else {
        return Err(Wrong::new(format!("has a `{SERVERS}` that is no table"), "mend it by hand"));
    };
    match servers.get(NAME) {
        Some(found) if spoken(found).as_deref() == Some(words) => return Ok(old.to_owned()),
        Some(found) if !spoken(found).is_some_and(|words| is_guardian(&words)) => {
            let hint = "give that one another name, or remove it, and give the command again";
            return Err(Wrong::new(format!("has another server as `{SERVERS}.{NAME}`"), hint));
        }
        Some(_) | None => {}
    }
    let arguments: Array = arguments.iter().collect();
    if let Some(table) = servers.get_mut(NAME).and_then(Item::as_table_like_mut) {
        // What a person added beside them stays: time limits, approvals.
        table.insert("command", value(program));
        table.insert("args", value(arguments));
    } else {
        let mut table = Table::new();
        table.insert("command", value(program));
        table.insert("args", value(arguments));
        servers.insert(NAME, Item::Table(table));
    }
    Ok(ended_as(old, document.to_string()))
}

/// `new` with the line ends of `old`, of which the parser knows one kind.
fn ended_as(old: &str, new: String) -> String {
    let is_crlf = old.matches("\r\n").count() > 0 && old.matches("\r\n").count() == old.matches('\n').count();
    if is_crlf { new.replace("\r\n", "\n").replace('\n', "\r\n") } else { new }
}

pub(super) fn take(old: &str) -> Result<Option<String>, Wrong> {
    let mut document = parse(old)?;
    let Some(servers) = document.get_mut(SERVERS).and_then(Item::as_table_like_mut) else {
        return Ok(Some(old.to_owned()));
    };
    if !servers.get(NAME).and_then(spoken).is_some_and(|words| is_guardian(&words)) {
        return Ok(Some(old.to_owned()));
    }
    servers.remove(NAME);
    if servers.is_empty() {
        document.remove(SERVERS);
    }
    let rest = ended_as(old, document.to_string());
    Ok((!rest.trim().is_empty()).then_some(rest))
}

fn parse(text: &str) -> Result<DocumentMut, Wrong> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let at = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Wrong::new(
            format!("is not valid TOML: line {at}: {}", error.message().replace('\n', ", ")),
            "mend it, and give the command again",
        )
    })
}

/// The command of a server.
fn spoken(server: &Item) -> Option<Vec<String>> {
    let server = server.as_table_like()?;
    let mut words = vec![server.get("command")?.as_str()?.to_owned()];
    for word in server.get("args").and_then(Item::as_array).into_iter().flatten() {
        words.push(word.as_str()?.to_owned());
    }
    Some(words)
}
