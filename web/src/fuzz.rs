//! What anybody may send, for the fuzz targets: pictures, and requests to the real service on a store in a temporary folder.

use std::cell::RefCell;

use axum::body::Body;
use axum::http::{Request, header};

use crate::testing::Bench;
use crate::thumbnail::{Encoding, Wanted, make};

/// Routes that are called. Not those that wait, nor an import of the machine's folders.
const ROUTES: [&str; 127] = [
    "files/upload",
    "files/upload_session/start",
    "files/upload_session/append_v2",
    "files/upload_session/finish",
    "files/upload_session/start_batch",
    "files/upload_session/finish_batch",
    "files/upload_session/finish_batch_v2",
    "files/download",
    "files/download_zip",
    "files/get_thumbnail",
    "files/get_thumbnail_v2",
    "files/get_metadata",
    "files/list_folder",
    "files/list_folder/continue",
    "files/list_folder/get_latest_cursor",
    "files/create_folder_v2",
    "files/create_folder_batch",
    "files/create_folder_batch/check",
    "files/delete_v2",
    "files/delete_batch",
    "files/move_v2",
    "files/move_batch_v2",
    "files/copy_v2",
    "files/copy_batch_v2",
    "files/search_v2",
    "files/search/continue_v2",
    "files/list_revisions",
    "files/restore",
    "files/get_temporary_link",
    "sharing/share_folder",
    "sharing/get_folder_metadata",
    "sharing/update_folder_policy",
    "sharing/list_folders",
    "sharing/list_folders/continue",
    "sharing/transfer_folder",
    "sharing/unshare_folder",
    "sharing/mount_folder",
    "sharing/unmount_folder",
    "sharing/add_folder_member",
    "sharing/remove_folder_member",
    "sharing/update_folder_member",
    "sharing/list_folder_members",
    "sharing/list_folder_members/continue",
    "sharing/relinquish_folder_membership",
    "sharing/create_shared_link_with_settings",
    "sharing/list_shared_links",
    "sharing/modify_shared_link_settings",
    "sharing/revoke_shared_link",
    "sharing/get_shared_link_metadata",
    "sharing/get_shared_link_file",
    "users/get_account",
    "users/get_account_batch",
    "users/get_space_usage",
    "users/features/get_values",
    "firefly/session/sign_in",
    "firefly/session/claim",
    "firefly/session/second_factor",
    "firefly/search",
    "firefly/search/continue",
    "firefly/search/export",
    "firefly/suggest",
    "firefly/index_status",
    "firefly/index/rest",
    "firefly/index/retry",
    "firefly/text",
    "firefly/undelete",
    "firefly/verified",
    "firefly/rewind",
    "firefly/rewind/status",
    "firefly/rewind/undo",
    "firefly/rewind/list",
    "firefly/trash",
    "firefly/import/browse",
    "firefly/import/status",
    "firefly/searches/save",
    "firefly/searches/forget",
    "firefly/searches/note",
    "firefly/preview",
    "firefly/member/preview",
    "firefly/member/download",
    "firefly/thumbnail",
    "firefly/zip",
    "firefly/account/change_password",
    "firefly/account/create",
    "firefly/two_factor/begin",
    "firefly/two_factor/confirm",
    "firefly/two_factor/disable",
    "firefly/groups/create",
    "firefly/groups/add",
    "firefly/groups/members",
    "firefly/groups/delete",
    "firefly/token/create",
    "firefly/token/revoke",
    "firefly/admin/account/quota",
    "firefly/admin/account/invite",
    "firefly/admin/account/rename",
    "firefly/invitations/create",
    "firefly/invitations/list",
    "firefly/invitations/withdraw",
    "firefly/invitations/look",
    "firefly/invitations/accept",
    "firefly/invitations/claim",
    "files/get_preview",
    "sharing/list_mountable_folders",
    "sharing/list_received_files",
    "sharing/check_share_job_status",
    "users/get_current_account",
    "check/user",
    "check/app",
    "firefly/session/current",
    "firefly/search/operators",
    "firefly/index/reasons",
    "firefly/space",
    "firefly/import/roots",
    "firefly/import/report",
    "firefly/import/cancel",
    "firefly/searches/list",
    "firefly/searches/clear",
    "firefly/two_factor/status",
    "firefly/two_factor/recovery_codes",
    "firefly/team",
    "firefly/groups/list",
    "firefly/groups/rename",
    "firefly/groups/remove",
    "firefly/token/list",
    "firefly/admin/account/list",
    "firefly/admin/account/suspend",
];
/// Addresses that browsers and programs open, with what an input puts behind them.
const ADDRESSES: [&str; 6] = [
    "/oauth2/authorize?",
    "/oauth2/token?",
    "/s/",
    "/t/",
    "/2/files/download?arg=",
    "/",
];
/// Requests that one store takes; then there is a new one.
const REQUESTS_A_STORE: u32 = 500;

