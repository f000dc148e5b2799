//! Uploads, folders, moves, copies and sharing, as Dropbox has them.

use super::*;
use crate::meta::ConflictKind;

#[test]
fn uploads_follow_the_write_modes() {
    let w = World::new(1);
    let first = w.put("/up/a.txt", 1).unwrap();
    assert_eq!(
        (first.path_display.as_str(), first.node.name.as_str()),
        ("/up/a.txt", "a.txt")
    );
    assert_eq!(w.put("/UP/A.txt", 1).unwrap().node, first.node);
    assert_eq!(
        refused(w.put("/up/a.txt", 2)),
        Refusal::Conflict(ConflictKind::File)
    );
    let renamed = NewFile {
        autorename: true,
        ..file(2, WriteMode::Add)
    };
    let second = w
        .meta
        .commit_file(w.actor(0), &at("/up/a.txt"), &renamed)
        .unwrap();
    assert_eq!(second.path_display, "/up/a (1).txt");
    let over = w
        .meta
        .commit_file(w.actor(0), &at("/up/a.txt"), &file(3, WriteMode::Overwrite))
        .unwrap();
    let (old, new) = (
        first.node.head().unwrap().rev,
        over.node.head().unwrap().rev,
    );
    assert!(over.node.id == first.node.id && new > old);
    let stale = file(4, WriteMode::Update(old));
    let result = w.meta.commit_file(w.actor(0), &at("/up/a.txt"), &stale);
    assert_eq!(refused(result), Refusal::Conflict(ConflictKind::File));
    let copy = NewFile {
        autorename: true,
        ..stale
    };
    for name in [
        "/up/a (conflicted copy).txt",
        "/up/a (conflicted copy 1).txt",
    ] {
        let made = w
            .meta
            .commit_file(w.actor(0), &at("/up/a.txt"), &copy)
            .unwrap();
        assert_eq!(made.path_display, name);
    }
    let update = file(4, WriteMode::Update(new));
    assert_eq!(
        w.meta
            .commit_file(w.actor(0), &at("/up/a.txt"), &update)
            .unwrap()
            .node
            .id,
        first.node.id
    );
    assert_eq!(w.used(0), 30 + 50 * 3);
    w.sound();
}

#[test]
fn strict_conflicts_are_stricter() {
    let w = World::new(1);
    let made = w.put("/a", 1).unwrap();
    let strict = |mode| NewFile {
        strict_conflict: true,
        ..file(1, mode)
    };
    let put = |path, mode| w.meta.commit_file(w.actor(0), &at(path), &strict(mode));
    assert_eq!(
        refused(put("/a", WriteMode::Add)),
        Refusal::Conflict(ConflictKind::File)
    );
    let rev = made.node.head().unwrap().rev;
    assert_eq!(
        refused(put("/gone", WriteMode::Update(rev))),
        Refusal::Conflict(ConflictKind::File)
    );
    assert!(put("/a", WriteMode::Update(rev)).is_ok());
}

#[test]
fn folders_and_files_stand_in_the_way() {
    let w = World::new(1);
    w.put("/f/a.txt", 1).unwrap();
    let over = file(2, WriteMode::Overwrite);
    let put = |path| refused(w.meta.commit_file(w.actor(0), &at(path), &over));
    assert_eq!(put("/F"), Refusal::Conflict(ConflictKind::Folder));
    assert_eq!(put(""), Refusal::Conflict(ConflictKind::Folder));
    assert_eq!(
        put("/f/a.txt/below"),
        Refusal::Conflict(ConflictKind::FileAncestor)
    );
    assert_eq!(
        put("/f/a.txt/deep/below"),
        Refusal::Conflict(ConflictKind::FileAncestor)
    );
    let folder = |path, autorename| w.meta.create_folder(w.actor(0), &at(path), autorename);
    assert_eq!(
        refused(folder("/F", false)),
        Refusal::Conflict(ConflictKind::Folder)
    );
    assert_eq!(
        refused(folder("/f/A.TXT", false)),
        Refusal::Conflict(ConflictKind::File)
    );
    assert_eq!(folder("/F", true).unwrap().path_display, "/F (1)");
    assert_eq!(folder("/x/Y/z", false).unwrap().path_display, "/x/Y/z");
}

#[test]
fn ids_revs_and_namespaces_are_addresses() {
    let w = World::new(2);
    let made = w.put("/Dir/a.txt", 1).unwrap();
    let ns = w.actor(0).root;
    let forms = [
        made.node.id.to_string(),
        format!("rev:{}", made.node.rev_id().unwrap()),
        format!("ns:{ns}/dir/A.TXT"),
    ];
    for form in &forms {
        assert_eq!(w.get(form).unwrap(), made, "{form}");
        let other = w.view(1).resolve(w.actor(1).root, &at(form));
        assert_eq!(refused(other), Refusal::NotFound, "{form}");
    }
    let dir = w.get("/dir").unwrap();
    assert_eq!(w.get(&format!("{}/a.txt", dir.node.id)).unwrap(), made);
    let by_id = w
        .meta
        .commit_file(w.actor(0), &at(&forms[0]), &file(2, WriteMode::Overwrite))
        .unwrap();
    assert_eq!(
        (by_id.node.id, by_id.path_lower.as_str()),
        (made.node.id, "/dir/a.txt")
    );
    assert_eq!(w.view(1).place(made.node.id).unwrap(), None);
    assert_eq!(
        w.view(0).place(made.node.id).unwrap().unwrap().path_display,
        "/Dir/a.txt"
    );
}

