"""Deleting, versions, and bringing back."""
from dropbox import files

from common import equal, finished, refused, run

BY_ID = files.ListRevisionsMode.id


def test_delete_says_what_it_deleted(ann):
    made = ann.put("/Dir/A.txt")
    gone = ann.sdk.files_delete_v2("/dir/a.txt").metadata
    equal((gone.id, gone.rev, gone.path_display), (made.id, made.rev, "/Dir/A.txt"))
    refused("path_lookup/not_found", ann.sdk.files_delete_v2, "/dir/a.txt")
    refused("path_lookup/malformed_path", ann.sdk.files_delete_v2, "/dir/..")
    ann.put("/dir/sub/b.txt")
    assert isinstance(ann.sdk.files_delete_v2("/dir").metadata, files.FolderMetadata)
    equal(ann.paths(recursive=True), [])


def test_delete_of_one_version_only(ann):
    first = ann.put("/a.txt", b"1")
    ann.put("/a.txt", b"2")
    refused("path_write/conflict/file", ann.sdk.files_delete_v2, "/a.txt", parent_rev=first.rev)
    equal(ann.bytes("/a.txt"), b"2")
    ann.sdk.files_delete_v2("/a.txt", parent_rev=ann.sdk.files_get_metadata("/a.txt").rev)
    equal(ann.entries(), [])


def test_the_name_is_free_again(ann):
    first = ann.put("/again.txt", b"1")
    ann.sdk.files_delete_v2("/again.txt")
    second = ann.sdk.files_upload(b"2", "/again.txt")
    assert second.id != first.id
    ann.sdk.files_delete_v2("/again.txt")
    ann.sdk.files_create_folder_v2("/again.txt")


def test_delete_batch(ann):
    for name in "ab":
        ann.put(f"/{name}.txt")
    entries = [files.DeleteArg(path) for path in ("/a.txt", "/nothing.txt", "/b.txt", "/a.txt")]
    results = finished(ann.sdk.files_delete_batch(entries), ann.sdk.files_delete_batch_check)
    equal([each.is_success() for each in results], [True, False, True, False])
    assert results[1].get_failure().get_path_lookup().is_not_found(), results[1]
    equal(results[0].get_success().metadata.name, "a.txt")
    equal(ann.entries(), [])


def test_versions_newest_first(ann):
    revs = [ann.put("/v.txt", b"version %d" % number).rev for number in range(5)]
    listed = ann.sdk.files_list_revisions("/v.txt", limit=3)
    equal(([entry.rev for entry in listed.entries], listed.is_deleted, listed.has_more), (revs[:1:-1], False, True))
    whole = ann.sdk.files_list_revisions("/v.txt", limit=10)
    equal(([entry.size for entry in whole.entries], whole.has_more), ([9] * 5, False))
    equal([ann.bytes(f"rev:{rev}") for rev in revs], [b"version %d" % number for number in range(5)])
    refused("path/not_file", ann.sdk.files_list_revisions, ann.sdk.files_create_folder_v2("/f").metadata.path_lower)
    refused("path/not_found", ann.sdk.files_list_revisions, "/nothing")


def test_versions_by_id_follow_a_move(ann):
    made = ann.put("/old/name.txt", b"1")
    ann.put("/old/name.txt", b"2")
    ann.sdk.files_move_v2("/old/name.txt", "/new.txt")
    listed = ann.sdk.files_list_revisions(made.id, mode=BY_ID)
    equal({ann.bytes(f"rev:{entry.rev}") for entry in listed.entries}, {b"1", b"2"})


def test_versions_of_what_is_deleted(ann):
    made = ann.put("/gone.txt", b"words")
    ann.sdk.files_delete_v2("/gone.txt")
    listed = ann.sdk.files_list_revisions("/gone.txt")
    equal((listed.is_deleted, [entry.rev for entry in listed.entries]), (True, [made.rev]))
    assert listed.server_deleted is not None


def test_restore(ann):
    first = ann.put("/r.txt", b"first")
    ann.put("/r.txt", b"second")
    back = ann.sdk.files_restore("/r.txt", first.rev)
    equal((ann.bytes("/r.txt"), back.id), (b"first", first.id))
    assert back.rev != first.rev
    ann.sdk.files_delete_v2("/r.txt")
    ann.sdk.files_restore("/r.txt", first.rev)
    equal(ann.bytes("/r.txt"), b"first")
    refused("invalid_revision", ann.sdk.files_restore, "/r.txt", "0123456789abcdef0123456789abcdef")
    refused("path_lookup/malformed_path", ann.sdk.files_restore, "/../r.txt", first.rev)


def test_restore_inside_a_deleted_folder(ann):
    made = ann.put("/lost/deep/file.txt", b"found again")
    ann.sdk.files_delete_v2("/lost")
    ann.sdk.files_restore("/lost/deep/file.txt", made.rev)
    equal(ann.bytes("/lost/deep/file.txt"), b"found again")


def test_somebody_elses_version_restores_nothing(ann, bob):
    secret = ann.put("/s.txt", b"secret")
    bob.put("/s.txt", b"public")
    refused("invalid_revision", bob.sdk.files_restore, "/s.txt", secret.rev)
    equal(bob.bytes("/s.txt"), b"public")


if __name__ == "__main__":
    run(globals())
