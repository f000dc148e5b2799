//! Every route of the service, by family.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use storage::meta::JobKind;
use tower_http::compression::predicate::SizeAbove;
use tower_http::compression::{CompressionLayer, CompressionLevel, Predicate};

use crate::frame::{Failure, arg::MAX_STRANGER_BYTES, middleware::frame};
use crate::{App, files, health, oauth, own, page, sharing, users};

/// Answers shorter than this are not worth compressing, bytes.
const COMPRESS_ABOVE: u64 = 1024;

/// Routes that carry content or wait, so that no time limit may end them.
const STREAMS: [&str; 15] = [
    "/2/files/upload",
    "/2/files/upload_session/start",
    "/2/files/upload_session/append_v2",
    "/2/files/upload_session/finish",
    "/2/files/download",
    "/2/files/download_zip",
    "/2/files/list_folder/longpoll",
    "/2/firefly/events",
    "/2/firefly/preview",
    "/2/firefly/member/preview",
    "/2/firefly/member/download",
    "/2/firefly/zip",
    "/2/sharing/get_shared_link_file",
    "/s/{key}",
    "/t/{link}",
];

/// Addresses of the page; all of them answer with its document.
const PAGE: [&str; 13] = [
    "/",
    "/search",
    "/files",
    "/files/{*path}",
    "/shared",
    "/trash",
    "/settings",
    "/settings/{*path}",
    "/admin",
    "/admin/{*path}",
    "/welcome",
    "/invitation",
    "/sign-in",
];

/// Whether a route carries content or waits.
pub fn streams(route: &str) -> bool {
    STREAMS.contains(&route)
}

/// The whole service.
pub fn router(app: App) -> Router {
    Router::new()
        .nest("/2/files", files_routes())
        .nest("/2/sharing", sharing_routes())
        .nest("/2/firefly", own_routes())
        .merge(account_routes())
        .merge(page_routes())
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(unknown)
        .layer(from_fn_with_state(app.clone(), frame))
        .layer(compression())
        .with_state(app)
}

fn files_routes() -> Router<App> {
    use files::*;
    let download = get(download::download).post(download::download);
    Router::new()
        .route("/upload", post(upload::upload))
        .route("/upload_session/start", post(session::start))
        .route("/upload_session/start_batch", post(session::start_batch))
        .route("/upload_session/append_v2", post(session::append))
        .route("/upload_session/finish", post(session::finish))
        .route("/upload_session/finish_batch", post(finish::finish_batch))
        .route(
            "/upload_session/finish_batch/check",
            batch::check(&[JobKind::FinishUploads]),
        )
        .route(
            "/upload_session/finish_batch_v2",
            post(finish::finish_batch_v2),
        )
        .route("/download", download)
        .route(
            "/download_zip",
            get(zip::download_zip).post(zip::download_zip),
        )
        .route("/get_metadata", post(get_metadata::get_metadata))
        .route("/list_folder", post(list_folder::list_folder))
        .route(
            "/list_folder/continue",
            post(list_folder::list_folder_continue),
        )
        .route(
            "/list_folder/get_latest_cursor",
            post(list_folder::get_latest_cursor),
        )
        .route("/list_folder/longpoll", post(longpoll::longpoll))
        .route("/create_folder_v2", post(create_folder::create_folder))
        .route(
            "/create_folder_batch",
            post(create_folder::create_folder_batch),
        )
        .route(
            "/create_folder_batch/check",
            batch::check(&[JobKind::CreateFolders]),
        )
        .route("/delete_v2", post(delete::delete))
        .route("/delete_batch", post(delete::delete_batch))
        .route("/delete_batch/check", batch::check(&[JobKind::Delete]))
        .route("/move_v2", post(relocate::relocate))
        .route("/move_batch_v2", post(relocate::move_batch))
        .route("/move_batch/check_v2", batch::check(&[JobKind::Move]))
        .route("/copy_v2", post(relocate::copy))
        .route("/copy_batch_v2", post(relocate::copy_batch))
        .route("/copy_batch/check_v2", batch::check(&[JobKind::Copy]))
        .route("/search_v2", post(search::search))
        .route("/search/continue_v2", post(search::search_continue))
        .route("/list_revisions", post(revisions::list_revisions))
        .route("/restore", post(revisions::restore))
        .route(
            "/get_temporary_link",
            post(temporary_link::get_temporary_link),
        )
        .route("/get_preview", post(preview::get_preview))
        .route(
            "/get_thumbnail",
            get(thumbnail::get_thumbnail).post(thumbnail::get_thumbnail),
        )
        .route(
            "/get_thumbnail_v2",
            get(thumbnail::get_thumbnail_v2).post(thumbnail::get_thumbnail_v2),
        )
        .route("/get_thumbnail_batch", post(thumbnail::get_thumbnail_batch))
}

