//! A request that would cost too much, or more than is left, goes to a cheaper model. See README.md.
#![no_std]

mod json;

use core::{panic::PanicInfo, ptr::addr_of_mut};
use json::Json;

const REQUEST_MAX: usize = 256 * 1024;
const ANSWER_MAX: usize = 1024;
static mut REQUEST: [u8; REQUEST_MAX] = [0; REQUEST_MAX];
static mut ANSWER: [u8; ANSWER_MAX] = [0; ANSWER_MAX];

const METADATA: &str = r#"{"rule":{"name":"budget-guard","version":"1.0.0","input":["request.token_count","request.max_tokens","targets.price","targets.budget_left"]}}"#;

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

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

#[no_mangle]
#[allow(unused_unsafe)] // needed before Rust 1.82
pub extern "C" fn rule_v1_alloc(length: usize) -> *mut u8 {
    if length <= REQUEST_MAX { unsafe { addr_of_mut!(REQUEST).cast() } } else { core::ptr::null_mut() }
}

/// # Safety
/// The host has written `length` bytes at `text`, which came from `rule_v1_alloc`; one instance serves one call.
#[no_mangle]
pub unsafe extern "C" fn rule_v1_route(text: *const u8, length: usize) -> u64 {
    let view = Json(core::slice::from_raw_parts(text, length));
    match decide(view) {
        Some((target, reason)) => answer(&mut *addr_of_mut!(ANSWER), target, reason),
        None => 0,
    }
}

/// The cheap target (with its quotes) and the reason, if the watched one should not be used.
fn decide(view: Json) -> Option<(&[u8], &'static str)> {
    let config = view.get("config")?;
    let cheap = config.get("cheap")?.string()?;
    let watch = config.get("watch")?.string()?;
    let target = view.get("targets")?.items().find(|target| target.get("name").and_then(Json::string) == Some(watch))?;
    let cost = cost(view, target)?;
    if config.get("max_cost").and_then(Json::int).map_or(false, |most| cost > most) {
        return Some((cheap, "over_max_cost"));
    }
    let left = target.get("budget_left").and_then(Json::int)?;
    (cost > left).then_some((cheap, "over_budget"))
}

/// What the request may cost at most, in micro-USD: prices are in micro-USD per million tokens.
fn cost(view: Json, target: Json) -> Option<i64> {
    let request = view.get("request")?;
    let price = target.get("price")?;
    let tokens = |key| request.get(key).and_then(Json::int).unwrap_or(0).max(0);
    let rate = |key| price.get(key).and_then(Json::int).unwrap_or(0).max(0);
    let input = tokens("token_count").saturating_mul(rate("input"));
    let output = tokens("max_tokens").saturating_mul(rate("output"));
    Some(input.saturating_add(output) / 1_000_000)
}

fn answer(buffer: &mut [u8; ANSWER_MAX], target: &[u8], reason: &str) -> u64 {
    let parts: [&[u8]; 5] = [br#"{"route":"#, target, br#","reason":""#, reason.as_bytes(), br#""}"#];
    let mut length = 0;
    for part in parts {
        match buffer.get_mut(length..length + part.len()) {
            Some(space) => space.copy_from_slice(part),
            None => return 0,
        }
        length += part.len();
    }
    (buffer.as_ptr() as u64) << 32 | length as u64
}
