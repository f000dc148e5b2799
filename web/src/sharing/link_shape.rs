//! `SharedLinkMetadata`: links as clients read them.

use serde_json::{Value, json};
use storage::meta::{Link, NodeKind, Place, RevId};

use crate::App;
use crate::files::shape::Start;
use crate::frame::Failure;
use crate::frame::stamp::Stamp;

/// A link's address.
pub fn url(app: &App, key: &str) -> String {
    format!("{}/s/{key}", app.settings().public_url)
}

/// The key in a link's address, whatever host it names.
pub fn key(url: &str) -> Result<&str, Failure> {
    let path = url.split(['?', '#']).next().unwrap_or("");
    let key = path
        .rsplit_once("/s/")
        .map(|(_, key)| key.trim_end_matches('/'));
    key.filter(|key| !key.is_empty() && !key.contains('/'))
        .ok_or_else(|| Failure::tag("shared_link_not_found"))
}

/// A link to what is at `place`. `own` for its creator, who may see the path and revoke it.
pub fn shape(app: &App, link: &Link, place: &Place, own: Option<Start>) -> Value {
    let visibility = json!({ ".tag": if link.has_password { "password" } else { "public" } });
    let is_own = own.is_some();
    let mut shape = json!({
        "url": url(app, &link.key),
        "id": place.node.id.to_string(),
        "name": place.node.name,
        "link_permissions": {
            "resolved_visibility": visibility,
            "requested_visibility": visibility,
            "effective_audience": { ".tag": if link.has_password { "password" } else { "public" } },
            "link_access_level": { ".tag": "viewer" },
            "can_revoke": is_own,
            "visibility_policies": [],
            "can_set_expiry": is_own,
            "can_remove_expiry": is_own,
            "allow_download": link.allow_download,
            "can_allow_download": is_own,
            "can_disallow_download": is_own,
            "allow_comments": false,
            "team_restricts_comments": false,
            "can_set_password": is_own,
            "can_remove_password": is_own,
            "require_password": link.has_password,
        },
        "created_timestamp": Stamp(link.created_ms),
    });
    if let Some(expires_ms) = link.expires_ms {
        shape["expires"] = json!(Stamp(expires_ms));
    }
    if let Some(start) = own {
        shape["path_lower"] = json!(start.relative(&place.path_lower));
    }
    match &place.node.kind {
        NodeKind::File(version) => {
            shape[".tag"] = json!("file");
            shape["client_modified"] = json!(Stamp(version.client_modified_ms));
            shape["server_modified"] = json!(Stamp(version.server_modified_ms));
            shape["rev"] = json!(
                RevId {
                    rev: version.rev,
                    file: place.node.id
                }
                .to_string()
            );
            shape["size"] = json!(version.size);
        }
        _ => shape[".tag"] = json!("folder"),
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_key_is_found_in_its_address() {
        for url in [
            "https://x/s/KEY",
            "https://x/s/KEY?dl=1",
            "http://y:1/s/KEY/",
            "/s/KEY#a",
        ] {
            assert_eq!(key(url).ok(), Some("KEY"), "{url}");
        }
        for url in ["https://x/s/", "https://x/KEY", "https://x/s/KEY/more", ""] {
            assert!(key(url).is_err(), "{url}");
        }
    }
}
