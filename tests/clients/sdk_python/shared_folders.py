"""Shared folders: sharing/* for folders and their members."""
from dropbox import exceptions, files, sharing

from common import equal, refused, run, wait_until

BY_ID, BY_EMAIL = sharing.MemberSelector.dropbox_id, sharing.MemberSelector.email
OWNER, EDITOR, VIEWER = sharing.AccessLevel.owner, sharing.AccessLevel.editor, sharing.AccessLevel.viewer


def roles(account, shared):
    """The members' roles by e-mail, page by page."""
    page = account.sdk.sharing_list_folder_members(shared, limit=1)
    users = list(page.users)
    while page.cursor:
        page = account.sdk.sharing_list_folder_members_continue(page.cursor)
        users += page.users
    return {user.user.email: user.access_type._tag for user in users}


def remove(owner, shared, member):
    """Removes a member and waits for the job."""
    job = owner.sdk.sharing_remove_folder_member(shared, BY_EMAIL(member.email), leave_a_copy=False).get_async_job_id()
    wait_until(lambda: owner.sdk.sharing_check_remove_member_job_status(job).is_complete())


def test_share_mount_and_work_together(ann, bob):
    ann.put("/Team/plan.txt", b"by ann")
    shared = ann.sdk.sharing_share_folder("/team").get_complete()
    equal((shared.name, shared.path_lower, shared.access_type), ("Team", "/team", OWNER))
    equal(bob.entries(), [])
    ann.add(shared.shared_folder_id, bob)
    equal([folder.path_lower for folder in bob.sdk.sharing_list_mountable_folders().entries], [None])
    mounted = bob.sdk.sharing_mount_folder(shared.shared_folder_id)
    equal((mounted.path_lower, mounted.access_type), ("/team", EDITOR))
    equal(bob.bytes("/Team/plan.txt"), b"by ann")
    bob.put("/team/plan.txt", b"by bob")
    bob.put("/Team/Sub/more.txt", b"more")
    equal((ann.bytes("/team/plan.txt"), ann.bytes("/team/sub/more.txt")), (b"by bob", b"more"))
    seen = bob.sdk.files_get_metadata("/team")
    equal((seen.sharing_info.shared_folder_id, seen.shared_folder_id), (shared.shared_folder_id, shared.shared_folder_id))
    equal(bob.sdk.files_get_metadata("/team/plan.txt").sharing_info.parent_shared_folder_id, shared.shared_folder_id)
    equal(bob.sdk.files_get_metadata(f"ns:{shared.shared_folder_id}/plan.txt").name, "plan.txt")


def test_the_mount_takes_a_free_name(ann, bob):
    ann.put("/Same/a.txt")
    bob.put("/same/b.txt")
    shared = ann.share("/Same", bob)
    at = bob.sdk.sharing_get_folder_metadata(shared).path_lower
    assert at != "/same" and at.startswith("/same"), at
    equal((bob.paths("/same"), bob.paths(at)), (["/same/b.txt"], [f"{at}/a.txt"]))


def test_members_and_roles(ann, bob, eve):
    ann.put("/f/a.txt", b"a")
    shared = ann.share("/f", bob)
    ann.add(shared, eve, level="viewer")
    eve.sdk.sharing_mount_folder(shared)
    equal(roles(ann, shared), {ann.email: "owner", bob.email: "editor", eve.email: "viewer"})
    equal(roles(eve, shared), roles(ann, shared))
    equal(eve.bytes("/f/a.txt"), b"a")
    refused("path/no_write_permission", eve.sdk.files_upload, b"x", "/f/x.txt")
    refused("path_write/no_write_permission", eve.sdk.files_delete_v2, "/f/a.txt")
    changed = ann.sdk.sharing_update_folder_member(shared, BY_ID(eve.id), EDITOR)
    equal(changed.access_level, EDITOR)
    eve.put("/f/x.txt", b"now she may")
    ann.sdk.sharing_update_folder_member(shared, BY_EMAIL(bob.email), VIEWER)
    refused("path/no_write_permission", bob.sdk.files_upload, b"y", "/f/y.txt")


def test_only_the_owner_manages_where_the_policy_says_so(ann, bob, eve):
    ann.put("/p/a.txt")
    shared = ann.share("/p", bob)
    ann.sdk.sharing_update_folder_policy(shared, acl_update_policy=sharing.AclUpdatePolicy.owner)
    refused("no_permission", bob.sdk.sharing_add_folder_member, shared, [sharing.AddMember(BY_EMAIL(eve.email))])
    refused("no_permission", bob.sdk.sharing_unshare_folder, shared)
    refused("no_permission", bob.sdk.sharing_transfer_folder, shared, bob.id)
    refused("invalid_id", eve.sdk.sharing_get_folder_metadata, shared)
    refused("access_error/invalid_id", eve.sdk.sharing_mount_folder, shared)
    refused("invalid_id", eve.sdk.sharing_list_folder_members, shared)


def test_unknown_people(ann):
    ann.put("/u/a.txt")
    shared = ann.share("/u")
    refused("bad_member/invalid_email", ann.sdk.sharing_add_folder_member, shared, [sharing.AddMember(BY_EMAIL("nobody@example.org"))])
    refused("member_error/invalid_dropbox_id", ann.sdk.sharing_remove_folder_member, shared, BY_EMAIL("nobody@example.org"), False)
    refused("invalid_id", ann.sdk.sharing_get_folder_metadata, "123456789")


