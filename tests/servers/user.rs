//! An account, through plain HTTP.

use std::collections::BTreeMap;
use std::io::Result;

use serde_json::{Value, json};

use crate::http::{Answer, Http};

#[derive(Debug, Clone)]
pub struct User {
    pub http: Http,
    pub token: String,
    pub email: String,
}

impl User {
    pub fn new(http: Http, token: &str) -> User {
        User {
            http,
            token: token.to_owned(),
            email: String::new(),
        }
    }

    /// Calls a route, whatever it answers.
    pub fn rpc(&self, route: &str, argument: &Value) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = argument.to_string();
        self.http
            .request("POST", &format!("/2/{route}"), &headers, body.as_bytes())
    }

    /// Calls a route that must succeed.
    pub fn call(&self, route: &str, argument: &Value) -> Value {
        let answer = self.rpc(route, argument).unwrap();
        assert_eq!(
            answer.status,
            200,
            "{route} {argument}: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }

    /// Calls a route that must be refused; the refusal's tags.
    pub fn refused(&self, route: &str, argument: &Value) -> String {
        let answer = self.rpc(route, argument).unwrap();
        assert_eq!(
            answer.status,
            409,
            "{route} {argument}: {} {}",
            answer.status,
            answer.text()
        );
        answer.refusal()
    }

    /// Calls a content route.
    pub fn content(&self, route: &str, argument: &Value, body: &[u8]) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        // No control character may stand in a header.
        let argument = argument.to_string().replace('\u{7f}', "\\u007f");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Dropbox-API-Arg", argument.as_str()),
        ];
        self.http
            .request("POST", &format!("/2/{route}"), &headers, body)
    }

    /// Uploads over what is there, whatever the answer.
    pub fn upload(&self, path: &str, content: &[u8]) -> Result<Answer> {
        let argument = json!({ "path": path, "mode": "overwrite" });
        self.content("files/upload", &argument, content)
    }

    /// Uploads over what is there; the file's metadata.
    pub fn put(&self, path: &str, content: &[u8]) -> Value {
        let answer = self.upload(path, content).unwrap();
        assert_eq!(
            answer.status,
            200,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }

    pub fn download(&self, path: &str) -> Answer {
        self.content("files/download", &json!({ "path": path }), b"")
            .unwrap()
    }

    pub fn delete(&self, path: &str) {
        self.call("files/delete_v2", &json!({ "path": path }));
    }

    /// Every file that the account sees: path in lower case -> metadata.
    pub fn files(&self) -> BTreeMap<String, Value> {
        let argument = json!({ "path": "", "recursive": true });
        let mut page = self.call("files/list_folder", &argument);
        let mut files = BTreeMap::new();
        loop {
            for entry in page["entries"].as_array().unwrap() {
                if entry[".tag"] == "file" {
                    files.insert(
                        entry["path_lower"].as_str().unwrap().to_owned(),
                        entry.clone(),
                    );
                }
            }
            if page["has_more"] == false {
                return files;
            }
            let cursor = json!({ "cursor": page["cursor"] });
            page = self.call("files/list_folder/continue", &cursor);
        }
    }

    /// The first page of a search.
    pub fn search(&self, query: &str) -> Value {
        let options = json!({ "max_results": 1000 });
        self.call(
            "firefly/search",
            &json!({ "query": query, "options": options }),
        )
    }

    /// The sorted paths that a search finds.
    pub fn found(&self, query: &str) -> Vec<String> {
        let answer = self.search(query);
        let hits = answer["hits"].as_array().unwrap().iter();
        let mut paths: Vec<String> = hits
            .map(|hit| hit["metadata"]["path_lower"].as_str().unwrap().to_owned())
            .collect();
        paths.sort();
        paths
    }

    /// What the index says about a file.
    pub fn index_status(&self, path: &str) -> Value {
        self.call("firefly/index_status", &json!({ "path": path }))
    }

    /// Shares a folder; its id.
    pub fn share(&self, path: &str) -> String {
        let shared = self.call("sharing/share_folder", &json!({ "path": path }));
        shared["shared_folder_id"].as_str().unwrap().to_owned()
    }

    /// Adds a member as an editor, who mounts the folder.
    pub fn invite(&self, shared: &str, member: &User) {
        let selector = json!({ ".tag": "email", "email": member.email });
        let new = json!([{ "member": selector, "access_level": "editor" }]);
        self.call(
            "sharing/add_folder_member",
            &json!({ "shared_folder_id": shared, "members": new }),
        );
        member.call(
            "sharing/mount_folder",
            &json!({ "shared_folder_id": shared }),
        );
    }

    /// Removes a member.
    pub fn expel(&self, shared: &str, member: &User) {
        let selector = json!({ ".tag": "email", "email": member.email });
        let argument =
            json!({ "shared_folder_id": shared, "member": selector, "leave_a_copy": false });
        self.call("sharing/remove_folder_member", &argument);
    }
}
