//! What the small pages without a script say, in their reader's language.

use axum::http::{HeaderMap, header};

/// All of it in one language; `{…}` stands for what is put in, in HTML.
pub struct Words {
    /// The language's code, as HTML's `lang` has it.
    pub code: &'static str,
    /// What stands between a number and its tenths.
    pub point: &'static str,
    pub bytes: &'static str,
    pub has_password: &'static str,
    pub password: &'static str,
    pub open: &'static str,
    pub wrong_password: &'static str,
    pub nothing_here: &'static str,
    pub gone: &'static str,
    pub download: &'static str,
    pub download_all: &'static str,
    pub empty_folder: &'static str,
    pub more: &'static str,
    pub everything: &'static str,
    pub folders_above: &'static str,
    pub sign_in: &'static str,
    pub sign_in_first: &'static str,
    pub open_again: &'static str,
    pub let_in: &'static str,
    pub asks: &'static str,
    pub goes_on_at: &'static str,
    pub allow: &'static str,
    pub may_come_in: &'static str,
    pub go_on: &'static str,
    pub enter_code: &'static str,
}

static ENGLISH: Words = Words {
    code: "en",
    point: ".",
    bytes: "bytes",
    has_password: "This link has a password",
    password: "Password",
    open: "Open",
    wrong_password: "That is not the password.",
    nothing_here: "Nothing here",
    gone: "This link was revoked, has expired, or never was.",
    download: "Download",
    download_all: "Download all",
    empty_folder: "There is nothing in this folder.",
    more: "There is more that is not shown.",
    everything: "Everything shared here",
    folders_above: "Folders above",
    sign_in: "Sign in",
    sign_in_first: "Sign in first",
    open_again: "Then open this page again.",
    let_in: "Let an application in?",
    asks: "An application that calls itself {name} asks to read and change all files of {email}.",
    goes_on_at: "It continues at {address}.",
    allow: "Allow",
    may_come_in: "The application may come in",
    go_on: "Continue",
    enter_code: "Enter this code in the application:",
};

static GERMAN: Words = Words {
    code: "de",
    point: ",",
    bytes: "Bytes",
    has_password: "Dieser Link hat ein Passwort",
    password: "Passwort",
    open: "Öffnen",
    wrong_password: "Das ist nicht das Passwort.",
    nothing_here: "Hier ist nichts",
    gone: "Dieser Link wurde widerrufen, ist abgelaufen, oder es gab ihn nie.",
    download: "Herunterladen",
    download_all: "Alles herunterladen",
    empty_folder: "In diesem Ordner ist nichts.",
    more: "Es gibt mehr, das nicht gezeigt wird.",
    everything: "Alles, was hier geteilt ist",
    folders_above: "Ordner darüber",
    sign_in: "Anmelden",
    sign_in_first: "Melden Sie sich zuerst an",
    open_again: "Öffnen Sie danach diese Seite noch einmal.",
    let_in: "Eine Anwendung hereinlassen?",
    asks: "Eine Anwendung, die sich {name} nennt, möchte alle Dateien von {email} lesen und ändern.",
    goes_on_at: "Weiter geht es bei {address}.",
    allow: "Erlauben",
    may_come_in: "Die Anwendung darf hereinkommen",
    go_on: "Weiter",
    enter_code: "Geben Sie diesen Code in der Anwendung ein:",
};

/// The words in the language that the browser likes best of those that there are; English otherwise.
pub fn words_for(headers: &HeaderMap) -> &'static Words {
    let wanted = headers.get(header::ACCEPT_LANGUAGE);
    liked(wanted.and_then(|value| value.to_str().ok()).unwrap_or(""))
}

fn liked(wanted: &str) -> &'static Words {
    let mut best: (&'static Words, f32) = (&ENGLISH, 0.0);
    for tag in wanted.split(',') {
        let (tag, quality) = tag.split_once(";q=").unwrap_or((tag, "1"));
        let quality: f32 = quality.trim().parse().unwrap_or(0.0);
        let language = tag.trim().split('-').next().unwrap_or("");
        let known = [&ENGLISH, &GERMAN]
            .into_iter()
            .find(|words| language.eq_ignore_ascii_case(words.code));
        if let Some(words) = known.filter(|_| quality > best.1) {
            best = (words, quality);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::liked;

    #[test]
    fn the_language_that_is_liked_best_is_spoken() {
        for (wanted, spoken) in [
            ("", "en"),
            ("fr", "en"),
            ("de", "de"),
            ("DE-at", "de"),
            ("fr, de;q=0.5", "de"),
            ("en;q=0.4, de;q=0.8", "de"),
            ("en-GB,de;q=0.9", "en"),
            ("de;q=0", "en"),
            ("de;q=x,;;,", "en"),
        ] {
            assert_eq!(liked(wanted).code, spoken, "{wanted}");
        }
    }
}
