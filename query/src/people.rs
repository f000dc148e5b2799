//! People in a query: whose files, and shared with whom. Only who shares a folder with the searching account can be named.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use indexer::analyse::fold;
use storage::meta::{Account, AccountId, Actor, Meta, NamespaceId, SharedFolder};

use crate::error::Result;
use crate::parse::Shared;
use crate::scope::Area;

/// People that are looked through for a name; more are not known.
const MAX_PEOPLE: usize = 2_000;
/// Shared links of an account that `has:link` finds.
const MAX_LINKS: usize = 1_000;

/// Who shares what with the searching account, looked up when it is asked for.
pub struct People<'a> {
    meta: &'a Meta,
    actor: Actor,
    folders: OnceCell<Vec<SharedFolder>>,
}

impl<'a> People<'a> {
    /// The people around `actor`.
    pub fn new(meta: &'a Meta, actor: Actor) -> Self {
        People {
            meta,
            actor,
            folders: OnceCell::new(),
        }
    }

    /// Everything in those of `namespaces` that belong to a person; none when nobody is called that.
    pub fn owned_by(&self, who: &str, namespaces: &[NamespaceId]) -> Result<Option<Area>> {
        let people = self.called(who)?;
        if people.is_empty() {
            return Ok(None);
        }
        let folders = self.folders()?;
        let owner = |ns| folder(folders, ns).map_or(self.actor.account, |folder| folder.owner);
        Ok(Some(area(namespaces, |ns| people.contains(&owner(ns)))))
    }

    /// The folders that are shared so, and everything in those of `namespaces` that are theirs; none when nobody is called that.
    /// What is not shared is the rest ([`Shared::No`] gives what it is the rest of).
    pub fn shared(&self, how: &Shared, namespaces: &[NamespaceId]) -> Result<Option<Area>> {
        let me = self.actor.account;
        let people = match how {
            Shared::With(who) => self.called(who)?,
            _ => BTreeSet::new(),
        };
        if people.is_empty() && matches!(how, Shared::With(_)) {
            return Ok(None);
        }
        let is_so = |shared: &SharedFolder| match how {
            Shared::Yes | Shared::No => true,
            Shared::ByMe => shared.owner == me,
            Shared::WithMe => shared.owner != me,
            Shared::With(_) => shared.members.iter().any(|m| people.contains(&m.account)),
        };
        let folders = self.folders()?;
        let mounts = folders.iter().filter(|shared| is_so(shared));
        Ok(Some(Area {
            files: mounts.filter_map(|shared| Some(shared.mount?.0)).collect(),
            ..area(namespaces, |ns| folder(folders, ns).is_some_and(is_so))
        }))
    }

    /// What the account made shared links to.
    pub fn linked(&self) -> Result<Vec<u64>> {
        let page = self.meta.list_links(self.actor, None, MAX_LINKS)?;
        let ids = page.links.iter().map(|linked| linked.place.node.id.0);
        Ok(ids.collect())
    }

    /// The accounts that `who` may mean among those who share a folder with the searching one: `me`, an e-mail address, or
    /// the start of an address or of a name's words.
    pub fn called(&self, who: &str) -> Result<BTreeSet<AccountId>> {
        let me = self.actor.account;
        if who == "me" {
            return Ok(BTreeSet::from([me]));
        }
        let wanted = fold(who);
        let (mut exact, mut started) = (BTreeSet::new(), BTreeSet::new());
        for account in self.known(MAX_PEOPLE)? {
            let (email, name) = (fold(&account.email), fold(&account.name));
            if email == wanted || name == wanted {
                exact.insert(account.id);
            }
            if email.starts_with(&wanted) || begins(&name, &wanted) {
                started.insert(account.id);
            }
        }
        Ok(if exact.is_empty() { started } else { exact })
    }

    /// The account itself and those who share a folder with it, at most `limit`.
    pub fn known(&self, limit: usize) -> Result<Vec<Account>> {
        let mut ids = BTreeSet::new();
        for folder in self.folders()? {
            ids.insert(folder.owner);
            ids.extend(folder.members.iter().map(|member| member.account));
        }
        ids.remove(&self.actor.account);
        let ids = [self.actor.account].into_iter().chain(ids).take(limit);
        let mut known = Vec::new();
        for id in ids {
            known.extend(self.meta.account(id)?);
        }
        Ok(known)
    }

    fn folders(&self) -> Result<&[SharedFolder]> {
        if let Some(known) = self.folders.get() {
            return Ok(known);
        }
        let folders = self.meta.list_shared(self.actor)?; // by namespace
        Ok(self.folders.get_or_init(|| folders))
    }
}

/// True when a word of `name` begins like `start`, which may go on over the next words.
fn begins(name: &str, start: &str) -> bool {
    let mut words = name
        .char_indices()
        .filter(|(at, _)| *at == 0 || name[..*at].ends_with(char::is_whitespace));
    words.any(|(at, _)| name[at..].starts_with(start))
}

fn folder(folders: &[SharedFolder], ns: NamespaceId) -> Option<&SharedFolder> {
    let at = folders.binary_search_by_key(&ns, |folder| folder.ns);
    at.ok().map(|at| &folders[at])
}

fn area(namespaces: &[NamespaceId], is_in: impl Fn(NamespaceId) -> bool) -> Area {
    let whole = namespaces.iter().copied().filter(|ns| is_in(*ns));
    Area {
        whole: whole.collect(),
        ..Area::default()
    }
}
