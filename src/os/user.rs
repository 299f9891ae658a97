//! Who asks.

/// The name of the user who runs this, else the number.
#[must_use]
pub fn name() -> String {
    let id = nix::unistd::getuid();
    nix::unistd::User::from_uid(id).ok().flatten().map_or_else(|| format!("uid {id}"), |user| user.name)
}
