//! How the indexer is, for `/healthz` and the index state.

/// How a shard is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ShardStatus {
    /// Its number.
    pub shard: u16,
    /// Which of its replicas this is; 0 is the first.
    #[serde(default)]
    pub replica: u16,
    /// Documents in the last commit, deleted files' included.
    pub documents: u64,
    /// Segments in the last commit; many make searches and commits slow.
    pub segments: usize,
    /// The searched generation.
    pub generation: u64,
    /// Log entries that are not in the index yet.
    pub lag: u64,
    /// False while the first scan of metadata is not through.
    pub complete: bool,
    /// True while a new generation is made beside the searched one.
    pub rebuilding: bool,
    /// Documents in the new generation by now.
    pub rebuilt_documents: u64,
    /// True while making the new generation rests.
    pub paused: bool,
    /// Commits since start.
    pub commits: u64,
    /// How long the last commit took, milliseconds.
    pub commit_ms: u64,
    /// Per owned partition, the sequence below which its log is not needed, by a new generation that is being made neither.
    #[serde(skip)]
    pub checkpoint: Vec<u64>,
    /// Why the shard stands still at present, if it does.
    pub error: Option<String>,
}

impl ShardStatus {
    pub(crate) fn new(shard: u16) -> Self {
        ShardStatus {
            shard,
            replica: 0,
            documents: 0,
            segments: 0,
            generation: 0,
            lag: 0,
            complete: false,
            rebuilding: false,
            rebuilt_documents: 0,
            paused: false,
            commits: 0,
            commit_ms: 0,
            checkpoint: Vec::new(),
            error: None,
        }
    }
}

/// How the indexer is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IndexerStatus {
    /// Every shard.
    pub shards: Vec<ShardStatus>,
    /// Extraction jobs that run now.
    pub extracting: usize,
    /// Files extracted since start.
    pub extracted: u64,
}

impl IndexerStatus {
    /// Log entries that are in no index yet.
    pub fn lag(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lag).sum()
    }

    /// True when every shard is complete and follows its logs.
    pub fn is_healthy(&self) -> bool {
        self.shards
            .iter()
            .all(|shard| shard.complete && shard.error.is_none())
    }
}
