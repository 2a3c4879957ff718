//! The keys that requests are signed with.

/// A pair of keys, and the token of a temporary one.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: Option<String>,
}
