"""Accounts and tokens: users/*, check/user, auth/token/revoke."""
import requests
from dropbox import exceptions, users

from common import URL, client, equal, refused, run


def test_current_account(ann):
    me = ann.sdk.users_get_current_account()
    equal((me.account_id, me.email, me.name.display_name), (ann.id, ann.email, "Ann"))
    equal(len(me.account_id), 40)
    assert me.account_id.startswith("dbid:") and me.email_verified and not me.disabled
    assert isinstance(me, users.FullAccount) and me.account_type.is_basic()
    assert me.root_info.root_namespace_id.isdigit()
    equal(me.root_info.home_namespace_id, me.root_info.root_namespace_id)


def test_roots_differ(ann, bob):
    roots = {each.sdk.users_get_current_account().root_info.root_namespace_id for each in (ann, bob)}
    equal(len(roots), 2)


def test_get_account_by_id(ann):
    equal(ann.sdk.users_get_account(ann.id).email, ann.email)
    equal([found.email for found in ann.sdk.users_get_account_batch([ann.id])], [ann.email])
    refused("no_account", ann.sdk.users_get_account, "dbid:" + "A" * 35)


def test_a_teammate_is_known(ann, bob):
    found = ann.sdk.users_get_account(bob.id)
    equal((found.email, found.is_teammate), (bob.email, True))


def test_space_is_counted_by_size(ann):
    space = ann.sdk.users_get_space_usage()
    equal(space.used, 0)
    assert space.allocation.get_individual().allocated > 0
    ann.put("/a.bin", b"a" * 1000)
    ann.put("/same content again.bin", b"a" * 1000)
    equal(ann.sdk.users_get_space_usage().used, 2000, "deduplication is not the user's")
    ann.put("/a.bin", b"a" * 400)
    equal(ann.sdk.users_get_space_usage().used, 1400)
    ann.sdk.files_delete_v2("/a.bin")
    equal(ann.sdk.users_get_space_usage().used, 1000)


def test_check_user_echoes(ann):
    equal(ann.sdk.check_user("spoken words").result, "spoken words")
    try:
        client("ff_nobody").check_user("x")
        raise AssertionError("an unknown token was taken")
    except exceptions.AuthError as error:
        assert error.error.is_invalid_access_token(), error


def test_revoked_token_is_dead_at_once(ann):
    second = ann.post("firefly/token/create", {"name": "phone"}).json()["token"]
    phone = client(second)
    phone.users_get_current_account()
    phone.auth_token_revoke()
    try:
        phone.users_get_current_account()
        raise AssertionError("a revoked token was taken")
    except exceptions.AuthError as error:
        assert error.error.is_invalid_access_token(), error
    ann.sdk.users_get_current_account()


def test_no_token_no_answer(ann):
    for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": f"Bearer {ann.token}x"}):
        answer = requests.post(f"{URL}/2/users/get_current_account", data="null", headers=headers, timeout=60)
        equal(answer.status_code, 401, headers)
        equal(answer.headers["Content-Type"], "application/json")
        equal(answer.json()["error"][".tag"], "invalid_access_token")


def test_a_browsers_cookie_stays_on_tls(ann):
    assert ann.invitation.startswith(f"{URL}/welcome#"), ann.invitation
    claim = {"code": ann.invitation.partition("#")[2], "password": "seven quiet kettles"}
    answer = requests.post(f"{URL}/2/firefly/session/claim", json=claim, timeout=60)
    equal(answer.status_code, 200, answer.text)
    attributes = [part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]]
    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(attributes), attributes


def test_path_roots(ann, bob):
    from dropbox.common import PathRoot
    own = ann.sdk.users_get_current_account().root_info.root_namespace_id
    foreign = bob.sdk.users_get_current_account().root_info.root_namespace_id
    ann.put("/here.txt")
    rooted = ann.sdk.with_path_root(PathRoot.root(own))
    equal([entry.name for entry in rooted.files_list_folder("").entries], ["here.txt"])
    for bad in (PathRoot.root(foreign), PathRoot.namespace_id(foreign)):
        try:
            ann.sdk.with_path_root(bad).files_list_folder("")
            raise AssertionError(f"{bad} was taken as a root")
        except exceptions.PathRootError:
            pass


if __name__ == "__main__":
    run(globals())
