//! `demo`: a murder, shown with the real commands in a throw-away home.
//!
//! Every step is a command that a newcomer can type, and is checked: the tour fails where it would
//! have to lie.

use std::process::Output;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use crate::error::{Code, Error};
use crate::model::event::{Event, EventKind, SCHEMA};
use crate::store::atomic;

use super::Call;
use super::demo_stage::{Cut, Stage};

const NAME: &str = "night-bot";
const BOT: &str = "\
# Is to work through the night. Asked to end, it tidies up and exits 0, like any well-behaved program.
trap 'echo \"asked to end: positions closed, goodbye\"; exit 0' TERM
echo 'connected'
while :; do sleep 0.1; done
";
const MURDERER: &str = "careless-agent";
const MURDER: &str = "\
#!/bin/sh
# Ends what it takes for a leftover, and lives a moment longer.
kill -TERM \"$1\"
sleep 0.3
";
/// How long the bot lives, in milliseconds.
const LIFE_MS: u64 = 3100;
/// The longest that anything may take here: milliseconds, but on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays a live tour in a throw-away home: a bot is murdered and comes back
///
/// Its certificate names the murderer. Takes a few seconds. Nothing of your own is touched, and nothing of it stays.
#[derive(Debug, Parser)]
#[command(after_help = "Example: guardian demo")]
pub(super) struct Demo {}

pub(super) fn run(call: &Call, _: &Demo) -> Result<u8, Error> {
    let stage = Stage::build(call)?;
    let mut tour = Tour { call, stage: &stage, shown: Vec::new(), traced: true, restart_ms: None };
    let outcome = tour.play();
    let Tour { shown, restart_ms, .. } = tour;
    let removed = stage.strike();
    let whole = outcome.is_ok() && removed.is_ok() && shown.iter().all(|(_, shown)| *shown);
    let steps: Vec<Value> = shown.iter().map(|(claim, shown)| json!({"claim": claim, "shown": shown})).collect();
    call.out.json(&json!({"schema": SCHEMA, "shown": whole, "restart_ms": restart_ms, "steps": steps}));
    let code = match (outcome, removed) {
        (Err(cut), removed) => {
            let code = cut.code(call);
            removed.map(|()| code)?
        }
        (Ok(()), Err(error)) => return Err(error),
        (Ok(()), Ok(())) => 0,
    };
    if code != 0 {
        return Ok(code);
    }
    call.out.say("\nThe throw-away home is removed, nothing of it runs.");
    let missed: Vec<&str> = shown.iter().filter(|(_, shown)| !shown).map(|(claim, _)| *claim).collect();
    if missed.is_empty() {
        call.out.say("Now yours: guardian register NAME --target 8h --start -- COMMAND, then guardian install --cron");
        return Ok(0);
    }
    Err(Error::new(Code::No, "demo", format!("the tour did not show: {}", missed.join("; ")))
        .hint("look at what the commands above printed"))
}

struct Tour<'a> {
    call: &'a Call,
    stage: &'a Stage,
    /// What was to be seen, and whether it was.
    shown: Vec<(&'static str, bool)>,
    traced: bool,
    restart_ms: Option<u64>,
}

