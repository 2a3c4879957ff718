//! Clusters of servers on this machine, set up without redis-cli.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::binaries::Binary;
use super::client::Reply;
use super::process::Running;
use super::setup::temp_dir;
use super::wait::wait_until;

/// The number of slots of a cluster.
const SLOTS: u16 = 16384;

/// A cluster of primaries without replicas, which serve about the same number of slots.
///
/// A test sends commands over the Unix socket of a node, `nodes[n].client`; the nodes and the program under test use TCP.
pub(crate) struct Cluster {
    /// The nodes, in the order of their slots at the start.
    pub(crate) nodes: Vec<Running>,
    /// The TCP port of each.
    pub(crate) ports: Vec<u16>,
    /// The port for TLS of each, if they have one.
    pub(crate) tls_ports: Vec<u16>,
    /// The data directory of each.
    pub(crate) data: Vec<TempDir>,
    ids: Vec<String>,
    /// The node of each slot.
    owners: Vec<usize>,
}

/// A node of a cluster that serves no slots.
pub(crate) struct Replica {
    pub(crate) server: Running,
    port: u16,
    data: TempDir,
    id: String,
}

impl Cluster {
    /// Starts a cluster of empty nodes with append-only logs, and waits until it serves all slots.
    pub(crate) fn start(binary: &Binary, nodes: usize) -> Cluster {
        Cluster::on(binary, (0..nodes).map(|_| temp_dir()).collect())
    }

    /// Like [`Cluster::start`], with more settings for each node.
    pub(crate) fn with(binary: &Binary, nodes: usize, config: &[(&str, &str)]) -> Cluster {
        Cluster::of(binary, (0..nodes).map(|_| temp_dir()).collect(), config, false)
    }

    /// Like [`Cluster::with`]; each node has a port for TLS, too, which it tells a client that uses TLS.
    pub(crate) fn with_tls(binary: &Binary, nodes: usize, config: &[(&str, &str)]) -> Cluster {
        Cluster::of(binary, (0..nodes).map(|_| temp_dir()).collect(), config, true)
    }

    /// Like [`Cluster::start`], with a node for each data directory. The data of a node may have keys of [its
    /// slots](Cluster::slots_of) only.
    pub(crate) fn on(binary: &Binary, data: Vec<TempDir>) -> Cluster {
        Cluster::of(binary, data, &[], false)
    }

    fn of(binary: &Binary, data: Vec<TempDir>, config: &[(&str, &str)], tls: bool) -> Cluster {
        let (mut nodes, mut ports, mut tls_ports) = (Vec::new(), Vec::new(), Vec::new());
        for data in &data {
            let mut config = config.to_vec();
            let tls_port = tls.then(free_port_with_bus);
            let text = tls_port.map(|port| port.to_string());
            if let Some(port) = &text {
                config.extend([("tls-port", port.as_str()), ("tls-cluster", "yes")]);
            }
            let (node, port) = start_node(binary, data, &config);
            nodes.push(node);
            ports.push(port);
            tls_ports.extend(tls_port);
        }
        let ids = nodes.iter_mut().map(|node| node.client.call(&["CLUSTER", "MYID"]).text());
        let ids = ids.collect();
        let count = data.len();
        let owners = (0..SLOTS).map(|slot| owner_at_start(slot, count)).collect();
        let mut cluster = Cluster { nodes, ports, tls_ports, data, ids, owners };
        cluster.assign_slots();
        cluster.meet();
        cluster
    }

    /// Returns the slots that node `node` of `nodes` serves at the start, as a range for `--slots`.
    pub(crate) fn slots_of(node: usize, nodes: usize) -> String {
        let mut slots = (0..SLOTS).filter(|slot| owner_at_start(*slot, nodes) == node);
        let first = slots.next().expect("a slot");
        format!("{first}-{}", slots.next_back().unwrap_or(first))
    }

