//! The requests of S3 that are needed, each tried again until the time limit while another attempt may succeed.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, checksum};
use jiff::Timestamp;

use super::answers::{code, error, may_pass};
use super::credentials::{Environment, Keys};
use super::http::{Agent, Request, Response};
use super::keys::Credentials;
use super::role::keys_of;
use super::settings::store_settings;
use super::sign::{Signed, encode, query_string, sign};
use super::url::StoreUrl;
use super::xml::{Xml, child_text, url_decoded};
use crate::base::cancel::Cancellation;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;

/// The maximum length of an answer in XML: a thousand keys of the longest kind, encoded.
const XML_BYTES: u64 = 8 << 20;
/// The maximum length of the small objects that are read whole.
const SMALL_BYTES: u64 = 64 << 10;
/// The maximum number of pages of a list, each of a thousand.
const PAGES: usize = 10_000;

/// A bucket of a store.
pub(crate) struct Client {
    agent: Agent,
    /// The scheme and the host.
    origin: String,
    host: String,
    /// What precedes keys in the path.
    before_key: String,
    pub(crate) bucket: String,
    region: String,
    keys: Keys,
    ca_bundle: Option<PathBuf>,
    timeout: Duration,
    cancellation: Option<Cancellation>,
}

/// An object in a list.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) modified: Option<Timestamp>,
}

/// What is known of an object without reading it.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) bytes: u64,
    pub(crate) etag: String,
    /// The CRC-32 of its parts, as `BASE64-PARTS`, if the store reports it.
    pub(crate) crc32: Option<String>,
    /// The upload that made it, if aofkit did.
    pub(crate) upload: Option<String>,
}

/// A small object, and when the store says that it was written and that it is now.
pub(crate) struct Small {
    pub(crate) content: Vec<u8>,
    pub(crate) etag: String,
    pub(crate) age: Option<Duration>,
}

/// What has to hold for a write to take place.
#[derive(Clone, Copy)]
pub(crate) enum If<'e> {
    /// Nothing.
    Any,
    /// There is no such object.
    New,
    /// The object has this ETag.
    Is(&'e str),
}

/// A part that was uploaded.
#[derive(Debug, Clone)]
pub(crate) struct PartDone {
    pub(crate) number: u32,
    pub(crate) etag: String,
    pub(crate) crc32: u32,
}

impl PartDone {
    /// Returns whether these are the bytes of the part, by their checksum.
    pub(crate) fn is_of(&self, bytes: &[u8]) -> bool {
        crc32(bytes) == self.crc32
    }
}

/// An upload under way.
#[derive(Debug, Clone)]
pub(crate) struct UnderWay {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) initiated: Option<Timestamp>,
}

/// A request before it is signed.
struct Ask<'a> {
    method: &'static str,
    permission: &'static str,
    key: &'a str,
    query: &'a [(&'static str, &'a str)],
    headers: Vec<(&'static str, String)>,
    body: &'a [u8],
    limit: u64,
    /// The statuses that are passed on besides success.
    expected: &'a [u16],
}

impl<'a> Ask<'a> {
    fn new(method: &'static str, permission: &'static str, key: &'a str) -> Self {
        let (query, headers, body) = (&[][..], Vec::new(), &[][..]);
        Ask { method, permission, key, query, headers, body, limit: XML_BYTES, expected: &[] }
    }

    fn only_if(mut self, condition: If<'_>) -> Self {
        match condition {
            If::Any => {}
            If::New => self.headers.push(("if-none-match", "*".to_owned())),
            If::Is(etag) => self.headers.push(("if-match", etag.to_owned())),
        }
        self
    }
}

