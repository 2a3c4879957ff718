//! What the answers of a store mean: which are tried again, and the errors that they are reported as.

use super::http::Response;
use super::url::StoreUrl;
use super::xml::Xml;
use crate::base::error::{Error, ErrorKind};

/// Returns the code in the body of an answer, such as `NoSuchBucket`; empty if there is none.
pub(super) fn code(response: &Response) -> String {
    let body = String::from_utf8_lossy(&response.body);
    let xml = Xml::parse(&body);
    if xml.is("Error") { xml.text("Code").unwrap_or_default() } else { String::new() }
}

/// Returns whether another attempt may succeed.
pub(super) fn may_pass(status: u16, code: &str) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
        || matches!(
            code,
            "InternalError"
                | "SlowDown"
                | "ServiceUnavailable"
                | "RequestTimeout"
                | "ConditionalRequestConflict"
                | "OperationAborted"
        )
}

/// Returns the error that an answer is reported as. `permission` is what the request needs.
pub(super) fn error(url: &StoreUrl, permission: &str, response: &Response) -> Error {
    let body = String::from_utf8_lossy(&response.body);
    let (code, status) = (code(response), response.status);
    let xml = Xml::parse(&body);
    let said = xml.text("Message").unwrap_or_default();
    let of = |kind, what: String, help: &str| Error::new(kind, what).at(url.path()).help(help);
    let region =
        response.header("x-amz-bucket-region").map(str::to_owned).or_else(|| xml.text("Region"));
    match (code.as_str(), status) {
        ("RequestTimeTooSkewed", _) => of(
            ErrorKind::Refused,
            "the store refuses the request: the clock of this machine differs from its own by too much".to_owned(),
            "set the clock, best by NTP",
        ),
        ("InvalidAccessKeyId" | "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => of(
            ErrorKind::Permission,
            format!("the store does not accept the credentials: {}", one_line(&code, &said)),
            "check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN, or the profile that AWS_PROFILE names",
        ),
        ("SignatureDoesNotMatch", _) => of(
            ErrorKind::Permission,
            "the store does not accept the signature".to_owned(),
            "check AWS_SECRET_ACCESS_KEY; a proxy that changes requests has the same effect",
        ),
        ("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException", _) | (_, 301 | 307) => {
            let (what, help) = match region {
                Some(region) => (
                    format!("the bucket is in the region {region}"),
                    format!("set AWS_REGION={region}"),
                ),
                None => (
                    "the bucket is in another region".to_owned(),
                    "set AWS_REGION to the region of the bucket, and --endpoint if it is not at AWS".to_owned(),
                ),
            };
            of(ErrorKind::Refused, what, &help)
        }
        ("NoSuchBucket", _) => of(
            ErrorKind::NotFound,
            format!("the bucket {} does not exist", url.bucket),
            "create it, or check its name and --endpoint: a bucket is not made by itself",
        ),
        ("InvalidObjectState", _) => of(
            ErrorKind::Refused,
            "the object is in an archive class of the store and cannot be read as it is".to_owned(),
            "restore the object in the store first",
        ),
        ("NoSuchKey", _) | ("", 404) => of(
            ErrorKind::NotFound,
            "no such object".to_owned(),
            "`aofkit list s3://BUCKET/PREFIX` lists the archives",
        ),
        (_, 403) => of(
            ErrorKind::Permission,
            format!("the store denies it: the credentials need the permission {permission}{}", reason(&said)),
            "add it to the policy of the user or of the bucket; docs/object-storage.md has a minimal policy",
        ),
        (_, 412) => of(
            ErrorKind::Refused,
            "another run has changed the object meanwhile".to_owned(),
            "run the command again",
        ),
        _ => of(
            ErrorKind::Io,
            format!("the store answers {status}{}", reason(&one_line(&code, &said))),
            "look at the messages of the store, and run the command again",
        ),
    }
}

fn reason(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" ({})", said.trim_end_matches('.')) }
}

/// Returns what a store says as one line of bounded length: it comes from outside.
fn one_line(code: &str, said: &str) -> String {
    const CHARS: usize = 200;
    let text = if said.is_empty() { code.to_owned() } else { format!("{code}: {said}") };
    text.chars().filter(|char| !char.is_control()).take(CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(status: u16, body: &str) -> Error {
        let url = StoreUrl { bucket: "b".to_owned(), key: "k".to_owned() };
        let response = Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
        error(&url, "s3:PutObject", &response)
    }

    #[test]
    fn errors_say_what_to_do() {
        let of = |code: &str, rest: &str| {
            format!("<Error><Code>{code}</Code><Message>m.</Message>{rest}</Error>")
        };
        let denied = reported(403, &of("AccessDenied", ""));
        assert_eq!(denied.kind(), ErrorKind::Permission);
        assert!(denied.message().contains("s3:PutObject"), "{denied}");
        let skewed = reported(403, &of("RequestTimeTooSkewed", ""));
        assert!(skewed.message().contains("clock"), "{skewed}");
        let elsewhere =
            reported(400, &of("AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"));
        assert_eq!(elsewhere.next_step(), Some("set AWS_REGION=eu-west-3"));
        assert_eq!(reported(404, &of("NoSuchBucket", "")).kind(), ErrorKind::NotFound);
        assert!(
            may_pass(503, "SlowDown")
                && may_pass(200, "InternalError")
                && !may_pass(403, "AccessDenied")
        );
        let hostile = reported(
            418,
            &format!(
                "<Error><Code>\u{1b}[2J</Code><Message>{}</Message></Error>",
                "x".repeat(5000)
            ),
        );
        assert!(
            hostile.message().len() < 300 && !hostile.message().contains('\u{1b}'),
            "{hostile}"
        );
    }
}
