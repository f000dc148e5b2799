//! What the own search routes say beyond hits: typos, places, reasons, suggestions and exports.

use serde_json::{Value, json};

use crate::program::{Server, until};

#[test]
fn answers_explain_themselves_and_are_exported_whole() {
    let server = Server::start(false);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    for number in 0..30 {
        let text = format!("an invoice for lantern number{number}");
        ann.put(
            &format!("/bills/bill {number:02}, paid.txt"),
            text.as_bytes(),
        );
    }
    bob.put("/secret.txt", b"plutonium invoicing");
    until("everything to be found", 60, || {
        let found = ann.search("invoice lantern ")["total"] == 30;
        (found && bob.search("plutonium ")["total"] == 1).then_some(())
    });

    let answer = ann.search("invioce ");
    assert_eq!(answer["did_you_mean"], "invoice ", "{answer}");
    assert_eq!(answer["total"], 30);
    let nothing = ann.search("plutonuim ");
    assert_eq!(
        (&nothing["total"], &nothing["did_you_mean"]),
        (&json!(0), &Value::Null)
    );

    let options = json!({"why": true, "max_results": 1, "facets": ["folder", "owner"]});
    let answer = ann.call(
        "firefly/search",
        &json!({"query": "lantern ", "options": options}),
    );
    assert_eq!(
        answer["hits"][0]["spot"]["range"],
        json!([15, 22]),
        "{answer}"
    );
    assert!(
        answer["hits"][0]["why"]["score"].as_f64() > Some(0.0),
        "{answer}"
    );
    assert_eq!(
        answer["facets"]["folder"],
        json!([{"value": "/bills", "count": 30}])
    );
    assert_eq!(answer["facets"]["owner"][0]["count"], 30);
    for (category, total) in [("document", 30), ("image", 0)] {
        let options = json!({"file_categories": [category]});
        let answer = ann.call(
            "firefly/search",
            &json!({"query": "lantern ", "options": options}),
        );
        assert_eq!(answer["total"], total, "{category}");
    }
    assert_eq!(
        ann.search("b")["total"],
        31,
        "thirty files and their folder"
    );

    let suggested = ann.call("firefly/suggest", &json!({"query": "paid inv"}));
    assert_eq!(
        suggested["words"][0],
        json!({"query": "paid invoice", "files": 30}),
        "{suggested}"
    );
    let suggested = ann.call("firefly/suggest", &json!({"query": "bil", "limit": 3}));
    assert_eq!(
        suggested["names"].as_array().map(Vec::len),
        Some(3),
        "{suggested}"
    );
    ann.call("firefly/searches/note", &json!({"search": "q=Lantern"}));
    let suggested = ann.call("firefly/suggest", &json!({"query": "lant"}));
    assert_eq!(suggested["recent"], json!(["q=Lantern"]));
    let others = bob.call("firefly/suggest", &json!({"query": "lant"}));
    assert_eq!(others, json!({"names": [], "words": [], "recent": []}));

    let wanted = json!({"query": "invoice", "format": "jsonl"});
    let lines = ann.rpc("firefly/search/export", &wanted).unwrap();
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let text = lines.text();
    let paths: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(paths.len(), 30);
    assert!(
        paths
            .iter()
            .all(|line| line["type"] == "file" && line["size"].as_u64() > Some(0))
    );
    let token = ann.token.as_str();
    let printed = server.command(&["search", "--export", "csv", "--token", token, "invoice"]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.starts_with("path,type,size,modified,id,member\r\n\"/bills/bill "),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 31);
}
