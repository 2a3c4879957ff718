//! How a running server is reached, stopped and started again: its address, and what supervises it, from `/proc`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::open_writers::{Holder, PROC};

/// A running server, as far as the system reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerProcess {
    /// The process id.
    pub pid: u32,
    /// The name of its program.
    pub program: String,
    /// Where it accepts connections; `None` if unknown.
    pub address: Option<Listening>,
    /// What starts it again when it stops; `None` if nothing is known to.
    pub supervisor: Option<Supervisor>,
    /// Whether it has a network of its own, so that its address is not reachable from here.
    pub own_network: bool,
}

/// Where a server accepts connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listening {
    /// A TCP port.
    Tcp {
        /// The address to connect to, unless it is the loopback address.
        host: Option<IpAddr>,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Socket(PathBuf),
}

/// What starts a server again when it stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supervisor {
    /// A service of systemd.
    Systemd {
        /// The name of the unit.
        unit: String,
        /// Whether it belongs to the service manager of a user.
        of_user: bool,
    },
    /// A container.
    Container {
        /// The program that stops and starts it.
        program: &'static str,
        /// The beginning of its id.
        id: String,
    },
    /// A pod of Kubernetes.
    Pod {
        /// The name of the pod.
        name: String,
        /// What creates the pod, as `kubectl scale` takes it, such as `statefulset/redis`.
        workload: String,
        /// Its namespace, if known.
        namespace: Option<String>,
    },
}

impl ServerProcess {
    /// Inspects a process.
    pub fn of(holder: &Holder) -> ServerProcess {
        ServerProcess::of_in(Path::new(PROC), holder)
    }

    fn of_in(proc: &Path, holder: &Holder) -> ServerProcess {
        let process = proc.join(holder.pid.to_string());
        let network = |process: &Path| fs::read_link(process.join("ns/net")).ok();
        let (its, own) = (network(&process), network(&proc.join("self")));
        ServerProcess {
            pid: holder.pid,
            program: holder.program.clone(),
            address: address(&process),
            supervisor: supervisor(&process, &proc.join("self")),
            own_network: its.is_some() && own.is_some() && its != own,
        }
    }
}

/// Returns the lowest TCP port on which a process listens, else its Unix socket. The bus of a cluster has a higher port.
fn address(process: &Path) -> Option<Listening> {
    let inodes = sockets(process);
    let has = |inode: &str| inodes.iter().any(|own| own == inode);
    let mut found: Vec<(u16, IpAddr)> = Vec::new();
    for table in ["net/tcp", "net/tcp6"] {
        let text = fs::read_to_string(process.join(table)).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| listener(line, &has)));
    }
    // Of several addresses with this port, one is enough; loopback is the best.
    let is_local = |ip: &IpAddr| ip.is_unspecified() || ip.is_loopback();
    found.sort_by_key(|(port, ip)| (*port, !is_local(ip), *ip));
    if let Some((port, ip)) = found.first() {
        return Some(Listening::Tcp { host: (!is_local(ip)).then_some(*ip), port: *port });
    }
    let text = fs::read_to_string(process.join("net/unix")).unwrap_or_default();
    text.lines().find_map(|line| unix_listener(line, &has)).map(Listening::Socket)
}

/// Returns the inodes of the sockets that a process has open.
fn sockets(process: &Path) -> Vec<String> {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let inode = |target: PathBuf| {
        Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    descriptors.filter_map(|it| inode(fs::read_link(it.path()).ok()?)).collect()
}

/// Reads a line of `/proc/net/tcp`: the second column is the local address in hexadecimal, the fourth is `0A` for a
/// listening socket, and the tenth is its inode (proc_net_tcp.rst of Linux).
fn listener(line: &str, has: &impl Fn(&str) -> bool) -> Option<(u16, IpAddr)> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    if *columns.get(3)? != "0A" || !has(columns.get(9)?) {
        return None;
    }
    let (ip, port) = columns.get(1)?.split_once(':')?;
    Some((u16::from_str_radix(port, 16).ok()?, ip_address(ip)?))
}

