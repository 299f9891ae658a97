//! `follow = "fork"`: a program that puts itself into the background ends well and leaves a process behind, which is the
//! main process from then on.
//!
//! The rule: the one that ends has lived as the main process for less than a minute (one that was followed before: ten
//! seconds), its code is a success code, and something of the run lives. Of what it left, those count whose parent is
//! gone; the one that the program itself named (`MAINPID=`) goes before the others, then a leader of a session, then the
//! oldest. Later ends are ends: a daemon that ends well
//! after an hour and leaves a helper behind has ended.

use std::collections::BTreeSet;
use std::io;

use crate::model::ending::WaitStatus;
use crate::model::evidence::Followed;
use crate::model::time::Identity;
use crate::os::children;
use crate::os::orphan::{self, Orphan};
use crate::os::process::{self, Process};
use crate::shim::notices::Notices;
use crate::shim::now;
use crate::shim::pass::Passes;
use crate::store::record::{Durable, Line};

use super::Live;

impl Live {
    /// Whether another process is the main one now that it has ended like this.
    pub(super) fn followed(&mut self, status: WaitStatus, passes: &mut Passes) -> bool {
        // What cannot be asked or written down is not followed: then this was the end.
        self.try_to_follow(status, passes).unwrap_or(false)
    }

    fn try_to_follow(&mut self, status: WaitStatus, passes: &mut Passes) -> io::Result<bool> {
        let (Some(rule), WaitStatus::Code(code)) = (&self.follow, status) else { return Ok(false) };
        if self.adopted.is_none() && !children::ADOPTS {
            return Ok(false); // who follows comes to another parent: its end would never be told
        }
        let at = now(&self.boot)?;
        if !rule.codes.contains(&code) || at.boot_ms >= rule.until_ms {
            return Ok(false);
        }
        let left = self.left(passes);
        let named = self.notices.as_ref().and_then(Notices::named_main);
        let Some(who) = successor(&process::table()?, &left, named) else { return Ok(false) };
        if let Some(adopted) = &mut self.adopted {
            let Some(orphan) = Orphan::open(&who, &self.boot)? else { return Ok(false) };
            adopted.orphan = orphan;
        }
        let main = who.pid;
        let who = process::identify(main, &self.boot)?.filter(|now| now.is(&who)).unwrap_or(who);
        let untraced = self.trace.then(|| orphan::seize_all(main)).and_then(Result::err).map(errno);
        let boot_ms = at.boot_ms;
        let after = Followed { from: self.main, status, at, untraced };
        Line::Followed { who, after }.append(&mut self.record, Durable::No)?;
        self.main = main;
        self.heard.follow(main, self.trace && untraced.is_none());
        self.follow = self.follow.take().map(|rule| rule.next(boot_ms));
        passes.start_anew(); // which writes down the new pid for others
        Ok(true)
    }
}

fn errno(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO) // the kernel always gives one
}

/// Which of `left` is the main process now; `named`: the program said which.
fn successor(table: &[Process], left: &[Identity], named: Option<i32>) -> Option<Identity> {
    if let Some(named) = left.iter().find(|identity| Some(identity.pid) == named) {
        return Some(named.clone());
    }
    let pids: BTreeSet<i32> = left.iter().map(|identity| identity.pid).collect();
    let below = |pid: i32| table.iter().any(|process| process.pid == pid && pids.contains(&process.parent));
    let tops = left.iter().filter(|identity| !below(identity.pid));
    tops.min_by_key(|identity| (!process::leads_session(identity.pid), identity.started, identity.pid)).cloned()
}