/// A service, and tokens of an administrator and of a person.
struct Service {
    runtime: tokio::runtime::Runtime,
    bench: Bench,
    tokens: [String; 2],
    left: u32,
}

/// A picture: the first byte says what is wanted of it.
pub fn pictures(bytes: &[u8]) {
    let Some((&wanted, picture)) = bytes.split_first() else {
        return;
    };
    let encodings = [Encoding::Jpeg, Encoding::Png, Encoding::Webp];
    let side = 16 << (wanted >> 3 & 3);
    let wanted = Wanted {
        width: side,
        height: side,
        fills: wanted & 4 != 0,
        encoding: encodings[usize::from(wanted & 3) % encodings.len()],
    };
    drop(make(picture, wanted));
}

/// A request: the first byte is the route or address, the second who asks and where the argument stands; then the argument up to the end
/// of its line, and a body. The answer must not be that the service has failed.
pub fn requests(bytes: &[u8]) {
    thread_local! {
        static SERVICE: RefCell<Option<Service>> = const { RefCell::new(None) };
    }
    let [route, how, rest @ ..] = bytes else {
        return;
    };
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (argument, body) = rest.split_at(end.unwrap_or(rest.len()));
    let body = body.get(1..).unwrap_or_default();
    SERVICE.with_borrow_mut(|kept| {
        let mut service = match kept.take() {
            Some(service) if service.left > 0 => service,
            _ => Service::new(),
        };
        service.left -= 1;
        match how & 8 {
            0 => service.ask(
                ROUTES[usize::from(*route) % ROUTES.len()],
                *how,
                argument,
                body,
            ),
            _ => service.open(*route, *how, argument, body),
        }
        *kept = Some(service);
    });
}

impl Service {
    #[allow(clippy::expect_used, reason = "without a runtime there is no target")]
    fn new() -> Service {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        let bench = Bench::new();
        let (_, admin) = bench.account("ann@example.org", true);
        let (_, person) = bench.account("bob@example.org", false);
        let service = Service {
            runtime,
            bench,
            tokens: [admin, person],
            left: REQUESTS_A_STORE,
        };
        for (path, content) in [("/a/b.txt", "one"), ("/a/b.txt", "two"), ("/c.txt", "")] {
            let argument = format!("{{\"path\":\"{path}\",\"mode\":\"overwrite\"}}");
            service.ask(ROUTES[0], 0, argument.as_bytes(), content.as_bytes());
        }
        service
    }

    fn ask(&self, route: &str, how: u8, argument: &[u8], body: &[u8]) {
        let mut request = Request::post(format!("/2/{route}"));
        if let Some(token) = self.tokens.get(usize::from(how & 3)) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = match how & 4 {
            0 => request
                .header("Dropbox-API-Arg", argument)
                .body(body.to_vec()),
            _ => request.body(argument.to_vec()),
        };
        if let Ok(request) = request {
            self.send(route, request);
        }
    }

    /// What stands behind an address comes from the argument, cookies or a form from the body.
    fn open(&self, address: u8, how: u8, argument: &[u8], body: &[u8]) {
        let address = ADDRESSES[usize::from(address) % ADDRESSES.len()];
        let uri = [address.as_bytes(), argument].concat();
        let request = Request::builder().uri(uri.as_slice());
        let request = match how & 4 {
            0 => request.header(header::COOKIE, body).body(Vec::new()),
            _ => request
                .method("POST")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body.to_vec()),
        };
        if let Ok(request) = request {
            self.send(address, request);
        }
    }

    fn send(&self, route: &str, request: Request<Vec<u8>>) {
        let sent = self.bench.send(request.map(Body::from));
        let seen = self.runtime.block_on(sent);
        assert_ne!(seen.status, 500, "{route}: {}", seen.text());
    }
}