def test_a_removed_member_sees_nothing(ann, bob):
    made = ann.put("/r/secret.txt", b"narwhal")
    shared = ann.share("/r", bob)
    bob.finds("narwhal", "/r/secret.txt")
    cursor = bob.sdk.files_list_folder("", recursive=True).cursor
    remove(ann, shared, bob)
    equal(bob.entries(recursive=True), [])
    equal(bob.sdk.files_search_v2("narwhal").matches, [])
    equal(bob.post("firefly/search", {"query": "narwhal"}).json()["total"], 0)
    for path in ("/r/secret.txt", made.id, f"rev:{made.rev}", f"ns:{shared}/secret.txt"):
        refused("path/not_found", bob.sdk.files_download, path)
    refused("access_error/invalid_id", bob.sdk.sharing_mount_folder, shared)
    try:
        entries = bob.sdk.files_list_folder_continue(cursor).entries
        assert all(isinstance(entry, files.DeletedMetadata) for entry in entries), entries
    except exceptions.ApiError as error:
        assert error.error.is_reset(), error
    equal(ann.bytes("/r/secret.txt"), b"narwhal")
    refused("folder_owner", ann.sdk.sharing_remove_folder_member, shared, BY_ID(ann.id), False)


def test_unmount_and_mount_again(ann, bob):
    ann.put("/m/a.txt", b"a")
    shared = ann.share("/m", bob)
    bob.sdk.sharing_unmount_folder(shared)
    equal(bob.entries(), [])
    equal([folder.shared_folder_id for folder in bob.sdk.sharing_list_folders().entries], [shared])
    bob.sdk.sharing_mount_folder(shared)
    refused("already_mounted", bob.sdk.sharing_mount_folder, shared)
    equal(bob.bytes("/m/a.txt"), b"a")


def test_a_mount_is_the_members_own(ann, bob):
    ann.put("/Shared/a.txt", b"a")
    shared = ann.share("/Shared", bob)
    bob.sdk.files_create_folder_v2("/mine")
    bob.sdk.files_move_v2("/Shared", "/mine/Renamed")
    equal(bob.bytes("/mine/renamed/a.txt"), b"a")
    equal(ann.bytes("/shared/a.txt"), b"a")
    equal(bob.sdk.sharing_get_folder_metadata(shared).path_lower, "/mine/renamed")


def test_unshare(ann, bob):
    ann.put("/s/a.txt", b"a")
    shared = ann.share("/s", bob)
    assert ann.sdk.sharing_unshare_folder(shared).is_complete()
    equal((bob.entries(), ann.bytes("/s/a.txt")), ([], b"a"))
    equal(bob.sdk.sharing_list_folders().entries, [])


def test_transfer_and_leave(ann, bob):
    ann.put("/t/a.txt", b"a")
    shared = ann.share("/t", bob)
    refused("folder_owner", ann.sdk.sharing_relinquish_folder_membership, shared)
    ann.sdk.sharing_transfer_folder(shared, bob.id)
    equal(roles(bob, shared), {ann.email: "editor", bob.email: "owner"})
    equal((ann.sdk.users_get_space_usage().used, bob.sdk.users_get_space_usage().used), (0, 1), "it counts for its owner")
    assert ann.sdk.sharing_relinquish_folder_membership(shared).is_complete()
    equal((ann.entries(), bob.bytes("/t/a.txt")), ([], b"a"))


def test_transfer_only_to_members(ann, eve):
    ann.put("/t/a.txt")
    shared = ann.share("/t")
    refused("new_owner_not_a_member", ann.sdk.sharing_transfer_folder, shared, eve.id)


def test_what_cannot_be_shared(ann):
    ann.put("/a/b/c.txt")
    shared = ann.share("/a/b")
    error = refused("bad_path/already_shared", ann.sdk.sharing_share_folder, "/a/b")
    equal(error.get_bad_path().get_already_shared().shared_folder_id, shared)
    refused("bad_path/contains_shared_folder", ann.sdk.sharing_share_folder, "/a")
    ann.sdk.files_create_folder_v2("/a/b/inner")
    refused("bad_path/inside_shared_folder", ann.sdk.sharing_share_folder, "/a/b/inner")
    refused("bad_path/is_file", ann.sdk.sharing_share_folder, "/a/b/c.txt")
    refused("bad_path/invalid_path", ann.sdk.sharing_share_folder, "id:" + "A" * 22)
    fresh = ann.sdk.sharing_share_folder("/not/there/yet").get_complete()
    assert ann.sdk.files_get_metadata("/not/there/yet").shared_folder_id == fresh.shared_folder_id, "a missing folder is made"


def test_the_search_of_members(ann, bob):
    ann.put("/lib/book.txt", b"quokka")
    shared = ann.share("/lib", bob)
    bob.finds("quokka", "/lib/book.txt")
    bob.sdk.files_move_v2("/lib", "/Books")
    hit = bob.sdk.files_search_v2("quokka").matches[0].metadata.get_metadata()
    equal(hit.path_display, "/Books/book.txt", "each sees it where it is mounted")
    equal(ann.sdk.files_search_v2("quokka").matches[0].metadata.get_metadata().path_display, "/lib/book.txt")
    bob.sdk.sharing_relinquish_folder_membership(shared)
    equal(bob.sdk.files_search_v2("quokka").matches, [])


def test_nothing_is_received_file_by_file(ann):
    equal(ann.sdk.sharing_list_received_files().entries, [])


if __name__ == "__main__":
    run(globals())