#[test]
fn moves_keep_ids_and_refuse_nonsense() {
    let w = World::new(1);
    let made = w.put("/mv/a.txt", 1).unwrap();
    let mv = |from, to| w.meta.relocate(w.actor(0), &at(from), &at(to), false);
    let moved = mv("/mv/a.txt", "/mv/Sub/b.txt").unwrap();
    assert_eq!(
        (moved.node.id, moved.path_display.as_str()),
        (made.node.id, "/mv/Sub/b.txt")
    );
    assert_eq!(
        refused(mv("/mv/sub", "/mv/sub/in")),
        Refusal::CantMoveFolderIntoItself
    );
    assert_eq!(refused(mv("/mv/none", "/x")), Refusal::NotFound);
    assert_eq!(refused(mv("", "/x")), Refusal::CantMoveRoot);
    assert_eq!(refused(mv("/mv", "/mv")), Refusal::DuplicatedOrNestedPaths);
    w.put("/mv/c.txt", 2).unwrap();
    assert_eq!(
        refused(mv("/mv/c.txt", "/mv/sub/B.txt")),
        Refusal::Conflict(ConflictKind::File)
    );
    assert_eq!(mv("/mv", "/MV").unwrap().path_display, "/MV");
    assert_eq!(w.all(0), ["/MV", "/MV/c.txt", "/MV/Sub", "/MV/Sub/b.txt"]);
    let copy = w
        .meta
        .copy(w.actor(0), &at("/mv"), &at("/mv/sub/mv"), false)
        .unwrap();
    assert_eq!(copy.path_display, "/MV/Sub/mv");
    assert_eq!(
        w.list("/mv/sub/mv", false),
        ["/MV/Sub/mv/c.txt", "/MV/Sub/mv/Sub"]
    );
    assert_eq!(w.used(0), 2 * (20 + 30));
    w.sound();
}

#[test]
fn moves_and_copies_never_make_a_tree_too_deep() {
    let w = World::new(1);
    let deep = |top: &str| {
        let mut folder = w.meta.create_folder(w.actor(0), &at(top), false).unwrap();
        for _ in 0..3 {
            let below = Address::Id(folder.node.id, vec!["d".to_owned(); 200]);
            folder = w.meta.create_folder(w.actor(0), &below, false).unwrap();
        }
        folder.node.id
    };
    let (bottom, _) = (deep("/a"), deep("/b"));
    let below = Address::Id(bottom, vec!["b".to_owned()]);
    let too_deep = Refusal::MalformedPath("the tree is too deep".to_owned());
    let moved = w.meta.relocate(w.actor(0), &at("/b"), &below, false);
    assert_eq!(refused(moved), too_deep);
    let copied = w.meta.copy(w.actor(0), &at("/b"), &below, false);
    assert_eq!(refused(copied), too_deep);
    let middle = at(&("/a".to_owned() + &"/d".repeat(150)));
    let Address::Path(mut names) = middle else {
        panic!("a path")
    };
    names.push("b".to_owned());
    let fits = w
        .meta
        .relocate(w.actor(0), &at("/b"), &Address::Path(names), false)
        .unwrap();
    let back = Address::Id(fits.node.id, Vec::new());
    w.meta
        .relocate(w.actor(0), &back, &at("/b"), false)
        .unwrap();
}

#[test]
fn what_moves_between_owners_changes_hands() {
    let w = World::new(2);
    w.put("/team/a", 1).unwrap();
    w.put("/mine/b", 2).unwrap();
    let ns = w.share("/team", Role::Editor);
    assert_eq!(w.all(1), ["/team (shared)", "/team/a"]);
    let mv = |who, from, to| w.meta.relocate(w.actor(who), &at(from), &at(to), false);
    let moved = mv(0, "/mine", "/team/mine").unwrap();
    assert_eq!((moved.ns, moved.parent_shared), (ns, Some(ns)));
    assert_eq!((w.used(0), w.used(1)), (50, 0));
    mv(1, "/team/mine", "/taken").unwrap();
    assert_eq!((w.used(0), w.used(1)), (20, 30));
    assert_eq!(w.view(0).place(moved.node.id).unwrap(), None);
    assert_eq!(
        w.view(1)
            .place(moved.node.id)
            .unwrap()
            .unwrap()
            .path_display,
        "/taken"
    );
    assert_eq!(
        refused(mv(1, "/team", "/taken/team2").and(mv(1, "/taken", "/taken/team2/x"))),
        Refusal::CantMoveFolderIntoItself
    );
    assert_eq!(
        w.all(1),
        [
            "/taken",
            "/taken/b",
            "/taken/team2 (shared)",
            "/taken/team2/a"
        ]
    );
    w.sound();
}

