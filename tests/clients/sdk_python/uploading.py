"""Uploads in one call: files/upload with its modes, hashes, names."""
import datetime
import unicodedata

import requests
from dropbox import files

from common import URL, content_hash, equal, refused, run

ADD, OVERWRITE = files.WriteMode.add, files.WriteMode.overwrite


def test_a_new_file(ann):
    made = ann.sdk.files_upload(b"first words", "/Papers/2024/Plan.txt")
    equal((made.name, made.path_display, made.path_lower), ("Plan.txt", "/Papers/2024/Plan.txt", "/papers/2024/plan.txt"))
    equal((made.size, made.content_hash, made.is_downloadable), (11, content_hash(b"first words"), True))
    assert made.id.startswith("id:") and len(made.rev) >= 9 and int(made.rev, 16)
    equal(ann.paths(recursive=True), ["/papers", "/papers/2024", "/papers/2024/plan.txt"])
    equal(ann.bytes("/papers/2024/PLAN.TXT"), b"first words")


def test_add_never_overwrites(ann):
    first = ann.sdk.files_upload(b"mine", "/a.txt", mode=ADD)
    equal(ann.sdk.files_upload(b"mine", "/a.txt", mode=ADD).id, first.id, "the same content is there already")
    refused("path/conflict/file", ann.sdk.files_upload, b"yours", "/a.txt", mode=ADD)
    other = ann.sdk.files_upload(b"yours", "/a.txt", mode=ADD, autorename=True)
    equal(other.name, "a (1).txt")
    equal(ann.sdk.files_upload(b"theirs", "/a.txt", mode=ADD, autorename=True).name, "a (2).txt")
    equal([ann.bytes(f"/{name}") for name in ("a.txt", "a (1).txt", "a (2).txt")], [b"mine", b"yours", b"theirs"])


def test_strict_conflict_refuses_even_the_same(ann):
    ann.sdk.files_upload(b"same", "/s.txt")
    refused("path/conflict/file", ann.sdk.files_upload, b"same", "/s.txt", strict_conflict=True)


def test_overwrite_keeps_the_id(ann):
    first = ann.sdk.files_upload(b"one", "/o.txt", mode=OVERWRITE)
    second = ann.sdk.files_upload(b"two", "/O.TXT", mode=OVERWRITE)
    equal(second.id, first.id)
    assert second.rev != first.rev
    equal(ann.bytes("/o.txt"), b"two")


def test_update_needs_the_present_rev(ann):
    first = ann.sdk.files_upload(b"one", "/u.txt")
    second = ann.sdk.files_upload(b"two", "/u.txt", mode=files.WriteMode.update(first.rev))
    equal(second.id, first.id)
    refused("path/conflict/file", ann.sdk.files_upload, b"three", "/u.txt", mode=files.WriteMode.update(first.rev))
    copy = ann.sdk.files_upload(b"three", "/u.txt", mode=files.WriteMode.update(first.rev), autorename=True)
    assert copy.id != first.id and copy.name.startswith("u (") and copy.name.endswith(".txt"), copy.name
    equal((ann.bytes("/u.txt"), ann.bytes(copy.path_lower)), (b"two", b"three"))


def test_kinds_do_not_mix(ann):
    ann.sdk.files_create_folder_v2("/folder")
    ann.put("/file.txt")
    refused("path/conflict/folder", ann.sdk.files_upload, b"x", "/folder", mode=OVERWRITE)
    refused("path/conflict/file_ancestor", ann.sdk.files_upload, b"x", "/file.txt/below.txt")
    equal(ann.paths(recursive=True), ["/file.txt", "/folder"])


def test_content_hash_is_checked(ann):
    content = b"\x00\xff" * 3_000_000
    made = ann.sdk.files_upload(content, "/h.bin", content_hash=content_hash(content))
    equal(made.content_hash, content_hash(content))
    refused("content_hash_mismatch", ann.sdk.files_upload, b"other", "/h2.bin", content_hash=content_hash(b"another"))
    equal(ann.paths(), ["/h.bin"], "a refused upload leaves nothing")


