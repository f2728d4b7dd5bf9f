//! A request that would cost too much, or more than is left, goes to a cheaper model. See README.md.
#![no_std]

mod json;
mod request;
mod terraphim;

use json::Json;
use terraphim::{route, Answer, ABSTAIN};

const METADATA: &str = r#"{"rule":{"name":"budget-guard","version":"1.1.0","input":["request.token_count","request.max_tokens","targets.price","targets.budget_left"]}}"#;

/// What the host reads of the rule without running it.
#[used]
#[link_section = "terraphim.rule.v1"]
static SECTION: [u8; METADATA.len()] = {
    let mut bytes = [0; METADATA.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = METADATA.as_bytes()[at];
        at += 1;
    }
    bytes
};

fn decide(view: Json) -> Answer {
    answer(view).unwrap_or(ABSTAIN)
}

/// The cheap target, if the watched one should not be used.
fn answer(view: Json) -> Option<Answer> {
    let config = request::config(view)?;
    let cheap = config.get("cheap")?.string()?;
    let watch = config.get("watch")?;
    let target = request::targets(view)?
        .items()
        .find(|target| request::target_name(*target).map_or(false, |name| name.equals(watch)))?;
    let cost = cost(view, target)?;
    if config.get("max_cost").and_then(Json::int).map_or(false, |most| cost > most) {
        return Some(route(cheap, "over_max_cost"));
    }
    (cost > request::target_budget_left(target)?).then(|| route(cheap, "over_budget"))
}

/// What the request may cost at most, in micro-USD: prices are in micro-USD per million tokens.
fn cost(view: Json, target: Json) -> Option<i64> {
    target.get("price")?;
    let known = |value: Option<i64>| value.unwrap_or(0).max(0);
    let input = known(request::request_token_count(view)).saturating_mul(known(request::target_price_input(target)));
    let output = known(request::request_max_tokens(view)).saturating_mul(known(request::target_price_output(target)));
    Some(input.saturating_add(output) / 1_000_000)
}