impl Client {
    /// Prepares requests to the bucket of a URL. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When this build has no object storage, or credentials or certificates are missing.
    pub(crate) fn open(url: &StoreUrl, progress: &dyn Progress) -> Result<Client> {
        let settings = store_settings();
        // Said first: without the feature, nothing else matters.
        let stall = (settings.timeout / 4).clamp(Duration::from_secs(1), Duration::from_secs(60));
        if cfg!(not(feature = "s3")) {
            Agent::new(false, None, stall)?;
        }
        let environment = Environment::read()
            .map_err(|error| if error.path().is_none() { error.at(url.path()) } else { error })?;
        let region = environment.region.unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = settings.endpoint.or(environment.endpoint);
        let bucket = url.bucket.clone();
        let (origin, before_key) = match endpoint {
            Some(endpoint) => {
                let (origin, path) = split_endpoint(&endpoint)?;
                (origin, format!("{path}/{}", encode(&bucket, false)))
            }
            // A certificate is valid for one level of names, so that such a bucket goes into the path.
            None if bucket.contains(['.', '_']) => (
                format!("https://s3.{region}.amazonaws.com"),
                format!("/{}", encode(&bucket, false)),
            ),
            None => (format!("https://{bucket}.s3.{region}.amazonaws.com"), String::new()),
        };
        let (scheme, host) = origin.split_once("://").unwrap_or(("https", &origin));
        let agent = Agent::new(scheme == "https", environment.ca_bundle.as_deref(), stall)?;
        Ok(Client {
            agent,
            host: host.to_owned(),
            before_key,
            bucket,
            region,
            keys: environment.keys,
            ca_bundle: environment.ca_bundle,
            timeout: settings.timeout,
            cancellation: progress.cancellation().cloned(),
            origin,
        })
    }

    fn url(&self, key: &str) -> StoreUrl {
        StoreUrl { bucket: self.bucket.clone(), key: key.to_owned() }
    }

    /// Sends a request until it is answered, and for at most the time limit.
    fn call(&self, ask: &Ask<'_>) -> Result<Response> {
        let begun = Instant::now();
        let mut attempt = 0_u32;
        loop {
            let (problem, wait) = match self.attempt(ask, &self.credentials()?) {
                Ok(response) => {
                    let is_success = (200..300).contains(&response.status);
                    // A completion can fail after its answer has begun as a success. What an object has is no answer.
                    let can_fail = !is_success || ask.method == "POST";
                    let code = if can_fail { code(&response) } else { String::new() };
                    let is_done = is_success && code.is_empty();
                    if is_done
                        || ask.expected.contains(&response.status)
                            && !may_pass(response.status, &code)
                    {
                        return Ok(response);
                    }
                    let problem = error(&self.url(ask.key), ask.permission, &response);
                    if !may_pass(response.status, &code) {
                        return Err(problem);
                    }
                    let wait =
                        response.header("retry-after").and_then(|value| value.parse::<u64>().ok());
                    (problem, wait.map(Duration::from_secs))
                }
                Err(none) => {
                    let problem = Error::new(
                        ErrorKind::Io,
                        format!("the store at {} does not answer: {}", self.origin, none.message),
                    )
                    .at(self.url(ask.key).path())
                    .help(none.help.unwrap_or("check --endpoint, AWS_REGION and the network"));
                    if !none.may_pass {
                        return Err(problem);
                    }
                    (problem, None)
                }
            };
            let wait = wait.unwrap_or_default().max(pause(attempt)).min(LONGEST_PAUSE);
            if begun.elapsed() + wait >= self.timeout {
                return Err(problem);
            }
            self.sleep(wait)?;
            attempt = attempt.saturating_add(1);
        }
    }

