//! Longitude and latitude.

use super::super::apply::Unapplied;
use super::super::zset::double::double;
use crate::base::server::Server;

/// The latitude up to which a Mercator map is a square.
pub(super) const MOST_LATITUDE: f64 = 85.05112878;

/// The highest longitude of either sign.
pub(super) const MOST_LONGITUDE: f64 = 180.0;

/// A pair of coordinates in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coordinates {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// Parses longitude and latitude from the first two arguments.
pub(super) fn coordinates(args: &[&[u8]], server: Server) -> Result<Coordinates, Unapplied> {
    let read = |text| double(text, server).ok_or(Unapplied::NOT_A_FLOAT);
    let (longitude, latitude) = (read(args[0])?, read(args[1])?);
    if longitude.abs() > MOST_LONGITUDE || latitude.abs() > MOST_LATITUDE {
        return Err(Unapplied::Failed("ERR invalid longitude,latitude pair"));
    }
    Ok(Coordinates { longitude, latitude })
}
