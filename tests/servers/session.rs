//! Signing in as a browser does.

use serde_json::{Value, json};

use crate::http::{Answer, Http};

/// A password that is taken.
pub const PASSWORD: &str = "correct horse battery 9";

/// A signed-in browser.
pub struct Browser {
    http: Http,
    pub cookie: String,
    csrf: String,
}

impl Browser {
    /// What an answer to signing in gives a browser.
    pub fn of(http: &Http, answer: &Answer) -> Browser {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").unwrap();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        Browser {
            http: http.clone(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
            csrf: answer.json()["csrf_token"].as_str().unwrap().to_owned(),
        }
    }

    /// A call with the cookie alone, and what else is said.
    pub fn post(&self, route: &str, argument: &Value, more: &[(&str, &str)]) -> Answer {
        let headers = [&[("Cookie", self.cookie.as_str())], more].concat();
        post(&self.http, route, argument, &headers)
    }

    /// A call as the page makes it.
    pub fn call(&self, route: &str, argument: &Value) -> Answer {
        self.post(
            route,
            argument,
            &[
                ("X-Firefly-Csrf", &self.csrf),
                ("Sec-Fetch-Site", "same-origin"),
            ],
        )
    }

    /// A call as the page makes it, which must succeed.
    pub fn done(&self, route: &str, argument: &Value) -> Value {
        let answer = self.call(route, argument);
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
        answer.json()
    }
}

/// Calls a route without a session.
pub fn post(http: &Http, route: &str, argument: &Value, more: &[(&str, &str)]) -> Answer {
    let headers = [&[("Content-Type", "application/json")], more].concat();
    let body = argument.to_string();
    http.request("POST", &format!("/2/{route}"), &headers, body.as_bytes())
        .unwrap()
}

/// Takes a one-time code, and sets a password.
pub fn claim(http: &Http, code: &str, password: &str) -> Answer {
    let argument = json!({ "code": code, "password": password });
    post(http, "firefly/session/claim", &argument, &[])
}

/// Signs in with a password.
pub fn sign_in(http: &Http, email: &str, password: &str) -> Answer {
    let argument = json!({ "email": email, "password": password });
    post(http, "firefly/session/sign_in", &argument, &[])
}

/// The code of a one-time link.
pub fn code(link: &str) -> &str {
    link.split_once("/welcome#").unwrap().1.trim()
}
