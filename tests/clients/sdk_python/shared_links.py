"""Shared links: sharing/* for links, and the pages that they open."""
import datetime

import requests
from dropbox import sharing

from common import URL, equal, refused, run

Settings = sharing.SharedLinkSettings


def get(url, **options):
    return requests.get(url, timeout=60, **options)


def direct(url):
    """The address that gives the bytes."""
    return url + ("&" if "?" in url else "?") + "dl=1"


def in_days(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).replace(tzinfo=None, microsecond=0)


def test_a_link_to_a_file(ann, bob):
    made = ann.put("/Notes/für alle.txt", b"for whoever has the link")
    link = ann.sdk.sharing_create_shared_link_with_settings("/notes/FÜR alle.txt")
    assert isinstance(link, sharing.FileLinkMetadata) and link.url.startswith(URL), link
    equal((link.name, link.size, link.rev, link.id), ("für alle.txt", 24, made.rev, made.id))
    assert link.link_permissions.can_revoke and link.link_permissions.resolved_visibility.is_public()
    got = get(direct(link.url))
    equal((got.status_code, got.content), (200, b"for whoever has the link"))
    page = get(link.url)
    equal(page.status_code, 200)
    assert page.headers["Content-Type"].startswith("text/html") and "für alle.txt" in page.content.decode()
    metadata, response = bob.sdk.sharing_get_shared_link_file(link.url)
    equal((metadata.name, response.content), ("für alle.txt", b"for whoever has the link"))
    seen = bob.sdk.sharing_get_shared_link_metadata(link.url)
    equal((seen.name, seen.path_lower, seen.link_permissions.can_revoke), ("für alle.txt", None, False))


def test_one_link_for_one_file(ann):
    ann.put("/one.txt")
    first = ann.sdk.sharing_create_shared_link_with_settings("/one.txt")
    error = refused("shared_link_already_exists/metadata", ann.sdk.sharing_create_shared_link_with_settings, "/one.txt")
    equal(error.get_shared_link_already_exists().get_metadata().url, first.url)
    refused("path/not_found", ann.sdk.sharing_create_shared_link_with_settings, "/nothing.txt")


def test_listing_ones_links(ann, bob):
    ann.put("/a.txt"), ann.put("/b.txt")
    made = {path: ann.sdk.sharing_create_shared_link_with_settings(path).url for path in ("/a.txt", "/b.txt")}
    equal({link.path_lower: link.url for link in ann.sdk.sharing_list_shared_links().links}, made)
    equal([link.url for link in ann.sdk.sharing_list_shared_links(path="/b.txt").links], [made["/b.txt"]])
    equal(bob.sdk.sharing_list_shared_links().links, [])
    refused("path/not_found", ann.sdk.sharing_list_shared_links, path="/nothing")


def test_revoked_is_gone(ann, bob):
    ann.put("/r.txt", b"revoked words")
    url = ann.sdk.sharing_create_shared_link_with_settings("/r.txt").url
    refused("shared_link_access_denied", bob.sdk.sharing_revoke_shared_link, url)
    equal(get(direct(url)).status_code, 200)
    ann.sdk.sharing_revoke_shared_link(url)
    for address in (url, direct(url)):
        gone = get(address)
        equal((gone.status_code, b"revoked words" in gone.content), (404, False))
    refused("shared_link_not_found", bob.sdk.sharing_get_shared_link_metadata, url)
    equal(ann.sdk.sharing_list_shared_links().links, [])
    assert ann.sdk.sharing_create_shared_link_with_settings("/r.txt").url != url


def test_a_password(ann, bob):
    ann.put("/p.txt", b"behind a password")
    link = ann.sdk.sharing_create_shared_link_with_settings("/p.txt", Settings(require_password=True, link_password="open sesame 7"))
    assert link.link_permissions.require_password and link.link_permissions.resolved_visibility.is_password()
    for address in (link.url, direct(link.url)):
        asked = get(address)
        equal((asked.status_code, b"behind a password" in asked.content), (401, False))
    refused("shared_link_access_denied", bob.sdk.sharing_get_shared_link_metadata, link.url)
    refused("shared_link_access_denied", bob.sdk.sharing_get_shared_link_file, link.url, link_password="open barley")
    equal(bob.sdk.sharing_get_shared_link_file(link.url, link_password="open sesame 7")[1].content, b"behind a password")
    browser = requests.Session()
    equal(browser.post(link.url, data={"password": "wrong"}, timeout=60).status_code, 401)
    unlocked = browser.post(link.url, data={"password": "open sesame 7"}, timeout=60)
    equal(unlocked.status_code, 200)
    equal(browser.get(direct(link.url), timeout=60).content, b"behind a password")
    refused("settings_error/invalid_settings", ann.sdk.sharing_modify_shared_link_settings, link.url, Settings(require_password=True))


