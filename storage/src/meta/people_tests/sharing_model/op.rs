//! What may be done.

use proptest::prelude::*;

use super::model::Space;
use super::{ACCOUNTS, FOLDERS, GROUPS};
use crate::meta::{MemberPolicy, Role};

#[derive(Debug, Clone)]
pub(super) enum Op {
    Share {
        who: usize,
        of: usize,
        folder: usize,
    },
    Add {
        who: usize,
        space: usize,
        member: usize,
        role: Role,
        auto_mount: bool,
    },
    Remove {
        who: usize,
        space: usize,
        member: usize,
    },
    Update {
        who: usize,
        space: usize,
        member: usize,
        role: Role,
    },
    Policy {
        who: usize,
        space: usize,
        policy: MemberPolicy,
    },
    Transfer {
        who: usize,
        space: usize,
        to: usize,
    },
    Unshare {
        who: usize,
        space: usize,
    },
    Mount {
        who: usize,
        space: usize,
    },
    Unmount {
        who: usize,
        space: usize,
    },
    Join {
        group: usize,
        member: usize,
    },
    Part {
        group: usize,
        member: usize,
    },
    Grant {
        who: usize,
        space: usize,
        group: usize,
        role: Role,
    },
    Regrant {
        who: usize,
        space: usize,
        group: usize,
        role: Role,
    },
    Ungrant {
        who: usize,
        space: usize,
        group: usize,
    },
}

/// An operation with its space still to be chosen among those there are.
pub(super) fn op() -> impl Strategy<Value = Op> {
    let (who, space, role) = (
        0..ACCOUNTS,
        0..64usize,
        prop_oneof![Just(Role::Viewer), Just(Role::Editor)],
    );
    let policy = prop_oneof![Just(MemberPolicy::Owner), Just(MemberPolicy::Editors)];
    let w = || who.clone();
    let s = || space.clone();
    let g = || 0..GROUPS;
    prop_oneof![
        3 => (w(), w(), 0..FOLDERS.len(), any::<bool>()).prop_map(|(who, of, folder, own)| {
            Op::Share { who: if own { of } else { who }, of, folder }
        }),
        6 => (w(), s(), w(), role.clone(), any::<bool>()).prop_map(|(who, space, member, role, auto_mount)| {
            Op::Add { who, space, member, role, auto_mount }
        }),
        2 => (w(), s(), w()).prop_map(|(who, space, member)| Op::Remove { who, space, member }),
        1 => (w(), s()).prop_map(|(who, space)| Op::Remove { who, space, member: who }),
        1 => (w(), s(), w(), role.clone()).prop_map(|(who, space, member, role)| Op::Update { who, space, member, role }),
        1 => (w(), s(), policy).prop_map(|(who, space, policy)| Op::Policy { who, space, policy }),
        2 => (w(), s(), w()).prop_map(|(who, space, to)| Op::Transfer { who, space, to }),
        1 => (w(), s()).prop_map(|(who, space)| Op::Unshare { who, space }),
        2 => (w(), s()).prop_map(|(who, space)| Op::Mount { who, space }),
        2 => (w(), s()).prop_map(|(who, space)| Op::Unmount { who, space }),
        4 => (g(), w()).prop_map(|(group, member)| Op::Join { group, member }),
        2 => (g(), w()).prop_map(|(group, member)| Op::Part { group, member }),
        4 => (w(), s(), g(), role.clone()).prop_map(|(who, space, group, role)| Op::Grant { who, space, group, role }),
        1 => (w(), s(), g(), role).prop_map(|(who, space, group, role)| Op::Regrant { who, space, group, role }),
        2 => (w(), s(), g()).prop_map(|(who, space, group)| Op::Ungrant { who, space, group }),
    ]
}

/// The operation on one of `count` spaces, mostly by its owner; `None` when there is none yet.
pub(super) fn aimed(op: Op, spaces: &[Space]) -> Option<Op> {
    let aim = |space: usize| (!spaces.is_empty()).then(|| space % spaces.len());
    let by =
        |who: usize, raw: usize, space: usize| if raw >= 20 { spaces[space].owner } else { who };
    Some(match op {
        Op::Share { .. } => op,
        Op::Add {
            who,
            space: raw,
            member,
            role,
            auto_mount,
        } => {
            let space = aim(raw)?;
            Op::Add {
                who: by(who, raw, space),
                space,
                member,
                role,
                auto_mount,
            }
        }
        Op::Remove {
            who,
            space: raw,
            member,
        } => {
            let space = aim(raw)?;
            Op::Remove {
                who: if who == member {
                    who
                } else {
                    by(who, raw, space)
                },
                space,
                member,
            }
        }
        Op::Update {
            who,
            space: raw,
            member,
            role,
        } => {
            let space = aim(raw)?;
            Op::Update {
                who: by(who, raw, space),
                space,
                member,
                role,
            }
        }
        Op::Policy {
            who,
            space: raw,
            policy,
        } => {
            let space = aim(raw)?;
            Op::Policy {
                who: by(who, raw, space),
                space,
                policy,
            }
        }
        Op::Transfer {
            who,
            space: raw,
            to,
        } => {
            let space = aim(raw)?;
            Op::Transfer {
                who: by(who, raw, space),
                space,
                to,
            }
        }
        Op::Unshare { who, space: raw } => {
            let space = aim(raw)?;
            Op::Unshare {
                who: by(who, raw, space),
                space,
            }
        }
        Op::Join { .. } | Op::Part { .. } => op,
        Op::Grant {
            who,
            space: raw,
            group,
            role,
        } => {
            let space = aim(raw)?;
            let who = by(who, raw, space);
            Op::Grant {
                who,
                space,
                group,
                role,
            }
        }
        Op::Regrant {
            who,
            space: raw,
            group,
            role,
        } => {
            let space = aim(raw)?;
            let who = by(who, raw, space);
            Op::Regrant {
                who,
                space,
                group,
                role,
            }
        }
        Op::Ungrant {
            who,
            space: raw,
            group,
        } => {
            let space = aim(raw)?;
            let who = by(who, raw, space);
            Op::Ungrant { who, space, group }
        }
        Op::Mount { who, space } => Op::Mount {
            who,
            space: aim(space)?,
        },
        Op::Unmount { who, space } => Op::Unmount {
            who,
            space: aim(space)?,
        },
    })
}
