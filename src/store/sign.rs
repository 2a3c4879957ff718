//! AWS Signature Version 4, which every compatible store checks: of the method, the path, the query, the headers and the
//! SHA-256 of the body.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::keys::Credentials;
use crate::base::escape::hexadecimal;

/// A request as it is signed.
pub(super) struct Signed<'r> {
    pub(super) method: &'r str,
    pub(super) host: &'r str,
    /// The path, encoded.
    pub(super) path: &'r str,
    pub(super) query: &'r [(String, String)],
    /// The other headers, with names in lower case.
    pub(super) headers: &'r [(&'static str, String)],
    pub(super) body: &'r [u8],
}

/// Returns the headers that prove who sends the request.
pub(super) fn sign(
    request: &Signed<'_>,
    credentials: &Credentials,
    region: &str,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let now = now.to_zoned(TimeZone::UTC);
    let (date, time) =
        (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
    let payload = hexadecimal(&Sha256::digest(request.body));
    let mut added = vec![("x-amz-content-sha256", payload.clone()), ("x-amz-date", time.clone())];
    if let Some(token) = &credentials.session_token {
        added.push(("x-amz-security-token", token.clone()));
    }
    let mut headers: Vec<(&str, &str)> =
        request.headers.iter().chain(&added).map(|(name, value)| (*name, value.trim())).collect();
    headers.push(("host", request.host));
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{payload}",
        request.method,
        request.path,
        query_string(request.query),
    );
    let scope = format!("{date}/{region}/s3/aws4_request");
    let digest = hexadecimal(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let mut key = hmac(format!("AWS4{}", credentials.secret_key).as_bytes(), date.as_bytes());
    for part in [region, "s3", "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hexadecimal(&hmac(&key, to_sign.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key
    );
    added.push(("authorization", authorization));
    added
}

/// Returns a query as it is signed and sent: encoded, and in order.
pub(super) fn query_string(query: &[(String, String)]) -> String {
    let mut pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// What stays as it is in a query.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stays as it is in a path.
const IN_PATH: AsciiSet = UNRESERVED.remove(b'/');

/// Encodes a text as it is signed: what is neither a letter, a digit nor one of `-._~`, and slashes unless they stay.
pub(super) fn encode(text: &str, keeps_slashes: bool) -> String {
    let set = if keeps_slashes { &IN_PATH } else { &UNRESERVED };
    utf8_percent_encode(text, set).to_string()
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.chain_update(message).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in the documentation of the signature for S3, with its invented keys.
    fn signature(
        method: &str,
        path: &str,
        query: &[(String, String)],
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> String {
        let credentials = Credentials {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        };
        let request =
            Signed { method, host: "examplebucket.s3.amazonaws.com", path, query, headers, body };
        let now: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        let added = sign(&request, &credentials, "us-east-1", now);
        added.last().unwrap().1.rsplit('=').next().unwrap().to_owned()
    }

    #[test]
    fn documented_requests_have_the_documented_signatures() {
        let range = [("range", "bytes=0-9".to_owned())];
        assert_eq!(
            signature("GET", "/test.txt", &[], &range, b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let put = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        assert_eq!(
            signature("PUT", &encode("/test$file.text", true), &[], &put, b"Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        let query =
            [("max-keys".to_owned(), "2".to_owned()), ("prefix".to_owned(), "J".to_owned())];
        assert_eq!(
            signature("GET", "/", &query, &[], b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
