//! What a page's cursor freezes, so that the next page goes on where this one ended, whatever was written in between.

use serde::{Deserialize, Serialize};
use storage::meta::{Actor, Address};
use storage::seal::Sealer;

use crate::collect::Key;
use crate::error::{Error, Result};
use crate::lately::LatelyWeights;
use crate::request::{Marks, Members, Order, Request, Status};
use crate::resolve::Expansions;
use crate::scope;
use crate::statistics::Statistics;

/// Characters of a cursor that holds its search's statistics; where they would make it longer, the next page counts anew.
const MAX_CHARACTERS: usize = 48 * 1024;
/// Extensions of a request that are looked at.
pub const MAX_EXTENSIONS: usize = 64;

/// A search that goes on: what was asked, its clock, statistics and expansions, and where the last page ended.
#[derive(Serialize, Deserialize)]
pub struct Frozen {
    account: u64,
    root: u64,
    query: String,
    below: Option<String>,
    max_results: usize,
    order: Order,
    status: Status,
    filename_only: bool,
    extensions: Vec<String>,
    categories: Vec<String>,
    outcomes: Vec<String>,
    marks: Marks,
    members: Members,
    lately: LatelyWeights,
    /// What the account had opened lately.
    pub opened: Vec<u64>,
    /// The search's clock, seconds since 1970.
    pub now_s: i64,
    /// Files with some of the words were hits.
    pub relaxed: bool,
    /// What the search was ranked with, and what its started word stood for; none where a cursor may not hold that.
    pub weighed: Option<(Statistics, Expansions)>,
    /// What mistyped words stood for; none where a cursor may not hold that.
    pub similar: Option<Expansions>,
    /// What the best files were about.
    pub feedback: Vec<(String, f32)>,
    /// Where the last page ended.
    pub after: Key,
    /// Hits of the whole search.
    pub total: u64,
}

/// What a page leaves to the next one.
pub struct Left {
    /// What the account had opened lately.
    pub opened: Vec<u64>,
    /// The search's clock, seconds since 1970.
    pub now_s: i64,
    /// Files with some of the words were hits.
    pub relaxed: bool,
    /// What the search was ranked with, and what its started word stood for; none when words of others are among it: a
    /// cursor can be read by who holds it.
    pub weighed: Option<(Statistics, Expansions)>,
    /// What mistyped words stood for; none like `weighed`.
    pub similar: Option<Expansions>,
    /// What the best files were about: words of the account's own files.
    pub feedback: Vec<(String, f32)>,
    /// Where the page ended.
    pub after: Key,
    /// Hits of the whole search.
    pub total: u64,
}

impl Frozen {
    /// The sealed text of a search that goes on.
    pub fn seal(sealer: &Sealer, actor: Actor, request: &Request, left: Left) -> Result<String> {
        let mut frozen = Frozen {
            account: actor.account.0,
            root: actor.root.0,
            query: request.query.clone(),
            below: request.below.as_ref().map(scope::text_of),
            max_results: request.max_results,
            order: request.order,
            status: request.status,
            filename_only: request.filename_only,
            extensions: request.extensions.clone(),
            categories: request.categories.clone(),
            outcomes: request.outcomes.clone(),
            marks: request.marks,
            members: request.members,
            lately: request.lately,
            opened: left.opened,
            now_s: left.now_s,
            relaxed: left.relaxed,
            weighed: left.weighed,
            similar: left.similar,
            feedback: left.feedback,
            after: left.after,
            total: left.total,
        };
        let sealed = sealer.seal(&frozen)?;
        if sealed.len() <= MAX_CHARACTERS {
            return Ok(sealed);
        }
        (frozen.weighed, frozen.similar) = (None, None);
        Ok(sealer.seal(&frozen)?)
    }

    /// Opens a cursor; [`Error::Reset`] when it was not made here, or for another account.
    pub fn open(sealer: &Sealer, actor: Actor, cursor: &str) -> Result<Self> {
        let frozen: Frozen = sealer.open(cursor).ok_or(Error::Reset)?;
        let of_actor = (frozen.account, frozen.root) == (actor.account.0, actor.root.0);
        of_actor.then_some(frozen).ok_or(Error::Reset)
    }

    /// What was asked.
    pub fn request(&self) -> Result<Request> {
        let below = self.below.as_deref().map(Address::parse).transpose();
        Ok(Request {
            query: self.query.clone(),
            below: below.map_err(|_| Error::Reset)?,
            max_results: self.max_results,
            order: self.order,
            status: self.status,
            filename_only: self.filename_only,
            extensions: self.extensions.clone(),
            categories: self.categories.clone(),
            outcomes: self.outcomes.clone(),
            facets: false,
            places: false,
            why: false,
            marks: self.marks,
            members: self.members,
            lately: self.lately,
            spelled: false,
        })
    }
}
