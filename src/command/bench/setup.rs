//! Accounts and shared folders that benchmarks use, and small helpers over the API.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt;
use futures::TryStreamExt;
use serde_json::{Value, json};

use crate::client::{ApiError, Client};

/// Calls under way at the same time while a benchmark prepares.
pub const PREPARING: usize = 32;
/// How long to wait until everything is indexed.
const INDEX_LIMIT: Duration = Duration::from_secs(1800);

/// A name for this run, so that a server can be measured again and again.
pub fn run_name() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// Clients of `count` new accounts `bench-NAME-i`.
pub async fn accounts(admin: &Client, name: &str, count: u64) -> Result<Vec<Client>> {
    let made = futures::stream::iter(0..count)
        .map(|i| account(admin, format!("bench-{name}-{i}@bench.invalid")));
    made.buffered(4).try_collect().await
}

/// A client of a new account.
pub async fn account(admin: &Client, email: String) -> Result<Client> {
    let made: Value = admin
        .rpc("firefly/account/create", &json!({"email": email}))
        .await?;
    let Some(token) = made["token"].as_str() else {
        bail!("no token for {email}: {made}");
    };
    Ok(admin.with_token(token))
}

/// Makes a folder and shares it; returns its shared_folder_id.
pub async fn shared_folder(client: &Client, path: &str) -> Result<String> {
    let _folder: Value = client
        .rpc("files/create_folder_v2", &json!({"path": path}))
        .await?;
    let made: Value = client
        .rpc(
            "sharing/share_folder",
            &json!({"path": path, "force_async": false}),
        )
        .await?;
    match made["shared_folder_id"].as_str() {
        Some(id) => Ok(id.to_owned()),
        None => bail!("share_folder {path}: {made}"),
    }
}

/// Makes the account with this e-mail an editor of a shared folder.
pub async fn add_member(owner: &Client, shared_folder: &str, email: &str) -> Result<()> {
    let member =
        json!({"member": {".tag": "email", "email": email}, "access_level": {".tag": "editor"}});
    let _null: Value = owner
        .rpc(
            "sharing/add_folder_member",
            &json!({"shared_folder_id": shared_folder, "members": [member], "quiet": true}),
        )
        .await?;
    Ok(())
}

/// Mounts a shared folder in the member's own files.
pub async fn mount(member: &Client, shared_folder: &str) -> Result<()> {
    let argument = json!({"shared_folder_id": shared_folder});
    let _mounted: Value = member.rpc("sharing/mount_folder", &argument).await?;
    Ok(())
}

/// Uploads, again when the server asks to wait.
pub async fn upload(client: &Client, path: &str, body: String) -> Result<()> {
    let body = bytes::Bytes::from(body);
    loop {
        match client
            .upload(
                "files/upload",
                &json!({"path": path, "mode": "overwrite", "mute": true}),
                body.clone(),
            )
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) => match error
                .downcast_ref::<ApiError>()
                .and_then(|e| e.retry_after_s)
            {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => return Err(error),
            },
        }
    }
}

/// Waits until nothing that `client` can see waits for the index; returns the seconds it took.
pub async fn indexed(client: &Client) -> Result<f64> {
    let begun = Instant::now();
    loop {
        let status: Value = client.rpc("firefly/index_status", &json!({})).await?;
        if status["waiting"] == 0 {
            return Ok(begun.elapsed().as_secs_f64());
        }
        if begun.elapsed() > INDEX_LIMIT {
            bail!("still waiting for the index after {INDEX_LIMIT:?}: {status}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
