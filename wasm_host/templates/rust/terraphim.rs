//! What the proxy calls (the contract terraphim-rule/1), so that a rule is one function: `decide` in rule.rs.
//!
//! One instance serves one request, so both buffers are static.
#![allow(dead_code)]
#![allow(unused_unsafe)] // addr_of_mut needs it before Rust 1.82

use crate::json::Json;
use crate::request::{ANSWER_MAX, REQUEST_MAX};
use core::{panic::PanicInfo, ptr::addr_of_mut};

/// Address << 32 | length of the answer's JSON; 0 abstains.
pub type Answer = u64;
pub const ABSTAIN: Answer = 0;

static mut REQUEST: [u8; REQUEST_MAX] = [0; REQUEST_MAX];
static mut ANSWER: [u8; ANSWER_MAX] = [0; ANSWER_MAX];

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

#[no_mangle]
pub extern "C" fn rule_v1_alloc(length: usize) -> *mut u8 {
    if length <= REQUEST_MAX { unsafe { addr_of_mut!(REQUEST).cast() } } else { core::ptr::null_mut() }
}

/// # Safety
/// The host has written `length` bytes at `text`, which came from `rule_v1_alloc`.
#[no_mangle]
pub unsafe extern "C" fn rule_v1_route(text: *const u8, length: usize) -> Answer {
    match Json::parse(core::slice::from_raw_parts(text, length)) {
        Some(view) => crate::decide(view),
        None => ABSTAIN,
    }
}

/// Send the request to a target, a JSON string that names one. The reason matches [a-z0-9_.:-]+.
pub fn route(target: Json, reason: &str) -> Answer {
    join(&[br#"{"route":"#, target.text(), br#","reason":""#, reason.as_bytes(), br#""}"#])
}

/// Say that the rule failed. The code matches [a-z0-9_.:-]+; the message is written as it is, without quotes.
pub fn failed(code: &str, message: &str) -> Answer {
    join(&[br#"{"error":{"code":""#, code.as_bytes(), br#"","message":""#, message.as_bytes(), br#""}}"#])
}

/// Abstains if the answer is longer than it may be.
fn join(parts: &[&[u8]]) -> Answer {
    let buffer = unsafe { &mut *addr_of_mut!(ANSWER) };
    let mut length = 0;
    for part in parts {
        match buffer.get_mut(length..length + part.len()) {
            Some(space) => space.copy_from_slice(part),
            None => return ABSTAIN,
        }
        length += part.len();
    }
    (buffer.as_ptr() as u64) << 32 | length as u64
}
