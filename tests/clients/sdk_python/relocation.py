"""Moves and copies, single and in batches."""
from dropbox import files

from common import equal, finished, refused, run

Pair = files.RelocationPath


def test_a_move_keeps_id_and_versions(ann):
    made = ann.put("/from/a.txt", b"words")
    moved = ann.sdk.files_move_v2("/from/a.txt", "/To/New/b.txt").metadata
    equal((moved.id, moved.path_display, moved.content_hash), (made.id, "/To/New/b.txt", made.content_hash))
    refused("path/not_found", ann.sdk.files_get_metadata, "/from/a.txt")
    equal(ann.bytes("/to/new/b.txt"), b"words")
    equal(ann.bytes(f"rev:{made.rev}"), b"words")


def test_a_folder_moves_with_everything_in_it(ann):
    inner = ann.put("/f/g/h.txt", b"deep")
    folder = ann.sdk.files_get_metadata("/f")
    moved = ann.sdk.files_move_v2("/f", "/K").metadata
    equal((moved.id, moved.path_display), (folder.id, "/K"))
    equal(ann.sdk.files_get_metadata("/k/g/h.txt").id, inner.id)
    equal(ann.paths(recursive=True), ["/k", "/k/g", "/k/g/h.txt"])


def test_a_rename_by_case_alone(ann):
    made = ann.put("/lower.txt")
    equal(ann.sdk.files_move_v2("/lower.txt", "/LOWER.txt").metadata.path_display, "/LOWER.txt")
    equal([(entry.name, entry.id) for entry in ann.entries()], [("LOWER.txt", made.id)])


def test_copies_are_files_of_their_own(ann):
    made = ann.put("/c/a.txt", b"first")
    copy = ann.sdk.files_copy_v2("/c/a.txt", "/c/b.txt").metadata
    assert copy.id != made.id and copy.content_hash == made.content_hash, copy
    ann.put("/c/a.txt", b"second")
    equal((ann.bytes("/c/a.txt"), ann.bytes("/c/b.txt")), (b"second", b"first"))
    ann.sdk.files_copy_v2("/c", "/d")
    equal(ann.paths("/d"), ["/d/a.txt", "/d/b.txt"])
    ann.sdk.files_delete_v2("/c")
    equal(ann.bytes("/d/a.txt"), b"second")


def test_refusals(ann):
    ann.put("/a.txt", b"a")
    ann.put("/b.txt", b"b")
    ann.sdk.files_create_folder_v2("/folder/inner")
    for call in (ann.sdk.files_move_v2, ann.sdk.files_copy_v2):
        refused("to/conflict/file", call, "/a.txt", "/b.txt")
        refused("to/conflict/folder", call, "/a.txt", "/folder")
        refused("to/conflict/file_ancestor", call, "/a.txt", "/b.txt/below")
        refused("from_lookup/not_found", call, "/nothing", "/x")
        refused("to/malformed_path", call, "/a.txt", "/folder/..")
        refused("from_lookup/malformed_path", call, "/../a.txt", "/x")
    refused("cant_move_folder_into_itself", ann.sdk.files_move_v2, "/folder", "/folder/inner/again")
    equal((ann.bytes("/a.txt"), ann.bytes("/b.txt")), (b"a", b"b"))


def test_autorename(ann):
    ann.put("/a.txt", b"a")
    ann.put("/b.txt", b"b")
    equal(ann.sdk.files_copy_v2("/a.txt", "/b.txt", autorename=True).metadata.name, "b (1).txt")
    equal(ann.sdk.files_move_v2("/a.txt", "/b.txt", autorename=True).metadata.name, "b (2).txt")
    equal([ann.bytes(f"/{name}.txt") for name in ("b", "b (1)", "b (2)")], [b"b", b"a", b"a"])


def test_move_batch(ann):
    for name in "abc":
        ann.put(f"/{name}.txt", name.encode())
    pairs = [Pair("/a.txt", "/m/a.txt"), Pair("/none.txt", "/m/n.txt"), Pair("/b.txt", "/c.txt"), Pair("/c.txt", "/m/c.txt")]
    results = finished(ann.sdk.files_move_batch_v2(pairs), ann.sdk.files_move_batch_check_v2)
    equal([each.is_success() for each in results], [True, False, False, True])
    assert results[1].get_failure().get_relocation_error().get_from_lookup().is_not_found(), results[1]
    assert results[2].get_failure().get_relocation_error().get_to().get_conflict().is_file(), results[2]
    equal(results[0].get_success().path_display, "/m/a.txt")
    equal(ann.paths(recursive=True), ["/b.txt", "/m", "/m/a.txt", "/m/c.txt"])


def test_copy_batch(ann):
    ann.put("/a.txt", b"a")
    pairs = [Pair("/a.txt", "/1.txt"), Pair("/1.txt", "/2.txt"), Pair("/3.txt", "/4.txt")]
    results = finished(ann.sdk.files_copy_batch_v2(pairs), ann.sdk.files_copy_batch_check_v2)
    equal([each.is_success() for each in results], [True, True, False])
    equal(ann.paths(), ["/1.txt", "/2.txt", "/a.txt"])


if __name__ == "__main__":
    run(globals())
