//! Typed values: what parses here needs no second look. Text that may hold a password is redacted
//! in `Debug`, `Display` and serialisation.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    fmt, io,
    path::{self, Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use url::Url;

/// Why a value is refused; never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(&'static str);

/// Serde through `FromStr` and a redacted `Display`.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// A span of time in seconds, fractions allowed.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Seconds(f64);

impl Seconds {
    /// Whole seconds.
    pub const fn new(seconds: u32) -> Self {
        Self(seconds as f64)
    }

    /// The span of time.
    pub fn duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0).unwrap_or(Duration::MAX)
    }

    pub(super) fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        // A hundred years; beyond that arithmetic on times overflows.
        if (0.0..=3.2e9).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(de::Error::custom("must be a number of seconds, 0 or more"))
        }
    }
}

/// A URL that may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// The whole URL, password included.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl FromStr for SecretUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| InvalidValue("must be a URL such as `https://host/path`"))?;
        if url.has_host() { Ok(Self(url)) } else { Err(InvalidValue("must be a URL with a host")) }
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

as_text!(SecretUrl);

/// The URL without user, password, query and fragment, all of which can hold a secret.
fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    let had_user = !url.username().is_empty() || url.password().is_some();
    // Both fail only for URLs without a host, which have no user to hide.
    let _ = shown.set_password(None);
    let _ = shown.set_username(if had_user { "***" } else { "" });
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// Embedded.
    Sqlite,
    /// A server.
    Postgres,
}

/// `sqlite://path`, `sqlite::memory:` or `postgres://…`.
#[derive(Clone)]
pub struct DatabaseUrl {
    text: SecretString,
    kind: DatabaseKind,
    shown: String,
}

impl DatabaseUrl {
    /// The embedded database `sqlite://var/greenlane.db`.
    pub fn embedded() -> Self {
        let text = "sqlite://var/greenlane.db";
        Self { text: text.into(), kind: DatabaseKind::Sqlite, shown: text.to_owned() }
    }

    /// Which database.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The whole URL, password included, for the driver.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// The file of a SQLite database; none in memory and for PostgreSQL.
    pub fn sqlite_path(&self) -> Option<&Path> {
        let rest = self.expose().strip_prefix("sqlite:")?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let path = rest.split_once('?').map_or(rest, |(path, _)| path);
        let in_memory = path == ":memory:" || rest.contains("mode=memory");
        (!in_memory).then(|| Path::new(path))
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = match text.split_once(':') {
            Some(("sqlite", rest)) if !rest.trim_start_matches('/').is_empty() => DatabaseKind::Sqlite,
            Some(("postgres" | "postgresql", _)) => DatabaseKind::Postgres,
            _ => {
                return Err(InvalidValue("must be `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`"));
            }
        };
        let shown = match kind {
            DatabaseKind::Sqlite => text.to_owned(),
            DatabaseKind::Postgres => {
                let url = Url::parse(text).map_err(|_| {
                    InvalidValue("is not a PostgreSQL URL; special characters of the password need percent-encoding")
                })?;
                redacted(&url)
            }
        };
        Ok(Self { text: text.into(), kind, shown })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

as_text!(DatabaseUrl);

/// Where photos are kept: `file://FOLDER` or `s3://BUCKET`. Credentials, region and endpoint of S3
/// come from the usual `AWS_…` variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobLocation {
    /// A folder; relative ones start at the working directory.
    Folder(PathBuf),
    /// A bucket of S3 or of something that speaks its protocol.
    Bucket(String),
}

impl BlobLocation {
    /// The location as an absolute URL.
    ///
    /// # Errors
    /// There is no working directory, or the name makes no URL.
    pub fn url(&self) -> io::Result<Url> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "the blob location makes no URL");
        match self {
            Self::Folder(folder) => Url::from_file_path(path::absolute(folder)?).map_err(|()| invalid()),
            Self::Bucket(bucket) => Url::parse(&format!("s3://{bucket}")).map_err(|_| invalid()),
        }
    }
}

impl FromStr for BlobLocation {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        match text.split_once("://") {
            Some(("file", folder)) if !folder.is_empty() => Ok(Self::Folder(folder.into())),
            Some(("s3", bucket)) if bucket.len() >= 3 && bucket.chars().all(is_name) => {
                Ok(Self::Bucket(bucket.to_owned()))
            }
            _ => Err(InvalidValue("must be `file://FOLDER` or `s3://BUCKET`, without credentials")),
        }
    }
}

