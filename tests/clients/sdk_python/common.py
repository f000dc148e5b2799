"""What the SDK's tests share: fresh accounts, strict refusals, and the run itself.

A test is a function whose name begins with `test_`; every parameter of it is a fresh account. The server comes from the
environment: SERVER_URL and ADMIN_TOKEN; DROPBOX_API_HOST (and its relatives) and REQUESTS_CA_BUNDLE point the SDK at it.
"""
import hashlib
import inspect
import itertools
import json
import os
import sys
import time
import traceback

import dropbox
import requests
from dropbox import exceptions
from stone.backends.python_rsrc import stone_base

URL = os.environ["SERVER_URL"]
ADMIN_TOKEN = os.environ["ADMIN_TOKEN"]
BLOCK_BYTES = 4 << 20
_numbers = itertools.count(1)


class Account:
    """A new account: `sdk` is the official client signed in to it."""

    def __init__(self, name):
        self.email = f"{name}-{os.getpid()}-{next(_numbers)}@example.org"
        made = post("firefly/account/create", {"email": self.email, "name": name.title()}, ADMIN_TOKEN)
        assert made.status_code == 200, made.text
        self.id, self.token, self.invitation = (made.json()[key] for key in ("account_id", "token", "invite_url"))
        self.sdk = client(self.token)

    def post(self, route, argument):
        """Calls a route without the SDK."""
        return post(route, argument, self.token)

    def put(self, path, content=b"content"):
        """Uploads over whatever is there."""
        return self.sdk.files_upload(content, path, mode=dropbox.files.WriteMode.overwrite)

    def bytes(self, path):
        """The content at a path."""
        return self.sdk.files_download(path)[1].content

    def paths(self, path="", **options):
        """The sorted lower-case paths of a whole listing."""
        return sorted(entry.path_lower for entry in self.entries(path, **options))

    def entries(self, path="", **options):
        """All entries of a listing."""
        return follow(self.sdk, self.sdk.files_list_folder(path, **options))[0]

    def is_there(self, path):
        """Whether something is at a path."""
        try:
            self.sdk.files_get_metadata(path)
            return True
        except exceptions.ApiError:
            return False

    def finds(self, query, *paths, seconds=90):
        """Waits until a search finds exactly these paths."""
        def found():
            page = self.sdk.files_search_v2(query)
            return sorted(match.metadata.get_metadata().path_lower for match in page.matches) == sorted(paths)

        def state():
            return [self.post("firefly/index_status", {"path": path}).text for path in paths]
        wait_until(found, seconds, state)

    def share(self, path, *members, level="editor"):
        """Shares a folder with accounts, who mount it; returns its id."""
        shared = self.sdk.sharing_share_folder(path).get_complete().shared_folder_id
        for member in members:
            self.add(shared, member, level)
            member.sdk.sharing_mount_folder(shared)
        return shared

    def add(self, shared, member, level="editor"):
        """Adds a member by e-mail."""
        selector = dropbox.sharing.MemberSelector.email(member.email)
        new = dropbox.sharing.AddMember(selector, getattr(dropbox.sharing.AccessLevel, level))
        self.sdk.sharing_add_folder_member(shared, [new])


def client(token):
    """The official client, with no retries that would hide an error."""
    return dropbox.Dropbox(token, max_retries_on_error=0, max_retries_on_rate_limit=0, timeout=60)


def post(route, argument, token=None, **headers):
    """Calls a route with a JSON body; the response is requests' own."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    headers["Content-Type"] = "application/json"
    return requests.post(f"{URL}/2/{route}", data=json.dumps(argument), headers=headers, timeout=60)


def follow(sdk, page):
    """All entries from a page on, and the last cursor."""
    entries = list(page.entries)
    while page.has_more:
        page = sdk.files_list_folder_continue(page.cursor)
        entries += page.entries
    return entries, page.cursor


def content_hash(content):
    """Dropbox's hash of a file: of the hashes of its blocks."""
    blocks = range(0, len(content), BLOCK_BYTES)
    digests = (hashlib.sha256(content[at:at + BLOCK_BYTES]).digest() for at in blocks)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def spelled(error):
    """An error union's tags from the outside in: path/conflict/file."""
    tags = []
    while True:
        error = getattr(error, "reason", error)
        if not isinstance(error, stone_base.Union):
            return "/".join(tags)
        tags.append(error._tag)
        error = error._value


def refused(wanted, call, *arguments, **options):
    """Calls, and asserts that exactly this refusal comes; returns the error union."""
    try:
        answer = call(*arguments, **options)
    except exceptions.ApiError as refusal:
        equal(spelled(refusal.error), wanted)
        return refusal.error
    raise AssertionError(f"not refused as {wanted}: {answer}")


def equal(seen, wanted, what=""):
    """Asserts equality and shows both sides."""
    assert seen == wanted, f"{what}\n  saw    {seen!r:.600}\n  wanted {wanted!r:.600}"


def wait_until(question, seconds=90, explain=lambda: ""):
    """Asks until the answer is true; returns it. `explain` says more about a failure."""
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < until, f"not within {seconds} s; the last answer was {answer!r} {explain()}"
        time.sleep(0.02)


def finished(launched, check):
    """The entries of a batch, which may have become a job."""
    if launched.is_complete():
        return launched.get_complete().entries
    job = launched.get_async_job_id()

    def done():
        state = check(job)
        assert state.is_complete() or state.is_in_progress(), state
        return state.is_complete() and state
    return wait_until(done).get_complete().entries


def run(module):
    """Runs a module's tests, each on accounts of its own; ends the process."""
    wanted = sys.argv[1:]
    tests = [(name, test) for name, test in module.items() if name.startswith("test_")]
    passed = failed = 0
    for name, test in tests:
        if wanted and name not in wanted:
            continue
        try:
            test(*(Account(role) for role in inspect.signature(test).parameters))
            passed += 1
        except Exception:  # any exception is this test's failure; the others still run
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)
