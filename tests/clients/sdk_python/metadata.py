"""What is where: get_metadata in its variants, folders and their batches."""
from dropbox import files

from common import equal, finished, refused, run


def test_every_way_to_name_it(ann):
    made = ann.put("/In/File.txt")
    root = ann.sdk.users_get_current_account().root_info.root_namespace_id
    for path in ("/in/file.TXT", made.id, f"rev:{made.rev}", f"ns:{root}/In/File.txt", "//in//File.txt"):
        seen = ann.sdk.files_get_metadata(path)
        equal((seen.id, seen.rev, seen.path_display), (made.id, made.rev, "/In/File.txt"), path)
    folder = ann.sdk.files_get_metadata("/IN")
    assert isinstance(folder, files.FolderMetadata), folder
    equal(ann.sdk.files_get_metadata(folder.id).path_display, "/In")
    equal(ann.sdk.files_get_metadata(f"{folder.id}/file.txt").id, made.id)


def test_what_is_not_there(ann):
    for path in ("/nothing", "/a/b/c", "id:" + "B" * 22, "ns:4294967296/x", "rev:" + "ab" * 16):
        refused("path/not_found", ann.sdk.files_get_metadata, path)
    refused("path/malformed_path", ann.sdk.files_get_metadata, "/x/../y")
    equal(ann.post("files/get_metadata", {"path": ""}).status_code, 400, "the root has no metadata")


def test_deleted_where_asked_for(ann):
    ann.put("/Gone.txt")
    ann.sdk.files_delete_v2("/gone.txt")
    refused("path/not_found", ann.sdk.files_get_metadata, "/gone.txt")
    seen = ann.sdk.files_get_metadata("/gone.txt", include_deleted=True)
    assert isinstance(seen, files.DeletedMetadata), seen
    equal((seen.name, seen.path_lower), ("Gone.txt", "/gone.txt"))
    refused("path/not_found", ann.sdk.files_get_metadata, "/never.txt", include_deleted=True)


def test_create_folder(ann):
    made = ann.sdk.files_create_folder_v2("/One/Two/Three").metadata
    equal((made.name, made.path_lower, made.path_display), ("Three", "/one/two/three", "/One/Two/Three"))
    refused("path/conflict/folder", ann.sdk.files_create_folder_v2, "/ONE/two/THREE")
    equal(ann.sdk.files_create_folder_v2("/One/Two/Three", autorename=True).metadata.name, "Three (1)")
    ann.put("/file")
    refused("path/conflict/file", ann.sdk.files_create_folder_v2, "/file")
    refused("path/conflict/file_ancestor", ann.sdk.files_create_folder_v2, "/file/below")
    refused("path/malformed_path", ann.sdk.files_create_folder_v2, "/..")


def test_create_folder_batch(ann):
    ann.sdk.files_create_folder_v2("/there")
    launched = ann.sdk.files_create_folder_batch(["/x", "/there", "/y/z", "/X"])
    results = finished(launched, ann.sdk.files_create_folder_batch_check)
    equal([each.is_success() for each in results], [True, False, True], "one result for each distinct path")
    assert results[1].get_failure().get_path().get_conflict().is_folder(), results[1]
    equal(ann.paths(recursive=True), ["/there", "/x", "/y", "/y/z"])


def test_create_folder_batch_as_a_job(ann, bob):
    launched = ann.sdk.files_create_folder_batch(["/j1", "/j2"], force_async=True)
    job = launched.get_async_job_id()
    refused("invalid_async_job_id", bob.sdk.files_create_folder_batch_check, job)
    refused("invalid_async_job_id", ann.sdk.files_create_folder_batch_check, "no-such-job")
    results = finished(launched, ann.sdk.files_create_folder_batch_check)
    equal([each.get_success().metadata.name for each in results], ["j1", "j2"])


if __name__ == "__main__":
    run(globals())
