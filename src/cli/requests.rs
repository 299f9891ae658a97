//! A start from where nothing survives, a change from where nothing can be written: a request is left for the next pass, and the code says that it is not done yet.

use serde_json::json;

use crate::error::{Code, Error};
use crate::model::event::SCHEMA;
use crate::model::name::Name;
use crate::spool::{Why, leave, sandboxed};

use crate::healthcheck::Report;
use crate::registry::Registry;
use crate::spool;
use crate::supervise::now;

use super::Call;

/// Why a start is to be asked for instead of made; `None`: it can be made here.
pub(super) fn needed(call: &Call) -> Option<Why> {
    sandboxed(&call.ctx)
}

/// Asks a pass for the command `verb`, once for each of `asked`: a name, and what follows the verb. Exit code 75.
pub(super) fn ask(call: &Call, why: &Why, verb: &str, asked: Vec<(Name, Vec<String>)>) -> Result<u8, Error> {
    let mut left = Vec::new();
    for (name, arguments) in asked {
        let file = leave(&call.ctx, &name, verb, arguments).map_err(|error| {
            let message = format!("{}, and no request can be left: {}", why.words(), error.message);
            Error { message, ..error }.about(&name)
        })?;
        let file = file.display().to_string();
        call.out.say(&format!("{name}: {}", why.words()));
        call.out.say(&format!("{name}: asked for in {file}; the next pass outside does it, within a minute"));
        left.push(json!({"name": name, "result": "requested", "request": file}));
    }
    call.out.json(&json!({"schema": SCHEMA, "why": why.words(), "processes": left}));
    Ok(Code::Later as u8)
}

/// The same for a command about `names` that takes `options`: once for each name.
pub(super) fn ask_each(call: &Call, why: &Why, verb: &str, names: &[Name], options: &[String]) -> Result<u8, Error> {
    let words = |name: &Name| std::iter::once(name.to_string()).chain(options.iter().cloned()).collect();
    ask(call, why, verb, names.iter().map(|name| (name.clone(), words(name))).collect())
}

/// The words after `verb` of the command line that this very process was given.
///
/// # Errors
/// 2: one of them is not UTF-8.
pub(super) fn words_after(verb: &str) -> Result<Vec<String>, Error> {
    let words =
        std::env::args_os().skip(1).skip_while(|word| word != verb).skip(1).map(std::ffi::OsString::into_string);
    words.collect::<Result<_, _>>().map_err(|word| {
        let message = format!("an argument is not UTF-8, so a request cannot hold it: {:?}", word.to_string_lossy());
        Error::new(Code::Usage, "bad_argument", message).hint("put such a name into a script and name the script")
    })
}

/// The same for `run`: whoever does it stays with nothing, and does it once. `keyed`: it has a key of its own.
///
/// # Errors
/// 2: one of them is not UTF-8. 74: the clock cannot be read.
pub(super) fn words_of_run(keyed: bool) -> Result<Vec<String>, Error> {
    let given = words_after("run")?;
    let own = given.iter().position(|word| word == "--").unwrap_or(given.len());
    let mut words = vec!["--yield=0s".to_owned()];
    if !keyed {
        words.push(format!("--once=request-{}-{}", now()?.wall.0, std::process::id()));
    }
    let mut options = given.iter().take(own);
    while let Some(word) = options.next() {
        match word.as_str() {
            "--yield" => drop(options.next()),
            word if word.starts_with("--yield=") => {}
            word => words.push(word.to_owned()),
        }
    }
    words.extend(given.into_iter().skip(own));
    Ok(words)
}

/// What a pass does for callers that asked; what came of it is said.
pub(super) fn serve(call: &Call, registry: &Registry, report: &mut Report) {
    let served = spool::serve(&call.ctx, registry);
    for (name, done, said) in served.answers {
        let word = if done { "done" } else { "refused" };
        call.out.say(&format!("{name}: request {word}: {said}"));
        if !done {
            let message = format!("a request for `{name}` was refused: {said}");
            report.errors.push(Error::new(Code::No, "request_refused", message).about(&name));
        }
    }
    report.errors.extend(served.errors);
}
