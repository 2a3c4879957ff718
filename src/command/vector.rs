//! Vector sets, the only type that is a module and yet part of the core binary of Redis 8.
//!
//! The servers declare most with arity -1: the module checks its arguments itself.

use super::row::{Command, KEY, plain, redis_only, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("VADD",        -1, redis_only(8, 0), KEY),
    plain("VCARD",       -1, redis_only(8, 0), KEY),
    plain("VDIM",        -1, redis_only(8, 0), KEY),
    plain("VEMB",        -1, redis_only(8, 0), KEY),
    plain("VGETATTR",    -1, redis_only(8, 0), KEY),
    plain("VINFO",       -1, redis_only(8, 0), KEY),
    plain("VISMEMBER",   -1, redis_only(8, 0), KEY),
    plain("VLINKS",      -1, redis_only(8, 0), KEY),
    plain("VRANDMEMBER", -1, redis_only(8, 0), KEY),
    plain("VRANGE",      -4, redis_only(8, 4), KEY),
    write("VREM",        -1, redis_only(8, 0), KEY),
    write("VSETATTR",    -1, redis_only(8, 0), KEY),
    plain("VSIM",        -1, redis_only(8, 0), KEY),
];
