//! Mail to operations: over SMTP, or, without a server, as `.eml` files in a folder.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
pub use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

/// The longest time for a mail to be taken.
const WITHIN: Duration = Duration::from_secs(10);

/// Where mail goes.
#[derive(Debug, Clone)]
pub enum Settings {
    /// `smtp://[user:password@]host[:port][?tls=required]` or `smtps://…`; the URL may hold a password.
    Smtp(SecretString),
    /// A folder, made if it is not there.
    Folder(PathBuf),
}

/// Why a mail was not sent. Names no recipient.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL is no SMTP URL; it is not repeated, as it may hold a password.
    #[error("not an SMTP URL: use `smtp://host:port` or `smtps://user:password@host`")]
    Url,
    /// The folder cannot be made.
    #[error("cannot make the mail folder: `{folder}`")]
    Folder {
        /// Which one.
        folder: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is nobody to send it to, or a header cannot be written.
    #[error("the mail cannot be written")]
    Message(#[from] lettre::error::Error),
    /// The server did not take it; whether it did before it failed is not known.
    #[error("the mail server did not take the mail")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// The file cannot be written.
    #[error("the mail cannot be written to its folder")]
    File(#[from] lettre::transport::file::Error),
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one plain-text mail to all of `to`, who see each other.
    ///
    /// # Errors
    /// [`MailError`]. Nothing is tried again.
    async fn send(&self, subject: &str, body: &str, to: &[Mailbox], from: &Mailbox) -> Result<(), MailError>;
}

/// The mailer of the settings. Nothing is connected yet.
///
/// # Errors
/// [`MailError::Url`], [`MailError::Folder`].
pub fn mailer(settings: &Settings) -> Result<Box<dyn Mailer>, MailError> {
    match settings {
        Settings::Smtp(url) => {
            let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
                .map_err(|_| MailError::Url)?
                .timeout(Some(WITHIN))
                .build();
            Ok(Box::new(Smtp(transport)))
        }
        Settings::Folder(folder) => {
            std::fs::create_dir_all(folder)
                .map_err(|source| MailError::Folder { folder: folder.display().to_string(), source })?;
            Ok(Box::new(Folder(AsyncFileTransport::new(folder))))
        }
    }
}

struct Smtp(AsyncSmtpTransport<Tokio1Executor>);
struct Folder(AsyncFileTransport<Tokio1Executor>);

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, subject: &str, body: &str, to: &[Mailbox], from: &Mailbox) -> Result<(), MailError> {
        self.0.send(message(subject, body, to, from)?).await?;
        Ok(())
    }
}

#[async_trait]
impl Mailer for Folder {
    async fn send(&self, subject: &str, body: &str, to: &[Mailbox], from: &Mailbox) -> Result<(), MailError> {
        self.0.send(message(subject, body, to, from)?).await?;
        Ok(())
    }
}

fn message(subject: &str, body: &str, to: &[Mailbox], from: &Mailbox) -> Result<Message, MailError> {
    // A line break in a subject would begin another header.
    let subject = subject.replace(|c: char| c.is_control(), " ");
    let builder = Message::builder().from(from.clone()).subject(subject).header(ContentType::TEXT_PLAIN);
    Ok(to.iter().cloned().fold(builder, lettre::message::MessageBuilder::to).body(body.to_owned())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Mailbox {
        text.parse().unwrap()
    }

    fn smtp(url: String) -> Box<dyn Mailer> {
        mailer(&Settings::Smtp(url.into())).unwrap()
    }

    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    async fn send(mailer: &dyn Mailer, to: &[Mailbox]) -> Result<(), MailError> {
        let from = address("Greenlane <greenlane@example.org>");
        mailer.send("照片审核: 3 overdue\r\nBcc: x@example.org", "The oldest is due.\n.\n到期", to, &from).await
    }

    #[tokio::test]
    async fn reaches_a_real_server() {
        let port = free_port();
        let mut server = mailcrab::development_mail_server([127, 0, 0, 1], port).await;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        let to = [address("Ops <ops@example.org>"), address("duty@example.org")];
        send(&*smtp(format!("smtp://127.0.0.1:{port}")), &to).await.unwrap();
        let mail = serde_json::to_value(server.rx.recv().await.unwrap()).unwrap();
        server.token.cancel();
        assert_eq!(mail["subject"], "照片审核: 3 overdue  Bcc: x@example.org", "one header only");
        assert_eq!(mail["envelope_recipients"], serde_json::json!(["ops@example.org", "duty@example.org"]));
        let text = mail["text"].as_str().unwrap().replace("\r\n", "\n");
        assert!(text.contains("The oldest is due.\n.\n到期"), "{text}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error() {
        let mailer = smtp(format!("smtp://127.0.0.1:{}", free_port()));
        assert!(matches!(send(&*mailer, &[address("ops@example.org")]).await, Err(MailError::Smtp(_))));
    }

    #[tokio::test]
    async fn writes_files() {
        let folder = std::env::temp_dir().join(format!("greenlane-mail-{}", uuid::Uuid::new_v4()));
        let mailer = mailer(&Settings::Folder(folder.clone())).unwrap();
        send(&*mailer, &[address("ops@example.org")]).await.unwrap();
        assert!(matches!(send(&*mailer, &[]).await, Err(MailError::Message(_))), "nobody to send it to");
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].extension().unwrap(), "eml");
        assert!(std::fs::read_to_string(&files[0]).unwrap().contains("To: ops@example.org"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_wrong_url_is_refused_without_repeating_it() {
        for url in ["http://user:secret@host", "secret", "smtp://"] {
            let settings = Settings::Smtp(url.to_owned().into());
            assert!(!format!("{settings:?}").contains("secret"));
            let error = mailer(&settings).err().unwrap();
            assert!(matches!(error, MailError::Url) && !format!("{error}").contains("secret"), "{url}");
        }
    }
}
