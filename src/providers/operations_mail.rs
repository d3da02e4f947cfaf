//! Mail to operations: the mailer with its fixed sender and readers.

use async_trait::async_trait;

use super::mail::{Mailbox, Mailer};
use crate::engine::sweep::alerts::OperationsMail;

/// Sends to the configured addresses.
pub struct OperationsMailer {
    mailer: Box<dyn Mailer>,
    addresses: Addresses,
}

/// Who writes, and to whom.
pub struct Addresses {
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// An address that mail cannot be sent from or to.
#[derive(Debug, thiserror::Error)]
#[error("not a mail address: `{0}`")]
pub struct InvalidAddress(String);

impl Addresses {
    /// Reads addresses, which may carry a name: `Operations <ops@example.org>`.
    ///
    /// # Errors
    /// [`InvalidAddress`].
    pub fn parse(from: &str, to: &[String]) -> Result<Self, InvalidAddress> {
        let address = |text: &str| text.parse::<Mailbox>().map_err(|_| InvalidAddress(text.to_owned()));
        Ok(Self { from: address(from)?, to: to.iter().map(|text| address(text)).collect::<Result<_, _>>()? })
    }
}

impl OperationsMailer {
    /// Sends to all readers, who see each other.
    pub fn new(mailer: Box<dyn Mailer>, addresses: Addresses) -> Self {
        Self { mailer, addresses }
    }
}

#[async_trait]
impl OperationsMail for OperationsMailer {
    async fn send(&self, subject: &str, body: &str) -> anyhow::Result<()> {
        Ok(self.mailer.send(subject, body, &self.addresses.to, &self.addresses.from).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::mail::{self, Settings};

    #[tokio::test]
    async fn a_mail_reaches_its_folder() {
        let folder = std::env::temp_dir().join(format!("greenlane-operations-{}", uuid::Uuid::new_v4()));
        let mailer = || mail::mailer(&Settings::Folder(folder.clone())).unwrap();
        let addresses = Addresses::parse("greenlane@localhost", &["Operations <ops@example.org>".to_owned()]).unwrap();
        OperationsMailer::new(mailer(), addresses).send("告警", "正文").await.unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        for (from, to) in [("nobody", "ops@example.org"), ("greenlane@localhost", "nobody")] {
            assert!(Addresses::parse(from, &[to.to_owned()]).is_err(), "{from} {to}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
