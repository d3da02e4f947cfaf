//! The reconcilers as a part of the system's page.

use super::show::{NOTHING, moment};
use crate::http::{
    api::ops::schedules::{RunBody, ScheduleBody, all},
    pages::page::Page,
    problem::Problem,
    state::AppState,
};

/// A row of the page.
pub(super) struct Row {
    pub(super) schedule: ScheduleBody,
    pub(super) period: String,
    pub(super) last: String,
    pub(super) worked: String,
    pub(super) process: String,
    /// When it failed last, and why.
    pub(super) failed: Option<(String, String)>,
}

pub(super) async fn rows(state: &AppState, page: &Page) -> Result<Vec<Row>, Problem> {
    let row = |schedule: ScheduleBody| {
        let run = |run: &RunBody| page.fill("ops.schedule.run", &[&moment(run.at), &run.took_ms, &run.items]);
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        let last = schedule.last.as_ref();
        Row {
            period: or_nothing(schedule.period_ms.map(|period| format!("{} s", period as f64 / 1000.0))),
            last: or_nothing(last.map(run)),
            worked: or_nothing(schedule.worked.as_ref().map(run)),
            process: or_nothing(last.map(|run| run.host.clone().unwrap_or_else(|| run.process.to_string()))),
            failed: schedule.failed.as_ref().map(|run| (moment(run.at), run.error.clone().unwrap_or_default())),
            schedule,
        }
    };
    Ok(all(state).await?.into_iter().map(row).collect())
}
