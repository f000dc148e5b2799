//! Office documents encrypted under the password that Office itself tries first: files that are protected against changes,
//! not against reading, are stored like that. All others stay closed.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey,
};
use aws_lc_rs::digest::{self, Algorithm};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::Limits;
use super::super::job::Job;
use super::super::xml::{Step, walk};
use super::{Compound, u16_at, u32_at};

/// The password Office uses when nobody chose one.
const DEFAULT_PASSWORD: &str = "VelvetSweatshop";
/// Rounds of key stretching that are made; files may ask for more.
const MAX_ROUNDS: u32 = 200_000;
/// Bytes that are encrypted under one vector.
const SEGMENT_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 16;

/// The document inside, when the default password opens it.
pub(in super::super) fn unlock(bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let mut job = Job::new(limits);
    let mut compound = Compound::open(bytes).ok()?;
    let header = compound.stream("/EncryptionInfo", &mut job)?;
    let package = compound.stream("/EncryptedPackage", &mut job)?;
    let size = u32_at(&package, 0)? as usize;
    let content = package.get(8..)?;
    let mut plain = if u16_at(&header, 2)? == 4 && u16_at(&header, 0)? == 4 {
        agile(&String::from_utf8_lossy(header.get(8..)?), content)?
    } else {
        standard(&header, content)?
    };
    plain.truncate(size);
    plain.starts_with(b"PK").then_some(plain)
}

/// ECMA-376 standard encryption: AES in ECB, SHA-1.
fn standard(header: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let size = u32_at(header, 8)? as usize;
    let bits = u32_at(header, 12 + 16)?;
    let verifier = header.get(12usize.checked_add(size)?..)?;
    let salt = verifier.get(4..20)?;
    let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    let stretched = stretch(sha1, salt, 50_000);
    let last = hash(sha1, &[&stretched, &[0; 4]]);
    let folded = |fill: u8| {
        let mut block = [fill; 64];
        block
            .iter_mut()
            .zip(&last)
            .for_each(|(byte, key)| *byte ^= key);
        hash(sha1, &[&block])
    };
    let key = [folded(0x36), folded(0x5C)].concat();
    let key = key.get(..bits as usize / 8)?;
    let whole = content.len() / BLOCK_BYTES * BLOCK_BYTES;
    decrypt(key, None, content.get(..whole)?)
}

/// What an agile header says about one key.
#[derive(Default)]
struct Key {
    salt: Vec<u8>,
    bits: usize,
    rounds: u32,
    algorithm: Option<&'static Algorithm>,
    encrypted: Vec<u8>,
}

/// Agile encryption: AES in CBC over segments, any SHA.
fn agile(xml: &str, content: &[u8]) -> Option<Vec<u8>> {
    const KEY_VALUE: [u8; 8] = [0x14, 0x6E, 0x0B, 0xE7, 0xAB, 0xAC, 0xD0, 0xD6];
    let (mut data, mut password) = (Key::default(), Key::default());
    walk(xml, |step| {
        if let Step::Start(tag) = step {
            let key = match tag.name() {
                "keyData" => &mut data,
                "encryptedKey" => &mut password,
                _ => return true,
            };
            tag.attributes()
                .for_each(|(name, value)| key.set(&name, &value));
        }
        true
    });
    let algorithm = password.algorithm?;
    let stretched = stretch(
        algorithm,
        &password.salt,
        Some(password.rounds).filter(|r| *r <= MAX_ROUNDS)?,
    );
    let wrapping = sized(
        hash(algorithm, &[&stretched, &KEY_VALUE]),
        password.bits / 8,
    );
    let vector = vector(&password.salt);
    let key = decrypt(&wrapping, Some(vector), &password.encrypted)?;
    let key = key.get(..data.bits / 8)?;
    let mut plain = Vec::with_capacity(content.len());
    for (index, segment) in content.chunks(SEGMENT_BYTES).enumerate() {
        let whole = segment.len() / BLOCK_BYTES * BLOCK_BYTES;
        let number = u32::try_from(index).ok()?.to_le_bytes();
        let vector = self::vector(&hash(data.algorithm?, &[&data.salt, &number]));
        plain.extend(decrypt(key, Some(vector), &segment[..whole])?);
    }
    Some(plain)
}

impl Key {
    fn set(&mut self, name: &str, value: &str) {
        let decoded = || STANDARD.decode(value).unwrap_or_default();
        match name {
            "saltValue" => self.salt = decoded(),
            "encryptedKeyValue" => self.encrypted = decoded(),
            "keyBits" => self.bits = value.parse().unwrap_or(0),
            "spinCount" => self.rounds = value.parse().unwrap_or(u32::MAX),
            "hashAlgorithm" => {
                self.algorithm = match value {
                    "SHA1" | "SHA-1" => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
                    "SHA256" => Some(&digest::SHA256),
                    "SHA384" => Some(&digest::SHA384),
                    "SHA512" => Some(&digest::SHA512),
                    _ => None,
                }
            }
            _ => {}
        }
    }
}

fn hash(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

/// The default password, hashed `rounds` times.
fn stretch(algorithm: &'static Algorithm, salt: &[u8], rounds: u32) -> Vec<u8> {
    let password: Vec<u8> = DEFAULT_PASSWORD
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    (0..rounds).fold(hash(algorithm, &[salt, &password]), |last, round| {
        hash(algorithm, &[&round.to_le_bytes(), &last])
    })
}

/// Cut or filled to a length, as the format says.
fn sized(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.resize(length.min(64), 0x36);
    bytes
}

fn vector(bytes: &[u8]) -> [u8; BLOCK_BYTES] {
    std::array::from_fn(|index| bytes.get(index).copied().unwrap_or(0x36))
}

/// AES without padding: CBC with a vector, ECB without.
fn decrypt(key: &[u8], vector: Option<[u8; BLOCK_BYTES]>, bytes: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return None,
    };
    let key = UnboundCipherKey::new(algorithm, key).ok()?;
    let (key, context) = match vector {
        Some(vector) => (
            DecryptingKey::cbc(key).ok()?,
            DecryptionContext::Iv128(FixedLength::from(vector)),
        ),
        None => (DecryptingKey::ecb(key).ok()?, DecryptionContext::None),
    };
    let mut plain = bytes.to_vec();
    key.decrypt(&mut plain, context).ok()?;
    Some(plain)
}