fn sharing_routes() -> Router<App> {
    use sharing::*;
    let file = get(link_file::file).post(link_file::file);
    Router::new()
        .route("/share_folder", post(folder::share_folder))
        .route("/get_folder_metadata", post(folder::get_folder_metadata))
        .route("/update_folder_policy", post(folder::update_folder_policy))
        .route("/list_folders", post(folder::list_folders))
        .route(
            "/list_folders/continue",
            post(folder::list_folders_continue),
        )
        .route("/list_mountable_folders", post(folder::list_mountable))
        .route(
            "/list_mountable_folders/continue",
            post(folder::list_mountable_continue),
        )
        .route("/transfer_folder", post(folder::transfer_folder))
        .route("/unshare_folder", post(folder::unshare_folder))
        .route("/mount_folder", post(mount::mount_folder))
        .route("/unmount_folder", post(mount::unmount_folder))
        .route("/list_received_files", post(mount::list_received_files))
        .route("/add_folder_member", post(member::add_folder_member))
        .route("/remove_folder_member", post(member::remove_folder_member))
        .route("/update_folder_member", post(member::update_folder_member))
        .route("/list_folder_members", post(member::list_folder_members))
        .route(
            "/list_folder_members/continue",
            post(member::list_folder_members_continue),
        )
        .route("/relinquish_folder_membership", post(member::relinquish))
        .route("/check_job_status", post(job::check_job_status))
        // Sharing a folder is done at once.
        .route("/check_share_job_status", files::batch::check(&[]))
        .route(
            "/check_remove_member_job_status",
            files::batch::check(&[JobKind::RemoveMember]),
        )
        .route("/create_shared_link_with_settings", post(link::create))
        .route("/list_shared_links", post(link::list))
        .route("/modify_shared_link_settings", post(link::modify))
        .route("/revoke_shared_link", post(link::revoke))
        .route("/get_shared_link_metadata", post(link_file::metadata))
        .route("/get_shared_link_file", file)
}

fn account_routes() -> Router<App> {
    let authorize = get(oauth::authorize::ask).post(oauth::authorize::allow);
    Router::new()
        .route("/oauth2/authorize", authorize)
        .route("/oauth2/token", post(oauth::token::token).layer(small()))
        .route(
            "/2/users/get_current_account",
            post(users::get_current_account),
        )
        .route("/2/users/get_account", post(users::get_account))
        .route("/2/users/get_account_batch", post(users::get_account_batch))
        .route("/2/users/get_space_usage", post(users::get_space_usage))
        .route("/2/users/features/get_values", post(users::features))
        .route("/2/check/user", post(users::check_user))
        .route("/2/check/app", post(users::check_app))
        .route("/2/auth/token/revoke", post(users::revoke_token))
}