impl fmt::Display for BlobLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file://{}", folder.display()),
            Self::Bucket(bucket) => write!(f, "s3://{bucket}"),
        }
    }
}

as_text!(BlobLocation);

/// `HOST:PORT` to listen on; port 0 takes a free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    host: String,
    port: u16,
}

impl Bind {
    /// A port of this machine only.
    pub fn local(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port }
    }

    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// The same host with another port.
    pub fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port }
    }
}

impl FromStr for Bind {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) if !host.is_empty() && (!host.contains(':') || host.starts_with('[')) => {
                Ok(Self { host: host.to_owned(), port })
            }
            _ => Err(InvalidValue("must be HOST:PORT such as `127.0.0.1:8080` or `[::]:8080`")),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

as_text!(Bind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_urls_show_no_secret() {
        let url: SecretUrl = "redis://user:pa%24s@host:6379/1?token=secret#secret".parse().unwrap();
        assert_eq!(url.to_string(), "redis://***@host:6379/1");
        assert_eq!(format!("{url:?}"), "redis://***@host:6379/1");
        assert_eq!(serde_json::to_value(&url).unwrap(), "redis://***@host:6379/1");
        assert_eq!(url.expose().password(), Some("pa%24s"));
        for wrong in ["", "host", "/path", "mailto:a@b", "http://"] {
            assert!(wrong.parse::<SecretUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn database_urls() {
        let path = |text: &str| {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(url.kind(), DatabaseKind::Sqlite);
            url.sqlite_path().map(|path| path.display().to_string())
        };
        assert_eq!(path("sqlite://var/greenlane.db").as_deref(), Some("var/greenlane.db"));
        assert_eq!(path("sqlite:///var/greenlane.db?mode=rwc").as_deref(), Some("/var/greenlane.db"));
        assert_eq!(path("sqlite:greenlane.db").as_deref(), Some("greenlane.db"));
        assert_eq!(path("sqlite::memory:"), None);
        assert_eq!(path("sqlite://:memory:"), None);
        let server: DatabaseUrl = "postgres://user:secret@host:5432/green?sslmode=require".parse().unwrap();
        assert_eq!(server.kind(), DatabaseKind::Postgres);
        assert_eq!(server.sqlite_path(), None);
        assert_eq!(format!("{server} {server:?}"), "postgres://***@host:5432/green postgres://***@host:5432/green");
        assert!(server.expose().contains("secret"));
        for wrong in
            ["", "sqlite", "sqlite:", "sqlite://", "mysql://host/db", "var/greenlane.db", "postgres://user:a/b@host"]
        {
            assert!(wrong.parse::<DatabaseUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn blob_locations() {
        let folder = |path: &str| BlobLocation::Folder(path.into());
        for (text, expected) in [
            ("file://var/photos", folder("var/photos")),
            ("file:///srv/photos", folder("/srv/photos")),
            ("s3://bucket-1", BlobLocation::Bucket("bucket-1".into())),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()));
            assert_eq!(expected.to_string(), text);
        }
        for wrong in
            ["", "file://", "s3://", "s3://key:secret@bucket", "s3://bucket/prefix", "https://bucket", "/srv/photos"]
        {
            assert!(wrong.parse::<BlobLocation>().is_err(), "{wrong}");
        }
        assert_eq!(folder("/srv/photos").url().unwrap().as_str(), "file:///srv/photos");
        assert!(folder("var/photos").url().unwrap().to_file_path().unwrap().is_absolute());
        assert_eq!(BlobLocation::Bucket("abc".into()).url().unwrap().host_str(), Some("abc"));
    }

    #[test]
    fn binds() {
        for text in ["127.0.0.1:8080", "0.0.0.0:0", "[::1]:80", "localhost:9000"] {
            assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
        }
        for wrong in ["", "8080", ":8080", "127.0.0.1", "host:", "host:99999", "::1:80"] {
            assert!(wrong.parse::<Bind>().is_err(), "{wrong}");
        }
        assert_eq!("[::]:1".parse::<Bind>().unwrap().with_port(2).to_string(), "[::]:2");
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        let parse = |text: &str| serde_json::from_str::<Seconds>(text);
        assert_eq!(parse("0.25").unwrap().duration(), Duration::from_millis(250));
        assert_eq!(parse("10").unwrap(), Seconds::new(10));
        for wrong in ["-1", "1e300", "\"5\""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
