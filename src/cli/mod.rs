//! Commands: arguments in, text and exit code out. One file for each.

mod ack;
mod adopt;
mod alerts;
mod attach;
mod beat;
mod common;
mod complete;
mod completions;
mod config;
mod demo;
mod demo_stage;
mod dependants;
mod deregister;
mod doctor;
mod events;
mod exec;
mod export;
mod fleet;
mod healthcheck;
mod healthcheck_loop;
mod hook;
mod hook_begin;
mod import;
mod import_file;
mod init;
mod install;
mod install_agent;
mod install_cron;
mod install_units;
mod logs;
mod logs_care;
mod logs_cursor;
mod logs_errors;
mod logs_follow;
mod logs_lines;
mod man;
#[cfg(feature = "mcp")]
mod mcp;
mod metrics;
mod moment;
mod needed;
mod once;
mod out;
mod plan;
mod prune;
mod ready;
mod register;
mod report;
mod requests;
mod reset;
mod run;
mod send;
mod signal;
mod silence;
mod slow;
pub mod spec_args;
mod start;
mod start_error;
mod status;
mod stop;
mod strays;
mod usage;
mod wait;
mod wait_ready;
mod wait_tell;
mod watch;
mod why;
mod wind_down;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser, Subcommand};

use crate::context::Context;
use crate::error::{Code, Error};
use crate::metadata;
use crate::os::{background, signals};

use out::Out;
use usage::usage;

/// Keeps named processes alive, names the cause of every death, and tells somebody.
#[derive(Debug, Parser)]
#[command(
    name = "guardian",
    version,
    about,
    max_term_width = 100,
    after_help = "`guardian COMMAND --help` explains each with an example. The first ones to know:\n  \
                  guardian register bot --target 8h --start -- python3 bot.py\n  \
                  guardian status\n  guardian why bot\n  guardian install",
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Print JSON, for programs; errors too, on standard error
    #[arg(long, global = true)]
    json: bool,
    /// Registry and state lie in this directory, instead of GUARDIAN_HOME or the system's places
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Believe the owner of that directory, although it is not you: what stands there runs with your rights
    #[arg(long, global = true)]
    trust_home: bool,
    /// Print nothing where all is well
    #[arg(short, long, global = true)]
    quiet: bool,
    /// No colour, whatever the terminal can do
    #[arg(long, global = true)]
    no_color: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Register(register::Register),
    Deregister(deregister::Deregister),
    Start(start::Start),
    Stop(stop::Stop),
    Restart(stop::Restart),
    Status(status::Status),
    Run(run::Run),
    Exec(exec::Exec),
    Send(send::Send),
    Signal(signal::Signal),
    Healthcheck(healthcheck::Healthcheck),
    Reset(reset::Reset),
    Logs(logs::Logs),
    Events(events::Events),
    Metrics(metrics::Metrics),
    Report(report::Report),
    Fleet(fleet::Fleet),
    Why(why::Why),
    Wait(wait::Wait),
    Beat(beat::Beat),
    Alerts(alerts::Alerts),
    Hook(hook::Hook),
    Ack(ack::Ack),
    Strays(strays::Strays),
    Adopt(adopt::Adopt),
    Silence(silence::Silence),
    Unsilence(silence::Unsilence),
    Init(init::Init),
    Import(import::Import),
    Export(export::Export),
    Config(config::Config),
    Install(install::Install),
    Uninstall(install::Uninstall),
    Completions(completions::Completions),
    Man(man::ManPage),
    #[cfg(feature = "mcp")]
    Mcp(mcp::Mcp),
    Prune(prune::Prune),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    #[command(hide = true)]
    CompleteMetadata(complete::CompleteMetadata),
}

/// What every command gets.
struct Call {
    ctx: Context,
    out: Out,
    /// `--home`, as it was given.
    #[cfg(feature = "mcp")]
    home: Option<PathBuf>,
}

/// Runs the command that `arguments` (the first is the program's own name) ask for; returns the exit code.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = completions::answer(&arguments) {
        return code;
    }
    signals::hear_of_children();
    if arguments.get(1).is_some_and(|command| command == metadata::COMMAND) {
        background::stand_apart(); // at once: whoever started it may end any moment
    }
    let asks_hook = hook::is_asked(&arguments);
    // What stands behind `--` is not guardian's.
    let given: Vec<OsString> = arguments.iter().take_while(|argument| *argument != "--").cloned().collect();
    let cli = match quick(&arguments) {
        Some(cli) => cli,
        None => match Cli::try_parse_from(arguments) {
            Ok(cli) => cli,
            Err(error) => {
                let has = |option: &str| given.iter().any(|argument| argument == option);
                let out = Out::new(has("--json"), false, has("--no-color"));
                // Of a hook, 2 would be a refusal.
                return usage(&error, out, if asks_hook { Code::No } else { Code::Usage }, &given);
            }
        },
    };
    let mut cli = cli;
    let out = Out::new(cli.global.json, cli.global.quiet, cli.global.no_color);
    // What is given with the command is meant from here, as any path; what is empty or cannot be told is refused later.
    cli.global.home = cli.global.home.map(|home| std::path::absolute(&home).unwrap_or(home));
    if let Command::Hook(command) = &cli.command {
        return hook::run(command, cli.global.home, out); // whatever is wrong with the home
    }
    let outcome = Context::read(cli.global.home.clone()).and_then(|mut ctx| {
        if cli.global.trust_home {
            ctx.believe_owner();
        }
        ctx.begun.by_pass = matches!(cli.command, Command::Healthcheck(_));
        let call = Call {
            ctx,
            out,
            #[cfg(feature = "mcp")]
            home: cli.global.home,
        };
        let outcome = dispatch(cli.command, &call);
        metadata::complete_later(&call.ctx);
        outcome
    });
    let code = match outcome {
        Ok(code) => code,
        Err(error) => out.fail(&error),
    };
    out.close(code)
}