/// Parses an address of which each 32-bit word is printed in the byte order of the machine.
fn ip_address(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(four) = <[u8; 4]>::try_from(&bytes[..]) {
        return Some(Ipv4Addr::from(four).into());
    }
    let six = Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..]).ok()?);
    Some(six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4))
}

/// Reads a line of `/proc/net/unix`: the fourth column has the flag 0x10000 for a listening socket, the seventh is its
/// inode, and the eighth its path.
fn unix_listener(line: &str, has: &impl Fn(&str) -> bool) -> Option<PathBuf> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    let flags = u32::from_str_radix(columns.get(3)?, 16).ok()?;
    let is_listening = flags & 0x10000 != 0 && has(columns.get(6)?);
    let path = columns.get(7).filter(|path| path.starts_with('/'))?;
    is_listening.then(|| PathBuf::from(path))
}

/// Returns what supervises a process, by its control group. A group that this program is in as well is that of a login
/// or a terminal, and stopping it would end this program.
fn supervisor(process: &Path, own: &Path) -> Option<Supervisor> {
    let groups = |process: &Path| fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    let shared = groups(own);
    let shared: Vec<&str> = shared.lines().filter_map(group_of_line).collect();
    let groups = groups(process);
    let paths = groups.lines().filter_map(group_of_line).filter(|path| !shared.contains(path));
    let paths: Vec<&str> = paths.collect();
    // A container runs in a pod, and its group can be below that of a service.
    (paths.iter().find(|path| path.contains("kubepods")).and_then(|_| pod(process)))
        .or_else(|| paths.iter().find_map(|path| container(path)))
        .or_else(|| paths.iter().find_map(|path| service(path)))
}

/// Returns the path in a line of `/proc/PID/cgroup`: `hierarchy:controllers:path`.
fn group_of_line(line: &str) -> Option<&str> {
    line.splitn(3, ':').nth(2)
}

/// The digits of a container's id that are enough to name it.
const ID_DIGITS: usize = 12;

/// Reads `/docker/ID`, `docker-ID.scope` and `libpod-ID.scope`.
fn container(path: &str) -> Option<Supervisor> {
    let components: Vec<&str> = path.split('/').collect();
    components.iter().enumerate().find_map(|(index, component)| {
        let name = component.strip_suffix(".scope").unwrap_or(component);
        let above = index.checked_sub(1).map(|above| components[above]);
        let (program, id) = match (above, name.strip_prefix("docker-")) {
            (_, Some(id)) => ("docker", id),
            (Some("docker"), None) => ("docker", name),
            _ => ("podman", name.strip_prefix("libpod-")?),
        };
        let is_id = id.len() >= ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Supervisor::Container { program, id: id[..ID_DIGITS].to_owned() })
    })
}

/// Reads `/system.slice/NAME.service`, and the services of a user.
fn service(path: &str) -> Option<Supervisor> {
    let unit = path.rsplit('/').next().filter(|name| name.ends_with(".service"))?;
    if unit.starts_with("user@") {
        return None;
    }
    Some(Supervisor::Systemd { unit: unit.to_owned(), of_user: path.contains("/user@") })
}

/// Returns the pod of a process, which has its name as its host name.
fn pod(process: &Path) -> Option<Supervisor> {
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let name = (environment.split(|byte| *byte == 0))
        .find_map(|variable| variable.strip_prefix(b"HOSTNAME="))
        .and_then(|name| String::from_utf8(name.to_vec()).ok())
        .or_else(|| fs::read_to_string(process.join("root/etc/hostname")).ok())?;
    let name = name.trim().to_owned();
    let account = process.join("root/var/run/secrets/kubernetes.io/serviceaccount/namespace");
    let namespace = fs::read_to_string(account).ok().map(|text| text.trim().to_owned());
    Some(Supervisor::Pod { workload: workload(&name)?, name, namespace })
}

