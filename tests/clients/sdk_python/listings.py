"""Listings and their cursors: list_folder, continue, get_latest_cursor, longpoll."""
import threading
import time

from dropbox import exceptions, files

from common import client, equal, follow, post, refused, run

Deleted = files.DeletedMetadata


def changes(account, cursor):
    """What a cursor tells, as {path: kind or rev}, and the next cursor."""
    entries, cursor = follow(account.sdk, account.sdk.files_list_folder_continue(cursor))
    return entries, cursor


def latest(account, path="", **options):
    return account.sdk.files_list_folder_get_latest_cursor(path, **options).cursor


def replayed(model, entries):
    """Applies entries as a sync client does: what is deleted takes everything below it along."""
    for entry in entries:
        if isinstance(entry, Deleted):
            below = entry.path_lower + "/"
            model = {path: rev for path, rev in model.items() if path != entry.path_lower and not path.startswith(below)}
        else:
            model[entry.path_lower] = getattr(entry, "rev", "folder")
    return model


def test_flat_and_recursive(ann):
    for path in ("/b.txt", "/a/x.txt", "/a/deep/er/y.txt"):
        ann.put(path)
    equal(ann.paths(), ["/a", "/b.txt"])
    equal(ann.paths("/A"), ["/a/deep", "/a/x.txt"])
    equal(ann.paths("/a", recursive=True)[-4:], ["/a/deep", "/a/deep/er", "/a/deep/er/y.txt", "/a/x.txt"])
    kinds = {type(entry) for entry in ann.entries(recursive=True)}
    equal(kinds, {files.FileMetadata, files.FolderMetadata})


def test_pages_are_complete_and_bounded(ann):
    wanted = {f"/p/{number:03}.txt" for number in range(47)}
    for path in wanted:
        ann.put(path, path.encode())
    page = ann.sdk.files_list_folder("/p", limit=10)
    seen = []
    while True:
        assert len(page.entries) <= 10, len(page.entries)
        seen += [entry.path_lower for entry in page.entries]
        if not page.has_more:
            break
        page = ann.sdk.files_list_folder_continue(page.cursor)
    equal((len(seen), set(seen)), (47, wanted))


def test_refusals(ann):
    ann.put("/file.txt")
    refused("path/not_found", ann.sdk.files_list_folder, "/nowhere")
    refused("path/not_folder", ann.sdk.files_list_folder, "/file.txt")
    refused("path/malformed_path", ann.sdk.files_list_folder, "/x/../y")
    refused("path/not_found", ann.sdk.files_list_folder_get_latest_cursor, "/nowhere")


def test_a_cursor_tells_each_change_once(ann):
    ann.put("/w/kept.txt")
    cursor = latest(ann, "/w", recursive=True)
    equal(changes(ann, cursor)[0], [])
    made = ann.put("/w/new.txt")
    entries, cursor = changes(ann, cursor)
    equal([(entry.path_lower, entry.rev) for entry in entries], [("/w/new.txt", made.rev)])
    ann.sdk.files_move_v2("/w/new.txt", "/w/sub/moved.txt")
    entries, cursor = changes(ann, cursor)
    gone = [entry.path_lower for entry in entries if isinstance(entry, Deleted)]
    equal((gone, sorted(e.path_lower for e in entries if not isinstance(e, Deleted))), (["/w/new.txt"], ["/w/sub", "/w/sub/moved.txt"]))
    ann.sdk.files_delete_v2("/w/sub")
    entries, cursor = changes(ann, cursor)
    equal({entry.path_lower for entry in entries if isinstance(entry, Deleted)} & {"/w/sub"}, {"/w/sub"})
    ann.put("/outside.txt")
    equal(changes(ann, cursor)[0], [], "a change outside the folder")


