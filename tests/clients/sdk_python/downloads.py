"""Downloads: files/download, ranges, versions, temporary links."""
import io
import json
import zipfile

import requests
from dropbox import files

from common import URL, content_hash, equal, refused, run

CONTENT = bytes(n * n % 256 for n in range(256)) * 40_000  # 10,240,000 bytes in three blocks


def ask(account, path, method="POST", **headers):
    """A download without the SDK."""
    headers = {"Authorization": f"Bearer {account.token}", "Dropbox-API-Arg": json.dumps({"path": path}), **headers}
    return requests.request(method, f"{URL}/2/files/download", headers=headers, timeout=60)


def test_metadata_comes_with_the_bytes(ann):
    made = ann.put("/Bücher/ä.bin", CONTENT)
    metadata, response = ann.sdk.files_download("/bücher/Ä.bin")
    assert response.content == CONTENT
    equal((metadata.id, metadata.rev, metadata.content_hash), (made.id, made.rev, content_hash(CONTENT)))
    raw = ask(ann, "/bücher/ä.bin")
    assert raw.headers["Dropbox-API-Result"].isascii()
    equal(json.loads(raw.headers["Dropbox-API-Result"])["path_display"], "/Bücher/ä.bin")


def test_get_and_post(ann):
    ann.put("/g.txt", b"either way")
    for method in ("GET", "POST"):
        equal(ask(ann, "/g.txt", method).content, b"either way")
    by_address = requests.get(f"{URL}/2/files/download", params={"arg": '{"path":"/g.txt"}'}, headers={"Authorization": f"Bearer {ann.token}"}, timeout=60)
    equal(by_address.content, b"either way")


def test_ranges(ann):
    ann.put("/r.bin", CONTENT)
    size, block = len(CONTENT), 4 << 20
    wanted = {
        "bytes=0-0": (0, 1), "bytes=10-19": (10, 20), f"bytes={block - 3}-{block + 2}": (block - 3, block + 3),
        f"bytes={block}-{2 * block - 1}": (block, 2 * block), f"bytes={size - 4}-": (size - 4, size),
        "bytes=-9": (size - 9, size), f"bytes={size - 2}-{size + 1000}": (size - 2, size),
    }
    for spec, (start, end) in wanted.items():
        part = ask(ann, "/r.bin", Range=spec)
        equal(part.status_code, 206, spec)
        assert part.content == CONTENT[start:end], spec
        equal(part.headers["Content-Range"], f"bytes {start}-{end - 1}/{size}")
    beyond = ask(ann, "/r.bin", Range=f"bytes={size}-")
    equal((beyond.status_code, beyond.headers["Content-Range"]), (416, f"bytes */{size}"))
    for ignored in ("bytes=9-3", "bytes=x-y", "pages=1-2", "bytes=0-1,4-5"):
        whole = ask(ann, "/r.bin", Range=ignored)
        equal((whole.status_code, len(whole.content)), (200, size), ignored)


def test_every_way_to_name_a_file(ann):
    old = ann.put("/dir/f.txt", b"old")
    ann.put("/dir/f.txt", b"new")
    root = ann.sdk.users_get_current_account().root_info.root_namespace_id
    folder = ann.sdk.files_get_metadata("/dir").id
    for path in ("/dir/f.txt", "//DIR//F.txt", old.id, f"ns:{root}/dir/f.txt", f"{folder}/f.txt"):
        equal(ann.bytes(path), b"new", path)
    equal(ann.bytes(f"rev:{old.rev}"), b"old")
    equal(ann.sdk.files_download("/dir/f.txt", rev=old.rev)[1].content, b"old")


def test_what_is_not_there(ann):
    ann.sdk.files_create_folder_v2("/folder")
    refused("path/not_found", ann.sdk.files_download, "/nothing")
    refused("path/not_found", ann.sdk.files_download, "id:" + "A" * 22)
    refused("path/not_found", ann.sdk.files_download, "rev:" + "0123456789abcdef" * 2)
    refused("path/not_file", ann.sdk.files_download, "/folder")
    refused("path/malformed_path", ann.sdk.files_download, "/a/../b")


def test_nobody_elses_file_by_any_name(ann, bob):
    made = ann.put("/secret.txt", b"secret")
    root = ann.sdk.users_get_current_account().root_info.root_namespace_id
    for path in ("/secret.txt", made.id, f"rev:{made.rev}", f"ns:{root}/secret.txt"):
        refused("path/not_found", bob.sdk.files_download, path)
        refused("path/not_found", bob.sdk.files_get_metadata, path)


def test_a_temporary_link_needs_no_token(ann):
    ann.put("/Für alle.pdf", b"%PDF- of a kind")
    made = ann.sdk.files_get_temporary_link("/für ALLE.pdf")
    equal(made.metadata.name, "Für alle.pdf")
    assert made.link.startswith(URL), made.link
    got = requests.get(made.link, timeout=60)
    equal((got.status_code, got.content), (200, b"%PDF- of a kind"))
    equal(requests.get(made.link, headers={"Range": "bytes=1-3"}, timeout=60).content, b"PDF")
    equal(requests.get(made.link[:-2] + "xx", timeout=60).status_code, 404)
    ann.sdk.files_delete_v2("/Für alle.pdf")
    equal(requests.get(made.link, timeout=60).status_code, 404, "a deleted file's link is dead")
    refused("path/not_found", ann.sdk.files_get_temporary_link, "/nothing")


def test_a_folder_as_a_zip(ann):
    for path in ("/zip/one.txt", "/zip/Ünter/two.txt"):
        ann.put(path, path.encode())
    metadata, response = ann.sdk.files_download_zip("/zip")
    equal(metadata.metadata.name, "zip")
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    held = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    equal(held, {"zip/one.txt": b"/zip/one.txt", "zip/Ünter/two.txt": "/zip/Ünter/two.txt".encode()})


if __name__ == "__main__":
    run(globals())
