//! The host name of this machine.

/// Returns the host name of this machine.
pub fn host() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
}
