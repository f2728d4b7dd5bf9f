//! A small, strict JSON reader. `parse` checks a whole text; after that, everything else only finds.
//!
//! A value is a slice of the text. Nothing is allocated. Strings are compared by the characters that they mean, escapes
//! decoded; of members with one name the last counts; an integer is one that is written without fraction and exponent
//! and that every language can hold (below 2^53).

const std = @import("std");

const depth_max = 128;
const int_max = 9007199254740991;

pub const Json = struct {
    text: []const u8,

    /// The value that `text` is; null if it is not JSON from its first to its last byte, or nested too deep.
    pub fn parse(text: []const u8) ?Json {
        const begin = space(text, 0);
        const after = value(text, begin, 0) orelse return null;
        return if (space(text, after) == text.len) .{ .text = text[begin..after] } else null;
    }

    /// The last member called `name` of an object.
    pub fn get(self: Json, name: []const u8) ?Json {
        return self.member(.{ .rest = name });
    }

    /// The last member of an object whose name is the string `name`.
    pub fn getBy(self: Json, name: Json) ?Json {
        return self.member(name.chars() orelse return null);
    }

    fn member(self: Json, name: Chars) ?Json {
        const text = self.text;
        if (text[0] != '{') return null;
        var found: ?Json = null;
        var at = space(text, 1);
        while (text[at] == '"') {
            const key_end = string(text, at).?;
            const begin = space(text, space(text, key_end) + 1);
            const end = value(text, begin, 0).?;
            if (same(.{ .rest = text[at + 1 .. key_end - 1] }, name)) found = .{ .text = text[begin..end] };
            at = space(text, end);
            if (text[at] == ',') at = space(text, at + 1);
        }
        return found;
    }

    /// Iterates over the items of an array; over nothing if it is none.
    pub fn items(self: Json) Items {
        return .{ .text = self.text, .at = if (self.text[0] == '[') space(self.text, 1) else self.text.len };
    }

    pub fn isString(self: Json) bool {
        return self.text[0] == '"';
    }

    pub fn isTrue(self: Json) bool {
        return self.text[0] == 't';
    }

    pub fn int(self: Json) ?i64 {
        const negative = self.text[0] == '-';
        var total: i64 = 0;
        for (self.text[@intFromBool(negative)..]) |digit| {
            if (digit < '0' or digit > '9') return null;
            total = total * 10 + (digit - '0');
            if (total > int_max) return null;
        }
        return if (negative) -total else total;
    }

    /// The characters of a string.
    pub fn chars(self: Json) ?Chars {
        return if (self.isString()) .{ .rest = self.text[1 .. self.text.len - 1] } else null;
    }

    /// Whether both are strings of the same characters.
    pub fn equals(self: Json, other: Json) bool {
        return same(self.chars() orelse return false, other.chars() orelse return false);
    }

    /// Whether a string holds another one that is not empty, A to Z being the same as a to z.
    pub fn contains(self: Json, word: Json) bool {
        var rest = self.chars() orelse return false;
        const sought = word.chars() orelse return false;
        if (sought.rest.len == 0) return false;
        while (true) {
            var one = rest;
            var other = sought;
            while (other.next()) |char| {
                if (lower(char) != lower(one.next() orelse break)) break;
            } else return true;
            _ = rest.next() orelse return false;
        }
    }
};

pub const Items = struct {
    text: []const u8,
    at: usize,

    pub fn next(self: *Items) ?Json {
        if (self.at >= self.text.len or self.text[self.at] == ']') return null;
        const begin = self.at;
        const end = value(self.text, begin, 0).?;
        self.at = space(self.text, end);
        if (self.text[self.at] == ',') self.at = space(self.text, self.at + 1);
        return .{ .text = self.text[begin..end] };
    }
};

