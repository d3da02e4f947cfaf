//! `greenlane demo`: the whole program in one command, on an embedded database that is thrown away. Sample applications
//! take every path and meet every family of rejections; the command knows how each must end.

mod acts;
mod cases;
mod client;
mod people;
mod photo;
mod play;
mod progress;
mod report;
mod scratch;
mod sink;
mod site;

use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{config::Bind, telemetry};

use super::{output, serve::stop_signal};

/// Where it listens without `--bind`, when it keeps serving.
const PORT: u16 = 8080;
/// Reviews that are left to the visitor.
const LEFT_REVIEWS: usize = 3;

/// How much, and whether to stay.
#[derive(Debug, Args)]
pub struct Demo {
    /// Sample applications, from 1 to 10000
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    applications: u16,
    /// Decide every review, print the summary and end: 0 when every application ended as expected, 1 otherwise
    #[arg(long)]
    exit: bool,
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080, with --exit a free port]
    #[arg(long)]
    bind: Option<Bind>,
}

impl Demo {
    /// Runs the demonstration. Without `--exit` it serves on until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// Something that is needed cannot be opened.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        // Simulated trouble is the subject: only what nobody ordered is logged.
        let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
        telemetry::init(filter.as_deref().unwrap_or("error"), false)?;
        telemetry::metrics::install()?;
        let bind = self.bind.clone().unwrap_or_else(|| Bind::local(if self.exit { 0 } else { PORT }));
        // Heard from the first moment on, and obeyed when there is something whole to be removed.
        let stop = CancellationToken::new();
        tokio::spawn({
            let stop = stop.clone();
            async move {
                stop_signal().await;
                stop.cancel();
            }
        });
        let site = site::Site::start(bind).await?;
        let result = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(self.interrupted()),
            played = self.play(&site) => played.map(|good| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        };
        site.stop().await;
        result
    }

    /// To be stopped is how it ends, unless it was to end by itself.
    fn interrupted(&self) -> ExitCode {
        eprintln!("\nstopped");
        if self.exit { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    /// Whether everything was as expected. Without `--exit` it does not return.
    async fn play(&self, site: &site::Site) -> anyhow::Result<bool> {
        if !self.exit {
            for (name, key) in &site.keys {
                output::line(format!("{name:9} {key}"))?;
            }
            let (users, password) = &site.users;
            output::line(format!("sign in   {} with the password {password}", users.join(", ")))?;
        }
        let total = usize::from(self.applications);
        let mut planned = cases::plan(total);
        if !self.exit {
            cases::leave_reviews(&mut planned, LEFT_REVIEWS);
        }
        let pictures = photo::Pictures::draw()?;
        let refused_photo = pictures.upload_refused(&site.upstream).await?;
        let progress = progress::Progress::of(total);
        let play = play::Play::new(site, &pictures, &progress);
        let ended = progress.show(&site.sink, play.all(planned)).await;
        let checks = report::check(site, &ended, refused_photo).await?;
        output::line(report::render(&ended, &checks))?;
        let good = report::is_good(&ended, &checks);
        let verdict = if good { "everything ended as expected" } else { "something ended otherwise than expected" };
        eprintln!("{verdict} after {:.1} s", progress.elapsed().as_secs_f64());
        if !self.exit {
            eprint!("{}", invitation(site));
            std::future::pending::<()>().await;
        }
        Ok(good)
    }
}

/// What a visitor can do next.
fn invitation(site: &site::Site) -> String {
    let address = site.address;
    format!(
        "\nStill serving; Ctrl-C stops it and removes everything.\n\
         \x20 the consoles       http://{address}/login\n\
         \x20 the API            http://{address}/docs\n\
         \x20 health, metrics    http://{address}/readyz  http://{address}/metrics\n\
         \x20 the reviews left   curl -H 'Authorization: Bearer REVIEWER-KEY' http://{address}/v1/reviews?state=open\n\
         \x20 the stalled ones   curl -H 'Authorization: Bearer OPERATOR-KEY' http://{address}/v1/ops/stalled\n\
         Keys, users and their password are the first lines of the output.\n"
    )
}
