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
/// The file that names the generation that is being made to take its place.
const NEXT: &str = "next";
/// The file that is there while making it rests.
const PAUSED: &str = "paused";

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
        Ok(self
            .number_in(CURRENT)?
            .and_then(|number| self.opened(number, shards)))
    }

    /// The generation that was being made beside the one of number `current`, if one was: with its last commit's payload, or
    /// nothing when it has none and has to be begun anew.
    pub fn next(&self, current: u64, shards: u16) -> Result<Option<Option<(Generation, Payload)>>> {
        let number = self.number_in(NEXT)?.filter(|&number| number != current);
        Ok(number.map(|number| self.opened(number, shards)))
    }

    /// Has a generation be continued after a restart until it takes over ([`Generations::switch`]).
    pub fn begin(&self, number: u64) -> Result<()> {
        self.write(NEXT, &number.to_string())
    }

    /// True when making the next generation rests.
    pub fn is_paused(&self) -> bool {
        self.dir.join(PAUSED).exists()
    }

    /// Has making the next generation rest, or go on, also after a restart.
    pub fn pause(&self, is_paused: bool) -> Result<()> {
        match is_paused {
            true => self.write(PAUSED, ""),
            false => self.remove(PAUSED),
        }
    }

    fn opened(&self, number: u64, shards: u16) -> Option<(Generation, Payload)> {
        let opened = self.open(number, shards);
        if let Err(error) = &opened {
            tracing::warn!(shard = self.shard, generation = number, %error, "the index cannot be read and is made again");
        }
        opened.ok().flatten()
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
                "the index is of another format, or of another number of shards: it is made again from the store"
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

    /// Makes a generation of what `fill` writes into its folder the searched one.
    pub fn fill(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let number = self.numbers()?.into_iter().max().unwrap_or(0) + 1;
        let path = self.path(number);
        fs::create_dir_all(&path).map_err(error::io(format!("making {}", path.display())))?;
        fill(&path)?;
        self.switch(number)
    }

    /// Makes `number` the searched generation, durably, and removes the others.
    pub fn switch(&self, number: u64) -> Result<()> {
        self.write(CURRENT, &number.to_string())?;
        self.remove(NEXT)?;
        self.remove(PAUSED)?;
        self.remove_others(&[number])
    }

    /// Removes all generations but these: what a rebuild replaced, or left unusable.
    pub fn remove_others(&self, kept: &[u64]) -> Result<()> {
        let numbers = self.numbers()?.into_iter();
        for number in numbers.filter(|number| !kept.contains(number)) {
            let path = self.path(number);
            fs::remove_dir_all(&path).map_err(error::io(format!("removing {}", path.display())))?;
        }
        Ok(())
    }

    fn number_in(&self, name: &str) -> Result<Option<u64>> {
        let path = self.dir.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(other) => Err(error::io(format!("reading {}", path.display()))(other)),
        }
    }

    /// Writes a small file, durably.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        let temporary = self.dir.join(format!("{name}.new"));
        let write = || {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            fs::File::open(&self.dir)?.sync_all()
        };
        write().map_err(error::io(format!("writing {}", path.display())))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.dir.join(name);
        match fs::remove_file(&path) {
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(error::io(format!("removing {}", path.display()))),
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

    /// The folder of a generation.
    pub fn path(&self, number: u64) -> PathBuf {
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
