//! Keys that a role lends for a time: by a token of Kubernetes (web identity), by the container's agent, or by the machine's
//! metadata service.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::http::{Agent, Request, Response};
use super::keys::Credentials;
use super::sign::encode;
use super::xml::Xml;
use crate::base::error::{Error, ErrorKind, Result};

/// How long such a service may make no progress: it is near.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same of a machine that may have no metadata service at all.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);
/// The maximum length of an answer.
const ANSWER_BYTES: u64 = 64 << 10;
/// The number of attempts.
const ATTEMPTS: u32 = 3;
/// The address of the agent of containers.
const CONTAINER_HOST: &str = "http://169.254.170.2";
/// Where keys may be asked for without TLS: they never leave the machine.
const LOCAL_HOSTS: [&str; 5] =
    ["127.0.0.1", "localhost", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
/// The address of the metadata service of machines.
const MACHINE_HOST: &str = "http://169.254.169.254";

/// Who lends keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// The security token service, for a token in a file.
    WebIdentity { token: PathBuf, role: String, session: String, endpoint: String },
    /// The agent of a container, which may want a token.
    Container { url: String, token: Option<String>, token_file: Option<PathBuf> },
    /// The metadata service of a machine.
    Machine { endpoint: String },
}

/// Keys, and the time until which they are valid.
pub(super) struct Lent {
    pub(super) credentials: Credentials,
    pub(super) until: Option<Timestamp>,
}

/// The answer of an agent or a metadata service.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

impl Role {
    /// Returns who lends keys by these variables; the metadata service if none of them says it, and `None` if that is
    /// switched off.
    pub(super) fn find(var: &dyn Fn(&str) -> Option<String>, region: Option<&str>) -> Option<Role> {
        if let (Some(token), Some(role)) = (var("AWS_WEB_IDENTITY_TOKEN_FILE"), var("AWS_ROLE_ARN"))
        {
            let region = region.unwrap_or("us-east-1");
            return Some(Role::WebIdentity {
                token: PathBuf::from(token),
                role,
                session: var("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "aofkit".to_owned()),
                endpoint: var("AWS_ENDPOINT_URL_STS")
                    .unwrap_or_else(|| format!("https://sts.{region}.amazonaws.com")),
            });
        }
        let relative = var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            .map(|path| format!("{CONTAINER_HOST}{path}"));
        if let Some(url) = relative.or_else(|| var("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
            return Some(Role::Container {
                url,
                token: var("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
                token_file: var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from),
            });
        }
        let is_off = var("AWS_EC2_METADATA_DISABLED")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let endpoint = var("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let endpoint = endpoint.unwrap_or_else(|| MACHINE_HOST.to_owned());
        (!is_off).then(|| Role::Machine { endpoint: endpoint.trim_end_matches('/').to_owned() })
    }

    /// Returns whether the environment names it, so that it has to answer.
    pub(super) fn is_named(&self) -> bool {
        !matches!(self, Role::Machine { endpoint } if endpoint == MACHINE_HOST)
    }

    /// Asks for keys.
    ///
    /// # Errors
    ///
    /// When there is no answer, or it has no keys.
    pub(super) fn ask(&self, ca_bundle: Option<&Path>) -> Result<Lent> {
        match self {
            Role::WebIdentity { token, role, session, endpoint } => {
                let token = read(token)?;
                let parts = [
                    ("Action", "AssumeRoleWithWebIdentity"),
                    ("Version", "2011-06-15"),
                    ("RoleArn", role),
                    ("RoleSessionName", session),
                    ("WebIdentityToken", &token),
                ];
                let parts = parts.map(|(name, value)| format!("{name}={}", encode(value, false)));
                let body = parts.join("&");
                let kind = "application/x-www-form-urlencoded".to_owned();
                let url = format!("{}/", endpoint.trim_end_matches('/'));
                let asked = Asked { url: &url, ca_bundle, patience: PATIENCE };
                let response = asked.send("POST", &[("content-type", kind)], body.as_bytes())?;
                let text = String::from_utf8_lossy(&response.body);
                let xml = Xml::parse(&text);
                let (key, secret) = (xml.text("AccessKeyId"), xml.text("SecretAccessKey"));
                let (Some(access_key), Some(secret_key)) = (key, secret) else {
                    return Err(asked.refused(&response, xml.text("Message")));
                };
                let session_token = xml.text("SessionToken");
                let until = xml.text("Expiration").and_then(|time| time.parse().ok());
                let credentials = Credentials { access_key, secret_key, session_token };
                Ok(Lent { credentials, until })
            }
            Role::Container { url, token, token_file } => {
                refuse_distant(url)?;
                let token = token_file.as_deref().map(read).transpose()?.or_else(|| token.clone());
                let headers: Vec<_> =
                    token.into_iter().map(|token| ("authorization", token)).collect();
                let asked = Asked { url, ca_bundle, patience: PATIENCE };
                asked.keys(&asked.send("GET", &headers, b"")?)
            }
            Role::Machine { endpoint } => {
                let asked = |url| Asked { url, ca_bundle, patience: SHORT_PATIENCE };
                let url = format!("{endpoint}/latest/api/token");
                let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "21600".to_owned())];
                let token = asked(&url).text(&asked(&url).send("PUT", &ttl, b"")?)?;
                let token = [("x-aws-ec2-metadata-token", token)];
                let url = format!("{endpoint}/latest/meta-data/iam/security-credentials/");
                let roles = asked(&url).text(&asked(&url).send("GET", &token, b"")?)?;
                let role = roles.lines().next().unwrap_or_default();
                let url = format!("{url}{}", encode(role, false));
                let asked = asked(&url);
                asked.keys(&asked.send("GET", &token, b"")?)
            }
        }
    }
}

/// A service that is asked.
struct Asked<'a> {
    url: &'a str,
    ca_bundle: Option<&'a Path>,
    patience: Duration,
}

