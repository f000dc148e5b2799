//! The audit log, for administrators.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{AccountId, AuditAction, AuditEvent, AuditFilter, AuditHead, Meta};

use super::Operations;
use crate::moment;
use crate::node::Node;

/// File of the data folder that has the log's latest head.
const ANCHOR: &str = "audit.anchor";

/// Which events, from where on.
#[derive(Deserialize)]
pub(super) struct List {
    #[serde(default)]
    after: u64,
    /// From the latest on, instead of from the first; `before` says where the page before this one ended.
    #[serde(default)]
    newest_first: bool,
    before: Option<u64>,
    #[serde(default = "page")]
    limit: usize,
    /// E-mail address.
    actor: Option<String>,
    #[serde(default)]
    actions: Vec<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    subject: Option<String>,
    address: Option<String>,
}

fn page() -> usize {
    storage::meta::audit::MAX_PAGE
}

/// Heads that were noted elsewhere.
#[derive(Deserialize)]
pub(super) struct Verify {
    #[serde(default)]
    anchors: Vec<String>,
}

impl Operations {
    pub(super) fn list_audit(&self, wanted: List) -> Result<Value> {
        let meta = &self.node.meta;
        let actor = wanted
            .actor
            .as_deref()
            .map(|email| self.account(Some(email)));
        let actions = wanted.actions.iter().map(|name| {
            AuditAction::parse(name).with_context(|| {
                let all: Vec<_> = AuditAction::ALL
                    .iter()
                    .map(|action| action.name())
                    .collect();
                format!("there is no action {name:?}; there are {}", all.join(", "))
            })
        });
        let filter = AuditFilter {
            actor: actor.transpose()?.map(|account| account.id),
            actions: actions.collect::<Result<_>>()?,
            since_ms: wanted.since_ms,
            until_ms: wanted.until_ms,
            subject: wanted.subject,
            address: wanted.address,
        };
        let (events, next) = match wanted.newest_first {
            true => meta.audit_latest(wanted.before, &filter, wanted.limit)?,
            false => meta.audit_search(wanted.after, &filter, wanted.limit)?,
        };
        let mut emails = HashMap::new();
        let rows = events.iter().map(|(sequence, event)| {
            Ok(json!({
                "sequence": sequence,
                "at": moment::text_ms(event.at_ms),
                "actor": event.actor.map(|actor| email(meta, actor, &mut emails)).transpose()?,
                "action": event.action.name(),
                "subject": event.subject,
                "address": event.address,
            }))
        });
        Ok(json!({"events": rows.collect::<Result<Vec<Value>>>()?, "next": next}))
    }

    pub(super) fn verify_audit(&self, wanted: Verify) -> Result<Value> {
        let mut anchors = Vec::new();
        for anchor in &wanted.anchors {
            let head = AuditHead::parse(anchor);
            anchors.push(head.with_context(|| format!("{anchor:?} is no anchor: SEQUENCE:HASH"))?);
        }
        anchors.extend(noted(&self.node)?);
        let report = self.node.meta.verify_audit(&anchors)?;
        Ok(json!({
            "events": report.events, "head": report.head.to_string(), "problems": report.problems,
            "anchors": anchors.len(),
        }))
    }

    /// Runs an operation on a store without a server, and logs it as such.
    pub fn call_here(&self, operation: &str, argument: Value) -> Result<Value> {
        let answer = self.call(operation, argument)?;
        let looks = ["status", "list", "get", "verify", "check"];
        if !looks.contains(&operation.rsplit('/').next().unwrap_or_default()) {
            self.node.meta.audit(AuditEvent {
                at_ms: self.node.meta.env().clock.now_ms(),
                actor: None,
                action: AuditAction::Admin,
                subject: format!("{operation} (command on a stopped store)"),
                address: None,
            })?;
        }
        Ok(answer)
    }
}

/// Notes the log's head in the data folder; returns it when it is another than before.
pub fn anchor(node: &Node) -> Result<Option<AuditHead>> {
    let Some(head) = node.meta.audit_head()? else {
        return Ok(None);
    };
    if noted(node)? == Some(head) {
        return Ok(None);
    }
    let temporary = node.data.join("audit.anchor.new");
    std::fs::write(&temporary, format!("{head}\n"))?;
    std::fs::rename(temporary, node.data.join(ANCHOR))?;
    Ok(Some(head))
}

fn noted(node: &Node) -> Result<Option<AuditHead>> {
    match std::fs::read_to_string(node.data.join(ANCHOR)) {
        Ok(text) => Ok(AuditHead::parse(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("audit.anchor"),
    }
}

fn email(meta: &Meta, id: AccountId, known: &mut HashMap<AccountId, String>) -> Result<String> {
    if let Some(email) = known.get(&id) {
        return Ok(email.clone());
    }
    let account = meta.account(id)?;
    let email = account.map_or_else(|| id.to_string(), |account| account.email);
    known.insert(id, email.clone());
    Ok(email)
}