def test_sizes_around_a_block(ann):
    block = 4 << 20
    for size in (0, 1, block - 1, block, block + 1, 2 * block):
        content = bytes(size % 251 for _ in range(1)) * size
        made = ann.put(f"/{size}.bin", content)
        equal((made.size, made.content_hash), (size, content_hash(content)))
        assert ann.bytes(f"/{size}.bin") == content, size


def test_times(ann):
    taken = datetime.datetime(1999, 12, 31, 23, 59, 59)
    made = ann.sdk.files_upload(b"photo", "/t.jpg", client_modified=taken)
    equal(made.client_modified, taken)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs((made.server_modified - now).total_seconds()) < 60, made.server_modified


def test_names_of_the_world(ann):
    names = ["søster.md", "文書 一.txt", "مرحبا.txt", "👩‍👩‍👧 family.png", " leading space.txt", "tab-free 'quote\" #1 100%.c", ".hidden"]
    for name in names:
        stored = ann.sdk.files_upload(name.encode(), f"/w/{name}")
        equal((stored.name, stored.path_display), (name, f"/w/{name}"))
        equal(ann.bytes(f"/w/{name}"), name.encode())
    equal(sorted(entry.name for entry in ann.entries("/w")), sorted(names))


def test_one_file_for_both_forms_of_a_letter(ann):
    composed, decomposed = (unicodedata.normalize(form, "/Ångström.txt") for form in ("NFC", "NFD"))
    first = ann.sdk.files_upload(b"composed", composed)
    second = ann.sdk.files_upload(b"decomposed", decomposed, mode=OVERWRITE)
    equal(second.id, first.id)
    equal(len(ann.entries()), 1)


def test_case_is_kept_and_ignored(ann):
    made = ann.put("/ReadMe.MD")
    equal(ann.sdk.files_get_metadata("/README.md").id, made.id)
    refused("path/conflict/file", ann.sdk.files_upload, b"other", "/readme.md")
    equal(ann.entries()[0].name, "ReadMe.MD")


def test_malformed_paths(ann):
    for path in ("/..", "/a/../b", "/./a", "/a/..", "/bell\x07", "/" + "x" * 256, "/a" * 300):
        refused("path/malformed_path", ann.sdk.files_upload, b"x", path)
    equal(ann.sdk.files_upload(b"x", "/" + "ü" * 127 + "x").name, "ü" * 127 + "x", "255 bytes fit")
    equal(len(ann.entries()), 1)


def test_a_path_without_slash_is_a_bad_request(ann):
    for path in ("a.txt", "C:\\a.txt", "folder/a.txt"):
        equal(ann.post("files/get_metadata", {"path": path}).status_code, 400, path)


def test_the_argument_in_all_its_spellings(ann):
    raw = '{"path": "/größe 文.txt", "mode": "overwrite"}'
    escaped = raw.encode("ascii", "backslashreplace").decode().replace("\\xf6", "\\u00f6").replace("\\xdf", "\\u00df")
    for spelling in (raw.encode(), escaped.encode()):
        headers = {"Authorization": f"Bearer {ann.token}", "Dropbox-API-Arg": spelling, "Content-Type": "application/octet-stream"}
        answer = requests.post(f"{URL}/2/files/upload", data=b"x", headers=headers, timeout=60)
        equal((answer.status_code, answer.headers["Content-Type"]), (200, "application/json"), answer.text)
        equal(answer.json()["name"], "größe 文.txt")
    equal(len(ann.entries()), 1)


def test_a_body_of_unknown_length(ann):
    headers = {"Authorization": f"Bearer {ann.token}", "Dropbox-API-Arg": '{"path": "/stream.bin"}', "Content-Type": "application/octet-stream"}
    pieces = (bytes([n]) * 70_000 for n in range(90))
    answer = requests.post(f"{URL}/2/files/upload", data=pieces, headers=headers, timeout=60)
    equal(answer.json()["content_hash"], content_hash(b"".join(bytes([n]) * 70_000 for n in range(90))))


if __name__ == "__main__":
    run(globals())
