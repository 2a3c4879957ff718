//! The names of archives and of their entries.

use jiff::Zoned;
use jiff::fmt::strtime;

use crate::base::error::{Error, ErrorKind, Result};

/// The default template for the names of archives.
pub const TEMPLATE: &str = "aof_%Y%m%d%H%M%S-{port}.zip";

/// Returns the name of an archive: `template` with `{port}` replaced by the port and the conversions of strftime by
/// `created`. `None` means [`TEMPLATE`].
///
/// # Errors
///
/// [`ErrorKind::Usage`], when the template has a conversion that strftime does not have, or the result is not a file
/// name.
pub fn archive_name(template: Option<&str>, created: &Zoned, port: u16) -> Result<String> {
    let template = template.unwrap_or(TEMPLATE);
    let wrong = |what: String| {
        Error::new(ErrorKind::Usage, what).help(format!(
            "--name-template takes strftime's conversions and {{port}}; without it, it is `{TEMPLATE}`"
        ))
    };
    let with_time = strtime::format(template, created)
        .map_err(|error| wrong(format!("`{template}` names no archive: {error}")))?;
    let name = with_time.replace("{port}", &port.to_string());
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0', '\n']) {
        return Err(wrong(format!(
            "`{template}` gives `{}`, which names no archive",
            name.escape_debug()
        )));
    }
    Ok(name)
}

/// Returns whether a file name has the extension of archives or encrypted archives.
pub(crate) fn is_archive_name(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(b".zip") || name.ends_with(b".zip.age")
}

/// Returns the name for an attempt: `NAME.zip`, `NAME-2.zip` and so on.
pub(crate) fn numbered_name(name: &str, number: u32) -> String {
    let end = [".zip.age", ".zip"].into_iter().find(|end| name.ends_with(end)).unwrap_or_default();
    match number {
        1 => name.to_owned(),
        _ => format!("{}-{number}{end}", &name[..name.len() - end.len()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(template: Option<&str>) -> Result<String> {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        let created = jiff::Timestamp::from_second(1_700_000_000).unwrap().to_zoned(zone);
        archive_name(template, &created, 6380)
    }

    #[test]
    fn a_name_has_the_local_time_and_the_port() {
        assert_eq!(named(None).unwrap(), "aof_20231115001320-6380.zip");
        assert_eq!(named(Some("{port}/%F")).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(named(Some("daily-%F-{port}.zip")).unwrap(), "daily-2023-11-15-6380.zip");
        for template in ["", "%", ".%F", "a\nb"] {
            let error = named(Some(template)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{template}: {error}");
        }
    }

    #[test]
    fn a_number_is_before_the_extension() {
        let numbered = |name| numbered_name(name, 2);
        assert_eq!(numbered_name("a.zip", 1), "a.zip");
        assert_eq!(
            [numbered("a.zip"), numbered("a.b.zip.age"), numbered("a")],
            ["a-2.zip", "a.b-2.zip.age", "a-2"]
        );
    }
}
