//! Seeded text: words with Zipf's frequencies, files of 1 to 8 kB unless said otherwise.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Different words.
const VOCABULARY: usize = 60_000;
/// Zipf's exponent, as measured for English.
const EXPONENT: f64 = 1.07;
/// Files in one folder of a written corpus.
const FILES_PER_FOLDER: u64 = 200;

/// Writes a corpus.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write; it must not exist
    folder: PathBuf,
    /// Files
    #[arg(long, default_value_t = 150_000)]
    files: u64,
    /// Bytes of a file on average
    #[arg(long, default_value_t = 11_000)]
    bytes: usize,
}

/// Makes text.
pub struct Text {
    words: Vec<String>,
    cumulative: Vec<f64>,
}

impl Text {
    /// The vocabulary of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let words = (0..VOCABULARY).map(|_| word(&mut random)).collect();
        let mut sum = 0.0;
        let weights = (1..=VOCABULARY).map(|rank| {
            sum += (rank as f64).powf(-EXPONENT);
            sum
        });
        Text {
            words,
            cumulative: weights.collect(),
        }
    }

    /// A word, drawn by frequency.
    pub fn word(&self, random: &mut impl Rng) -> &str {
        let total = self.cumulative.last().copied().unwrap_or(1.0);
        let at = random.random_range(0.0..total);
        let index = self.cumulative.partition_point(|sum| *sum < at);
        &self.words[index.min(self.words.len() - 1)]
    }

    /// Text of about `bytes`.
    pub fn text(&self, random: &mut impl Rng, bytes: usize) -> String {
        let mut out = String::with_capacity(bytes + 16);
        let mut words = 0;
        while out.len() < bytes {
            out.push_str(self.word(random));
            words += 1;
            out.push(if words % 12 == 0 { '\n' } else { ' ' });
        }
        out
    }
}

/// A pronounceable word of two to five syllables.
fn word(random: &mut impl Rng) -> String {
    const ONSETS: &[&str] = &[
        "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl",
    ];
    const VOWELS: &[&str] = &["a", "e", "i", "o", "u", "ai", "ou"];
    let syllables = random.random_range(2..=5);
    let syllable = |random: &mut _| {
        let pick =
            |random: &mut _, from: &[&'static str]| from[Rng::random_range(random, 0..from.len())];
        format!("{}{}", pick(random, ONSETS), pick(random, VOWELS))
    };
    (0..syllables).map(|_| syllable(random)).collect()
}

/// The random source of item `i` of a seed.
pub fn random_of(seed: u64, i: u64) -> StdRng {
    StdRng::seed_from_u64(seed ^ i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Writes the corpus.
pub fn write(args: &Args, seed: u64) -> Result<()> {
    std::fs::create_dir(&args.folder).with_context(|| format!("make {}", args.folder.display()))?;
    let text = Text::new(seed);
    for i in 0..args.files {
        let folder = args.folder.join(format!("{:04}", i / FILES_PER_FOLDER));
        if i % FILES_PER_FOLDER == 0 {
            std::fs::create_dir(&folder)?;
        }
        let mut random = random_of(seed, i);
        let bytes = random.random_range(args.bytes / 10..=args.bytes * 19 / 10);
        let name = format!(
            "{} {} {i}.txt",
            text.word(&mut random),
            text.word(&mut random)
        );
        std::fs::write(folder.join(name), text.text(&mut random, bytes))?;
    }
    println!("{} files in {}", args.files, args.folder.display());
    Ok(())
}

/// All files below a folder, sorted.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_text() {
        let make = || Text::new(7).text(&mut random_of(7, 3), 2000);
        assert_eq!(make(), make());
        assert_ne!(make(), Text::new(7).text(&mut random_of(7, 4), 2000));
    }
}
