//! GEORADIUS, GEORADIUSBYMEMBER and GEOSEARCHSTORE (`georadiusGeneric` in `geo.c`).

use super::coordinates;
use super::geohash::Cell;
use super::shape::{Extent, Shape};
use super::sort::partial_sort;
use crate::base::server::Server;
use crate::command::apply::{Applied, Call, Unapplied};
use crate::command::geo::coordinates::Coordinates;
use crate::command::zset::double::double;
use crate::command::zset::replace;
use crate::keyspace::{Scores, ZeroSign, Zset};

pub(super) fn georadius(call: &mut Call<'_, '_>) -> Applied {
    search(call, Kind::Radius)
}

pub(super) fn georadiusbymember(call: &mut Call<'_, '_>) -> Applied {
    search(call, Kind::RadiusByMember)
}

pub(super) fn geosearchstore(call: &mut Call<'_, '_>) -> Applied {
    search(call, Kind::SearchStore)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Radius,
    RadiusByMember,
    SearchStore,
}

/// The parsed arguments of a search.
#[derive(Default)]
struct Asked<'a> {
    /// The destination; without it nothing is changed.
    store: Option<&'a [u8]>,
    store_distance: bool,
    /// The centre, once it is known. It is not needed if there is no source.
    around: Option<Coordinates>,
    by_member: bool,
    by_place: bool,
    extent: Option<(Extent, f64)>,
    /// Whether WITHDIST or a similar option is present, which is only valid without STORE.
    shows: bool,
    order: Option<Order>,
    count: Option<usize>,
    any: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

/// A member that was found.
struct Hit<'a> {
    member: &'a [u8],
    score: f64,
    /// In metres.
    distance: f64,
}

const NO_MEMBER: Unapplied = Unapplied::Failed("ERR could not decode requested zset member");

fn search(call: &mut Call<'_, '_>, kind: Kind) -> Applied {
    let server = call.context.server;
    let source = call.args[if kind == Kind::SearchStore { 2 } else { 1 }];
    let zset = call.db().find::<Zset<'_>>(source)?;
    // Up to Redis 6.2, no other argument is checked in this case, and nothing is stored. Observed
    // on 6.2.5; 6.2.6 corrected it.
    if zset.is_none() && !server.has_redis(7, 0) {
        return Ok(());
    }
    let has_source = zset.is_some();
    let asked = read(call, kind)?;
    asked.check(kind)?;
    if !has_source {
        if let Some(store) = asked.store {
            call.db().remove(store);
        }
        return Ok(());
    }
    // Without STORE the command only reads.
    let (Some(store), Some(around), Some((extent, unit))) =
        (asked.store, asked.around, asked.extent)
    else {
        return Ok(());
    };
    let shape = Shape { around, extent, unit };
    let Some(zset) = call.db().find_mut::<Zset<'_>>(source)? else { return Ok(()) };
    let mut found = find(zset, &shape, asked.count.filter(|_| asked.any), server);
    let count = asked.count.unwrap_or(usize::MAX).min(found.len());
    let order = match asked.order {
        None if asked.count.is_some() && !asked.any => Some(Order::Ascending),
        order => order,
    };
    // If all are stored, their order does not matter.
    if count < found.len()
        && let Some(order) = order
    {
        partial_sort(&mut found, count, &|one: &Hit<'_>, other: &Hit<'_>| {
            let ascending = one.distance.total_cmp(&other.distance);
            if order == Order::Ascending { ascending } else { ascending.reverse() }
        });
    }
    let scored = found[..count].iter().map(|found| {
        let score = if asked.store_distance { found.distance / unit } else { found.score };
        (found.member, score)
    });
    let scores: Scores<'_> = scored.collect();
    replace(call, store, Zset::from_scores(scores, ZeroSign::of_server(server)));
    Ok(())
}

/// Returns the members inside the shape, in the order in which the cells are searched; at most
/// `most`.
fn find<'a>(
    zset: &mut Zset<'a>,
    shape: &Shape,
    most: Option<usize>,
    server: Server,
) -> Vec<Hit<'a>> {
    let most = most.unwrap_or(usize::MAX);
    let ordered = zset.ordered();
    let mut found = Vec::new();
    for cell in shape.cells(server) {
        let (min, max) = cell.scores();
        let start = ordered.partition_point(|(_, score)| score < min);
        let end = ordered.partition_point(|(_, score)| score < max);
        for (member, score) in ordered.range(start..end) {
            if let Some(distance) = shape.distance_to(Cell::of_score(score).coordinates(), server) {
                found.push(Hit { member, score, distance });
                if found.len() >= most {
                    return found;
                }
            }
        }
    }
    found
}

