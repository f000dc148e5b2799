//! Where a shard's index is on disk: `shard-NN/GENERATION/`, and `shard-NN/current` names the one that is searched.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tantivy::Index;
use tantivy::directory::MmapDirectory;

use crate::error::{self, Result};
use crate::payload::Payload;
use crate::schema::{Fields, register, schema};

/// The file that names the searched generation.
const CURRENT: &str = "current";

/// A shard's folder.
#[derive(Debug, Clone)]
pub struct Generations {
    shard: u16,
    dir: PathBuf,
}

/// An open index on disk.
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// The index.
    pub index: Index,
    /// Its fields.
    pub fields: Fields,
}

impl Generations {
    /// The generations of `shard` under the index folder.
    pub fn new(index_dir: &Path, shard: u16) -> Self {
        Generations {
            shard,
            dir: index_dir.join(format!("shard-{shard:02}")),
        }
    }

    /// The searched generation with its last commit's payload; `None` when there is none that can be continued.
    pub fn current(&self, shards: u16) -> Result<Option<(Generation, Payload)>> {
        let Some(number) = self.current_number()? else {
            return Ok(None);
        };
        let opened = self.open(number, shards);
        if let Err(error) = &opened {
            tracing::warn!(shard = self.shard, generation = number, %error, "the index cannot be read and is made again");
        }
        Ok(opened.ok().flatten())
    }

    fn open(&self, number: u64, shards: u16) -> tantivy::Result<Option<(Generation, Payload)>> {
        let index = Index::open_in_dir(self.path(number))?;
        let (expected, fields) = schema();
        let payload = index
            .load_metas()?
            .payload
            .as_deref()
            .and_then(Payload::decode);
        let payload = payload.filter(|payload| payload.fits(self.shard, shards));
        let Some(payload) = payload.filter(|_| index.schema() == expected) else {
            tracing::info!(
                shard = self.shard,
                generation = number,
                "the index is of another format, of another number of shards, or unfinished: it is made again from the store"
            );
            return Ok(None);
        };
        register(&index);
        Ok(Some((
            Generation {
                number,
                index,
                fields,
            },
            payload,
        )))
    }

    /// An empty generation with the next free number.
    pub fn create(&self) -> Result<Generation> {
        let number = self.numbers()?.into_iter().max().unwrap_or(0) + 1;
        let path = self.path(number);
        fs::create_dir_all(&path).map_err(error::io(format!("making {}", path.display())))?;
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(&path).map_err(error::index(self.shard))?;
        let index = Index::builder()
            .schema(schema)
            .settings(settings())
            .open_or_create(directory);
        let index = index.map_err(error::index(self.shard))?;
        register(&index);
        Ok(Generation {
            number,
            index,
            fields,
        })
    }

    /// Makes `number` the searched generation, durably, and removes the others.
    pub fn switch(&self, number: u64) -> Result<()> {
        let path = self.dir.join(CURRENT);
        let temporary = self.dir.join("current.new");
        let write = || {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(number.to_string().as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            fs::File::open(&self.dir)?.sync_all()
        };
        write().map_err(error::io(format!("writing {}", path.display())))?;
        self.remove_others(number)
    }

    /// Removes all generations but one: what a rebuild replaced, or left half-made.
    pub fn remove_others(&self, kept: u64) -> Result<()> {
        for number in self.numbers()?.into_iter().filter(|&number| number != kept) {
            let path = self.path(number);
            fs::remove_dir_all(&path).map_err(error::io(format!("removing {}", path.display())))?;
        }
        Ok(())
    }

    fn current_number(&self) -> Result<Option<u64>> {
        let path = self.dir.join(CURRENT);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(other) => Err(error::io(format!("reading {}", path.display()))(other)),
        }
    }

    fn numbers(&self) -> Result<Vec<u64>> {
        let what = || format!("listing {}", self.dir.display());
        let entries = match fs::read_dir(&self.dir) {
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(error::io(what()))?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(error::io(what()))?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        Ok(numbers)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(number.to_string())
    }
}

/// Nothing is stored but columns, so the document store is not worth compressing or a thread.
fn settings() -> tantivy::IndexSettings {
    tantivy::IndexSettings {
        docstore_compression: tantivy::store::Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..Default::default()
    }
}
