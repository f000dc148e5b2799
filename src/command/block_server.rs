//! `firefly serve --role block`: keeps blocks for servers elsewhere. It has neither metadata nor the keys of blocks.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use storage::block::Place;
use storage::block::served::{BlockServer, ClusterKey};
use storage::meta::Env;
use tokio::net::TcpListener;

use super::serve::asked_to_end;
use crate::config::{Config, TlsMode};
use crate::node::make_private_folder;

/// Runs it until it is asked to end.
pub fn run(config: Config) -> Result<ExitCode> {
    let [Place::Folder(folder)] = &config.targets[..] else {
        bail!("a block server keeps blocks in one folder: `targets` names one");
    };
    if config.tls != TlsMode::Off {
        bail!(
            "a block server speaks plain HTTP: what it hears is encrypted and sealed with the cluster's key"
        );
    }
    let key = config.cluster_key.as_deref();
    let key = ClusterKey::read(key.context("a block server needs --cluster-key FILE")?)?;
    crate::log::start(&config.log)?;
    make_private_folder(&config.data)?;
    let server = Arc::new(BlockServer::new(folder, key, Env::system().clock)?);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(&config.listen, server))?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn serve(listen: &str, server: Arc<BlockServer>) -> Result<()> {
    let end = asked_to_end()?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen}"))?;
    println!("Firefly keeps blocks on {}", listener.local_addr()?);
    Ok(web::blocks::serve(server, listener, end).await?)
}
