//! One file per subcommand; `wiring` is the only composition root.

pub mod audit;
pub mod bench;
pub mod calendar;
mod card_cost;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod key;
pub mod migrate;
pub mod output;
mod prepare;
mod presentation_load;
pub mod secret;
pub mod serve;
pub mod simulate;
pub mod user;
pub mod wiring;
pub mod workflow;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{administration::Refused, config::Config};

/// The durable workflow processor behind the electronic driving licence (电子驾驶证).
#[derive(Debug, Parser)]
#[command(name = "greenlane", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything on a throw-away database with simulated providers
    Demo(demo::Demo),
    /// Run the named roles in this process
    Serve(serve::Serve),
    /// Run the provider simulator alone
    Simulate(simulate::Simulate),
    /// Apply the migrations that the database of DATABASE_URL lacks
    Migrate,
    /// Measure throughput and latency on the configured database
    Bench(bench::Bench),
    /// API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// People who sign in at the consoles
    #[command(subcommand)]
    User(user::UserCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The working-day calendar
    #[command(subcommand)]
    Calendar(calendar::CalendarCommand),
    /// Check configuration, database, Redis, providers, calendar and clock
    Doctor,
    /// Look at the workflow files and check them
    #[command(subcommand)]
    Workflow(workflow::WorkflowCommand),
    /// Key material
    #[command(subcommand)]
    Secret(secret::SecretCommand),
}

/// Says how an act of an administrator ended: 0, or 1 when it was refused.
fn told(result: Result<String, Refused>) -> anyhow::Result<ExitCode> {
    let (text, code) = match result {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error @ (Refused::Store(_) | Refused::Failed(_))) => return Err(error.into()),
        Err(refused) => (refused.to_string(), ExitCode::FAILURE),
    };
    eprintln!("{text}");
    Ok(code)
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Two TLS libraries of the dependency set would each install a provider; the first line decides.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&error.into()),
    };
    let result = runtime.block_on(run(cli.command));
    // A blocking call that hangs must not keep a finished program alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    result.unwrap_or_else(|error| exit::report(&error))
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    if let Command::Secret(command) = command {
        command.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Demo(demo) = command {
        return demo.run().await;
    }
    if let Command::Simulate(simulate) = command {
        return simulate.run().await;
    }
    let config = Config::load().map_err(|problems| exit::Refused(problems).lines())?;
    match command {
        Command::Serve(serve) => serve.run(config).await,
        Command::Bench(bench) => bench.run(config).await,
        Command::Migrate => migrate::run(&config).await,
        Command::Key(command) => command.run(wiring::store(&config).await?.as_ref()).await,
        Command::User(command) => {
            let (secrets, store) = (wiring::secrets(&config)?, wiring::store(&config).await?);
            command.run(store.as_ref(), &secrets).await
        }
        Command::Audit(command) => {
            let (secrets, store) = (wiring::secrets(&config)?, wiring::store(&config).await?);
            command.run(store.as_ref(), &secrets).await
        }
        Command::Calendar(command) => {
            let store = wiring::store(&config).await?;
            let workflows = wiring::workflows(&config, store.as_ref()).await?;
            let calendar = wiring::calendar(&config, store.as_ref()).await?;
            command.run(store.as_ref(), &workflows, &calendar, config.calendar.warn_days).await
        }
        Command::Doctor => doctor::run(&config).await,
        Command::Workflow(command) => command.run(&config.workflow.folder),
        Command::Demo(_) | Command::Simulate(_) | Command::Secret(_) => Ok(ExitCode::SUCCESS),
    }
}
