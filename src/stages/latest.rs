//! The licences that holders have already, asked for by many runs in one statement.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::decision::Decision,
    store::{self, Store, types::LicenceRecord},
};

use super::interrupted;

/// Holders of one statement at most.
const AT_ONCE: usize = 500;

/// Looks up a holder's latest licence. What is asked for while a look is under way shares the next one: looks grow with
/// the load, and an idle process does not wait. Cheap to clone.
#[derive(Clone)]
pub struct LatestLicences(mpsc::UnboundedSender<Question>);

struct Question {
    holder: String,
    answer: oneshot::Sender<Result<Option<LicenceRecord>, Decision>>,
}

impl LatestLicences {
    /// Starts the loop that looks; it ends when the last clone is gone.
    pub fn start(store: Arc<dyn Store>) -> Self {
        // Unbounded, because every question is a run's, which holds a place.
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(look(store, receiver));
        Self(sender)
    }

    /// The licence that was issued to the holder last, however it stands.
    ///
    /// # Errors
    /// The decision that ends the run instead: the database is away.
    pub(super) async fn of(&self, holder: &str) -> Result<Option<LicenceRecord>, Decision> {
        let (answer, answered) = oneshot::channel();
        let question = Question { holder: holder.to_owned(), answer };
        self.0.send(question).map_err(|gone| interrupted(&gone))?;
        answered.await.map_err(|gone| interrupted(&gone))?
    }
}

async fn look(store: Arc<dyn Store>, mut questions: mpsc::UnboundedReceiver<Question>) {
    let mut batch = Vec::new();
    while questions.recv_many(&mut batch, AT_ONCE).await > 0 {
        match latest(store.as_ref(), &batch).await {
            // One record that does not parse is nobody else's matter.
            Err(error) if !error.is_transient() && batch.len() > 1 => {
                for question in batch.drain(..) {
                    let alone = latest(store.as_ref(), std::slice::from_ref(&question)).await;
                    answer([question], alone);
                }
            }
            found => answer(batch.drain(..), found),
        }
    }
}

type Found = HashMap<String, LicenceRecord>;

async fn latest(store: &dyn Store, questions: &[Question]) -> store::Result<Found> {
    let holders: Vec<String> = questions.iter().map(|question| question.holder.clone()).collect();
    let found = store.latest_licences(&holders).await?;
    Ok(found.into_iter().map(|licence| (licence.holder.clone(), licence)).collect())
}

fn answer(questions: impl IntoIterator<Item = Question>, found: store::Result<Found>) {
    let found = found.map_err(|error| interrupted(&error));
    for Question { holder, answer } in questions {
        let licence = found.as_ref().map(|found| found.get(&holder).cloned()).map_err(Clone::clone);
        let _run_ended = answer.send(licence);
    }
}
