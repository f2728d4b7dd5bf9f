//! What the proxy calls (the contract terraphim-rule/1), so that a rule is one function: `decide` in rule.zig.
//!
//! One instance serves one request, so both buffers are static.

const rule = @import("root");
const Json = @import("json.zig").Json;
const request = @import("request.zig");

/// Address << 32 | length of the answer's JSON; 0 abstains.
pub const Answer = u64;
pub const abstain: Answer = 0;

var request_buffer: [request.request_max]u8 = undefined;
var answer_buffer: [request.answer_max]u8 = undefined;

export fn rule_v1_alloc(length: u32) ?[*]u8 {
    return if (length <= request.request_max) &request_buffer else null;
}

export fn rule_v1_route(text: [*]const u8, length: u32) Answer {
    return rule.decide(Json.parse(text[0..length]) orelse return abstain);
}

/// Send the request to a target, a JSON string that names one. The reason matches [a-z0-9_.:-]+.
pub fn route(target: Json, reason: []const u8) Answer {
    return join(&.{ "{\"route\":", target.text, ",\"reason\":\"", reason, "\"}" });
}

/// Say that the rule failed. The code matches [a-z0-9_.:-]+; the message is written as it is, without quotes.
pub fn failed(code: []const u8, message: []const u8) Answer {
    return join(&.{ "{\"error\":{\"code\":\"", code, "\",\"message\":\"", message, "\"}}" });
}

/// Abstains if the answer is longer than it may be.
fn join(parts: []const []const u8) Answer {
    var length: usize = 0;
    for (parts) |part| {
        if (part.len > answer_buffer.len - length) return abstain;
        @memcpy(answer_buffer[length..][0..part.len], part);
        length += part.len;
    }
    return @as(Answer, @intFromPtr(&answer_buffer)) << 32 | length;
}