    /// Returns the address of a node: `127.0.0.1:PORT`.
    pub(crate) fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.ports[node])
    }

    /// Adds a replica of a node, and waits until it has its data.
    pub(crate) fn add_replica(
        &mut self,
        binary: &Binary,
        of: usize,
        config: &[(&str, &str)],
    ) -> Replica {
        let data = temp_dir();
        let (mut server, port) = start_node(binary, &data, config);
        let id = server.client.call(&["CLUSTER", "MYID"]).text();
        self.ok(0, &["CLUSTER", "MEET", "127.0.0.1", &port.to_string()]);
        let primary = self.ids[of].clone();
        wait_until("a node that knows its primary", || {
            let reply = server.client.call(&["CLUSTER", "REPLICATE", &primary]);
            reply == Reply::Simple("OK".into())
        });
        wait_until("a replica with the data", || {
            let info = server.client.call(&["INFO", "replication"]).text();
            info.contains("master_link_status:up")
        });
        // The others have to know it to let it take over.
        wait_until("a replica that is known", || {
            self.nodes.iter_mut().all(|node| {
                let nodes = node.client.call(&["CLUSTER", "NODES"]).text();
                nodes.lines().any(|line| line.contains(&id) && line.contains("slave"))
            })
        });
        Replica { server, port, data, id }
    }

    /// Puts a replica that was promoted in the place of its primary, which is returned.
    pub(crate) fn replace(&mut self, node: usize, replica: Replica) -> Replica {
        let Replica { server, port, data, id } = replica;
        Replica {
            server: std::mem::replace(&mut self.nodes[node], server),
            port: std::mem::replace(&mut self.ports[node], port),
            data: std::mem::replace(&mut self.data[node], data),
            id: std::mem::replace(&mut self.ids[node], id),
        }
    }

    /// Returns the slot of a key, as the servers report it.
    pub(crate) fn slot(&mut self, key: &[u8]) -> u16 {
        let reply = self.nodes[0].client.call(&[&b"CLUSTER"[..], b"KEYSLOT", key]);
        u16::try_from(reply.int()).expect("a slot")
    }

    /// Returns the node that serves a key.
    pub(crate) fn owner(&mut self, key: &[u8]) -> usize {
        let slot = self.slot(key);
        self.owners[usize::from(slot)]
    }

    /// Sends a command to the node that serves its key, which is its first argument.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        let owner = self.owner(args[1].as_ref());
        self.nodes[owner].client.call(args)
    }

    /// Returns the DEBUG DIGEST of a server that has the data of all nodes. It is the exclusive or of that of the nodes.
    pub(crate) fn digest(&mut self) -> String {
        let mut union = [0_u8; 20];
        for node in &mut self.nodes {
            let digest = node.digest();
            for (at, byte) in union.iter_mut().enumerate() {
                let digits = &digest[2 * at..2 * at + 2];
                *byte ^= u8::from_str_radix(digits, 16).expect("hexadecimal digits");
            }
        }
        union.map(|byte| format!("{byte:02x}")).concat()
    }

    /// Returns the number of keys of all nodes.
    pub(crate) fn keys(&mut self) -> u64 {
        self.nodes.iter_mut().map(Running::keys).sum()
    }

    /// Moves a slot with its keys from its node to another one.
    pub(crate) fn move_slot(&mut self, slot: u16, to: usize) {
        self.begin_move(slot, to);
        while self.move_keys(slot, to, 100) > 0 {}
        self.finish_move(slot, to);
    }

    /// Begins to move a slot: its node replies ASK for keys that it does not have.
    pub(crate) fn begin_move(&mut self, slot: u16, to: usize) {
        let from = self.owners[usize::from(slot)];
        let slot = slot.to_string();
        let ids = [self.ids[from].clone(), self.ids[to].clone()];
        self.ok(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
        self.ok(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
    }

    /// Moves at most `count` keys of a slot that is being moved; returns their number.
    pub(crate) fn move_keys(&mut self, slot: u16, to: usize, count: usize) -> usize {
        let from = self.owners[usize::from(slot)];
        let (slot, count) = (slot.to_string(), count.to_string());
        let reply = self.nodes[from].client.call(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]);
        let names: Vec<Vec<u8>> = reply
            .array()
            .iter()
            .map(|key| match key {
                Reply::Bulk(key) => key.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        if names.is_empty() {
            return 0;
        }
        let port = self.ports[to].to_string();
        let head = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        let mut args: Vec<Vec<u8>> = head.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        let moved = names.len();
        args.extend(names);
        let reply = self.nodes[from].client.call(&args);
        assert_eq!(reply, Reply::Simple("OK".into()), "MIGRATE");
        moved
    }

    /// Ends the move of a slot, of which all keys were moved. The nodes learn of it one after the other, as resharding does.
    pub(crate) fn finish_move(&mut self, slot: u16, to: usize) {
        let from = self.owners[usize::from(slot)];
        let (number, id) = (slot.to_string(), self.ids[to].clone());
        let others = (0..self.nodes.len()).filter(|node| *node != to && *node != from);
        for node in [to, from].into_iter().chain(others).collect::<Vec<_>>() {
            self.ok(node, &["CLUSTER", "SETSLOT", &number, "NODE", &id]);
        }
        self.owners[usize::from(slot)] = to;
    }

    fn ok(&mut self, node: usize, args: &[&str]) {
        let reply = self.nodes[node].client.call(args);
        assert_eq!(reply, Reply::Simple("OK".into()), "{args:?}");
    }

    fn assign_slots(&mut self) {
        for node in 0..self.nodes.len() {
            let all: Vec<usize> = (0..self.owners.len()).collect();
            let slots = all.into_iter().filter(|slot| self.owners[*slot] == node);
            let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
            let command = ["CLUSTER", "ADDSLOTS"].map(str::to_owned);
            let reply = self.nodes[node].client.call(&[&command[..], &slots].concat());
            if reply == Reply::Simple("OK".into()) {
                continue;
            }
            // A node that has loaded keys serves their slots already.
            for slot in &slots {
                let reply = self.nodes[node].client.call(&["CLUSTER", "ADDSLOTS", slot]);
                let is_busy = matches!(&reply, Reply::Error(text) if text.contains("already busy"));
                assert!(is_busy || reply == Reply::Simple("OK".into()), "{reply:?}");
            }
        }
    }

    fn meet(&mut self) {
        for node in 0..self.nodes.len() {
            let epoch = (node + 1).to_string();
            // A node that has assigned slots to itself has an epoch.
            let _ = self.nodes[node].client.call(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        for node in 1..self.nodes.len() {
            // The bus is for TLS, too.
            let port = self.tls_ports.get(node).unwrap_or(&self.ports[node]).to_string();
            self.ok(0, &["CLUSTER", "MEET", "127.0.0.1", &port]);
        }
        let known = format!("cluster_known_nodes:{}\r\n", self.nodes.len());
        wait_until("a cluster that serves all slots", || {
            thread::sleep(Duration::from_millis(20));
            let served = (self.owners.len()).to_string();
            self.nodes.iter_mut().all(|node| {
                let info = node.client.call(&["CLUSTER", "INFO"]).text();
                info.contains("cluster_state:ok")
                    && info.contains(&known)
                    && info.contains(&format!("cluster_slots_ok:{served}\r\n"))
            })
        });
    }
}

/// The nodes have adjacent ranges of slots.
fn owner_at_start(slot: u16, nodes: usize) -> usize {
    usize::from(slot) * nodes / usize::from(SLOTS)
}

/// Starts a node on a port whose bus port, which is 10000 higher, is free, too.
fn start_node(binary: &Binary, data: &TempDir, more: &[(&str, &str)]) -> (Running, u16) {
    let mut problem = String::new();
    for _ in 0..20 {
        let port = free_port_with_bus();
        let text = port.to_string();
        let config = [
            ("port", text.as_str()),
            ("bind", "127.0.0.1"),
            ("appendonly", "yes"),
            ("cluster-enabled", "yes"),
            ("cluster-node-timeout", "5000"),
        ];
        match Running::start(binary, data.path(), &[&config[..], more].concat()) {
            Ok(node) => return (node, port),
            // Another process has taken the port meanwhile.
            Err(ended) => problem = ended.log,
        }
    }
    panic!("{}: {problem}", binary.line);
}

fn free_port_with_bus() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}
