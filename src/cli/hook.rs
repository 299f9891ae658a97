//! `guardian hook`: an agent's tool call on standard input, guardian's answer on standard output.
//!
//! The exit code is 0 whatever the answer is: it stands in the text. 2 would be a refusal to every agent, so it is used for that
//! alone, and only where no agent is known whose words could be used. What goes wrong is said on standard error and lets the call pass.

use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;

use super::hook_begin;
use super::out::Out;
use crate::context::Context;
use crate::error::Error;
use crate::hook::request::{Call, End, Request, read};
use crate::hook::{Agent, Verdict, answer, has_a_place, judge, unmanaged};
use crate::model::hook::{HookConfig, HookMode};
use crate::store::registry_file;
use crate::strays;
use crate::supervise::now;

/// Longest payload that is read.
const PAYLOAD_MAX: u64 = 16 * 1024 * 1024;
/// How long reading a command may take; agents wait for the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// For what nests as deep as the parser allows.
const STACK: usize = 256 * 1024 * 1024;

/// Answers an agent's hook: refuses what would run past guardian
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  echo '{\"hook_event_name\":\"PreToolUse\",\"tool_name\":\"Bash\",\"tool_input\":{\"command\":\"nohup x &\"}}' \
                        | guardian hook claude"
)]
pub(super) struct Hook {
    /// claude, codex, copilot, gemini, cursor, opencode or openclaw
    agent: String,
    /// The event, where the payload does not name it
    event: Option<String>,
    /// deny, rewrite or warn, instead of `mode` of `[hook]` in the registry
    #[arg(long, value_name = "MODE", value_parser = HookMode::WORDS.to_vec())]
    mode: Option<String>,
    /// Refuse what cannot be judged, instead of letting it pass
    #[arg(long)]
    fail_closed: bool,
}

/// Whether these arguments ask for a hook: wrong usage must not end with the code that agents take for a refusal.
pub(super) fn is_asked(arguments: &[std::ffi::OsString]) -> bool {
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--home") => drop(words.next()),
            Some(option) if option.starts_with('-') => {}
            Some(word) => return word == "hook",
            None => return false,
        }
    }
    false
}

pub(super) fn run(command: &Hook, home: Option<PathBuf>, out: Out) -> u8 {
    let Some(agent) = Agent::of(&command.agent) else {
        let known: Vec<&str> = Agent::ALL.iter().map(|agent| agent.word()).collect();
        out.complain(&format!("guardian hook: the agent {:?} is none of {}", command.agent, known.join(", ")));
        return if command.fail_closed { 2 } else { 0 };
    };
    let asked = Asked { agent, command, home, out };
    let refusal = answer(agent, &asked.failed("a bug in guardian"), None);
    std::panic::set_hook(Box::new(move |panic| {
        out.complain(&format!("guardian hook: a bug in guardian: {panic}"));
        drop(out.raw(refusal.as_bytes()));
        std::process::exit(0);
    }));
    let mut payload = Vec::new();
    let request = match std::io::stdin().lock().take(PAYLOAD_MAX + 1).read_to_end(&mut payload) {
        Err(error) => Err(format!("standard input cannot be read: {error}")),
        Ok(length) if length as u64 > PAYLOAD_MAX => Err(format!("the payload is longer than {PAYLOAD_MAX} bytes")),
        Ok(_) => read(agent, command.event.as_deref(), &payload),
    };
    match request {
        Err(why) => asked.say(&asked.fails(&why), None),
        Ok(Request::Other(why)) => {
            if let Some(why) = why {
                out.complain(&format!("guardian hook: {why}"));
            }
            asked.say(&Verdict::Pass, None);
        }
        Ok(Request::Shell(call)) => asked.say(&asked.judge(&call), Some(&call)),
        Ok(Request::Begin(session)) => asked.begin(session.as_deref()),
        Ok(Request::End(end)) => asked.end(&end),
    }
    0
}

/// One question of an agent.
struct Asked<'a> {
    agent: Agent,
    command: &'a Hook,
    home: Option<PathBuf>,
    out: Out,
}