/// The commands that are given most, parsed without building the options of all others: half a millisecond
/// each time. What this cannot parse is left to the whole parser, which says why.
fn quick(arguments: &[OsString]) -> Option<Cli> {
    let name = arguments.get(1)?.to_str()?;
    let augment = match name {
        "status" => status::Status::augment_args,
        "healthcheck" => healthcheck::Healthcheck::augment_args,
        "start" => start::Start::augment_args,
        "stop" => stop::Stop::augment_args,
        "beat" => beat::Beat::augment_args,
        "hook" => hook::Hook::augment_args,
        "run" => run::Run::augment_args,
        "wait" => wait::Wait::augment_args,
        _ => return None,
    };
    let command = clap::Command::new(name.to_owned()).disable_help_flag(true);
    let parser = Global::augment_args(clap::Command::new("guardian")).subcommand(augment(command));
    let matches = parser.try_get_matches_from(arguments).ok()?;
    let global = Global::from_arg_matches(&matches).ok()?;
    let (_, matches) = matches.subcommand()?;
    let command = match name {
        "status" => Command::Status(status::Status::from_arg_matches(matches).ok()?),
        "healthcheck" => Command::Healthcheck(healthcheck::Healthcheck::from_arg_matches(matches).ok()?),
        "start" => Command::Start(start::Start::from_arg_matches(matches).ok()?),
        "stop" => Command::Stop(stop::Stop::from_arg_matches(matches).ok()?),
        "hook" => Command::Hook(hook::Hook::from_arg_matches(matches).ok()?),
        "beat" => Command::Beat(beat::Beat::from_arg_matches(matches).ok()?),
        "run" => Command::Run(run::Run::from_arg_matches(matches).ok()?),
        "wait" => Command::Wait(wait::Wait::from_arg_matches(matches).ok()?),
        _ => return None,
    };
    Some(Cli { global, command })
}

fn dispatch(command: Command, call: &Call) -> Result<u8, Error> {
    match command {
        Command::Register(command) => register::run(call, &command),
        Command::Deregister(command) => deregister::run(call, &command),
        Command::Start(command) => start::run(call, &command),
        Command::Stop(command) => stop::run(call, &command),
        Command::Restart(command) => stop::restart(call, &command),
        Command::Status(command) => status::run(call, &command),
        Command::Run(command) => run::run(call, &command),
        Command::Exec(command) => exec::run(call, &command),
        Command::Send(command) => send::run(call, &command),
        Command::Signal(command) => signal::run(call, &command),
        Command::Healthcheck(command) => healthcheck::run(call, &command),
        Command::Reset(command) => reset::run(call, &command),
        Command::Logs(command) => logs::run(call, &command),
        Command::Events(command) => events::run(call, &command),
        Command::Metrics(command) => metrics::run(call, &command),
        Command::Report(command) => report::run(call, &command),
        Command::Fleet(command) => fleet::run(call, &command),
        Command::Why(command) => why::run(call, &command),
        Command::Wait(command) => wait::run(call, &command),
        Command::Beat(command) => beat::run(call, &command),
        Command::Ack(command) => ack::run(call, &command),
        Command::Strays(command) => strays::run(call, &command),
        Command::Adopt(command) => adopt::run(call, &command),
        Command::Silence(command) => silence::run(call, &command),
        Command::Unsilence(command) => silence::end(call, &command),
        Command::Alerts(command) => alerts::run(call, &command),
        Command::Hook(command) => Ok(hook::run(&command, None, call.out)),
        Command::Init(command) => init::run(call, &command),
        Command::Import(command) => import::run(call, &command),
        Command::Export(command) => export::run(call, &command),
        Command::Config(command) => config::run(call, &command),
        Command::Install(command) => install::run(call, &command),
        Command::Uninstall(command) => install::uninstall(call, &command),
        Command::Completions(command) => completions::run(call, &command),
        Command::Man(command) => man::run(call, &command),
        #[cfg(feature = "mcp")]
        Command::Mcp(command) => mcp::run(call, &command),
        Command::Prune(command) => prune::run(call, &command),
        Command::Demo(command) => demo::run(call, &command),
        Command::Doctor(command) => doctor::run(call, &command),
        Command::CompleteMetadata(command) => complete::run(call, &command),
    }
}
#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_is_told_in_a_line_and_explains_all_of_itself_with_an_example() {
        let mut all = Cli::command();
        all.build();
        for command in all.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
            let name = command.get_name();
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let first = about.split([' ', ':']).next().unwrap_or_default();
            assert!(about.len() <= 85 && first.ends_with('s'), "{name}: {about}");
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.starts_with("Example") && after.contains(&format!("guardian {name}")), "{name}: {after}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name}: {} is not explained", argument.get_id());
            }
            let help = command.clone().render_long_help().to_string();
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{name}: {help}");
        }
    }
}