impl Asked<'_> {
    fn send(
        &self,
        method: &'static str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Response> {
        let agent = Agent::new(self.url.starts_with("https:"), self.ca_bundle, self.patience)?;
        let request = Request { method, url: self.url, headers, body, limit: ANSWER_BYTES };
        let mut attempt = 1;
        loop {
            let problem = match agent.send(&request) {
                Ok(response) if response.status < 500 => return Ok(response),
                Ok(response) => self.refused(&response, None),
                Err(none) => self.failed(&format!("it does not answer: {}", none.message)),
            };
            if attempt == ATTEMPTS {
                return Err(problem);
            }
            std::thread::sleep(Duration::from_millis(100 << attempt));
            attempt += 1;
        }
    }

    fn text(&self, response: &Response) -> Result<String> {
        if response.status != 200 {
            return Err(self.refused(response, None));
        }
        Ok(String::from_utf8_lossy(&response.body).trim().to_owned())
    }

    fn keys(&self, response: &Response) -> Result<Lent> {
        let answer: Option<Answer> = match response.status {
            200 => serde_json::from_slice(&response.body).ok(),
            _ => None,
        };
        let answer = answer.ok_or_else(|| self.refused(response, None))?;
        let credentials = Credentials {
            access_key: answer.access_key_id,
            secret_key: answer.secret_access_key,
            session_token: answer.token,
        };
        Ok(Lent { credentials, until: answer.expiration })
    }

    /// Returns the error of an answer without keys. Of its body, only what the service means for people is repeated.
    fn refused(&self, response: &Response, said: Option<String>) -> Error {
        let said: String =
            said.unwrap_or_default().chars().filter(|char| !char.is_control()).take(200).collect();
        let said = if said.is_empty() { said } else { format!(": {said}") };
        self.failed(&format!("its answer ({}) has no keys{said}", response.status))
    }

    fn failed(&self, what: &str) -> Error {
        let message = format!("no credentials for object storage from {}: {what}", self.url);
        Error::new(ErrorKind::Permission, message)
            .help("check the role of the machine, container or service account; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    }
}

fn read(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    Ok(text.trim().to_owned())
}

/// Refuses to ask a distant host for keys without TLS.
fn refuse_distant(url: &str) -> Result<()> {
    let host = url.strip_prefix("http://").map(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // The port follows the host, which has colons itself only in brackets.
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        }
    });
    let is_safe = host.map_or(url.starts_with("https://"), |host| LOCAL_HOSTS.contains(&host));
    if is_safe {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI names a host on which keys are not asked for without TLS",
    )
    .help("give an https:// URL, or that of this machine"))
}

/// The keys that were lent to this process. All archives are read with the same ones.
static LENT: Mutex<Vec<(Role, Lent)>> = Mutex::new(Vec::new());

/// The time before their end from which on other keys are asked for.
const BEFORE_THEIR_END: Duration = Duration::from_secs(300);

/// Returns keys of a role that are valid now, of those that were lent already if possible.
///
/// # Errors
///
/// As [`Role::ask`].
pub(super) fn keys_of(role: &Role, ca_bundle: Option<&Path>) -> Result<Credentials> {
    let mut lent = LENT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lent.iter().position(|(other, _)| other == role);
    let last_for = |lent: &Lent, time: Duration| {
        lent.until.is_none_or(|until| Timestamp::now() + time < until)
    };
    if let Some((_, known)) = known.and_then(|at| lent.get(at))
        && last_for(known, BEFORE_THEIR_END)
    {
        return Ok(known.credentials.clone());
    }
    match role.ask(ca_bundle) {
        Ok(new) => {
            let credentials = new.credentials.clone();
            lent.retain(|(other, _)| other != role);
            lent.push((role.clone(), new));
            Ok(credentials)
        }
        Err(error) => match known.and_then(|at| lent.get(at)) {
            Some((_, old)) if last_for(old, Duration::ZERO) => Ok(old.credentials.clone()),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_asked_for_without_tls_on_this_machine_alone() {
        for url in [
            "http://127.0.0.1:9000/x",
            "http://localhost/x",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1",
            "http://[fd00:ec2::23]:80/v1",
            "https://example.org/x",
        ] {
            assert!(refuse_distant(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.org/x",
            "http://127.0.0.1.example.org/",
            "http://user@127.0.0.1:80@example.org/",
            "ftp://127.0.0.1/",
            "http://169.254.170.2@example.org/",
        ] {
            assert!(refuse_distant(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_environment_says_who_lends_keys() {
        let find = |vars: &[(&str, &str)]| {
            let var = |name: &str| {
                vars.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
            };
            Role::find(&var, Some("eu-west-1"))
        };
        let machine = find(&[]).unwrap();
        assert!(matches!(machine, Role::Machine { .. }) && !machine.is_named());
        assert_eq!(find(&[("AWS_EC2_METADATA_DISABLED", "true")]), None);
        let Some(Role::WebIdentity { endpoint, .. }) =
            find(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:x")])
        else {
            panic!("a token is there");
        };
        assert_eq!(endpoint, "https://sts.eu-west-1.amazonaws.com");
        let Some(Role::Container { url, .. }) =
            find(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")])
        else {
            panic!("an agent is there");
        };
        assert_eq!(url, "http://169.254.170.2/v2/x");
    }
}