impl Asked<'_> {
    /// What follows when something cannot be judged.
    fn failed(&self, why: &str) -> Verdict {
        if self.command.fail_closed {
            return Verdict::Deny(format!("guardian: {why}; this hook refuses what it cannot judge"));
        }
        Verdict::Pass
    }

    /// The same, said on standard error.
    fn fails(&self, why: &str) -> Verdict {
        let failed = self.failed(why);
        if failed == Verdict::Pass {
            self.out.complain(&format!("guardian hook: {why}; the call passes"));
        }
        failed
    }

    fn judge(&self, call: &Call) -> Verdict {
        let (send, receive) = mpsc::channel();
        let asked = call.clone();
        let reader = std::thread::Builder::new().stack_size(STACK).spawn(move || {
            // Nobody listens any more when this took too long.
            drop(send.send(judge::launches(&asked)));
        });
        if let Err(error) = reader {
            return self.fails(&format!("no thread to read the command: {error}"));
        }
        match receive.recv_timeout(PATIENCE) {
            Ok(Ok(launches)) if launches.is_empty() => Verdict::Pass,
            Ok(Ok(launches)) => judge::verdict(self.agent, call, launches, &self.config()),
            Ok(Err(why)) => self.fails(&why.to_string()),
            Err(_) => self.fails("the command cannot be read in a second"),
        }
    }

    /// `[hook]`, and `--mode` above it. A registry that cannot be used changes nothing but that.
    fn config(&self) -> HookConfig {
        let load = || -> Result<HookConfig, Error> {
            let ctx = Context::read(self.home.clone())?;
            Ok(registry_file::load(&ctx.paths, ctx.home.as_deref())?.registry.hook)
        };
        let mut config = load().unwrap_or_else(|error| {
            self.out.complain(&format!("guardian hook: `[hook]` is not used: {error}"));
            HookConfig::default()
        });
        if let Some(mode) = self.command.mode.as_deref().and_then(HookMode::of) {
            config.mode = mode;
        }
        config
    }

    /// A session begins whatever happens here.
    fn begin(&self, session: Option<&str>) {
        let text = hook_begin::begin(self.home.clone(), session).unwrap_or_else(|error| {
            self.out.complain(&format!("guardian hook: what ended and what runs cannot be told: {error}"));
            None
        });
        match text {
            // Cursor's permission belongs to calls alone.
            None if self.agent == Agent::Cursor => drop(self.out.raw(b"{}\n")),
            None => self.say(&Verdict::Pass, None),
            Some(text) => self.say(&Verdict::Tell(text), None),
        }
    }

    fn end(&self, end: &End) {
        // What was adopted carries the agent's marks still.
        let guarded = || -> Result<_, Error> {
            let ctx = Context::read(self.home.clone())?;
            let registry = registry_file::load(&ctx.paths, ctx.home.as_deref())?.registry;
            Ok(strays::guarded(&ctx, &registry, &now()?)?.into_keys().collect())
        };
        let session = end.session.as_deref();
        let left = session.map(|session| unmanaged::left(self.agent.known_as(), session, guarded)).transpose();
        let left = left.unwrap_or_else(|error| {
            self.out.complain(&format!("guardian hook: what still runs cannot be told: {error}"));
            None
        });
        let left = left.unwrap_or_default();
        match judge::at_the_end(end, &left, self.config().mode) {
            // Cursor's permission belongs to calls alone.
            Verdict::Pass if self.agent == Agent::Cursor => drop(self.out.raw(b"{}\n")),
            verdict @ (Verdict::Pass
            | Verdict::Deny(_)
            | Verdict::Rewrite(_)
            | Verdict::Warn(_)
            | Verdict::GoOn(_)
            | Verdict::Note(_)
            | Verdict::Tell(_)) => self.say(&verdict, None),
        }
    }

    fn say(&self, verdict: &Verdict, call: Option<&Call>) {
        let text = answer(self.agent, verdict, call);
        if let Verdict::Warn(said) | Verdict::GoOn(said) | Verdict::Note(said) = verdict
            && !has_a_place(self.agent, verdict, call)
        {
            self.out.complain(said);
        }
        if !text.is_empty() {
            // A reader that is gone has decided without us.
            drop(self.out.raw(format!("{text}\n").as_bytes()));
        }
    }
}
