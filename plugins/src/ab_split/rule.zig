//! A share of the requests goes to each of several targets. See README.md.

const Json = @import("json.zig").Json;
const request = @import("request.zig");
const terraphim = @import("terraphim.zig");

comptime {
    _ = terraphim; // exports what the proxy calls
}

const metadata =
    \\{"rule":{"name":"ab-split","version":"1.0.0","input":["request.class"]}}
;

export fn rule_v1_describe() u64 {
    return @as(u64, @intFromPtr(metadata)) << 32 | metadata.len;
}

/// What an arm gets of a thousand requests; nothing is said in a wrong way.
fn share(arm: Json) u64 {
    const value = (arm.get("share") orelse return 0).int() orelse return 0;
    return if (value > 0) @intCast(value) else 0;
}

pub fn decide(view: Json) terraphim.Answer {
    const config = request.config(view) orelse return terraphim.abstain;
    if (config.get("class")) |class| {
        const actual = request.requestClass(view) orelse return terraphim.abstain;
        if (!class.equals(actual)) return terraphim.abstain;
    }
    // The seed has 32 bits that come from the request's id: evenly spread, and the same when a request is replayed.
    const seed: u64 = @intCast(@max(request.seed(view) orelse return terraphim.abstain, 0));
    var left = scatter(seed) % 1000;
    var arms = (config.get("arms") orelse return terraphim.abstain).items();
    while (arms.next()) |arm| {
        if (left < share(arm)) {
            const target = arm.get("target") orelse return terraphim.abstain;
            return if (target.isString()) terraphim.route(target, "split") else terraphim.abstain;
        }
        left -= share(arm);
    }
    return terraphim.abstain;
}

/// Neighbouring seeds far apart (the finalizer of splitmix64).
fn scatter(seed: u64) u64 {
    var mixed = seed +% 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) *% 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) *% 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}