    fn sleep(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            if self.cancellation.as_ref().is_some_and(Cancellation::is_cancelled) {
                return Err(Error::interrupted());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// Returns the keys to sign with; those of a role are valid for a time.
    fn credentials(&self) -> Result<Credentials> {
        match &self.keys {
            Keys::Known(credentials) => Ok(credentials.clone()),
            Keys::Lent(role) => keys_of(role, self.ca_bundle.as_deref()),
        }
    }

    fn attempt(
        &self,
        ask: &Ask<'_>,
        credentials: &Credentials,
    ) -> Result<Response, super::http::NoAnswer> {
        let path = match ask.key {
            "" if self.before_key.is_empty() => "/".to_owned(),
            "" => self.before_key.clone(),
            key => format!("{}/{}", self.before_key, encode(key, true)),
        };
        let query: Vec<(String, String)> = ask
            .query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let signed = Signed {
            method: ask.method,
            host: &self.host,
            path: &path,
            query: &query,
            headers: &ask.headers,
            body: ask.body,
        };
        let mut headers = sign(&signed, credentials, &self.region, Timestamp::now());
        headers.extend(ask.headers.iter().cloned());
        let query = query_string(&query);
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{mark}{query}", self.origin);
        self.agent.send(&Request {
            method: ask.method,
            url: &url,
            headers: &headers,
            body: ask.body,
            limit: ask.limit,
        })
    }

    /// Returns what is known of an object; `None` if it does not exist.
    pub(crate) fn head(&self, key: &str) -> Result<Option<Head>> {
        let mut ask = Ask { expected: &[404], ..Ask::new("HEAD", "s3:GetObject", key) };
        ask.headers.push(("x-amz-checksum-mode", "ENABLED".to_owned()));
        let response = self.call(&ask)?;
        if response.status == 404 {
            return Ok(None);
        }
        let header = |name: &str| response.header(name).map(str::to_owned);
        let bytes = header("content-length").and_then(|value| value.parse().ok());
        let bytes = bytes.ok_or_else(|| self.odd(key, "an object without a length"))?;
        let upload = header(UPLOAD_HEADER);
        Ok(Some(Head {
            bytes,
            etag: header("etag").unwrap_or_default(),
            crc32: header("x-amz-checksum-crc32"),
            upload,
        }))
    }

    /// Reads `len` bytes from byte `from` of an object that has the ETag `etag`.
    pub(crate) fn range(&self, key: &str, etag: &str, from: u64, len: u64) -> Result<Vec<u8>> {
        if len == 0 {
            return Ok(Vec::new());
        }
        let last = from.saturating_add(len - 1);
        let mut ask = Ask {
            limit: len.max(SMALL_BYTES),
            expected: &[412, 416],
            ..Ask::new("GET", "s3:GetObject", key)
        };
        ask.headers.push(("range", format!("bytes={from}-{last}")));
        if !etag.is_empty() {
            ask.headers.push(("if-match", etag.to_owned()));
        }
        for _ in 0..TRIES_OF_A_RANGE {
            let response = self.call(&ask)?;
            if matches!(response.status, 412 | 416) {
                return Err(Error::new(
                    ErrorKind::Changed,
                    "the object was replaced while it was read",
                )
                .at(self.url(key).path())
                .help("run the command again"));
            }
            let is_same =
                response.header("etag").is_none_or(|other| etag.is_empty() || other == etag);
            let range = response.header("content-range").map(str::to_owned);
            let is_range = response.status == 206
                && range.is_none_or(|range| range.starts_with(&format!("bytes {from}-{last}/")));
            if response.body.len() as u64 == len
                && is_same
                && (is_range || from == 0 && response.status == 200)
            {
                return Ok(response.body);
            }
        }
        Err(self.odd(key, "other bytes than those that were asked for"))
    }

    fn odd(&self, key: &str, what: &str) -> Error {
        Error::new(ErrorKind::Io, format!("the store answers with {what}"))
            .at(self.url(key).path())
            .help(
                "run the command again; if it remains so, the store or a proxy before it is faulty",
            )
    }

    /// Reads a small object; `None` if it does not exist.
    pub(crate) fn small(&self, key: &str) -> Result<Option<Small>> {
        let ask =
            Ask { limit: SMALL_BYTES, expected: &[404], ..Ask::new("GET", "s3:GetObject", key) };
        let response = self.call(&ask)?;
        if response.status == 404 {
            return Ok(None);
        }
        let time = |name| response.header(name).and_then(http_date);
        // Both by the clock of the store, so that those of the hosts do not matter.
        let age = time("date").zip(time("last-modified"));
        let age = age.and_then(|(now, then)| Duration::try_from(now.duration_since(then)).ok());
        let etag = response.header("etag").unwrap_or_default().to_owned();
        Ok(Some(Small { content: response.body, etag, age }))
    }

    /// Writes a small object under a condition; returns its ETag, or `None` if the condition does not hold.
    pub(crate) fn put(
        &self,
        key: &str,
        content: &[u8],
        condition: If<'_>,
    ) -> Result<Option<String>> {
        let expected: &[u16] = match condition {
            If::Any => &[],
            If::New => &[412],
            If::Is(_) => &[404, 412],
        };
        let mut ask = Ask { body: content, expected, ..Ask::new("PUT", "s3:PutObject", key) }
            .only_if(condition);
        ask.headers.push(("x-amz-checksum-crc32", base64_of(crc32(content))));
        let response = self.call(&ask)?;
        if response.status < 300 {
            return Ok(Some(response.header("etag").unwrap_or_default().to_owned()));
        }
        // An earlier attempt may have been carried out, and only its answer lost. Each content is written by one run alone.
        let there = self.small(key)?;
        Ok(there
            .filter(|there| !matches!(condition, If::Any) && there.content == content)
            .map(|there| there.etag))
    }

    /// Deletes an object, which need not exist.
    pub(crate) fn delete(&self, key: &str) -> Result<()> {
        self.call(&Ask { expected: &[404], ..Ask::new("DELETE", "s3:DeleteObject", key) })?;
        Ok(())
    }

    /// Returns the objects whose keys begin with `prefix`, without those below a further slash.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let mut token: Option<String> = None;
        let mut objects = Vec::new();
        for _ in 0..PAGES {
            let mut query = vec![
                ("list-type", "2"),
                ("prefix", prefix),
                ("delimiter", "/"),
                ("encoding-type", "url"),
            ];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let response =
                self.call(&Ask { query: &query, ..Ask::new("GET", "s3:ListBucket", "") })?;
            let body = String::from_utf8_lossy(&response.body);
            let xml = Xml::parse(&body);
            if !xml.is("ListBucketResult") {
                return Err(self.odd(prefix, "no list"));
            }
            for content in xml.all("Contents") {
                let text = |name| child_text(content, name);
                let Some(key) = text("Key").map(|key| url_decoded(&key)) else { continue };
                let bytes = text("Size").and_then(|size| size.parse().ok()).unwrap_or(0);
                let modified = text("LastModified").and_then(|time| time.parse().ok());
                objects.push(Object { key, bytes, modified });
            }
            let next = xml
                .text("NextContinuationToken")
                .filter(|_| xml.text("IsTruncated").as_deref() == Some("true"));
            if next.is_none() {
                return Ok(objects);
            }
            if next == token {
                break;
            }
            token = next;
        }
        Err(self.odd(prefix, "a list without an end"))
    }

    /// Begins an upload in parts and returns its id. `token` is stored with the object.
    pub(crate) fn create_upload(&self, key: &str, token: &str) -> Result<String> {
        let mut ask = Ask { query: &[("uploads", "")], ..Ask::new("POST", "s3:PutObject", key) };
        ask.headers.push((UPLOAD_HEADER, token.to_owned()));
        ask.headers.push(("x-amz-checksum-algorithm", "CRC32".to_owned()));
        let kind =
            if key.ends_with(".zip") { "application/zip" } else { "application/octet-stream" };
        ask.headers.push(("content-type", kind.to_owned()));
        let response = self.call(&ask)?;
        let id = Xml::parse(&String::from_utf8_lossy(&response.body)).text("UploadId");
        id.ok_or_else(|| self.odd(key, "no id of the upload"))
    }

    /// Uploads a part. The store compares it with the SHA-256 and the CRC-32 that are sent with it.
    pub(crate) fn upload_part(
        &self,
        key: &str,
        id: &str,
        number: u32,
        bytes: &[u8],
    ) -> Result<PartDone> {
        let crc32 = crc32(bytes);
        let sent = base64_of(crc32);
        let digits = number.to_string();
        let query = [("partNumber", digits.as_str()), ("uploadId", id)];
        let mut ask = Ask { query: &query, body: bytes, ..Ask::new("PUT", "s3:PutObject", key) };
        ask.headers.push(("x-amz-checksum-crc32", sent.clone()));
        for _ in 0..TRIES_OF_A_RANGE {
            let response = self.call(&ask)?;
            let is_ours = response.header("x-amz-checksum-crc32").is_none_or(|seen| seen == sent);
            if let Some(etag) = response.header("etag").filter(|etag| is_ours && !etag.is_empty()) {
                return Ok(PartDone { number, etag: etag.to_owned(), crc32 });
            }
        }
        Err(self.odd(key, "another checksum than that of the part"))
    }

    /// Joins the parts of an upload to an object that did not exist before.
    ///
    /// Returns whether it did not: the upload is left as it was if it did.
    pub(crate) fn complete(
        &self,
        key: &str,
        id: &str,
        parts: &[PartDone],
        token: &str,
    ) -> Result<bool> {
        let part = |part: &PartDone| {
            let etag = part.etag.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let (crc32, number) = (base64_of(part.crc32), part.number);
            format!(
                "<Part><ChecksumCRC32>{crc32}</ChecksumCRC32><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
            )
        };
        let parts: String = parts.iter().map(part).collect();
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
        );
        let query = [("uploadId", id)];
        let mut ask = Ask {
            query: &query,
            body: body.as_bytes(),
            expected: &[404, 412],
            ..Ask::new("POST", "s3:PutObject", key)
        }
        .only_if(If::New);
        ask.headers.push(("content-type", "application/xml".to_owned()));
        let response = self.call(&ask)?;
        if response.status < 300 {
            return Ok(true);
        }
        // An earlier attempt may have been carried out, and only its answer lost.
        let there = self.head(key)?;
        match there {
            Some(head) if head.upload.as_deref() == Some(token) => Ok(true),
            Some(_) => Ok(false),
            None => Err(error(&self.url(key), "s3:PutObject", &response)),
        }
    }