/// Decodes what stands between a string's quotes.
pub const Chars = struct {
    rest: []const u8,

    /// The next character as its Unicode number.
    pub fn next(self: *Chars) ?u32 {
        if (self.rest.len == 0) return null;
        const byte = self.take();
        if (byte == '\\') return self.escape();
        if (byte < 0x80) return byte;
        var char: u32 = if (byte < 0xe0) byte & 0x1f else if (byte < 0xf0) byte & 0x0f else byte & 0x07;
        while (self.rest.len > 0 and self.rest[0] & 0xc0 == 0x80) char = char << 6 | (self.take() & 0x3f);
        return char;
    }

    fn take(self: *Chars) u8 {
        defer self.rest = self.rest[1..];
        return self.rest[0];
    }

    /// The character of the escape after a backslash; half a surrogate pair is U+FFFD.
    fn escape(self: *Chars) u32 {
        const byte = self.take();
        switch (byte) {
            'b' => return 0x08,
            'f' => return 0x0c,
            'n' => return '\n',
            'r' => return '\r',
            't' => return '\t',
            'u' => {},
            else => return byte,
        }
        const first = self.hex4();
        if (first < 0xd800 or first > 0xdfff) return first;
        if (first > 0xdbff or !std.mem.startsWith(u8, self.rest, "\\u")) return 0xfffd;
        var ahead: Chars = .{ .rest = self.rest[2..] };
        const second = ahead.hex4();
        if (second < 0xdc00 or second > 0xdfff) return 0xfffd;
        self.rest = ahead.rest;
        return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    }

    fn hex4(self: *Chars) u32 {
        var unit: u32 = 0;
        for (0..4) |_| unit = unit << 4 | hex(self.take()).?;
        return unit;
    }
};

fn same(one: Chars, other: Chars) bool {
    var a = one;
    var b = other;
    while (a.next()) |char| {
        if (char != b.next() orelse return false) return false;
    }
    return b.next() == null;
}

fn lower(char: u32) u32 {
    return if (char >= 'A' and char <= 'Z') char + 32 else char;
}

fn hex(byte: u8) ?u32 {
    return switch (byte) {
        '0'...'9' => byte - '0',
        'a'...'f' => byte - 'a' + 10,
        'A'...'F' => byte - 'A' + 10,
        else => null,
    };
}

// The grammar (RFC 8259): each returns the index after what begins at `at`, or null if it is broken.

fn space(text: []const u8, start: usize) usize {
    var at = start;
    while (at < text.len and (text[at] == ' ' or text[at] == '\t' or text[at] == '\n' or text[at] == '\r')) at += 1;
    return at;
}

fn value(text: []const u8, at: usize, depth: u32) ?usize {
    if (at >= text.len or depth > depth_max) return null;
    return switch (text[at]) {
        '{', '[' => inside(text, at, depth),
        '"' => string(text, at),
        't' => literal(text, at, "true"),
        'f' => literal(text, at, "false"),
        'n' => literal(text, at, "null"),
        else => number(text, at),
    };
}

/// The members of an object or the items of an array.
fn inside(text: []const u8, start: usize, depth: u32) ?usize {
    const close: u8 = if (text[start] == '{') '}' else ']';
    var at = space(text, start + 1);
    if (at < text.len and text[at] == close) return at + 1;
    while (at < text.len) {
        if (close == '}') {
            if (text[at] != '"') return null;
            at = space(text, string(text, at) orelse return null);
            if (at >= text.len or text[at] != ':') return null;
            at = space(text, at + 1);
        }
        at = space(text, value(text, at, depth + 1) orelse return null);
        if (at < text.len and text[at] == close) return at + 1;
        if (at >= text.len or text[at] != ',') return null;
        at = space(text, at + 1);
    }
    return null;
}

fn string(text: []const u8, start: usize) ?usize {
    var at = start + 1;
    while (at < text.len) : (at += 1) {
        switch (text[at]) {
            '"' => return at + 1,
            0...0x1f => return null,
            '\\' => {
                at += 1;
                if (at >= text.len) return null;
                if (text[at] == 'u') {
                    for (0..4) |_| {
                        at += 1;
                        if (at >= text.len or hex(text[at]) == null) return null;
                    }
                } else if (std.mem.findScalar(u8, "\"\\/bfnrt", text[at]) == null) return null;
            },
            else => {},
        }
    }
    return null;
}

fn literal(text: []const u8, at: usize, expected: []const u8) ?usize {
    return if (std.mem.startsWith(u8, text[at..], expected)) at + expected.len else null;
}

fn number(text: []const u8, start: usize) ?usize {
    var at = start + @intFromBool(text[start] == '-');
    at = if (at < text.len and text[at] == '0') at + 1 else digits(text, at) orelse return null;
    if (at < text.len and text[at] == '.') at = digits(text, at + 1) orelse return null;
    if (at < text.len and (text[at] == 'e' or text[at] == 'E')) {
        at += 1;
        if (at < text.len and (text[at] == '+' or text[at] == '-')) at += 1;
        at = digits(text, at) orelse return null;
    }
    return at;
}

fn digits(text: []const u8, start: usize) ?usize {
    var at = start;
    while (at < text.len and text[at] >= '0' and text[at] <= '9') at += 1;
    return if (at > start) at else null;
}