def test_a_history_replays_to_the_present(ann):
    ann.put("/h/start.txt")
    entries, cursor = follow(ann.sdk, ann.sdk.files_list_folder("/h", recursive=True))
    model = replayed({}, entries)
    for number in range(8):
        ann.put(f"/h/one/{number}.txt", b"%d" % number)
    ann.sdk.files_move_v2("/h/one", "/h/Two")
    ann.sdk.files_copy_v2("/h/two/1.txt", "/h/one")
    ann.sdk.files_delete_v2("/h/two/2.txt")
    ann.sdk.files_move_v2("/h/two/3.txt", "/elsewhere.txt")
    ann.sdk.files_move_v2("/elsewhere.txt", "/h/start2.txt")
    ann.put("/h/start.txt", b"changed")
    ann.sdk.files_delete_v2("/h/one")
    ann.put("/h/one/0.txt", b"a folder again")
    model = replayed(model, changes(ann, cursor)[0])
    present = {entry.path_lower: getattr(entry, "rev", "folder") for entry in ann.entries("/h", recursive=True)}
    model.pop("/h", None), present.pop("/h", None)
    equal(model, present)


def test_deleted_entries_where_asked_for(ann):
    ann.put("/d/gone.txt")
    ann.put("/d/here.txt")
    ann.sdk.files_delete_v2("/d/gone.txt")
    shown = {entry.name: type(entry) for entry in ann.entries("/d", include_deleted=True)}
    equal(shown, {"gone.txt": Deleted, "here.txt": files.FileMetadata})
    equal(ann.paths("/d"), ["/d/here.txt"])


def test_cursors_that_are_none(ann, bob):
    for cursor in ("garbage", "A" * 300, "é"):
        refused("reset", ann.sdk.files_list_folder_continue, cursor)
    ann.put("/private.txt")
    stolen = ann.sdk.files_list_folder("").cursor
    refused("reset", bob.sdk.files_list_folder_continue, stolen)
    refused("reset", ann.sdk.files_list_folder_continue, stolen[:-1] + ("A" if stolen[-1] != "A" else "B"))


def test_a_deleted_folders_cursor(ann):
    ann.put("/z/1.txt")
    cursor = latest(ann, "/z", recursive=True)
    ann.sdk.files_delete_v2("/z")
    try:
        entries = changes(ann, cursor)[0]
        assert "/z" in [entry.path_lower for entry in entries if isinstance(entry, Deleted)] or "/z/1.txt" in [e.path_lower for e in entries], entries
    except exceptions.ApiError as error:
        assert "not_found" in repr(error.error) or "reset" in repr(error.error), error


def polled(account, cursor, into):
    """Waits for a change in a thread."""
    def wait():
        into["changes"] = client(account.token).files_list_folder_longpoll(cursor, timeout=30).changes
        into["at"] = time.monotonic()
    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_longpoll_wakes(ann):
    cursor = latest(ann, recursive=True)
    for number in range(3):
        heard = {}
        thread = polled(ann, cursor, heard)
        ann.put(f"/l/{number}.txt")
        stored = time.monotonic()
        thread.join(30)
        assert heard["changes"] is True and heard["at"] - stored < 5, heard
        cursor = changes(ann, cursor)[1]


def test_longpoll_answers_at_once_when_behind(ann):
    cursor = latest(ann, recursive=True)
    ann.put("/early.txt")
    answer = post("files/list_folder/longpoll", {"cursor": cursor, "timeout": 30})
    equal((answer.status_code, answer.json()["changes"]), (200, True), "and it needs no token")
    refused("reset", ann.sdk.files_list_folder_longpoll, "garbage")


def test_longpoll_of_a_revoked_token(ann):
    token = ann.post("firefly/token/create", {"name": "old phone"}).json()["token"]
    phone = client(token)
    cursor = phone.files_list_folder_get_latest_cursor("", recursive=True).cursor
    phone.auth_token_revoke()
    ann.put("/later.txt")
    answer = post("files/list_folder/longpoll", {"cursor": cursor, "timeout": 30})
    assert answer.status_code in (401, 409), (answer.status_code, answer.text)


if __name__ == "__main__":
    run(globals())
