//! Teams: what administrators decide for all accounts of one.
//!
//! Row: `TEAM team` -> [`Settings`].

use serde::{Deserialize, Serialize};

use super::ids::TeamId;
use super::{Meta, keys};
use crate::error::Result;
use crate::keyspace::TEAM;
use crate::kv::Snapshot;

/// Who may invite people who have no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum InvitationPolicy {
    /// Whoever may change a shared folder's members.
    Everybody,
    /// The same, but an administrator approves each.
    #[default]
    Approval,
    /// Administrators only.
    Admins,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Settings {
    invitations: InvitationPolicy,
}

impl Meta {
    /// Who may invite people who have no account.
    pub fn invitation_policy(&self, team: TeamId) -> Result<InvitationPolicy> {
        policy(&*self.store().snapshot()?, Some(team))
    }

    /// Says who may.
    pub fn set_invitation_policy(&self, team: TeamId, policy: InvitationPolicy) -> Result<()> {
        let settings = Settings {
            invitations: policy,
        };
        self.transact(|txn| keys::write(txn, key(team), &settings))
    }
}

/// The policy of a team; of what belongs to none, the default.
pub(super) fn policy(rows: &dyn Snapshot, team: Option<TeamId>) -> Result<InvitationPolicy> {
    let Some(team) = team else {
        return Ok(InvitationPolicy::default());
    };
    let settings: Option<Settings> = keys::read(rows, &key(team), "team")?;
    Ok(settings.unwrap_or_default().invitations)
}

fn key(team: TeamId) -> Vec<u8> {
    keys::key(TEAM, &[&team.0.to_be_bytes()])
}
