//! The languages that texts are told apart by: their codes, their numbers in the index, and their stems.

use frostem::Algorithm;
use serde::{Deserialize, Serialize};

/// A language. Its place in the table is its number in the index: append only.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct Language(u8);

impl TryFrom<u64> for Language {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        Language::of_number(number).ok_or_else(|| format!("no language has the number {number}"))
    }
}

impl From<Language> for u64 {
    fn from(language: Language) -> u64 {
        language.number()
    }
}

struct Known {
    /// ISO 639-1.
    code: &'static str,
    /// ISO 639-3, as detection tells it.
    long: &'static str,
    name: &'static str,
    stems: Option<Algorithm>,
}

const fn known(
    code: &'static str,
    long: &'static str,
    name: &'static str,
    stems: Option<Algorithm>,
) -> Known {
    Known {
        code,
        long,
        name,
        stems,
    }
}

const KNOWN: [Known; 70] = [
    known("en", "eng", "english", Some(Algorithm::English)),
    known("de", "deu", "german", Some(Algorithm::German)),
    known("fr", "fra", "french", Some(Algorithm::French)),
    known("es", "spa", "spanish", Some(Algorithm::Spanish)),
    known("it", "ita", "italian", Some(Algorithm::Italian)),
    known("pt", "por", "portuguese", Some(Algorithm::Portuguese)),
    known("nl", "nld", "dutch", Some(Algorithm::Dutch)),
    known("sv", "swe", "swedish", Some(Algorithm::Swedish)),
    known("da", "dan", "danish", Some(Algorithm::Danish)),
    known("nb", "nob", "norwegian", Some(Algorithm::Norwegian)),
    known("fi", "fin", "finnish", Some(Algorithm::Finnish)),
    known("ru", "rus", "russian", Some(Algorithm::Russian)),
    known("pl", "pol", "polish", None),
    known("cs", "ces", "czech", None),
    known("sk", "slk", "slovak", None),
    known("hu", "hun", "hungarian", None),
    known("ro", "ron", "romanian", None),
    known("tr", "tur", "turkish", None),
    known("el", "ell", "greek", None),
    known("uk", "ukr", "ukrainian", None),
    known("bg", "bul", "bulgarian", None),
    known("be", "bel", "belarusian", None),
    known("hr", "hrv", "croatian", None),
    known("sr", "srp", "serbian", None),
    known("sl", "slv", "slovene", None),
    known("mk", "mkd", "macedonian", None),
    known("lt", "lit", "lithuanian", None),
    known("lv", "lav", "latvian", None),
    known("et", "est", "estonian", None),
    known("ca", "cat", "catalan", None),
    known("af", "afr", "afrikaans", None),
    known("la", "lat", "latin", None),
    known("eo", "epo", "esperanto", None),
    known("zh", "cmn", "chinese", None),
    known("ja", "jpn", "japanese", None),
    known("ko", "kor", "korean", None),
    known("th", "tha", "thai", None),
    known("vi", "vie", "vietnamese", None),
    known("id", "ind", "indonesian", None),
    known("tl", "tgl", "tagalog", None),
    known("ar", "ara", "arabic", None),
    known("he", "heb", "hebrew", None),
    known("yi", "yid", "yiddish", None),
    known("fa", "pes", "persian", None),
    known("ur", "urd", "urdu", None),
    known("hi", "hin", "hindi", None),
    known("bn", "ben", "bengali", None),
    known("mr", "mar", "marathi", None),
    known("ne", "nep", "nepali", None),
    known("pa", "pan", "punjabi", None),
    known("gu", "guj", "gujarati", None),
    known("ta", "tam", "tamil", None),
    known("te", "tel", "telugu", None),
    known("kn", "kan", "kannada", None),
    known("ml", "mal", "malayalam", None),
    known("si", "sin", "sinhala", None),
    known("km", "khm", "khmer", None),
    known("my", "mya", "burmese", None),
    known("ka", "kat", "georgian", None),
    known("hy", "hye", "armenian", None),
    known("az", "aze", "azerbaijani", None),
    known("uz", "uzb", "uzbek", None),
    known("tk", "tuk", "turkmen", None),
    known("am", "amh", "amharic", None),
    known("cy", "cym", "welsh", None),
    known("jv", "jav", "javanese", None),
    known("or", "ori", "odia", None),
    known("ak", "aka", "akan", None),
    known("sn", "sna", "shona", None),
    known("zu", "zul", "zulu", None),
];

impl Language {
    /// English, which texts are taken for that do not tell theirs.
    pub const ENGLISH: Language = Language(0);

    /// The language of a code of two or three letters, or of an English name (lower case).
    pub fn named(text: &str) -> Option<Language> {
        let is = |known: &Known| [known.code, known.long, known.name].contains(&text);
        let at = KNOWN.iter().position(is)?;
        u8::try_from(at).ok().map(Language)
    }

    /// Every language.
    pub fn all() -> impl Iterator<Item = Language> {
        (0..KNOWN.len() as u8).map(Language)
    }

    /// Those whose words have stems.
    pub fn stemmed() -> impl Iterator<Item = Language> {
        Language::all().filter(|language| language.stems().is_some())
    }

    /// The value of the `language` column; 0 there is "not told".
    pub fn number(self) -> u64 {
        u64::from(self.0) + 1
    }

    /// The language of a column's value.
    pub fn of_number(number: u64) -> Option<Language> {
        let at = u8::try_from(number.checked_sub(1)?).ok()?;
        (usize::from(at) < KNOWN.len()).then_some(Language(at))
    }

    /// ISO 639-1 code.
    pub fn code(self) -> &'static str {
        self.known().code
    }

    /// English name, lower case.
    pub fn name(self) -> &'static str {
        self.known().name
    }

    pub(super) fn stems(self) -> Option<Algorithm> {
        self.known().stems
    }

    fn known(self) -> &'static Known {
        &KNOWN[usize::from(self.0) % KNOWN.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_numbers_and_names_of_their_own() {
        for language in Language::all() {
            assert_eq!(Language::of_number(language.number()), Some(language));
            for text in [language.code(), language.name(), language.known().long] {
                assert_eq!(Language::named(text), Some(language), "{text}");
            }
        }
        assert_eq!(Language::named("klingon"), None);
        assert_eq!(
            (Language::of_number(0), Language::of_number(71)),
            (None, None)
        );
        assert_eq!(Language::ENGLISH.number(), 1);
    }
}
