//! A server as it runs on a machine: with a configuration file, a port, and perhaps a supervisor that restarts it.
//!
//! `systemctl`, `docker` and `kubectl` are stand-ins that drive a supervisor of a few lines of shell, which starts the
//! server again whenever it ends. The control group of the server is mounted over that in `/proc`. Everything else -
//! the server, its client, aofkit, and the shell - is real.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::printed::{Step, steps};
use crate::support::{Binary, Client, Run, free_port, temp_dir, wait_until};

/// What starts the server again when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Supervision {
    None,
    Systemd,
    Docker,
    Kubernetes,
    /// Nothing, and it has a network of its own.
    OwnNetwork,
}

/// The id of the container, 64 digits.
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

impl Supervision {
    /// Returns whether a server that ends is started again.
    fn restarts(self) -> bool {
        !matches!(self, Supervision::None | Supervision::OwnNetwork)
    }

    /// The control group of the server.
    fn group(self) -> String {
        match self {
            Supervision::None | Supervision::OwnNetwork => {
                "0::/user.slice/user-0.slice/session-1.scope".to_owned()
            }
            Supervision::Systemd => "0::/system.slice/redis-test.service".to_owned(),
            Supervision::Docker => format!("0::/system.slice/docker-{ID}.scope"),
            Supervision::Kubernetes => {
                format!("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope")
            }
        }
    }
}

/// Runs what follows in a new network, which has only the loopback interface.
const OWN_NETWORK: &str = r#"unshare --net sh -c 'ip link set lo up && exec "$@"' sh"#;

/// Returns whether a server can have a network of its own, for which the tests must run as root.
pub(super) fn can_have_a_network() -> bool {
    let tried =
        Command::new("sh").args(["-c", &format!("{OWN_NETWORK} nsenter --version")]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// Returns whether a control group can be mounted over another, for which the tests must run as root.
pub(super) fn can_be_supervised() -> bool {
    let mount = "mount --bind /proc/self/cgroup /proc/$$/cgroup";
    let tried = Command::new("unshare").args(["--mount", "sh", "-c", mount]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

pub(super) struct Site {
    root: TempDir,
    supervision: Supervision,
    supervisor: Option<Child>,
}

/// Commands that the stand-ins share. A server is down as long as the file `down` exists.
const COMMON: &str = r#"
root=ROOT
running() { [ -s "$root/pid" ] && kill -0 "$(cat "$root/pid")" 2>/dev/null; }
stop() {
  touch "$root/down"
  running && kill -TERM "$(cat "$root/pid")"
  for i in $(seq 600); do running || return 0; sleep 0.05; done
  echo 'the server goes on' >&2; exit 1
}
await() {
  for i in $(seq 600); do
    [ "$(redis-cli -s "$root/socket" PING 2>/dev/null)" = PONG ] && return 0
    sleep 0.05
  done
  echo 'no server' >&2; exit 1
}
start() {
  rm -f "$root/down"
  if [ SUPERVISED = no ]; then
    for i in $(seq 600); do running || break; sleep 0.05; done
    HOSTNAME=aofkit-redis-0 setsid NETWORK BINARY "$root/redis.conf" >>"$root/log" 2>&1 </dev/null &
    echo $! >"$root/pid"
  fi
  await
}
"#;

/// Starts the server whenever it is not running, as `Restart=always` does.
const SUPERVISOR: &str = r#"
while true; do
  if [ ! -e "$root/down" ]; then
    HOSTNAME=aofkit-redis-0 BINARY "$root/redis.conf" >>"$root/log" 2>&1 </dev/null &
    echo $! >"$root/pid"
    wait $!
  fi
  sleep 0.05
done
"#;

const SYSTEMCTL: &str = r#"
[ "$2" = redis-test.service ] || { echo "Unit $2 not found." >&2; exit 5; }
case $1 in stop) stop;; start) start;; *) exit 1;; esac
"#;

const DOCKER: &str = r#"
[ "$2" = 0123456789ab ] || { echo "No such container: $2" >&2; exit 1; }
case $1 in stop) stop;; start) start;; *) exit 1;; esac
"#;

