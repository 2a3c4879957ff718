//! Modules: what is known of those that Redis 8 bundles, and which ones a user has loaded in a server.
//!
//! A module stores values under the names of its data types, which are nine characters long, and its commands begin with a
//! prefix and a dot. The names are those that servers report in the error *no matching module*, and by TYPE.

use super::server::{Product, Server};

/// A module that Redis 8 bundles.
struct Bundled {
    /// Its name.
    name: &'static str,
    /// The names of its data types.
    types: &'static [&'static str],
    /// What its commands begin with, before the dot.
    prefixes: &'static [&'static str],
}

const BUNDLED: &[Bundled] = &[
    Bundled {
        name: "RedisBloom",
        types: &["MBbloom--", "MBbloomCF", "CMSk-TYPE", "TopK-TYPE", "TDIS-TYPE"],
        prefixes: &["BF", "CF", "CMS", "TOPK", "TDIGEST"],
    },
    Bundled { name: "RedisJSON", types: &["ReJSON-RL"], prefixes: &["JSON"] },
    Bundled {
        name: "RediSearch",
        types: &["ft_index0", "ft_invidx", "numericdx", "trietype0", "scdtype00"],
        prefixes: &["FT", "_FT"],
    },
    Bundled { name: "RedisTimeSeries", types: &["TSDB-TYPE"], prefixes: &["TS"] },
];

/// The name with which a user says that all modules that Redis 8 bundles are loaded.
const ALL_BUNDLED: &str = "bundled";

/// What a server needs to load data of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModuleNeed {
    /// The module has to be loaded.
    Load,
    /// The same, and this server bundles the module of this name; not every package and image of the server has it.
    Bundled(&'static str),
}

/// Returns the name of the module that Redis 8 bundles and that has a data type of this name.
pub(crate) fn bundled_with_type(type_name: &str) -> Option<&'static str> {
    let module = BUNDLED.iter().find(|module| module.types.contains(&type_name));
    module.map(|module| module.name)
}

/// The modules that are loaded in the server which a result is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules {
    names: Vec<String>,
}

impl Modules {
    /// The modules of these names. A name is that of a data type, as servers and reports write it (`graphdata`), of a
    /// module that Redis 8 bundles (`RedisJSON`), or the prefix of its commands (`JSON`); `bundled` names all modules that
    /// Redis 8 bundles. Case does not matter.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Modules { names: names.into_iter().map(Into::into).collect() }
    }

    /// Returns whether values of this data type can be loaded.
    pub(crate) fn have_type(&self, type_name: &str) -> bool {
        self.names.iter().any(|name| {
            match bundled(name, |module| module.types.contains(&type_name)) {
                Some(has) => has,
                None => !name.is_empty() && begins_with(type_name, name),
            }
        })
    }

    /// Returns what `server` needs to load values of this data type; `None` if it loads them as it is.
    pub(crate) fn need(&self, server: Server, type_name: &str) -> Option<ModuleNeed> {
        if server.brings_module(type_name) || self.have_type(type_name) {
            return None;
        }
        let bundles = server.product == Product::Redis && server.has_redis(8, 0);
        let bundled = bundled_with_type(type_name).filter(|_| bundles);
        Some(bundled.map_or(ModuleNeed::Load, ModuleNeed::Bundled))
    }

    /// Returns whether this command belongs to one of the modules: its name has a dot, and before that what a module's name
    /// begins with.
    pub(crate) fn have_command(&self, command: &[u8]) -> bool {
        let Some(dot) = command.iter().position(|&byte| byte == b'.') else { return false };
        let Ok(prefix) = std::str::from_utf8(&command[..dot]) else { return false };
        let among = |prefixes: &[&str]| prefixes.iter().any(|one| one.eq_ignore_ascii_case(prefix));
        self.names.iter().any(|name| match bundled(name, |module| among(module.prefixes)) {
            Some(has) => has,
            None => !prefix.is_empty() && begins_with(name, prefix),
        })
    }
}

/// Asks the modules that Redis 8 bundles and that this name means; `None` if it means none of them.
fn bundled(name: &str, has: impl Fn(&Bundled) -> bool) -> Option<bool> {
    let is = |one: &&str| one.eq_ignore_ascii_case(name);
    let mut named = BUNDLED.iter().filter(|module| {
        is(&ALL_BUNDLED)
            || is(&module.name)
            || module.types.iter().any(&is)
            || module.prefixes.iter().any(&is)
    });
    let first = named.next()?;
    Some(has(first) || named.any(has))
}

fn begins_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_by_its_type_its_prefix_or_its_product() {
        for name in ["graphdata", "GRAPH", "graph"] {
            let modules = Modules::new([name]);
            assert!(
                modules.have_type("graphdata") && modules.have_command(b"GRAPH.QUERY"),
                "{name}"
            );
            assert!(
                !modules.have_type("ReJSON-RL") && !modules.have_command(b"JSON.SET"),
                "{name}"
            );
        }
        for name in ["ReJSON-RL", "json", "redisjson", "bundled", "BUNDLED"] {
            let modules = Modules::new([name]);
            assert!(modules.have_type("ReJSON-RL") && modules.have_command(b"json.set"), "{name}");
            assert!(
                !modules.have_type("graphdata") && !modules.have_command(b"GRAPH.QUERY"),
                "{name}"
            );
        }
    }

    #[test]
    fn without_modules_nothing_is_loaded() {
        let none = Modules::default();
        assert!(!none.have_type("scdtype00") && !none.have_command(b"FT.CREATE"));
        let empty = Modules::new([""]);
        assert!(!empty.have_command(b".X") && !empty.have_command(b"SET"));
        assert!(!empty.have_type("graphdata"), "an empty name asserts nothing");
    }
}
