//! Who asks, and where: the environment and the files that every program for AWS reads.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::keys::Credentials;
use super::role::{Role, keys_of};
use crate::base::error::{Error, ErrorKind, Result};

/// Where the keys come from.
#[derive(Clone)]
pub(super) enum Keys {
    /// The environment or a file has them.
    Known(Credentials),
    /// They are lent.
    Lent(Role),
}

/// What the environment and the files say.
pub(super) struct Environment {
    pub(super) keys: Keys,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) ca_bundle: Option<PathBuf>,
}

/// The maximum size of a file of settings in bytes.
const FILE_BYTES: u64 = 1 << 20;

impl Environment {
    /// Reads the environment of the process, and the files of the profile.
    ///
    /// # Errors
    ///
    /// When there are no credentials, or a file that is named cannot be read.
    pub(super) fn read() -> Result<Environment> {
        Environment::with(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn with(var: &dyn Fn(&str) -> Option<String>) -> Result<Environment> {
        let home = var("HOME").map(PathBuf::from);
        let file = |name: &str, usual: &str| {
            var(name).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(usual)))
        };
        let named = var("AWS_PROFILE").or_else(|| var("AWS_DEFAULT_PROFILE"));
        let profile = named.clone().unwrap_or_else(|| "default".to_owned());
        let secrets = section(file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), &profile)?;
        let heading =
            if profile == "default" { profile.clone() } else { format!("profile {profile}") };
        let config = section(file("AWS_CONFIG_FILE", ".aws/config"), &heading)?;
        let in_files = |name: &str| secrets.get(name).or_else(|| config.get(name));
        let pair = |access: Option<String>, secret: Option<String>, session_token| {
            Some(Credentials { access_key: access?, secret_key: secret?, session_token })
        };
        let of_variables =
            pair(var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY"), var("AWS_SESSION_TOKEN"));
        let of_files = || {
            pair(
                in_files("aws_access_key_id"),
                in_files("aws_secret_access_key"),
                in_files("aws_session_token"),
            )
        };
        // A profile that is named is meant, as other programs have it.
        let found = if named.is_some() {
            of_files().or(of_variables)
        } else {
            of_variables.or_else(of_files)
        };
        let region =
            var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION")).or_else(|| in_files("region"));
        let ca_bundle = var("AWS_CA_BUNDLE").or_else(|| in_files("ca_bundle")).map(PathBuf::from);
        let none = || {
            Error::new(ErrorKind::Usage, format!("no credentials for object storage: neither in the environment nor in the profile `{profile}`, and this machine lends none"))
                .help("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/credentials by AWS_PROFILE")
        };
        // A profile that is named and has no keys is not replaced by a role of the machine.
        let role = || Role::find(var, region.as_deref()).filter(|_| named.is_none());
        let keys = match found {
            Some(credentials) => Keys::Known(credentials),
            None => Keys::Lent(role().ok_or_else(none)?),
        };
        if let Keys::Lent(role) = &keys {
            keys_of(role, ca_bundle.as_deref())
                .map_err(|error| if role.is_named() { error } else { none() })?;
        }
        let endpoint = var("AWS_ENDPOINT_URL_S3")
            .or_else(|| var("AWS_ENDPOINT_URL"))
            .or_else(|| in_files("endpoint_url"));
        Ok(Environment { keys, region, endpoint, ca_bundle })
    }
}

/// The settings of one section of a file.
struct Section(Vec<(String, String)>);

impl Section {
    fn get(&self, name: &str) -> Option<String> {
        self.0
            .iter()
            .find(|(own, value)| own == name && !value.is_empty())
            .map(|(_, value)| value.clone())
    }
}

/// Reads a section of a file; it has no settings if the file or the section does not exist.
fn section(path: Option<PathBuf>, name: &str) -> Result<Section> {
    let Some(path) = path else { return Ok(Section(Vec::new())) };
    match read(&path) {
        Ok(text) => Ok(parse(&text, name)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Section(Vec::new())),
        Err(error) => Err(Error::io("read", &path, error)),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(text: &str, name: &str) -> Section {
    let mut is_wanted = false;
    let mut settings = Vec::new();
    for line in text.lines() {
        // An indented line belongs to a setting with parts of its own, none of which is needed.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        let line = line.trim();
        if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_wanted = heading.split_whitespace().eq(name.split_whitespace());
        } else if let Some((name, value)) = line.split_once('=').filter(|_| is_wanted) {
            settings.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    Section(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_and_profiles_are_read() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(".aws")).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write(
            ".aws/credentials",
            "[default]\naws_access_key_id = A\naws_secret_access_key=B\n[other]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n",
        );
        write(
            ".aws/config",
            "# c\n[default]\nregion = eu-west-1\n[profile other]\nregion=eu-north-1\ns3 =\n  region = wrong\nendpoint_url = http://minio:9000\n",
        );
        let home = directory.path().to_str().unwrap().to_owned();
        let with = |vars: &[(&str, &str)]| {
            Environment::with(&|name| {
                let found =
                    vars.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
                found.or_else(|| (name == "HOME").then(|| home.clone()))
            })
        };
        let known = |found: &Environment| match &found.keys {
            Keys::Known(credentials) => credentials.clone(),
            Keys::Lent(role) => panic!("{role:?}"),
        };
        let found = with(&[]).unwrap();
        assert_eq!(
            (known(&found).access_key.as_str(), found.region.as_deref()),
            ("A", Some("eu-west-1"))
        );
        let found = with(&[
            ("AWS_PROFILE", "other"),
            ("AWS_ACCESS_KEY_ID", "X"),
            ("AWS_SECRET_ACCESS_KEY", "Y"),
        ])
        .unwrap();
        assert_eq!(known(&found).access_key, "C");
        assert_eq!(known(&found).session_token.as_deref(), Some("E"));
        assert_eq!(
            (found.region.as_deref(), found.endpoint.as_deref()),
            (Some("eu-north-1"), Some("http://minio:9000"))
        );
        let found = with(&[
            ("AWS_ACCESS_KEY_ID", "X"),
            ("AWS_SECRET_ACCESS_KEY", "Y"),
            ("AWS_REGION", "r"),
        ])
        .unwrap();
        assert_eq!((known(&found).secret_key.as_str(), found.region.as_deref()), ("Y", Some("r")));
        assert_eq!(with(&[("AWS_PROFILE", "none")]).err().unwrap().kind(), ErrorKind::Usage);
    }
}
