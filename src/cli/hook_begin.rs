//! `guardian hook` at the start of a session: what its inbox has that nobody has seen, and what runs.

use std::path::{Path, PathBuf};

use crate::alert::inbox;
use crate::context::Context;
use crate::error::{Code, Error};
use crate::hook::begin::{Around, told};
use crate::model::spec::Target;
use crate::store::{registry_file, state, wake};
use crate::supervise::{consider, now};
use crate::view::status::State as Word;

/// What a session is told; `None`: nothing. What it was told is marked as seen.
///
/// # Errors
/// Inbox, registry or states cannot be read.
pub(super) fn begin(home: Option<PathBuf>, session: Option<&str>) -> Result<Option<String>, Error> {
    let ctx = Context::read(home)?;
    let around = around(&ctx)?;
    let path = wake::inbox(&ctx.paths);
    let fails = |error| Error::new(Code::System, "io", format!("the inbox `{path}` cannot be read: {error}"));
    let unseen = inbox::unseen(Path::new(&path)).map_err(fails)?;
    // The session that a message woke has it already.
    let ends = unseen.lines.iter().filter(|line| session.is_none() || line.told.as_deref() != session);
    let text = told(&ends.map(|line| line.text.clone()).collect::<Vec<_>>(), &around);
    // Marked before it is said: one that is cut off here has the rest of its inbox and `guardian events`.
    inbox::seen(Path::new(&path), &unseen).map_err(fails)?;
    Ok(text)
}

fn around(ctx: &Context) -> Result<Around, Error> {
    let registry = registry_file::load(&ctx.paths, ctx.home.as_deref())?.registry;
    let now = now()?;
    let mut around = Around::default();
    for (name, entry) in &registry.processes {
        let Some(state) = state::load(&ctx.paths, name)? else { continue };
        let word = Word::of(&consider(ctx, name, &entry.spec, &state, &now));
        let shown = if word == Word::Running { name.to_string() } else { format!("{name} ({})", word.word()) };
        match word {
            Word::Starting | Word::Running | Word::Hung | Word::Unsupervised | Word::Waiting => {
                around.alive.push(shown);
            }
            // A job that failed has ended; a service that is dead should live.
            Word::Dead if entry.spec.target == Target::Exit => {}
            Word::Dead | Word::Tripped => around.down.push(shown),
            Word::New | Word::Completed | Word::Stopped => {}
        }
    }
    Ok(around)
}