#[test]
fn shared_folders_do_not_nest_and_viewers_only_read() {
    let w = World::new(2);
    w.put("/one/a", 1).unwrap();
    w.put("/two/b", 1).unwrap();
    w.meta
        .create_folder(w.actor(0), &at("/holds"), false)
        .unwrap();
    w.share("/one", Role::Viewer);
    w.share("/two", Role::Editor);
    let mv = |from, to| w.meta.relocate(w.actor(0), &at(from), &at(to), false);
    assert_eq!(
        refused(mv("/one", "/two/one")),
        Refusal::CantMoveSharedFolder
    );
    mv("/one", "/holds/one").unwrap();
    assert_eq!(
        refused(mv("/holds", "/two/holds")),
        Refusal::CantMoveSharedFolder
    );
    let who = w.actor(1);
    let refusals = [
        refused(
            w.meta
                .commit_file(who, &at("/one/c"), &file(1, WriteMode::Add)),
        ),
        refused(w.meta.delete(who, &at("/one/a"), None)),
        refused(w.meta.relocate(who, &at("/one/a"), &at("/a"), false)),
        refused(w.meta.copy(who, &at("/two/b"), &at("/one/b"), false)),
    ];
    assert_eq!(refusals, [(); 4].map(|()| Refusal::NoWritePermission));
    assert_eq!(
        w.meta
            .copy(who, &at("/one"), &at("/mine"), false)
            .unwrap()
            .shared_folder,
        None
    );
    assert_eq!(w.used(1), 20);
    w.meta.delete(who, &at("/one"), None).unwrap();
    assert_eq!(w.all(1), ["/mine", "/mine/a", "/two (shared)", "/two/b"]);
    assert_eq!(w.all(0).len(), 5);
    let unmounted = w.view(1).access().unwrap();
    assert_eq!(
        unmounted
            .iter()
            .map(|a| (a.home, a.mount.is_some()))
            .collect::<Vec<_>>(),
        [(true, false), (false, false), (false, true)]
    );
    let ns = unmounted[1].ns;
    let seen = w
        .view(1)
        .resolve(who.root, &at(&format!("ns:{ns}/a")))
        .unwrap();
    assert_eq!(seen.path_display, format!("ns:{ns}/a"));
    w.sound();
}

#[test]
fn quotas_bound_what_an_owner_stores() {
    let w = World::new(1);
    let change = crate::meta::AccountChange {
        quota_bytes: Some(45),
        ..Default::default()
    };
    w.meta.change_account(w.accounts[0].id, change).unwrap();
    w.put("/a", 1).unwrap();
    assert_eq!(refused(w.put("/b", 2)), Refusal::InsufficientSpace);
    assert_eq!(
        refused(
            w.meta
                .commit_file(w.actor(0), &at("/a"), &file(4, WriteMode::Overwrite))
        ),
        Refusal::InsufficientSpace
    );
    w.put("/c", 1).unwrap();
    w.meta.delete(w.actor(0), &at("/a"), None).unwrap();
    assert_eq!(w.used(0), 20);
    assert_eq!(w.all(0), ["[/a]", "/c"]);
}

#[test]
fn listings_go_on_where_they_stopped() {
    let w = World::new(1);
    for path in ["/d/b", "/d/a/x", "/d/a b", "/d/A-c", "/e", "/d/a/y/z"] {
        w.put(path, 1).unwrap();
    }
    w.meta.delete(w.actor(0), &at("/d/b"), None).unwrap();
    let all = w.all(0);
    assert_eq!(
        all,
        [
            "/d", "/d/a", "/d/a/x", "/d/a/y", "/d/a/y/z", "/d/a b", "/d/A-c", "[/d/b]", "/e"
        ]
    );
    let view = w.view(0);
    let top = view.resolve(w.actor(0).root, &at("")).unwrap();
    let (mut lines, mut position) = (Vec::new(), None);
    loop {
        position = view
            .walk(&top, position.as_ref(), true, &mut |entry| {
                lines.push(line(&entry));
                Ok(false)
            })
            .unwrap();
        if position.is_none() {
            break;
        }
    }
    assert_eq!(lines, all);
    let of = view.resolve(w.actor(0).root, &at("/d")).unwrap();
    let page = |after| {
        view.children(&of, after, 2, true)
            .unwrap()
            .iter()
            .map(line)
            .collect::<Vec<_>>()
    };
    assert_eq!(page(None), ["/d/a", "/d/a b"]);
    assert_eq!(page(Some("a b")), ["/d/A-c", "[/d/b]"]);
    assert_eq!(page(Some("b")), Vec::<String>::new());
    assert_eq!(view.subtree_folders(of.node.id, 10).unwrap().len(), 3);
    assert_eq!(view.subtree_folders(of.node.id, 2).unwrap().len(), 2);
}
