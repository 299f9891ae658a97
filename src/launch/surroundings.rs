//! The surroundings of a program: its user, its directory, its environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::model::spec::{Spec, Target};
use crate::model::state::OpenRun;
use crate::os::user::{self, Account, Ids};
use crate::policy::environment::{Environment, compose, of_user, unbound};
use crate::store::env_file::{self, Unfit};
use crate::store::environment::Snapshot;

use super::input;

/// The account that the program runs as, where that is not guardian's own.
fn another(spec: &Spec) -> Result<Option<Account>, Error> {
    let Some(text) = &spec.user else { return Ok(None) };
    let account = user::account(text)
        .map_err(|error| Error::new(Code::System, "user", format!("cannot look up user `{text}`: {error}")))?;
    let account = account.ok_or_else(|| {
        Error::new(Code::Config, "no_user", format!("there is no user `{text}` on this machine"))
            .hint("add it, or name another one in `user`")
    })?;
    Ok(Some(account).filter(|account| !user::is_mine(account.ids.uid)))
}

/// As whom the program runs, and each line that belongs to it (it must not have more rights); `None`: as guardian itself.
///
/// # Errors
/// There is no such user, or the user database cannot be asked.
pub fn runs_as(spec: &Spec) -> Result<Option<Ids>, Error> {
    Ok(another(spec)?.map(|account| account.ids))
}

/// The directory that the program is started in.
#[must_use]
pub fn working_directory(ctx: &Context, spec: &Spec) -> PathBuf {
    // What cannot be asked now the start tells.
    let another = if spec.cwd.is_none() { another(spec).ok().flatten() } else { None };
    match (&spec.cwd, &ctx.home) {
        (Some(cwd), _) => PathBuf::from(cwd),
        (None, _) if let Some(account) = another => {
            if account.home.is_dir() { account.home } else { PathBuf::from("/") } // such as `/nonexistent`
        }
        (None, Some(home)) => home.clone(),
        (None, None) => PathBuf::from("/"),
    }
}

/// The environment that the program of the run `open` is started with.
///
/// # Errors
/// Its `env_file` cannot be read.
pub fn program_environment(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    open: &OpenRun,
    snapshot: Option<&Snapshot>,
) -> Result<Environment, Error> {
    let paths = &ctx.paths;
    let mut base = snapshot.map_or_else(|| unbound(&ctx.environment), |snapshot| snapshot.variables.clone());
    let another = another(spec)?;
    if let Some(Account { name, home, shell, .. }) = &another {
        base = of_user(&base, name, home.as_os_str(), shell.as_os_str());
    }
    let file = match &spec.env_file {
        Some(file) => {
            let reader = another.as_ref().map(|account| account.ids.uid);
            env_file::read(Path::new(file), reader).map_err(|unfit| unfit.error.about(name))?
        }
        None => Vec::new(),
    };
    let mut own = vec![("GUARDIAN_NAME", OsString::from(name.as_str())), ("GUARDIAN_RUN", open.run.to_string().into())];
    if another.is_none() {
        // Another user cannot reach them: the state is guardian's own.
        own.push(("GUARDIAN_HEARTBEAT_FILE", paths.sentinel(name, "heartbeat").into()));
        own.push(("GUARDIAN_RESULT_FILE", paths.sentinel(name, "result").into()));
    }
    own.extend(paths.home.iter().map(|home| ("GUARDIAN_HOME", home.clone().into())));
    if let Target::For(target) = spec.target {
        own.push(("GUARDIAN_TARGET_S", target.as_secs().to_string().into()));
    }
    let mut all = compose(spec, &base, &file, &ctx.environment, &own);
    input::name_terminal(spec, &mut all);
    Ok(all)
}

/// What is wrong with its `env_file`; `None`: nothing, or there is none.
///
/// # Errors
/// The user of the program cannot be told.
pub fn env_file_trouble(spec: &Spec) -> Result<Option<Unfit>, Error> {
    let Some(file) = &spec.env_file else { return Ok(None) };
    Ok(env_file::read(Path::new(file), another(spec)?.map(|account| account.ids.uid)).err())
}