const KUBECTL: &str = r#"
case "$*" in
  'scale statefulset/aofkit-redis --replicas=0') stop;;
  'wait --for=delete pod/aofkit-redis-0') running && exit 1;;
  'scale statefulset/aofkit-redis --replicas=1') start;;
  'rollout status statefulset/aofkit-redis') await;;
  *) echo "kubectl does not know: $*" >&2; exit 1;;
esac
exit 0
"#;

/// Runs aofkit, with the control group of the server mounted over that in `/proc`.
const AOFKIT: &str = r#"
if [ SUPERVISED = yes ] && running; then
  mount='mount --bind "$0" "$1" && shift && exec "$@"'
  exec unshare --mount -- sh -c "$mount" "$root/group" "/proc/$(cat "$root/pid")/cgroup" PROGRAM "$@"
fi
exec PROGRAM "$@"
"#;

impl Site {
    /// Starts a server with these settings.
    pub(super) fn start(binary: &Binary, supervision: Supervision, settings: &str) -> Site {
        let mut site = Site { root: temp_dir(), supervision, supervisor: None };
        let port = free_port();
        fs::create_dir(site.path("data")).expect("a directory");
        fs::create_dir(site.path("bin")).expect("a directory");
        let debug = if binary.line.has_redis(7, 0) { "enable-debug-command yes\n" } else { "" };
        let root = site.root.path().to_str().expect("text").to_owned();
        // With `everysec`, a server may write its log two seconds late.
        let config = format!(
            "port {port}\nbind 127.0.0.1\nunixsocket {root}/socket\ndir {root}/data\nsave \"\"\nappendfsync no\n{debug}{settings}\n"
        );
        fs::write(site.path("redis.conf"), config).expect("a configuration");
        fs::write(site.path("group"), supervision.group() + "\n").expect("a control group");
        let program = option_env!("CARGO_BIN_EXE_aofkit").unwrap_or_default();
        let program = std::env::var("AOFKIT_PROGRAM").unwrap_or_else(|_| program.to_owned());
        let is_supervised = if supervision.restarts() { "yes" } else { "no" };
        let network = if supervision == Supervision::OwnNetwork { OWN_NETWORK } else { "" };
        let script = |name: &str, text: &str| {
            let text = format!("#!/bin/bash\n{COMMON}{text}")
                .replace("ROOT", &root)
                .replace("PORT", &port.to_string())
                .replace("SUPERVISED", is_supervised)
                .replace("NETWORK", network)
                .replace("BINARY", binary.path.to_str().expect("text"))
                .replace("PROGRAM", &program);
            let path = site.path("bin").join(name);
            fs::write(&path, text).expect("a script");
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
        };
        for (name, text) in [
            ("start-as-before", "start"),
            ("supervise", SUPERVISOR),
            ("systemctl", SYSTEMCTL),
            ("docker", DOCKER),
            ("kubectl", KUBECTL),
            ("aofkit", AOFKIT),
        ] {
            script(name, text);
        }
        let client = which("redis-cli");
        symlink(&client, site.path("bin/valkey-cli")).expect("a link");
        if supervision.restarts() {
            let mut supervisor = Command::new(site.path("bin/supervise"));
            supervisor.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            site.supervisor = Some(supervisor.spawn().expect("the supervisor starts"));
        }
        site.must("start-as-before");
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn search_path(&self) -> String {
        let path = std::env::var("PATH").expect("a search path");
        format!("{}:{path}", self.path("bin").display())
    }

    /// Runs a script in the directory above that of the data.
    pub(super) fn shell(&self, script: &str) -> Run {
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", script]).current_dir(self.root.path());
        bash.env("PATH", self.search_path()).env("TZ", "UTC").stdin(Stdio::null());
        Run::of(&mut bash)
    }

    /// Runs a script that must succeed.
    #[track_caller]
    pub(super) fn must(&self, script: &str) -> Run {
        let run = self.shell(script);
        assert_eq!(run.code, Some(0), "{script}\n{run:#?}\n{}", self.describe());
        run
    }

    fn describe(&self) -> String {
        let files = self.shell("ls -laR data").stdout;
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let log: Vec<&str> = log.lines().rev().take(30).collect();
        format!("{files}\n{}", log.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// Lets a client without a port reach the server, as if it listened on the default port: of a server that is not
    /// running, aofkit does not know the port.
    pub(super) fn listen_on_default_port(&self) {
        let config = fs::read_to_string(self.path("redis.conf")).expect("a configuration");
        let port = config.lines().find_map(|line| line.strip_prefix("port ")).expect("a port");
        let real = which("redis-cli");
        let text = format!(
            "#!/bin/sh\ncase \" $* \" in *' -p '*|*' -s '*) exec {0} \"$@\";; esac\nexec {0} -p {port} \"$@\"\n",
            real.display()
        );
        for name in ["redis-cli", "valkey-cli"] {
            let path = self.path("bin").join(name);
            let _ = fs::remove_file(&path);
            fs::write(&path, &text).expect("a script");
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
    }

    /// Stops the server, whatever supervises it.
    pub(super) fn stop(&self) {
        self.must(match self.supervision {
            // A server that is writing its first log refuses to exit, and does not try again.
            Supervision::None | Supervision::OwnNetwork => {
                "for i in $(seq 300); do kill $(cat pid) 2>/dev/null || exit 0; sleep 0.1; done; exit 1"
            }
            _ => "systemctl stop redis-test.service",
        });
    }

    /// Starts the server again.
    pub(super) fn start_again(&self) {
        self.must("start-as-before");
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(&self.path("socket")).expect("a connection")
    }

    /// Returns the command among the choices of a preview that has these options.
    #[track_caller]
    pub(super) fn choice(&self, preview: &str, options: &[&str]) -> String {
        let commands = preview.lines().filter_map(|line| line.strip_prefix("       "));
        let mut found = commands.filter(|line| {
            line.starts_with("aofkit recover") && options.iter().all(|it| line.contains(it))
        });
        found.next().unwrap_or_else(|| panic!("{options:?}: {preview}")).to_owned()
    }

    /// Types the steps that a report prints.
    #[track_caller]
    pub(super) fn type_steps(&self, report: &str) {
        let steps = steps(report);
        assert!(!steps.is_empty(), "{report}");
        let script: Vec<String> = steps.iter().map(script_of).collect();
        let script = script.join("\n");
        let run = self.shell(&script);
        assert_eq!(run.code, Some(0), "{report}\n{script}\n{run:#?}\n{}", self.describe());
    }

    /// Returns the number of keys in all databases, and the DEBUG DIGEST.
    pub(super) fn served(&self) -> (u64, String) {
        let mut client = self.client();
        let info = client.call(&["INFO", "keyspace"]).text();
        let keys = info.lines().filter_map(|line| line.split_once("keys=")?.1.split_once(','));
        let keys = keys.map(|(keys, _)| keys.parse::<u64>().expect("a number")).sum();
        (keys, client.call(&["DEBUG", "DIGEST"]).text())
    }

    pub(super) fn rewrite(&self) {
        let mut client = self.client();
        client.call(&["BGREWRITEAOF"]);
        wait_until("the end of the rewrite", || {
            let info = client.call(&["INFO", "persistence"]).text();
            info.contains("aof_rewrite_in_progress:0\r\n") && info.contains("scheduled:0\r\n")
        });
    }
}

/// Returns a step as lines of a script. A setting is put into the configuration, and a start without a command is what
/// the person did to start the server.
fn script_of(step: &Step) -> String {
    let mut lines = Vec::new();
    let starts = |line: &String| {
        ["systemctl start", "docker start", "kubectl scale"].iter().any(|it| line.starts_with(it))
    };
    if step.why.starts_with("Start the server") && !step.lines.iter().any(starts) {
        lines.push("start-as-before".to_owned());
    }
    for line in &step.lines {
        if step.why.starts_with("The server's configuration must have") {
            lines.push(format!("cat >>redis.conf <<'EOT'\n{line}\nEOT"));
        } else if let Some(output) = line.strip_prefix("  ") {
            let start = output.trim_end_matches("...");
            lines.push(format!("grep -q '^{start}' output || {{ cat output; exit 9; }}"));
        } else {
            lines.push(format!("{line} >output"));
        }
    }
    lines.join("\n")
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("a search path");
    let mut found = std::env::split_paths(&path).map(|it| it.join(program));
    found.find(|path| path.is_file()).unwrap_or_else(|| Path::new(program).to_owned())
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(supervisor) = &mut self.supervisor {
            let _ = supervisor.kill();
            let _ = supervisor.wait();
        }
        let _ = self.shell("kill -KILL $(cat pid); while kill -0 $(cat pid); do sleep 0.02; done");
    }
}
