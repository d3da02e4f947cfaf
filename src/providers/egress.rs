//! Posting to addresses that strangers chose (webhooks): only to public places, whatever a URL or a name server says.
//!
//! [`check_url`] judges the text at submission and before every try; [`WebhookClient`] judges every address again
//! when a connection is made, so that a name cannot point elsewhere between the two (DNS rebinding).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect, retry,
};
use url::{Host, Url};

use crate::engine::sweep::outbox::{Reply, SendError, WebhookSender};

/// The longest answer that is read, in bytes; a longer one costs its connection, nothing else.
const ANSWER_LIMIT: usize = 64 * 1024;
/// The longest time for making a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Endings of names that never mean a public host (RFC 6761, RFC 6762, and the clouds' metadata services).
const PRIVATE_NAMES: &[&str] = &["localhost", "local", "internal"];

/// Why an address may not be called. Safe to show: it repeats nothing of the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackNotAllowed {
    /// Neither https, nor http where that is allowed.
    #[error("a callback address must begin with `https://`")]
    Scheme,
    /// `https://user:password@host`.
    #[error("a callback address must not carry a user name or a password")]
    Credentials,
    /// There is no host.
    #[error("a callback address must name a host")]
    NoHost,
    /// Private, loopback, link-local or otherwise not public.
    #[error("a callback address must be public")]
    NotPublic,
}

/// Whether Greenlane may post to the URL, as far as its text tells. `allow_private` (for tests and closed networks)
/// also allows http and every host.
///
/// # Errors
/// [`CallbackNotAllowed`], with the first rule that is broken.
pub fn check_url(url: &Url, allow_private: bool) -> Result<(), CallbackNotAllowed> {
    if url.scheme() != "https" && !(allow_private && url.scheme() == "http") {
        return Err(CallbackNotAllowed::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(CallbackNotAllowed::Credentials);
    }
    let public = match url.host().ok_or(CallbackNotAllowed::NoHost)? {
        Host::Ipv4(ip) => is_public_v4(ip),
        Host::Ipv6(ip) => is_public_v6(ip),
        Host::Domain("") => return Err(CallbackNotAllowed::NoHost),
        Host::Domain(name) => !is_private_name(name),
    };
    if public || allow_private { Ok(()) } else { Err(CallbackNotAllowed::NotPublic) }
}

/// Whether the address belongs to the public Internet. What is not known to be public is not.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or(name);
    name.is_empty() || PRIVATE_NAMES.iter().any(|private| last.eq_ignore_ascii_case(private))
}

/// The special-purpose registry of IANA (RFC 6890 and its successors).
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)      // this network, private, loopback, multicast, reserved, broadcast
            | (100, 64..=127, _)          // shared by carriers (CGNAT)
            | (169, 254, _)               // link-local, with the clouds' metadata services
            | (172, 16..=31, _)           // private
            | (192, 0, 0 | 2)             // protocol assignments, documentation
            | (192, 88, 99)               // 6to4 relays
            | (192, 168, _)               // private
            | (198, 18 | 19, _)           // benchmarking
            | (198, 51, 100)              // documentation
            | (203, 0, 113) // documentation
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([one, two], [three, four]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(one, two, three, four))
    };
    match (a, b) {
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => embedded(g, h), // mapped
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => embedded(g, h), // NAT64
        (0x2002, _) => embedded(b, c),                                 // 6to4
        (0x2001, 0..=0x1ff | 0xdb8) => false, // protocol assignments (Teredo, benchmarking, …), documentation
        (0x3fff, 0..=0xfff) => false,         // documentation
        (0x2000..=0x3fff, _) => true,
        _ => false, // only 2000::/3 is given out: loopback, unique local, link-local, multicast and the rest are not
    }
}

/// Resolves names by the system and leaves only public addresses.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Addrs = Box::new(public_of(found)?.into_iter());
            Ok(public)
        })
    }
}

fn public_of(mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, CallbackNotAllowed> {
    addresses.retain(|address| is_public(address.ip()));
    if addresses.is_empty() { Err(CallbackNotAllowed::NotPublic) } else { Ok(addresses) }
}

/// The HTTP client cannot be made, for instance because the system's certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client of the webhooks")]
pub struct WebhookSetupError(#[from] reqwest::Error);

/// Posts webhooks: to public places only, without redirects, proxies, cookies or retries.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    client: Client,
    allow_private: bool,
}

impl WebhookClient {
    /// A client whose calls take `timeout` at most, from the look-up of the name to the end of the answer.
    ///
    /// # Errors
    /// [`WebhookSetupError`].
    pub fn new(allow_private: bool, timeout: Duration) -> Result<Self, WebhookSetupError> {
        let mut builder = Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_WITHIN.min(timeout))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            // A proxy would resolve the name itself.
            .no_proxy()
            .https_only(!allow_private)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .user_agent(concat!("greenlane/", env!("CARGO_PKG_VERSION")));
        if !allow_private {
            builder = builder.dns_resolver(PublicOnly);
        }
        Ok(Self { client: builder.build()?, allow_private })
    }
}

#[async_trait]
impl WebhookSender for WebhookClient {
    async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Result<Reply, SendError> {
        let url = Url::parse(url).map_err(|_| SendError::NotAllowed("the callback address is not a URL".to_owned()))?;
        check_url(&url, self.allow_private).map_err(|rule| SendError::NotAllowed(rule.to_string()))?;
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        let reply =
            Reply { status: response.status().as_u16(), retry_after: retry_after(response.headers(), Utc::now()) };
        // The status is the answer. The body is read only so that the connection can be used again.
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > ANSWER_LIMIT {
                break;
            }
        }
        Ok(reply)
    }
}

/// What went wrong, without the URL: its path or query may be a secret of its owner.
fn failure(error: &reqwest::Error) -> SendError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<CallbackNotAllowed>() {
            return SendError::NotAllowed("the callback address leads to no public place".to_owned());
        }
        source = cause.source();
    }
    let text = if error.is_timeout() {
        "no answer within the time limit"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "the connection was closed without an answer"
    };
    SendError::Failed(text.to_owned())
}

/// `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests;