impl Tour<'_> {
    fn play(&mut self) -> Result<(), Cut> {
        self.prepare()?;
        let begun = self.start()?;
        let pid = self.live(begun)?;
        self.murder(&pid)?;
        self.restart()?;
        self.alert()?;
        self.certificate()?;
        self.scene("Asked by its operator it ends for good, and nobody is alerted:");
        let stopped = self.guardian(&["stop", NAME])?;
        self.check("`stop` ends it", stopped.status.success());
        Ok(())
    }

    fn prepare(&self) -> Result<(), Cut> {
        self.say(&format!(
            "A tour in a throw-away home, {}: no cron, no network, nothing of yours is touched.",
            self.stage.dir.display()
        ));
        let inbox = self.stage.dir.join("inbox.txt");
        let sink = format!("[sinks.operator]\ntype = \"file\"\npath = {}\n", json!(inbox));
        self.stage.write("home/registry.toml", &sink)?;
        self.stage.write("bot.sh", BOT)?;
        self.stage.write(MURDERER, MURDER)?;
        self.scene("Who is told stands in the registry; here a file plays the operator's mailbox:");
        self.block(&sink);
        self.scene("A bot is to work for 8 hours. When it is sent SIGTERM it tidies up and exits 0:");
        Ok(())
    }

    /// The moment, on the boot clock, from which the bot lives.
    fn start(&mut self) -> Result<u64, Cut> {
        let arguments = ["register", NAME, "--target", "8h", "--trace-signals", "--start", "--", "sh", "bot.sh"];
        let started = self.guardian(&arguments)?;
        let begun = self.stage.boot_ms()?;
        self.check("`register --start` starts it", started.status.success());
        self.traced = !text(&started.stderr).contains("cannot be traced");
        if !self.traced {
            self.say("(This system does not let signals be traced, so who sends one will stay unknown here.)");
        }
        Ok(begun)
    }

    /// Its pid, once it has lived long enough.
    fn live(&mut self, begun: u64) -> Result<String, Cut> {
        self.scene("One pass, as cron runs it every minute:");
        let pass = self.guardian(&["healthcheck"])?;
        self.check("a pass finds all as desired", pass.status.success());
        let status = self.guardian(&["status"])?;
        self.check("`status` shows it running", text(&status.stdout).contains("running"));
        self.say("");
        self.raw("It works ");
        let mut dots = 0;
        self.stage.eventually(PATIENCE, || {
            let lived = self.stage.boot_ms()?.saturating_sub(begun);
            while dots < lived / 250 {
                self.raw(".");
                dots += 1;
            }
            Ok((lived >= LIFE_MS).then_some(()))
        })?;
        self.say(" 3 seconds of its 8 hours.");
        let pid = self.process()?["pid"].to_string();
        self.check("it lives for three seconds", pid.parse::<u32>().is_ok());
        Ok(pid)
    }

    fn murder(&mut self, pid: &str) -> Result<(), Cut> {
        if pid.parse::<u32>().is_err() {
            return Ok(()); // it is not there; the check above says so
        }
        self.scene("Murder: another program takes it for a leftover and sends it SIGTERM.");
        self.say(&format!("$ ./{MURDERER} {pid}"));
        let murdered = self.stage.script(MURDERER, pid)?;
        self.check("it can be sent SIGTERM", murdered.status.success());
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Cut> {
        let back = self.stage.eventually(PATIENCE, || {
            let process = self.process()?;
            Ok((process["run"] == 2 && process["state"] == "running").then_some(()))
        })?;
        let history = self.stage.guardian(&["events", NAME, "--json"])?;
        self.restart_ms = between_death_and_return(&text(&history.stdout));
        match self.restart_ms {
            Some(ms) => {
                self.scene(&format!("It exited 0, and guardian had it back {ms} ms later, before anyone asked:"))
            }
            None => self.scene("It is to come back:"),
        }
        self.check("it comes back", back.is_some());
        self.guardian(&["status"])?;
        Ok(())
    }

    fn alert(&mut self) -> Result<(), Cut> {
        let inbox = self.stage.dir.join("inbox.txt");
        let told = self.stage.eventually(PATIENCE, || {
            let text = atomic::read_if_there(&inbox)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            Ok(text.filter(|text| text.contains("\nid ")))
        })?;
        self.scene("The operator has been told. By mail it would read the same:");
        let told = told.unwrap_or_else(String::new);
        self.block(told.trim_end());
        self.check("the operator is told that it ended before its time", is_premature(&told));
        Ok(())
    }

    fn certificate(&mut self) -> Result<(), Cut> {
        self.scene("And this is the death certificate:");
        let why = self.guardian(&["why", NAME])?;
        let certificate = text(&why.stdout);
        self.check("the certificate says: premature after seconds of 8h", is_premature(&certificate));
        if self.traced {
            self.check("the certificate names SIGTERM", certificate.contains("SIGTERM"));
            self.check("the certificate names the sender", certificate.contains(MURDERER));
        }
        Ok(())
    }

    /// The process as `status --json` has it; null where there is no such answer.
    fn process(&self) -> Result<Value, Error> {
        let output = self.stage.guardian(&["status", NAME, "--json"])?;
        let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok(document["processes"][0].clone())
    }

    /// Shows a command and what it says.
    fn guardian(&self, arguments: &[&str]) -> Result<Output, Error> {
        self.say(&format!("$ guardian {}", arguments.join(" ")));
        let output = self.stage.guardian(arguments)?;
        self.block(text(&output.stdout).trim_end());
        self.block(text(&output.stderr).trim_end());
        Ok(output)
    }

    fn check(&mut self, claim: &'static str, shown: bool) {
        self.shown.push((claim, shown));
    }

    /// What comes next.
    fn scene(&self, text: &str) {
        self.say("");
        self.say(text);
    }

    fn say(&self, text: &str) {
        self.call.out.say(text);
    }

    fn block(&self, text: &str) {
        for line in text.lines() {
            self.say(format!("    {line}").trim_end());
        }
    }

    fn raw(&self, text: &str) {
        if !self.call.out.is_json() && !self.call.out.is_quiet() {
            // A reader that is gone has seen enough.
            drop(self.call.out.raw(text.as_bytes()));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A busy machine may let it live a little longer.
fn is_premature(text: &str) -> bool {
    (3..=29).any(|seconds| text.contains(&format!("premature after {seconds}s of 8h")))
}

/// Milliseconds from the first death to the restart, by guardian's own history.
fn between_death_and_return(history: &str) -> Option<u64> {
    let events: Vec<Event> = history.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: EventKind| events.iter().find(|event| event.kind == kind).map(|event| event.at);
    let gap = of(EventKind::Exited)?.until(of(EventKind::Restarted)?);
    u64::try_from(gap.as_millis()).ok()
}
