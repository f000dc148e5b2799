//! Shared links.

use super::{Bench, NOW_MS, bench, file, folder, refusal};
use crate::Error;
use crate::meta::{
    Account, AccountChange, Address, LinkChange, LinkSettings, LinkedPlace, MemberPolicy, Refusal,
    Role,
};

fn at(path: &str) -> Address {
    Address::parse(path).unwrap()
}

fn link(bench: &Bench, account: &Account, path: &str) -> LinkedPlace {
    bench
        .meta
        .create_link(account.actor(), &at(path), LinkSettings::default())
        .unwrap()
}

/// The path a link opens as its creator sees it, or why not.
fn opened(bench: &Bench, key: &str, password: Option<&str>) -> Result<String, Refusal> {
    match bench.meta.open_link(key, password, &[]) {
        Ok(opened) => Ok(opened.place.path_display),
        Err(Error::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_link_outlives_a_rename_and_ends_with_its_file() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    file(&bench, &ann, "/a.txt", 1);
    let made = link(&bench, &ann, "/a.txt");
    let key = made.link.key.as_str();
    assert_eq!(
        (key.len(), made.place.path_display.as_str()),
        (22, "/a.txt")
    );
    let again = bench
        .meta
        .create_link(ann.actor(), &at("/A.TXT"), LinkSettings::default());
    assert_eq!(refusal(again), Refusal::LinkExists(key.to_owned()));
    bench
        .meta
        .relocate(ann.actor(), &at("/a.txt"), &at("/b/c.txt"), false)
        .unwrap();
    assert_eq!(opened(&bench, key, None), Ok("/b/c.txt".into()));
    let listed = bench
        .meta
        .link_at(ann.actor(), &at("/b/c.txt"))
        .unwrap()
        .unwrap();
    assert_eq!(listed.link, made.link);
    assert_eq!(
        refusal(bench.meta.revoke_link(bob.actor(), key)),
        Refusal::NoPermission
    );
    bench.meta.delete(ann.actor(), &at("/b"), None).unwrap();
    assert_eq!(opened(&bench, key, None), Err(Refusal::NotFound)); // I6
    assert_eq!(
        bench.meta.list_links(ann.actor(), None, 10).unwrap().links,
        []
    );
    bench.meta.revoke_link(ann.actor(), key).unwrap();
    assert_eq!(
        refusal(bench.meta.revoke_link(ann.actor(), key)),
        Refusal::NotFound
    );
}

#[test]
fn passwords_and_expiry_guard_a_link() {
    let bench = bench();
    let ann = bench.account("ann");
    file(&bench, &ann, "/a.txt", 1);
    let settings = LinkSettings {
        password: Some("pw".into()),
        expires_ms: Some(NOW_MS + 10),
        allow_download: false,
    };
    let made = bench
        .meta
        .create_link(ann.actor(), &at("/a.txt"), settings)
        .unwrap()
        .link;
    assert!(made.has_password && !made.allow_download);
    assert_eq!(opened(&bench, &made.key, None), Err(Refusal::WrongPassword));
    assert_eq!(
        opened(&bench, &made.key, Some("PW")),
        Err(Refusal::WrongPassword)
    );
    assert!(opened(&bench, &made.key, Some("pw")).is_ok());
    bench.clock.advance_ms(10);
    assert_eq!(
        opened(&bench, &made.key, Some("pw")),
        Err(Refusal::NotFound)
    );
    let change = LinkChange {
        password: Some(None),
        expires_ms: Some(None),
        allow_download: None,
    };
    let changed = bench
        .meta
        .change_link(ann.actor(), &made.key, &change)
        .unwrap();
    assert!(!changed.has_password && !changed.allow_download && changed.expires_ms.is_none());
    assert!(opened(&bench, &made.key, None).is_ok());
    let expire = LinkChange {
        expires_ms: Some(Some(NOW_MS)),
        ..LinkChange::default()
    };
    bench
        .meta
        .change_link(ann.actor(), &made.key, &expire)
        .unwrap();
    assert_eq!(
        bench.meta.link_at(ann.actor(), &at("/a.txt")).unwrap(),
        None
    );
    assert_ne!(link(&bench, &ann, "/a.txt").link.key, made.key);
    assert_eq!(opened(&bench, &made.key, None), Err(Refusal::NotFound));
}

#[test]
fn a_link_opens_what_its_creator_may_read_now() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    folder(&bench, &ann, "/Docs");
    file(&bench, &ann, "/Docs/a.txt", 1);
    let before = link(&bench, &ann, "/Docs").link.key;
    let ns = bench
        .meta
        .share_folder(ann.actor(), &at("/Docs"), MemberPolicy::Owner)
        .unwrap();
    assert_eq!(opened(&bench, &before, None), Ok("/Docs".into()));
    let again = bench
        .meta
        .create_link(ann.actor(), &at("/Docs"), LinkSettings::default());
    assert_eq!(refusal(again), Refusal::LinkExists(before.clone()));
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Viewer, true)
        .unwrap();
    let bobs = link(&bench, &bob, "/Docs/a.txt").link.key;
    bench.meta.unmount(bob.actor(), ns).unwrap();
    assert!(opened(&bench, &bobs, None).is_ok());
    bench.meta.remove_member(ann.actor(), ns, bob.id).unwrap();
    assert_eq!(opened(&bench, &bobs, None), Err(Refusal::NotFound)); // I6
    let disabled = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    bench.meta.change_account(ann.id, disabled).unwrap();
    assert_eq!(opened(&bench, &before, None), Err(Refusal::NotFound));
}

#[test]
fn a_folders_link_opens_what_lies_below_it_and_nothing_else() {
    let bench = bench();
    let ann = bench.account("ann");
    file(&bench, &ann, "/pub/in/a.txt", 1);
    file(&bench, &ann, "/secret.txt", 1);
    let key = link(&bench, &ann, "/pub").link.key;
    let open = |below: &[&str]| {
        let below: Vec<_> = below.iter().map(|name| (*name).to_owned()).collect();
        bench.meta.open_link(&key, None, &below)
    };
    let inside = open(&["IN", "a.txt"]).unwrap();
    assert_eq!(inside.place.path_display, "/pub/in/a.txt");
    assert_eq!(inside.top.path_display, "/pub");
    assert_eq!(refusal(open(&["..", "secret.txt"])), Refusal::NotFound);
    assert_eq!(refusal(open(&["secret.txt"])), Refusal::NotFound);
    let root = bench
        .meta
        .create_link(ann.actor(), &at(""), LinkSettings::default());
    assert_eq!(refusal(root), Refusal::CantShareRoot);
}

#[test]
fn links_are_listed_in_pages() {
    let bench = bench();
    let ann = bench.account("ann");
    let mut made: Vec<_> = (0..5)
        .map(|i| {
            file(&bench, &ann, &format!("/{i}"), 1);
            link(&bench, &ann, &format!("/{i}")).link
        })
        .collect();
    made.sort_by_key(|link| link.file);
    let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = bench.meta.list_links(ann.actor(), after, 2).unwrap();
        listed.extend(page.links.into_iter().map(|linked| linked.link));
        pages += 1;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!((listed, pages), (made, 3));
}
