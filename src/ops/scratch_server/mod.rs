//! A server that is started to load a log in a scratch directory, for `drill` and `stats`.

mod guarded;
mod options;
mod server;
mod settings;
mod stop;

pub use self::options::ServerOptions;
pub(in crate::ops) use self::server::{Binary, Running};
pub(in crate::ops) use self::settings::settings;
pub(in crate::ops) use self::stop::Stop;