def test_guessing_is_slowed_down(ann, bob):
    ann.put("/g.txt")
    url = ann.sdk.sharing_create_shared_link_with_settings("/g.txt", Settings(require_password=True, link_password="long enough 1")).url
    statuses = [bob.post("sharing/get_shared_link_metadata", {"url": url, "link_password": f"guess {n}"}).status_code for n in range(15)]
    equal((statuses[0], statuses[-1]), (409, 429))


def test_an_end(ann):
    ann.put("/e.txt")
    end = in_days(2)
    link = ann.sdk.sharing_create_shared_link_with_settings("/e.txt", Settings(expires=end))
    equal(link.expires, end)
    ann.put("/late.txt")
    refused("settings_error/invalid_settings", ann.sdk.sharing_create_shared_link_with_settings, "/late.txt", Settings(expires=in_days(-1)))


def test_changes_to_a_link(ann, bob):
    ann.put("/m.txt", b"changing")
    url = ann.sdk.sharing_create_shared_link_with_settings("/m.txt").url
    later = in_days(3)
    changed = ann.sdk.sharing_modify_shared_link_settings(url, Settings(expires=later, require_password=True, link_password="secret word 9"))
    equal((changed.url, changed.expires, changed.link_permissions.require_password), (url, later, True))
    equal(get(direct(url)).status_code, 401)
    changed = ann.sdk.sharing_modify_shared_link_settings(url, Settings(require_password=False), remove_expiration=True)
    equal((changed.expires, changed.link_permissions.require_password), (None, False))
    equal(get(direct(url)).content, b"changing")
    changed = ann.sdk.sharing_modify_shared_link_settings(url, Settings(allow_download=False))
    equal(changed.link_permissions.allow_download, False)
    assert get(direct(url)).content != b"changing"
    refused("shared_link_access_denied", bob.sdk.sharing_get_shared_link_file, url)
    refused("shared_link_access_denied", bob.sdk.sharing_modify_shared_link_settings, url, Settings(allow_download=True))


def test_a_link_to_a_folder(ann, bob):
    ann.put("/Folder/Inner/a.txt", b"inside")
    ann.put("/outside.txt", b"outside")
    link = ann.sdk.sharing_create_shared_link_with_settings("/folder")
    assert isinstance(link, sharing.FolderLinkMetadata), link
    page = get(link.url)
    assert page.status_code == 200 and "Inner" in page.text, page.text[:300]
    equal(bob.sdk.sharing_get_shared_link_file(link.url, path="/inner/a.txt")[1].content, b"inside")
    equal(bob.sdk.sharing_get_shared_link_metadata(link.url, path="/Inner").name, "Inner")
    refused("shared_link_is_directory", bob.sdk.sharing_get_shared_link_file, link.url)
    refused("shared_link_not_found", bob.sdk.sharing_get_shared_link_metadata, link.url, path="/nothing")
    for path in ("/../outside.txt", "/Inner/../../outside.txt", "ns:1/outside.txt", "/outside.txt", "outside.txt"):
        status = bob.post("sharing/get_shared_link_metadata", {"url": link.url, "path": path}).status_code
        assert status in (400, 409), (path, status)
        assert b"outside" not in get(link.url, params={"path": path, "dl": "1"}).content, path
    archive = get(direct(link.url))
    equal((archive.status_code, archive.content[:2]), (200, b"PK"))


def test_a_link_follows_its_file(ann):
    ann.put("/f/a.txt", b"one")
    url = ann.sdk.sharing_create_shared_link_with_settings("/f/a.txt").url
    ann.sdk.files_move_v2("/f/a.txt", "/g/b.txt")
    ann.put("/g/b.txt", b"two")
    equal(get(direct(url)).content, b"two")
    ann.sdk.files_delete_v2("/g")
    equal(get(direct(url)).status_code, 404)


def test_what_is_no_link(ann):
    for url in (f"{URL}/s/guess", f"{URL}/s/", "https://elsewhere.example/s/x", "nonsense"):
        refused("shared_link_not_found", ann.sdk.sharing_get_shared_link_metadata, url)
    equal(get(f"{URL}/s/guess?dl=1").status_code, 404)


if __name__ == "__main__":
    run(globals())