/// Parses the arguments after the source.
fn read<'a>(call: &mut Call<'_, 'a>, kind: Kind) -> Result<Asked<'a>, Unapplied> {
    let (args, server) = (call.args, call.context.server);
    let mut asked = Asked::default();
    let zset = |call: &mut Call<'_, 'a>, at: usize| -> Result<Option<Coordinates>, Unapplied> {
        let source = args[if kind == Kind::SearchStore { 2 } else { 1 }];
        let Some(zset) = call.db().find::<Zset<'a>>(source)? else { return Ok(None) };
        let score = zset.score(args[at]).ok_or(NO_MEMBER)?;
        Ok(Some(Cell::of_score(score).coordinates()))
    };
    let mut at = match kind {
        Kind::Radius => {
            asked.around = Some(coordinates(&args[2..], server)?);
            asked.extent = Some(radius(&args[4..], server)?);
            6
        }
        Kind::RadiusByMember => {
            asked.around = zset(call, 2)?;
            // Without a source the radius is not checked.
            if asked.around.is_some() {
                asked.extent = Some(radius(&args[3..], server)?);
            }
            5
        }
        Kind::SearchStore => {
            asked.store = Some(args[1]);
            3
        }
    };
    let searches = kind == Kind::SearchStore;
    while at < args.len() {
        let rest = args.len() - at - 1;
        let is = |option| call.is(at, option);
        let used = if ["WITHDIST", "WITHHASH", "WITHCOORD"].into_iter().any(is) {
            asked.shows = true;
            0
        } else if is("ANY") {
            asked.any = true;
            0
        } else if is("ASC") {
            asked.order = Some(Order::Ascending);
            0
        } else if is("DESC") {
            asked.order = Some(Order::Descending);
            0
        } else if is("COUNT") && rest > 0 {
            let count = usize::try_from(call.int(at + 1)?).ok().filter(|count| *count > 0);
            asked.count = Some(count.ok_or(Unapplied::Failed("ERR COUNT must be > 0"))?);
            1
        } else if !searches && rest > 0 && (is("STORE") || is("STOREDIST")) {
            asked.store_distance = is("STOREDIST");
            asked.store = Some(args[at + 1]);
            1
        } else if searches && is("STOREDIST") {
            asked.store_distance = true;
            0
        } else if searches && is("FROMMEMBER") && rest > 0 && !asked.by_place {
            asked.around = zset(call, at + 1)?;
            asked.by_member = true;
            1
        } else if searches && is("FROMLONLAT") && rest > 1 && !asked.by_member {
            asked.around = Some(coordinates(&args[at + 1..], server)?);
            asked.by_place = true;
            2
        } else if searches && is("BYRADIUS") && rest > 1 && !asked.has_box() {
            asked.extent = Some(radius(&args[at + 1..], server)?);
            2
        } else if searches && is("BYBOX") && rest > 2 && !asked.has_radius() {
            asked.extent = Some(sides(&args[at + 1..], server)?);
            3
        } else if searches && is("BYPOLYGON") && server.has_valkey(9, 0) {
            return Err(Unapplied::Refused("it searches a polygon"));
        } else {
            return Err(Unapplied::SYNTAX);
        };
        at += 1 + used;
    }
    Ok(asked)
}

impl Asked<'_> {
    fn has_box(&self) -> bool {
        matches!(self.extent, Some((Extent::Box { .. }, _)))
    }

    fn has_radius(&self) -> bool {
        matches!(self.extent, Some((Extent::Radius(_), _)))
    }

    fn check(&self, kind: Kind) -> Applied {
        let failed = |why| Err(Unapplied::Failed(why));
        if self.store.is_some() && self.shows {
            failed("ERR STORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        } else if kind == Kind::SearchStore && !self.by_member && !self.by_place {
            failed("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified")
        } else if kind == Kind::SearchStore && self.extent.is_none() {
            failed("ERR exactly one of BYRADIUS and BYBOX can be specified")
        } else if self.any && self.count.is_none() {
            failed("ERR the ANY argument requires COUNT argument")
        } else {
            Ok(())
        }
    }
}

/// Parses a radius and its unit.
fn radius(args: &[&[u8]], server: Server) -> Result<(Extent, f64), Unapplied> {
    let radius = double(args[0], server).ok_or(Unapplied::Failed("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(Unapplied::Failed("ERR radius cannot be negative"));
    }
    Ok((Extent::Radius(radius), metres_in(args[1], server)?))
}

/// Parses the width and the height of a box, and their unit.
fn sides(args: &[&[u8]], server: Server) -> Result<(Extent, f64), Unapplied> {
    let width = double(args[0], server).ok_or(Unapplied::Failed("ERR need numeric width"))?;
    let height = double(args[1], server).ok_or(Unapplied::Failed("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(Unapplied::Failed("ERR height or width cannot be negative"));
    }
    Ok((Extent::Box { width, height }, metres_in(args[2], server)?))
}

/// Returns the length of a unit in metres. Case is ignored since Redis 7.0.
fn metres_in(unit: &[u8], server: Server) -> Result<f64, Unapplied> {
    let lower = unit.to_ascii_lowercase();
    let unit = if server.has_redis(7, 0) { &lower[..] } else { unit };
    match unit {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(Unapplied::Failed("ERR unsupported unit provided. please use M, KM, FT, MI")),
    }
}