fn own_routes() -> Router<App> {
    use own::*;
    Router::new()
        .route("/session/sign_in", post(session::sign_in))
        .route("/session/claim", post(session::claim))
        .route("/session/second_factor", post(challenge::second_factor))
        .route(
            "/session/current",
            get(session::current).post(session::current),
        )
        .route("/session/sign_out", post(session::sign_out))
        .route("/search", post(search::search))
        .route("/search/continue", post(search::search_continue))
        .route("/search/export", post(export::export))
        .route("/suggest", post(suggest::suggest))
        .route("/search/operators", post(operators::operators))
        .route("/index_status", post(index_status::index_status))
        .route("/index/rest", post(rest::rest))
        .route("/index/reasons", post(rest::reasons))
        .route("/index/retry", post(rest::retry))
        .route("/text", post(text::text))
        .route("/undelete", post(undelete::undelete))
        .route("/verified", post(verified::verified))
        .route("/space", post(space::space))
        .route("/rewind", post(rewind::rewind))
        .route("/rewind/status", post(rewind::status))
        .route("/rewind/undo", post(rewind::undo))
        .route("/rewind/list", post(rewind::list))
        .route("/trash", post(trash::trash))
        .route("/import/roots", post(import::roots))
        .route("/import/browse", post(import::browse))
        .route("/import/start", post(import::start))
        .route("/import/status", post(import::status))
        .route("/import/list", post(import::list))
        .route("/import/cancel", post(import::cancel))
        .route("/import/report", get(import::report))
        .route("/events", get(events::events))
        .route("/searches/list", post(searches::list))
        .route("/searches/save", post(searches::save))
        .route("/searches/forget", post(searches::forget))
        .route("/searches/note", post(searches::note))
        .route("/searches/clear", post(searches::clear))
        .route("/preview", get(preview::preview))
        .route(
            "/member/preview",
            get(member::preview).post(member::preview),
        )
        .route(
            "/member/download",
            get(member::download).post(member::download),
        )
        .route("/thumbnail", get(thumbnail::thumbnail))
        .route("/zip", get(zip::zip))
        .route("/account/change_password", post(password::change))
        .route("/account/create", post(account::create))
        .route("/two_factor/status", post(two_factor::status))
        .route("/two_factor/begin", post(two_factor::begin))
        .route("/two_factor/confirm", post(two_factor::confirm))
        .route(
            "/two_factor/recovery_codes",
            post(two_factor::recovery_codes),
        )
        .route("/two_factor/disable", post(two_factor::disable))
        .route("/team", post(invitations::team))
        .route("/invitations/create", post(invitations::create))
        .route("/invitations/list", post(invitations::list))
        .route("/invitations/withdraw", post(invitations::withdraw))
        .route("/invitations/look", post(invitations::look))
        .route("/invitations/accept", post(invitations::accept))
        .route("/invitations/claim", post(invitations::claim))
        .route("/groups/list", post(groups::list))
        .route("/groups/members", post(groups::members))
        .route("/groups/create", post(groups::create))
        .route("/groups/rename", post(groups::rename))
        .route("/groups/delete", post(groups::delete))
        .route("/groups/add", post(groups::add))
        .route("/groups/remove", post(groups::remove))
        .route("/token/create", post(token::create))
        .route("/token/list", post(token::list))
        .route("/token/revoke", post(token::revoke))
        .route("/admin/{*operation}", post(admin::call))
}

fn page_routes() -> Router<App> {
    let shared = get(page::link::open)
        .post(page::link::unlock)
        .layer(small());
    let routes = Router::new()
        .route("/assets/{*path}", get(page::app::built))
        .route("/s/{key}", shared)
        .route("/t/{link}", get(files::temporary_link::open));
    PAGE.iter().fold(routes, |routes, address| {
        routes.route(address, get(page::app::index))
    })
}

/// Bounds the forms that anybody may send.
fn small() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MAX_STRANGER_BYTES)
}

async fn unknown() -> Failure {
    Failure::NotFound
}

fn compression() -> CompressionLayer<impl Predicate> {
    let text = |_: axum::http::StatusCode,
                _: axum::http::Version,
                headers: &HeaderMap,
                _: &axum::http::Extensions| { is_text(headers) };
    let layer = CompressionLayer::new().quality(CompressionLevel::Fastest);
    layer.compress_when(SizeAbove::new(COMPRESS_ABOVE).and(text))
}

/// Text of our own shrinks; content goes as it is, with its length and ranges.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let is_content = headers.contains_key(header::ACCEPT_RANGES);
    // Events are to leave at once.
    let is_events = kind == "text/event-stream";
    !is_content
        && !is_events
        && (kind == "application/json" || kind.starts_with("text/") || kind == "image/svg+xml")
}
