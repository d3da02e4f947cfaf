//! `greenlane simulate`: the provider simulator alone.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use crate::providers::simulator;

/// Where it listens.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8090")]
    bind: SocketAddr,
}

impl Simulate {
    /// Serves until it is killed.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let listener =
            TcpListener::bind(self.bind).await.with_context(|| format!("cannot listen on `{}`", self.bind))?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        tokio::select! {
            served = simulator::serve(listener) => served.context("the simulator ended")?,
            () = super::serve::stop_signal() => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}