/// Returns what created a pod of this name: a stateful set appends `-NUMBER`, and a deployment `-HASH-RANDOM`.
fn workload(pod: &str) -> Option<String> {
    let (name, last) = pod.rsplit_once('-')?;
    if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("statefulset/{name}"));
    }
    let (name, _) = name.rsplit_once('-')?;
    Some(format!("deployment/{name}"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A process as `/proc` describes it, next to another one that is this program.
    fn described(group: &str, tcp: &str, sockets: &[&str]) -> (tempfile::TempDir, ServerProcess) {
        let proc = tempfile::tempdir().unwrap();
        for name in ["42/fd", "42/net", "42/ns", "self/ns"] {
            fs::create_dir_all(proc.path().join(name)).unwrap();
        }
        let process = proc.path().join("42");
        fs::write(process.join("cgroup"), group).unwrap();
        fs::write(proc.path().join("self/cgroup"), "0::/user.slice/user-0.slice/ssh.service\n")
            .unwrap();
        fs::write(process.join("net/tcp"), tcp).unwrap();
        fs::write(process.join("environ"), "A=1\0HOSTNAME=cache-redis-0\0").unwrap();
        for (number, socket) in sockets.iter().enumerate() {
            symlink(format!("socket:[{socket}]"), process.join(format!("fd/{number}"))).unwrap();
        }
        let holder = Holder { pid: 42, program: "redis-server".into() };
        let found = ServerProcess::of_in(proc.path(), &holder);
        (proc, found)
    }

    fn supervisor_of(group: &str) -> Option<Supervisor> {
        described(group, "", &[]).1.supervisor
    }

    #[test]
    fn supervisor_is_named_by_the_control_group() {
        let id = "5f0c1f".repeat(11);
        let service =
            |unit: &str, of_user| Some(Supervisor::Systemd { unit: unit.into(), of_user });
        let container = |program| Some(Supervisor::Container { program, id: id[..12].to_owned() });
        let redis = "0::/system.slice/redis-server.service\n";
        assert_eq!(supervisor_of(redis), service("redis-server.service", false));
        let instance = "0::/system.slice/system-redis.slice/redis@a.service\n";
        assert_eq!(supervisor_of(instance), service("redis@a.service", false));
        let user = "0::/user.slice/user-1.slice/user@1.service/app.slice/redis.service\n";
        assert_eq!(supervisor_of(user), service("redis.service", true));
        assert_eq!(supervisor_of(&format!("12:pids:/docker/{id}\n")), container("docker"));
        let scope = format!("0::/system.slice/docker-{id}.scope\n");
        assert_eq!(supervisor_of(&scope), container("docker"));
        let podman = format!("0::/machine.slice/libpod-{id}.scope\n");
        assert_eq!(supervisor_of(&podman), container("podman"));
        let pod = format!("0::/kubepods.slice/kubepods-pod1.slice/docker-{id}.scope\n");
        let expected = Supervisor::Pod {
            name: "cache-redis-0".into(),
            workload: "statefulset/cache-redis".into(),
            namespace: None,
        };
        assert_eq!(supervisor_of(&pod), Some(expected));
        // A terminal, the group of this program itself, and no group.
        for group in
            ["0::/user.slice/user-0.slice/ssh.service\n", "0::/a/session-1.scope\n", "0::/\n"]
        {
            assert_eq!(supervisor_of(group), None, "{group}");
        }
        assert_eq!(workload("web-7d4b9-x2x1z").as_deref(), Some("deployment/web"));
        assert_eq!(workload("web"), None);
    }

    #[test]
    fn port_is_that_of_a_listening_socket_of_the_process() {
        let line = |address: &str, state: &str, inode: &str| {
            format!("0: {address} 00000000:0000 {state} 0:0 00:0 0 0 0 {inode} 1\n")
        };
        // 16379 is the bus of a cluster, 6400 belongs to another process, and 6401 is a connection.
        let tcp = [
            line("00000000:3FFB", "0A", "7"),
            line("00000000:18EB", "0A", "5"),
            line("0100007F:1900", "0A", "6"),
            line("0100007F:1901", "01", "8"),
        ];
        let (_proc, found) = described("", &tcp.concat(), &["5", "7", "8"]);
        assert_eq!(found.address, Some(Listening::Tcp { host: None, port: 6379 }));
        let elsewhere = line("0500000A:18EB", "0A", "5");
        let (_proc, found) = described("", &elsewhere, &["5"]);
        let host = Some("10.0.0.5".parse().unwrap());
        assert_eq!(found.address, Some(Listening::Tcp { host, port: 6379 }));
    }
}
