//! The nodes of a cluster, as CLUSTER SLOTS reports them.

use redis::Value;

use super::endpoint::{Address, Endpoint};
use crate::base::slot::SLOTS;

/// Which primary serves which slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlotMap {
    nodes: Vec<Address>,
    /// The index of the node of each slot.
    of_slot: Vec<Option<u16>>,
}

impl SlotMap {
    /// Parses the reply to CLUSTER SLOTS of the server at `asked`; `None` if it has another form.
    ///
    /// A node whose host is empty or unknown is on the host that was asked, as the documentation of the command says.
    pub(crate) fn parse(reply: &Value, asked: &Address) -> Option<SlotMap> {
        let Value::Array(ranges) = reply else { return None };
        let mut map = SlotMap { nodes: Vec::new(), of_slot: vec![None; usize::from(SLOTS)] };
        for range in ranges {
            let Value::Array(range) = range else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = range.as_slice()
            else {
                return None;
            };
            let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
            let port = u16::try_from(*port).ok()?;
            let node = map.node(address(&text(host)?, port, asked));
            let slots = usize::try_from(*first).ok()?..=usize::try_from(*last).ok()?;
            map.of_slot.get_mut(slots)?.fill(Some(node));
        }
        Some(map)
    }

    /// Returns the primaries.
    pub(crate) fn nodes(&self) -> &[Address] {
        &self.nodes
    }

    /// Returns the primary of a slot; `None` if no node serves it.
    pub(crate) fn of_slot(&self, slot: u16) -> Option<&Address> {
        let node = *self.of_slot.get(usize::from(slot))?;
        self.nodes.get(usize::from(node?))
    }

    /// Assigns a slot to another node, as a MOVED reply reports it.
    pub(crate) fn moved(&mut self, slot: u16, to: Address) {
        let node = self.node(to);
        if let Some(of_slot) = self.of_slot.get_mut(usize::from(slot)) {
            *of_slot = Some(node);
        }
    }

    fn node(&mut self, address: Address) -> u16 {
        let found = self.nodes.iter().position(|node| *node == address);
        let index = found.unwrap_or_else(|| {
            self.nodes.push(address);
            self.nodes.len() - 1
        });
        // A cluster has at most 16384 nodes with slots.
        u16::try_from(index).unwrap_or(u16::MAX)
    }
}

/// The target of a MOVED or ASK reply: `SLOT HOST:PORT`.
pub(crate) fn redirection(details: &str, asked: &Address) -> Option<(u16, Address)> {
    let (slot, to) = details.split_once(' ')?;
    let (host, port) = to.rsplit_once(':')?;
    Some((slot.parse().ok()?, address(host, port.parse().ok()?, asked)))
}

/// Returns the endpoint of another node of the same cluster.
pub(crate) fn endpoint_of(node: &Address, endpoint: &Endpoint) -> Endpoint {
    Endpoint { address: node.clone(), ..endpoint.clone() }
}

fn address(host: &str, port: u16, asked: &Address) -> Address {
    let host = match asked {
        Address::Tcp { host: asked, .. } if host.is_empty() || host == "?" => asked.as_str(),
        Address::Unix(_) if host.is_empty() || host == "?" => "127.0.0.1",
        _ => host,
    };
    Address::Tcp { host: host.to_owned(), port }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        Value::Nil => Some(String::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    fn range(first: i64, last: i64, host: &str, port: i64) -> Value {
        let node = vec![Value::BulkString(host.into()), Value::Int(port)];
        Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(node)])
    }

    #[test]
    fn slots_are_assigned_to_primaries() {
        let reply =
            Value::Array(vec![range(0, 5460, "10.0.0.1", 7000), range(5461, 16382, "", 7001)]);
        let mut map = SlotMap::parse(&reply, &tcp("db", 6379)).expect("a reply of a server");
        assert_eq!(map.of_slot(5460), Some(&tcp("10.0.0.1", 7000)));
        assert_eq!(map.of_slot(5461), Some(&tcp("db", 7001)));
        assert_eq!(map.of_slot(16383), None);
        map.moved(16383, tcp("10.0.0.1", 7000));
        assert_eq!((map.of_slot(16383), map.nodes().len()), (Some(&tcp("10.0.0.1", 7000)), 2));
    }

    #[test]
    fn replies_that_no_server_sends_are_refused() {
        let asked = tcp("db", 6379);
        for ranges in [
            range(0, 16384, "a", 1),
            range(-1, 5, "a", 1),
            range(7, 5, "a", 1),
            range(0, 5, "a", 65536),
            Value::Int(3),
            Value::Array(vec![Value::Int(0), Value::Int(1)]),
        ] {
            let parsed = SlotMap::parse(&Value::Array(vec![ranges.clone()]), &asked);
            assert!(parsed.is_none() || ranges == range(7, 5, "a", 1), "{ranges:?}");
        }
        assert!(SlotMap::parse(&Value::Nil, &asked).is_none());
    }

    #[test]
    fn redirections_name_slot_and_node() {
        let asked = tcp("db", 6379);
        assert_eq!(
            redirection("3999 127.0.0.1:6381", &asked),
            Some((3999, tcp("127.0.0.1", 6381)))
        );
        assert_eq!(redirection("3999 :6381", &asked), Some((3999, tcp("db", 6381))));
        assert_eq!(redirection("1 ::1:7000", &asked), Some((1, tcp("::1", 7000))));
        assert_eq!(redirection("x 127.0.0.1:6381", &asked), None);
        assert_eq!(redirection("1 127.0.0.1", &asked), None);
    }
}
