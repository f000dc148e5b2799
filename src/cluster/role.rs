//! What a process does.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Result, bail};

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// API, page, search front, notifications.
    Web,
    /// Holds shards of the index, and answers searches from them.
    Shard,
    /// Extracts texts.
    Extract,
    /// Publishes the logs to the broker; one process at a time does.
    Relay,
    /// Purges, collects, verifies, heals, cuts logs; one process at a time does.
    Upkeep,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [
        Role::Web,
        Role::Shard,
        Role::Extract,
        Role::Relay,
        Role::Upkeep,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Web => "web",
            Role::Shard => "shard",
            Role::Extract => "extract",
            Role::Relay => "relay",
            Role::Upkeep => "upkeep",
        }
    }
}

/// The roles of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// All of them.
    pub fn all() -> Self {
        Roles(Role::ALL.into_iter().collect())
    }

    /// Reads `all`, or names separated by commas.
    pub fn parse(text: &str) -> Result<Self> {
        let mut roles = BTreeSet::new();
        for word in text.split(',').map(str::trim) {
            match Role::ALL.into_iter().find(|role| role.name() == word) {
                Some(role) => roles.extend([role]),
                None if word == "all" => roles.extend(Role::ALL),
                None => bail!("role `{word}` is none of all, {}", names(&Role::ALL)),
            }
        }
        Ok(Roles(roles))
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|role| role.name().to_owned()).collect()
    }

    /// True when the process has this role.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles: Vec<_> = self.0.iter().copied().collect();
        f.write_str(&names(&roles))
    }
}

fn names(roles: &[Role]) -> String {
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read() {
        assert_eq!(Roles::parse("all").unwrap(), Roles::all());
        let two = Roles::parse("shard, web").unwrap();
        assert!(two.has(Role::Web) && two.has(Role::Shard) && !two.has(Role::Relay));
        assert_eq!(two.to_string(), "web, shard");
        for wrong in ["", "web,", "index"] {
            assert!(Roles::parse(wrong).is_err(), "{wrong}");
        }
    }
}
