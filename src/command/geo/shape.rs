//! The area of a search, and distances (`geohash_helper.c`).
//!
//! Everything is computed in the servers' order, so that even the last digit of a distance is
//! equal. Sines come from the platform's mathematical library, as they do on the servers, so
//! results depend on it.

use super::geohash::Cell;
use crate::base::server::Server;
use crate::command::geo::coordinates::Coordinates;

/// The mean radius of the earth, in metres.
const EARTH_RADIUS: f64 = 6_372_797.560_856;

/// Half of the side of a Mercator map, in metres.
const MERCATOR_MOST: f64 = 20_037_726.37;

const RADIANS: f64 = std::f64::consts::PI / 180.0;

/// A search around a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) around: Coordinates,
    pub(super) extent: Extent,
    /// Number of metres in the unit of the extent.
    pub(super) unit: f64,
}

/// The dimensions, in the unit of the shape.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent {
    Radius(f64),
    Box { width: f64, height: f64 },
}

impl Shape {
    /// Returns the distance of a point in metres, if it is inside.
    pub(super) fn distance_to(&self, at: Coordinates, server: Server) -> Option<f64> {
        let distance = match self.extent {
            Extent::Radius(radius) => {
                let distance = distance(self.around, at, server);
                if distance > radius * self.unit {
                    return None;
                }
                distance
            }
            Extent::Box { width, height } => {
                let (width, height) = (width * self.unit, height * self.unit);
                let level = Coordinates { latitude: at.latitude, ..self.around };
                let meridian = Coordinates { longitude: at.longitude, ..self.around };
                let far_up = if server.has_redis(7, 0) {
                    latitude_distance(at.latitude, self.around.latitude)
                } else {
                    distance(at, meridian, server)
                };
                if far_up > height / 2.0 || distance(at, level, server) > width / 2.0 {
                    return None;
                }
                distance(self.around, at, server)
            }
        };
        Some(distance)
    }

    /// Returns the cells that cover the shape, in the order in which they are searched: the cell of
    /// the centre, and the neighbours that are needed.
    ///
    /// Up to Redis 6.2 (*observed* on 6.2.5; corrected in 6.2.7) the cells can miss points close to
    /// the edge of the search.
    pub(super) fn cells(&self, server: Server) -> impl Iterator<Item = Cell> + use<> {
        let bounds = self.bounds();
        let metres = self.metres();
        let mut step = step_for(metres, self.around.latitude);
        let mut own = Cell::containing(self.around, step);
        // The neighbouring cells may not reach far enough.
        let [north, south] = [1, -1].map(|north| own.beside(0, north).area().latitude);
        let [east, west] = [1, -1].map(|east| own.beside(east, 0).area().longitude);
        let too_small = if server.has_redis(7, 0) {
            north.max < bounds.north
                || south.min > bounds.south
                || east.max < bounds.east
                || west.min > bounds.west
        } else {
            let Coordinates { longitude, latitude } = self.around;
            [
                (longitude, north.max),
                (longitude, south.min),
                (east.max, latitude),
                (west.min, latitude),
            ]
            .into_iter()
            .map(|(longitude, latitude)| Coordinates { longitude, latitude })
            .any(|edge| distance(self.around, edge, server) < metres)
        };
        if step > 1 && too_small {
            step -= 1;
            own = Cell::containing(self.around, step);
        }
        let area = own.area();
        // If the central cell extends past the search on a side, the neighbours on that side are
        // not searched. On coarse grids a cell can be the neighbour on both sides.
        let needed = move |east: i8, north: i8| {
            step < 2
                || !(north < 0 && area.latitude.min < bounds.south
                    || north > 0 && area.latitude.max > bounds.north
                    || east < 0 && area.longitude.min < bounds.west
                    || east > 0 && area.longitude.max > bounds.east)
        };
        const AROUND: [(i8, i8); 8] =
            [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let around = AROUND.into_iter().filter(move |(east, north)| needed(*east, *north));
        let mut last = None;
        let around = around.map(move |(east, north)| own.beside(east, north)).filter(move |cell| {
            // On coarse grids a cell is the neighbour on both sides.
            last.replace(*cell) != Some(*cell)
        });
        std::iter::once(own).chain(around)
    }

    /// Returns the distance from the centre to the furthest point.
    fn metres(&self) -> f64 {
        let furthest = match self.extent {
            Extent::Radius(radius) => radius,
            Extent::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        furthest * self.unit
    }

    fn bounds(&self) -> Bounds {
        let (width, height) = match self.extent {
            Extent::Radius(radius) => (self.unit * radius, self.unit * radius),
            Extent::Box { width, height } => {
                (self.unit * (width / 2.0), self.unit * (height / 2.0))
            }
        };
        let Coordinates { longitude, latitude } = self.around;
        let up = height / EARTH_RADIUS / RADIANS;
        // The edge nearer to its pole, where the same width spans more degrees.
        let edge = if latitude < 0.0 { latitude - up } else { latitude + up };
        let across = width / EARTH_RADIUS / (edge * RADIANS).cos() / RADIANS;
        Bounds {
            west: longitude - across,
            east: longitude + across,
            south: latitude - up,
            north: latitude + up,
        }
    }
}

/// Returns the step at which a cell is about as large as a search of this many metres.
fn step_for(mut metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return 26;
    }
    let mut step: i32 = 1;
    while metres < MERCATOR_MOST {
        metres *= 2.0;
        step += 1;
    }
    step -= 2;
    // Cells are narrow at high latitudes.
    step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    step.clamp(1, 26).unsigned_abs()
}

/// A bounding box in degrees.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

/// Returns the distance in metres by the haversine formula; since Redis 7.0 in one dimension if the
/// longitudes are equal.
fn distance(from: Coordinates, to: Coordinates, server: Server) -> f64 {
    let half_sine = |from: f64, to: f64| ((to * RADIANS - from * RADIANS) / 2.0).sin();
    let across = half_sine(from.longitude, to.longitude);
    if across == 0.0 && server.has_redis(7, 0) {
        return latitude_distance(from.latitude, to.latitude);
    }
    let up = half_sine(from.latitude, to.latitude);
    let cosines = (from.latitude * RADIANS).cos() * (to.latitude * RADIANS).cos();
    2.0 * EARTH_RADIUS * (up * up + cosines * across * across).sqrt().asin()
}

fn latitude_distance(from: f64, to: f64) -> f64 {
    EARTH_RADIUS * (to * RADIANS - from * RADIANS).abs()
}
