"""Upload sessions: start, append, finish, batches."""
import os

from dropbox import files

from common import client, content_hash, equal, refused, run

Cursor, Commit = files.UploadSessionCursor, files.CommitInfo


def test_a_file_in_three_parts(ann):
    parts = [os.urandom(4 << 20), os.urandom(5_000_001), os.urandom(17)]
    session = ann.sdk.files_upload_session_start(parts[0]).session_id
    ann.sdk.files_upload_session_append_v2(parts[1], Cursor(session, len(parts[0])))
    whole = b"".join(parts)
    done = ann.sdk.files_upload_session_finish(parts[2], Cursor(session, len(whole) - 17), Commit("/big.bin"))
    equal((done.size, done.content_hash), (len(whole), content_hash(whole)))
    assert ann.bytes("/big.bin") == whole


def test_nothing_is_seen_before_the_finish(ann):
    ann.sdk.files_upload_session_start(b"unfinished words")
    equal(ann.entries(), [])


def test_another_process_goes_on_where_the_first_stopped(ann):
    session = ann.sdk.files_upload_session_start(b"0123456789").session_id
    error = refused("incorrect_offset", client(ann.token).files_upload_session_append_v2, b"x", Cursor(session, 3))
    at = error.get_incorrect_offset().correct_offset
    equal(at, 10)
    client(ann.token).files_upload_session_append_v2(b"abc", Cursor(session, at))
    client(ann.token).files_upload_session_finish(b"", Cursor(session, 13), Commit("/resumed.txt"))
    equal(ann.bytes("/resumed.txt"), b"0123456789abc")


def test_a_part_that_was_sent_twice_is_stored_once(ann):
    session = ann.sdk.files_upload_session_start(b"first ").session_id
    ann.sdk.files_upload_session_append_v2(b"second ", Cursor(session, 6))
    error = refused("incorrect_offset", ann.sdk.files_upload_session_append_v2, b"second ", Cursor(session, 6))
    equal(error.get_incorrect_offset().correct_offset, 13)
    ann.sdk.files_upload_session_finish(b"third", Cursor(session, 13), Commit("/twice.txt"))
    equal(ann.bytes("/twice.txt"), b"first second third")


def test_closed_sessions_take_no_more(ann):
    session = ann.sdk.files_upload_session_start(b"all", close=True).session_id
    refused("closed", ann.sdk.files_upload_session_append_v2, b"more", Cursor(session, 3))
    ann.sdk.files_upload_session_finish(b"", Cursor(session, 3), Commit("/closed.txt"))
    equal(ann.bytes("/closed.txt"), b"all")


def test_unknown_and_foreign_sessions(ann, bob):
    session = ann.sdk.files_upload_session_start(b"mine").session_id
    for thief, name in ((ann, "no-such-session"), (bob, session)):
        refused("not_found", thief.sdk.files_upload_session_append_v2, b"x", Cursor(name, 4))
        refused("lookup_failed/not_found", thief.sdk.files_upload_session_finish, b"", Cursor(name, 4), Commit("/x"))


def test_a_hash_covers_the_call_it_is_sent_with(ann):
    session = ann.sdk.files_upload_session_start(b"one", content_hash=content_hash(b"one")).session_id
    refused("content_hash_mismatch", ann.sdk.files_upload_session_append_v2, b"two", Cursor(session, 3), content_hash=content_hash(b"2"))
    ann.sdk.files_upload_session_append_v2(b"two", Cursor(session, 3), content_hash=content_hash(b"two"))
    ann.sdk.files_upload_session_finish(b"three", Cursor(session, 6), Commit("/hashed.txt"), content_hash=content_hash(b"three"))
    equal(ann.bytes("/hashed.txt"), b"onetwothree")
    refused("content_hash_mismatch", ann.sdk.files_upload_session_start, b"one", content_hash=content_hash(b"eins"))


def test_the_commit_is_refused_as_an_upload_is(ann):
    ann.put("/taken.txt", b"there first")
    session = ann.sdk.files_upload_session_start(b"late").session_id
    refused("path/conflict/file", ann.sdk.files_upload_session_finish, b"", Cursor(session, 4), Commit("/taken.txt"))
    refused("path/malformed_path", ann.sdk.files_upload_session_finish, b"", Cursor(session, 4), Commit("/a/../b"))
    refused("lookup_failed/incorrect_offset", ann.sdk.files_upload_session_finish, b"", Cursor(session, 1), Commit("/b.txt"))
    ann.sdk.files_upload_session_finish(b"", Cursor(session, 4), Commit("/taken.txt", mode=files.WriteMode.overwrite))
    equal(ann.bytes("/taken.txt"), b"late", "a refused commit does not lose what was sent")


def test_many_finish_at_once(ann):
    entries = []
    for number in range(40):
        content = b"file number %d" % number
        session = ann.sdk.files_upload_session_start(content, close=True).session_id
        entries.append(files.UploadSessionFinishArg(Cursor(session, len(content)), Commit(f"/batch/{number}.txt")))
    still_open = ann.sdk.files_upload_session_start(b"open").session_id
    entries.append(files.UploadSessionFinishArg(Cursor(still_open, 4), Commit("/batch/open.txt")))
    entries.append(files.UploadSessionFinishArg(Cursor("nothing", 4), Commit("/batch/nothing.txt")))
    results = ann.sdk.files_upload_session_finish_batch_v2(entries).entries
    equal([each.is_success() for each in results], [True] * 40 + [False] * 2)
    equal([each.get_success().path_display for each in results[:40]], [f"/batch/{number}.txt" for number in range(40)])
    assert results[40].get_failure().get_lookup_failed().is_not_closed(), results[40]
    assert results[41].get_failure().get_lookup_failed().is_not_found(), results[41]
    equal([ann.bytes(f"/batch/{number}.txt") for number in (0, 39)], [b"file number 0", b"file number 39"])
    equal(len(ann.entries("/batch")), 40)


def test_a_batch_of_starts(ann):
    started = ann.sdk.files_upload_session_start_batch(3).session_ids
    equal(len(set(started)), 3)
    for session in started:
        ann.sdk.files_upload_session_append_v2(b"later", Cursor(session, 0), close=True)
        ann.sdk.files_upload_session_finish(b"", Cursor(session, 5), Commit("/later.txt"))
    equal(ann.bytes("/later.txt"), b"later")


if __name__ == "__main__":
    run(globals())
