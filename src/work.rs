//! What goes on beside requests: what one process at a time does, and in a cluster the keeping of leases.

use std::sync::Arc;

use anyhow::Result;
use indexer::snapshot;
use storage::block::BlockStore;
use storage::lease::Leases;
use storage::snapshot::Snapshots;
use sync::relay::{self, Relay};
use tokio::sync::watch;

use crate::cluster::desk::Desk;
use crate::cluster::earlier::Earlier;
use crate::cluster::keeper::{Charge, Duty, End, Keeper};
use crate::cluster::member::Member;
use crate::cluster::note::PROCESSES;
use crate::cluster::role::Role;
use crate::command::serve::Services;
use crate::healing::Healing;
use crate::maintenance::{Maintenance, Needed};
use crate::node::Node;
use crate::operations::Operations;

/// The work of a process.
pub struct Work {
    /// Ends what this process does alone, or the keeper, who ends what it does for the cluster.
    ends: Vec<End>,
}

impl Work {
    /// Starts it: by itself a process does everything; in a cluster what its leases allow.
    pub fn start(
        node: &Node,
        services: &Services,
        member: Option<&Arc<Member>>,
        operations: &Operations,
    ) -> Result<Work> {
        let Some(member) = member else {
            let duties = duties(node, services, None);
            let ends = duties.iter().map(|duty| (duty.start)());
            return Ok(Work {
                ends: ends.collect::<Result<_>>()?,
            });
        };
        let own = operations.clone();
        let operate = move |name: &str, argument: &str| {
            own.of_own_index(name, serde_json::from_str(argument)?)
        };
        let indexer = services.indexer.clone();
        let desk = Arc::new(Desk::new(
            indexer.clone(),
            member.process.clone(),
            member.about(),
            Earlier::new(member.leases.clone()),
            Box::new(operate),
        ));
        let (ending, ended) = watch::channel(false);
        let serving = member.serve(desk.clone(), ended)?;
        let (tidied, blocks, meta) = (desk, node.blocks.clone(), node.meta.clone());
        let keeper = Keeper::start(Charge {
            leases: member.leases.clone(),
            process: member.process.clone(),
            indexer: indexer.filter(|_| member.roles.has(Role::Shard)),
            shards: member.shards,
            replicas: member.shard_replicas,
            duties: duties(node, services, Some(member)),
            tidy: Box::new(move || {
                tidied.tidy();
                let looked = blocks
                    .look_at_extents()
                    .and_then(|()| meta.save_token_uses());
                if let Err(error) = looked {
                    tracing::warn!(%error, "what other processes have to know of is looked at again");
                }
            }),
        })?;
        let end: End = Box::new(move || {
            keeper.stop();
            ending.send_replace(true);
            serving.abort();
        });
        Ok(Work { ends: vec![end] })
    }

    /// Ends it; in a cluster others take over at once. Blocks.
    pub fn stop(self) {
        self.ends.into_iter().for_each(|end| end());
    }
}

/// What one process at a time does, as far as this one may.
fn duties(node: &Node, services: &Services, member: Option<&Arc<Member>>) -> Vec<Duty> {
    let has = |role| member.is_none_or(|member| member.roles.has(role));
    let mut duties = Vec::new();
    if has(Role::Upkeep) {
        duties.push(upkeep(node, services, member));
    }
    if let Some(wire) = services.wire.as_ref().filter(|_| has(Role::Relay)) {
        let bus = wire.bus.clone();
        let sources = relay::Sources {
            meta: node.meta.clone(),
            journal: node.journal.clone(),
            extractions: node.extractions.clone(),
            blocks: node.blocks.clone(),
        };
        duties.push(Duty {
            name: Role::Relay.name(),
            start: Box::new(move || {
                let relay = Relay::start(sources.clone(), bus.publisher()?)?;
                Ok(Box::new(move || drop(relay)))
            }),
        });
    }
    duties
}

fn upkeep(node: &Node, services: &Services, member: Option<&Arc<Member>>) -> Duty {
    let (node, indexer) = (node.clone(), services.indexer.clone());
    let leases = member.map(|member| member.leases.clone());
    let start = move || -> Result<End> {
        let (leases, indexer) = (leases.clone(), indexer.clone());
        let (is_cluster, snapshots) = (leases.is_some(), Snapshots::new(node.store.clone()));
        let needed: Needed = Box::new(move || match &indexer {
            Some(indexer) if !is_cluster => Ok(indexer.checkpoints()),
            _ => Ok(snapshot::needed(&snapshots)?),
        });
        let maintenance = Maintenance::start(
            &node,
            needed,
            leases.map(|leases| closing(leases, node.blocks.clone())),
        )?;
        let healing = Healing::start(&node)?;
        Ok(Box::new(move || {
            maintenance.stop();
            healing.stop();
        }))
    };
    Duty {
        name: Role::Upkeep.name(),
        start: Box::new(start),
    }
}

/// What is left behind by processes that are gone: open extents, and their own rows.
fn closing(leases: Leases, blocks: BlockStore) -> crate::maintenance::Closing {
    Box::new(move || {
        let alive: Vec<u64> = leases
            .alive(PROCESSES)?
            .iter()
            .map(|(_, lease)| lease.holder)
            .collect();
        let closed = blocks.close_abandoned(&|writer| alive.contains(&writer))?;
        if closed > 0 {
            tracing::info!(
                extents = closed,
                "extents of processes that are gone were sealed"
            );
        }
        for (name, lease) in leases.all(PROCESSES)? {
            if !alive.contains(&lease.holder) {
                leases.forget(&name)?;
            }
        }
        Ok(())
    })
}