    /// Aborts an upload, which need not exist.
    pub(crate) fn abort(&self, key: &str, id: &str) -> Result<()> {
        let query = [("uploadId", id)];
        self.call(&Ask {
            query: &query,
            expected: &[404],
            ..Ask::new("DELETE", "s3:AbortMultipartUpload", key)
        })?;
        Ok(())
    }

    /// Returns the uploads under way whose keys begin with `prefix`.
    pub(crate) fn uploads(&self, prefix: &str) -> Result<Vec<UnderWay>> {
        let mut from: Option<(String, String)> = None;
        let mut uploads = Vec::new();
        for _ in 0..PAGES {
            let mut query = vec![("uploads", ""), ("prefix", prefix), ("encoding-type", "url")];
            if let Some((key, id)) = &from {
                query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
            }
            let response = self.call(&Ask {
                query: &query,
                ..Ask::new("GET", "s3:ListBucketMultipartUploads", "")
            })?;
            let body = String::from_utf8_lossy(&response.body);
            let xml = Xml::parse(&body);
            if !xml.is("ListMultipartUploadsResult") {
                return Err(self.odd(prefix, "no list of uploads"));
            }
            for upload in xml.all("Upload") {
                let text = |name| child_text(upload, name);
                let key = text("Key").map(|key| url_decoded(&key));
                let initiated = text("Initiated").and_then(|time| time.parse().ok());
                if let (Some(key), Some(id)) = (key, text("UploadId")) {
                    uploads.push(UnderWay { key, id, initiated });
                }
            }
            let next = xml
                .text("NextKeyMarker")
                .map(|key| url_decoded(&key))
                .zip(xml.text("NextUploadIdMarker"));
            if xml.text("IsTruncated").as_deref() != Some("true") || next.is_none() || next == from
            {
                break;
            }
            from = next;
        }
        Ok(uploads)
    }
}

