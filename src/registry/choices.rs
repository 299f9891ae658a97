//! Keys whose value is one of a few words: how each is read from a spec and set.

use super::keys::Field;
use crate::model::schedule::Overlap;
use crate::model::spec::{Follow, Isolation, Leftover, OnBoot, OnDependencyEnd, OnHang, Restart, Stdin};

pub(super) const RESTART: Field = Field::Words(
    &["premature", "on-failure", "always", "never"],
    |spec| match spec.restart {
        Restart::Premature => "premature",
        Restart::OnFailure => "on-failure",
        Restart::Always => "always",
        Restart::Never => "never",
    },
    |spec, word| {
        spec.restart = match word {
            "on-failure" => Restart::OnFailure,
            "always" => Restart::Always,
            "never" => Restart::Never,
            _ => Restart::Premature,
        }
    },
);

pub(super) const LEFTOVER: Field = Field::Words(
    &["kill", "keep"],
    |spec| match spec.leftover {
        Leftover::Kill => "kill",
        Leftover::Keep => "keep",
    },
    |spec, word| {
        spec.leftover = match word {
            "keep" => Leftover::Keep,
            _ => Leftover::Kill,
        }
    },
);

pub(super) const ON_BOOT: Field = Field::Words(
    &["start", "laststate", "never"],
    |spec| match spec.on_boot {
        OnBoot::Start => "start",
        OnBoot::Laststate => "laststate",
        OnBoot::Never => "never",
    },
    |spec, word| {
        spec.on_boot = match word {
            "laststate" => OnBoot::Laststate,
            "never" => OnBoot::Never,
            _ => OnBoot::Start,
        }
    },
);

pub(super) const ISOLATION: Field = Field::Words(
    &["auto", "scope", "session"],
    |spec| match spec.isolation {
        Isolation::Auto => "auto",
        Isolation::Scope => "scope",
        Isolation::Session => "session",
    },
    |spec, word| {
        spec.isolation = match word {
            "scope" => Isolation::Scope,
            "session" => Isolation::Session,
            _ => Isolation::Auto,
        }
    },
);

pub(super) const FOLLOW: Field = Field::Words(
    &["main", "fork"],
    |spec| match spec.follow {
        Follow::Main => "main",
        Follow::Fork => "fork",
    },
    |spec, word| {
        spec.follow = match word {
            "fork" => Follow::Fork,
            _ => Follow::Main,
        }
    },
);

pub(super) const ON_HANG: Field = Field::Words(
    &["restart", "kill", "alert"],
    |spec| match spec.on_hang {
        OnHang::Restart => "restart",
        OnHang::Kill => "kill",
        OnHang::Alert => "alert",
    },
    |spec, word| {
        spec.on_hang = match word {
            "kill" => OnHang::Kill,
            "alert" => OnHang::Alert,
            _ => OnHang::Restart,
        }
    },
);

pub(super) const ON_DEPENDENCY_END: Field = Field::Words(
    &["ignore", "stop", "restart"],
    |spec| match spec.on_dependency_end {
        OnDependencyEnd::Ignore => "ignore",
        OnDependencyEnd::Stop => "stop",
        OnDependencyEnd::Restart => "restart",
    },
    |spec, word| {
        spec.on_dependency_end = match word {
            "stop" => OnDependencyEnd::Stop,
            "restart" => OnDependencyEnd::Restart,
            _ => OnDependencyEnd::Ignore,
        }
    },
);

pub(super) const OVERLAP: Field = Field::Words(
    &["skip", "queue", "kill"],
    |spec| match spec.overlap {
        Overlap::Skip => "skip",
        Overlap::Queue => "queue",
        Overlap::Kill => "kill",
    },
    |spec, word| {
        spec.overlap = match word {
            "queue" => Overlap::Queue,
            "kill" => Overlap::Kill,
            _ => Overlap::Skip,
        }
    },
);

pub(super) const STDIN: Field = Field::Words(
    &["null", "pipe"],
    |spec| match spec.stdin {
        Stdin::Null => "null",
        Stdin::Pipe => "pipe",
    },
    |spec, word| {
        spec.stdin = match word {
            "pipe" => Stdin::Pipe,
            _ => Stdin::Null,
        }
    },
);
