//! The syntax of Lua 5.1, the language of function libraries in every server.
//!
//! Only the syntax is checked, as in the grammar of the Lua 5.1 reference manual, and nothing is run: a library may
//! still fail when a server runs it to register its functions. Limits of the compiler (the number of local variables,
//! or the depth of nesting) are not checked. What this module calls an error was *observed* to be one on Redis 7.0 and
//! 8.6 and Valkey 9.1, and the reverse, with some thousand texts.

mod lexer;
mod parser;

pub use lexer::SyntaxError;
pub use parser::check;