/// The header in which the token of an upload is stored with the object.
const UPLOAD_HEADER: &str = "x-amz-meta-aofkit-upload";

/// How often a range or part is asked for again that is answered otherwise.
const TRIES_OF_A_RANGE: u32 = 3;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Returns the time before the next attempt: exponential, and from half of it on at random.
fn pause(attempt: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    let random = random() % 1000;
    whole / 2 + whole.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / 2000.0)
}

/// Returns random bits, from the keys that hash tables get.
fn random() -> u64 {
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u128(Instant::now().elapsed().as_nanos());
    hasher.finish()
}

/// Returns a text that no other run has.
pub(crate) fn new_token() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// Returns the CRC-32 of a whole object made of parts, as stores report it.
pub(crate) fn crc32_of_parts(parts: &[PartDone]) -> String {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.crc32.to_be_bytes()).collect();
    format!("{}-{}", base64_of(crc32(&bytes)), parts.len())
}

#[allow(clippy::cast_possible_truncation)] // It has 32 bits.
fn crc32(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32IsoHdlc, bytes) as u32
}

fn base64_of(crc32: u32) -> String {
    BASE64_STANDARD.encode(crc32.to_be_bytes())
}

fn http_date(text: &str) -> Option<Timestamp> {
    let text = text.replace("GMT", "+0000");
    jiff::fmt::rfc2822::parse(&text).ok().map(|time| time.timestamp())
}

