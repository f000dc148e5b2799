//! This process as one of a cluster: its key, its leases, and how the others reach it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use serde_json::json;
use storage::kv::Store;
use storage::lease::{Held, Leases, Terms};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::desk::Desk;
use super::note::{DUTIES, Note, PROCESSES, SHARDS, process_lease, shard_of};
use super::owners::Owners;
use super::remote::Remote;
use super::role::Roles;
use crate::config::Cluster;
use crate::rpc::{Client, ClusterKey, server};

/// A process of a cluster.
pub struct Member {
    /// What it does.
    pub roles: Roles,
    /// Its leases.
    pub leases: Leases,
    /// Its own one.
    pub process: Arc<Mutex<Held>>,
    /// Asks the others.
    pub client: Client,
    /// Who holds what.
    pub owners: Arc<Owners>,
    /// What it says about itself.
    pub note: Note,
    /// How many shards there are.
    pub shards: u16,
    /// How many replicas of each there are to be.
    pub shard_replicas: u16,
    key: ClusterKey,
    listener: Mutex<Option<TcpListener>>,
}

impl Member {
    /// Joins: listens for calls, and says that it is there. Refused when a process of the cluster has another number of shards.
    pub async fn join(cluster: &Cluster, store: Arc<dyn Store>, shards: u16) -> Result<Member> {
        let key = ClusterKey::read(&cluster.key)?;
        let listener = TcpListener::bind(&cluster.listen)
            .await
            .with_context(|| format!("listen on {} for the cluster", cluster.listen))?;
        let url = match &cluster.url {
            Some(url) => url.clone(),
            None => own_url(listener.local_addr()?)?,
        };
        let note = Note {
            url,
            roles: cluster.roles.names(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            shards,
            tls: true,
        };
        let runtime = Handle::current();
        let (me, said) = (cluster.process, note.clone());
        let begun = tokio::task::spawn_blocking(move || {
            let leases = Leases::new(store, me, said.text(), Terms::default());
            check(&leases, shards)?;
            let process = leases.take(&process_lease(leases.me()))?;
            let process = process.context("another process has this one's random number")?;
            let owners = Arc::new(Owners::start(leases.clone())?);
            anyhow::Ok((leases, process, owners))
        });
        let (leases, process, owners) = begun.await??;
        Ok(Member {
            roles: cluster.roles.clone(),
            leases,
            process: Arc::new(Mutex::new(process)),
            client: Client::new(key.clone(), runtime),
            owners,
            note,
            shards,
            shard_replicas: cluster.shard_replicas,
            key,
            listener: Mutex::new(Some(listener)),
        })
    }

    /// All shards, wherever they are.
    pub fn remote(&self) -> Remote {
        Remote::new(self.client.clone(), self.owners.clone(), self.shards)
    }

    /// Answers the others until `ended` says so.
    pub fn serve(
        &self,
        desk: Arc<Desk>,
        ended: watch::Receiver<bool>,
    ) -> Result<tokio::task::JoinHandle<()>> {
        let listener = self
            .listener
            .lock()
            .ok()
            .and_then(|mut listener| listener.take());
        let listener = listener.context("the cluster is served already")?;
        let key = self.key.clone();
        Ok(tokio::spawn(async move {
            if let Err(error) = server::serve(listener, key, desk, ended).await {
                tracing::error!(
                    error = format!("{error:#}"),
                    "other processes are answered no more"
                );
            }
        }))
    }

    /// The processes that are there, and who holds what.
    pub fn describe(&self) -> Result<serde_json::Value> {
        let processes = self.leases.alive(PROCESSES)?;
        let processes: Vec<_> = processes
            .iter()
            .filter_map(|(_, lease)| Note::read(&lease.note))
            .collect();
        let held = |prefix: &str| -> Result<Vec<_>> {
            let leases = self.leases.alive(prefix)?.into_iter();
            let told = leases.map(|(name, lease)| {
                let holder = Note::read(&lease.note).map(|note| note.url);
                json!({ "lease": name, "epoch": lease.epoch, "holder": holder })
            });
            Ok(told.collect())
        };
        let shards = held(SHARDS)?;
        let there: BTreeSet<_> = self
            .leases
            .alive(SHARDS)?
            .iter()
            .filter_map(|(name, _)| Some(shard_of(name)?.0))
            .collect();
        let missing = usize::from(self.shards).saturating_sub(there.len());
        Ok(
            json!({ "processes": processes, "shards": shards, "missing": missing, "duties": held(DUTIES)? }),
        )
    }

    /// What `/healthz` tells about it.
    pub fn about(&self) -> serde_json::Value {
        json!({ "roles": self.note.roles, "url": self.note.url })
    }
}

/// All processes have the same number of shards, or two would search different ones.
fn check(leases: &Leases, shards: u16) -> Result<()> {
    for (_, lease) in leases.alive(PROCESSES)? {
        if let Some(note) = Note::read(&lease.note)
            && note.shards != shards
        {
            bail!(
                "the process at {} has {} shards, this one {shards}: all of a cluster have the same number",
                note.url,
                note.shards
            );
        }
    }
    Ok(())
}

fn own_url(listen: SocketAddr) -> Result<String> {
    if listen.ip().is_unspecified() {
        bail!(
            "cluster_url is needed with cluster_listen {listen}: where others reach this process"
        );
    }
    Ok(format!("http://{listen}"))
}
