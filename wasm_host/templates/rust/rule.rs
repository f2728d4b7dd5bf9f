//! Long requests, and those with one of the configured words in the user's last text, go to the configured target.
#![no_std]

mod json;
mod request;
mod terraphim;

use json::Json;
use terraphim::{route, Answer, ABSTAIN};

fn decide(view: Json) -> Answer {
    answer(view).unwrap_or(ABSTAIN)
}

fn answer(view: Json) -> Option<Answer> {
    let config = request::config(view)?;
    let target = config.get("target")?.string()?;
    let threshold = config.get("threshold").and_then(Json::int).unwrap_or(i64::MAX);
    if request::request_token_count(view).unwrap_or(0) > threshold {
        return Some(route(target, "long"));
    }
    let text = request::request_last_user(view)?;
    let found = config.get("words")?.items().any(|word| text.contains(word));
    found.then(|| route(target, "word"))
}
