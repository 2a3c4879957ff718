//! The errors with which a server refuses a key.

use redis::ServerError;

use crate::live::cluster::redirection;
use crate::live::endpoint::Address;

/// What follows from an error of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The key exists.
    Exists,
    /// Another node serves the slot.
    Moved(u16, Address),
    /// Another node is about to serve the slot, and has this key already or none of its name.
    Ask(Address),
    /// The same request may succeed later.
    Later(String),
    /// The server cannot load the payload.
    Unloadable(String),
    /// Every other key would be refused, too.
    Everything(String),
    /// The key is refused.
    Key(String),
}

impl Refusal {
    /// Classifies an error of the server at `asked`.
    pub(super) fn of(error: &ServerError, asked: &Address) -> Refusal {
        Refusal::classify(error.code(), error.details().unwrap_or_default(), asked)
    }

    pub(super) fn classify(code: &str, details: &str, asked: &Address) -> Refusal {
        // EXEC repeats the error of a command, if that is the reason.
        if code == "EXECABORT"
            && let Some((_, reason)) = details.split_once("because of: ")
            && let Some((code, details)) = reason.split_once(' ')
        {
            return Refusal::classify(code, details, asked);
        }
        let text = if details.is_empty() { code.to_owned() } else { format!("{code} {details}") };
        match code {
            "BUSYKEY" => Refusal::Exists,
            "MOVED" => match redirection(details, asked) {
                Some((slot, to)) => Refusal::Moved(slot, to),
                None => Refusal::Key(text),
            },
            "ASK" => match redirection(details, asked) {
                Some((_, to)) => Refusal::Ask(to),
                None => Refusal::Key(text),
            },
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "BUSY" | "MASTERDOWN" => Refusal::Later(text),
            "OOM" | "MISCONF" | "READONLY" | "NOREPLICAS" | "NOAUTH" | "WRONGPASS" => {
                Refusal::Everything(text)
            }
            // A user may lack a command, or access to some keys.
            "NOPERM" if details.contains("to run the") => Refusal::Everything(text),
            _ if details.contains("DUMP payload version or checksum are wrong")
                || details.contains("Bad data format") =>
            {
                Refusal::Unloadable(text)
            }
            _ if details.starts_with("unknown command") => Refusal::Everything(text),
            _ => Refusal::Key(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are those of Redis 6.2, 7.0 and 8.6 and Valkey 9.1.
    #[test]
    fn errors_are_classified() {
        let asked = Address::Tcp { host: "db".into(), port: 7000 };
        let of = |code: &str, details: &str| Refusal::classify(code, details, &asked);
        let node = Address::Tcp { host: "10.0.0.2".into(), port: 7001 };
        assert_eq!(of("BUSYKEY", "Target key name already exists."), Refusal::Exists);
        assert_eq!(of("MOVED", "3999 10.0.0.2:7001"), Refusal::Moved(3999, node.clone()));
        assert_eq!(of("ASK", "3999 10.0.0.2:7001"), Refusal::Ask(node));
        assert!(matches!(of("TRYAGAIN", "Multiple keys"), Refusal::Later(_)));
        assert!(matches!(of("ERR", "Bad data format"), Refusal::Unloadable(_)));
        assert!(matches!(
            of("ERR", "DUMP payload version or checksum are wrong"),
            Refusal::Unloadable(_)
        ));
        let oom = of("OOM", "command not allowed when used memory > 'maxmemory'.");
        assert!(matches!(oom, Refusal::Everything(_)));
        let text = "Transaction discarded because of: OOM command not allowed when used memory";
        assert_eq!(
            of("EXECABORT", text),
            Refusal::Everything("OOM command not allowed when used memory".to_owned())
        );
        for (details, is_all) in [
            ("this user has no permissions to run the 'restore' command", true),
            ("User alice has no permissions to run the 'restore' command", true),
            ("this user has no permissions to access one of the keys used as arguments", false),
            ("No permissions to access a key", false),
        ] {
            let refusal = of("NOPERM", details);
            assert_eq!(matches!(refusal, Refusal::Everything(_)), is_all, "{details}");
        }
        assert!(matches!(of("WRONGTYPE", "Operation against a key"), Refusal::Key(_)));
    }
}
