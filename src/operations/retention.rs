//! How long deleted files and old versions are kept, and the room that they take.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Operations;

/// The days; none: by the configuration.
#[derive(Deserialize)]
pub(super) struct Set {
    days: Option<u32>,
}

impl Operations {
    pub(super) fn set_retention(&self, wanted: Set) -> Result<Value> {
        self.node.meta.set_retention_days(wanted.days)?;
        Ok(json!({}))
    }

    pub(super) fn retention(&self) -> Result<Value> {
        let meta = &self.node.meta;
        let set = meta.retention_days()?;
        let kept = meta.kept_space()?;
        let (mut accounts, mut after) = (Vec::new(), None);
        loop {
            let page = meta.accounts(after, storage::meta::account::MAX_PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for account in &page {
                let space = kept.accounts.get(&account.id).copied().unwrap_or_default();
                accounts.push(json!({
                    "email": account.email, "used_bytes": meta.space_used(account.id)?.used,
                    "trashed": space.trashed, "trash_bytes": space.trash_bytes,
                    "versions": space.versions, "version_bytes": space.version_bytes,
                }));
            }
        }
        Ok(json!({
            "days": set.unwrap_or(self.node.retention_days),
            "set_by": if set.is_some() { "set by an administrator" } else { "by the configuration" },
            "accounts": accounts,
            "is_complete": kept.is_complete,
        }))
    }
}
