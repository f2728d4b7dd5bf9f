//! Long requests, and those with one of the configured words in the user's last text, go to the configured target.

const Json = @import("json.zig").Json;
const request = @import("request.zig");
const terraphim = @import("terraphim.zig");

comptime {
    _ = terraphim; // exports what the proxy calls
}

pub fn decide(view: Json) terraphim.Answer {
    const config = request.config(view) orelse return terraphim.abstain;
    const target = config.get("target") orelse return terraphim.abstain;
    if (!target.isString()) return terraphim.abstain;

    if (config.get("threshold")) |limit| {
        if (limit.int()) |threshold| {
            if ((request.requestTokenCount(view) orelse 0) > threshold) return terraphim.route(target, "long");
        }
    }
    const text = request.requestLastUser(view) orelse return terraphim.abstain;
    const words = config.get("words") orelse return terraphim.abstain;
    var each = words.items();
    while (each.next()) |word| {
        if (text.contains(word)) return terraphim.route(target, "word");
    }
    return terraphim.abstain;
}
