//! Geographic sets, which are stored as sorted sets: the score of a member is the
//! [geohash] of its position.

mod coordinates;
mod geohash;
mod search;
mod shape;
mod sort;

use coordinates::coordinates;

use self::geohash::Cell;
use super::apply::{Applied, Call, Unapplied};
use super::zset::add::{Flags, add};

use super::row::{Command, KEY, Keys, TWO_KEYS, plain, since, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // Logged as ZADD.
    write("GEOADD",               -5, since(3, 2), KEY).by(geoadd),
    plain("GEODIST",              -4, since(3, 2), KEY),
    plain("GEOHASH",              -2, since(3, 2), KEY),
    plain("GEOPOS",               -2, since(3, 2), KEY),
    // Writes with STORE or STOREDIST.
    write("GEORADIUS",            -6, since(3, 2), Keys::Geo { options: 6 }).by(search::georadius),
    write("GEORADIUSBYMEMBER",    -5, since(3, 2), Keys::Geo { options: 5 }).by(search::georadiusbymember),
    plain("GEORADIUSBYMEMBER_RO", -5, since(3, 2), KEY),
    plain("GEORADIUS_RO",         -6, since(3, 2), KEY),
    plain("GEOSEARCH",            -7, since(6, 2), KEY),
    write("GEOSEARCHSTORE",       -8, since(6, 2), TWO_KEYS).by(search::geosearchstore),
];

/// ZADD with coordinates in place of each score (`geoaddCommand` in `geo.c`).
fn geoadd(call: &mut Call<'_, '_>) -> Applied {
    let (mut flags, mut first) = (Flags::default(), 2);
    while first < call.args.len() {
        if call.is(first, "NX") {
            flags.nx = true;
        } else if call.is(first, "XX") {
            flags.xx = true;
        } else if !call.is(first, "CH") {
            break;
        }
        first += 1;
    }
    let places = &call.args[first..];
    if places.is_empty() || !places.len().is_multiple_of(3) || flags.nx && flags.xx {
        return Err(Unapplied::SYNTAX);
    }
    let server = call.context.server;
    let scored = places.chunks_exact(3).map(|place| {
        let at = coordinates(place, server)?;
        Ok((Cell::containing(at, geohash::STEPS).score(), place[2]))
    });
    add(call, flags, scored)
}