/// Splits an endpoint into its scheme with its host, and its path without a slash at its end.
fn split_endpoint(endpoint: &str) -> Result<(String, String)> {
    let wrong = || {
        Error::new(ErrorKind::Usage, format!("`{endpoint}` is not the URL of a store")).help(
            "give it as https://HOST or http://HOST:PORT, by --endpoint or AWS_ENDPOINT_URL_S3",
        )
    };
    let (scheme, rest) = endpoint.split_once("://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_host =
        !host.is_empty() && !host.contains(['@', '?', '#', ' ']) && !path.contains(['?', '#']);
    if !["http", "https"].contains(&scheme) || !is_host {
        return Err(wrong());
    }
    // The port that the scheme implies is not sent, and must not be signed.
    let implied = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(implied).unwrap_or(host).to_lowercase();
    let path = path.trim_matches('/');
    let path = if path.is_empty() { String::new() } else { format!("/{}", encode(path, true)) };
    Ok((format!("{scheme}://{host}"), path))
}

/// Returns the bucket of a path, and the place in it.
pub(crate) fn open_at(path: &Path, progress: &dyn Progress) -> Result<(Client, StoreUrl)> {
    let url = StoreUrl::parse(path)?;
    Ok((Client::open(&url, progress)?, url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_origins_and_paths() {
        let split = |text| split_endpoint(text).ok();
        assert_eq!(split("http://Minio:9000/"), Some(("http://minio:9000".into(), String::new())));
        assert_eq!(split("https://x:443/s3"), Some(("https://x".into(), "/s3".into())));
        assert_eq!(
            (split("minio:9000"), split("ftp://x"), split("http://u:p@x")),
            (None, None, None)
        );
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        for attempt in 0..40 {
            let whole = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
            assert!((whole / 2..=whole).contains(&pause(attempt)));
        }
        assert_ne!(new_token(), new_token());
    }

    #[test]
    fn dates_of_stores_are_read() {
        let time = http_date("Fri, 24 May 2013 00:00:00 GMT").unwrap();
        assert_eq!(time.to_string(), "2013-05-24T00:00:00Z");
    }

    #[test]
    fn checksum_of_parts_is_that_of_their_checksums() {
        // By Python: zlib.crc32(struct.pack(">II", zlib.crc32(b"a"), zlib.crc32(b"b"))).
        let part =
            |number, text: &[u8]| PartDone { number, etag: String::new(), crc32: crc32(text) };
        let expected = "7pJxdw==-2";
        assert_eq!(crc32_of_parts(&[part(1, b"a"), part(2, b"b")]), expected);
    }
}
