//! An operation done for real.

use super::model::Model;
use super::op::Op;
use crate::meta::{Address, MemberPolicy, NamespaceId};

impl Model {
    /// Does the operation for real; what the model expects of it comes from [`Model::expect`].
    pub fn run(&self, op: &Op) -> crate::Result<Option<NamespaceId>> {
        let meta = &self.bench.meta;
        let actor = |who: usize| self.accounts[who].actor();
        let id = |who: usize| self.accounts[who].id;
        let ns = |space: usize| self.spaces[space].ns;
        match *op {
            Op::Share { who, of, folder } => {
                let at = Address::Id(self.folders[of][folder], Vec::new());
                meta.share_folder(actor(who), &at, MemberPolicy::Owner)
                    .map(Some)
            }
            Op::Add {
                who,
                space,
                member,
                role,
                auto_mount,
            } => meta
                .add_member(actor(who), ns(space), id(member), role, auto_mount)
                .map(|()| None),
            Op::Remove { who, space, member } => meta
                .remove_member(actor(who), ns(space), id(member))
                .map(|()| None),
            Op::Update {
                who,
                space,
                member,
                role,
            } => meta
                .update_member(actor(who), ns(space), id(member), role)
                .map(|()| None),
            Op::Policy { who, space, policy } => meta
                .set_member_policy(actor(who), ns(space), policy)
                .map(|()| None),
            Op::Transfer { who, space, to } => {
                meta.transfer(actor(who), ns(space), id(to)).map(|()| None)
            }
            Op::Unshare { who, space } => meta.unshare(actor(who), ns(space)).map(|()| None),
            Op::Mount { who, space } => meta.mount(actor(who), ns(space)).map(|_| None),
            Op::Unmount { who, space } => meta.unmount(actor(who), ns(space)).map(|()| None),
            Op::Join { group, member } => meta
                .join_group(self.groups[group], id(member), false)
                .map(|()| None),
            Op::Part { group, member } => meta
                .leave_group(self.groups[group], id(member))
                .map(|()| None),
            Op::Grant {
                who,
                space,
                group,
                role,
            } => meta
                .add_group(actor(who), ns(space), self.groups[group], role)
                .map(|()| None),
            Op::Regrant {
                who,
                space,
                group,
                role,
            } => meta
                .update_group(actor(who), ns(space), self.groups[group], role)
                .map(|()| None),
            Op::Ungrant { who, space, group } => meta
                .remove_group(actor(who), ns(space), self.groups[group])
                .map(|()| None),
        }
    }
}
