//! A small, strict JSON reader. `Json::parse` checks a whole text; after that, everything else only finds.
//!
//! A value is a slice of the text. Nothing is allocated. Strings are compared by the characters that they mean, escapes
//! decoded; of members with one name the last counts; an integer is one that is written without fraction and exponent
//! and that every language can hold (below 2^53).
#![allow(dead_code)]

const DEPTH_MAX: u32 = 128;
const INT_MAX: i64 = 9_007_199_254_740_991;

#[derive(Clone, Copy)]
pub struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    /// The value that `text` is; None if it is not JSON from its first to its last byte, or nested too deep.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let begin = space(text, 0);
        let after = value(text, begin, 0)?;
        (space(text, after) == text.len()).then(|| Json(&text[begin..after]))
    }

    /// The value as it is written.
    pub fn text(self) -> &'a [u8] {
        self.0
    }

    /// The last member called `name` of an object.
    pub fn get(self, name: &str) -> Option<Self> {
        self.member(Chars(name.as_bytes()))
    }

    fn member(self, name: Chars) -> Option<Self> {
        let text = self.0;
        let mut found = None;
        if text[0] != b'{' {
            return found;
        }
        let mut at = space(text, 1);
        while text[at] == b'"' {
            let key_end = string(text, at)?;
            let begin = space(text, space(text, key_end) + 1);
            let end = value(text, begin, 0)?;
            if Chars(&text[at + 1..key_end - 1]).eq(name) {
                found = Some(Json(&text[begin..end]));
            }
            at = space(text, end);
            if text[at] == b',' {
                at = space(text, at + 1);
            }
        }
        found
    }

    /// The items of an array; nothing if it is none.
    pub fn items(self) -> Items<'a> {
        let at = if self.0[0] == b'[' { space(self.0, 1) } else { self.0.len() };
        Items { text: self.0, at }
    }

    /// The same value, if it is a string.
    pub fn string(self) -> Option<Self> {
        (self.0[0] == b'"').then_some(self)
    }

    pub fn is_true(self) -> bool {
        self.0[0] == b't'
    }

    pub fn int(self) -> Option<i64> {
        let negative = self.0[0] == b'-';
        let mut number = 0;
        for digit in &self.0[usize::from(negative)..] {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
            if number > INT_MAX {
                return None;
            }
        }
        Some(if negative { -number } else { number })
    }

    /// The characters of a string.
    pub fn chars(self) -> Option<Chars<'a>> {
        self.string().map(|string| Chars(&string.0[1..string.0.len() - 1]))
    }

    /// Whether both are strings of the same characters.
    pub fn equals(self, other: Self) -> bool {
        matches!((self.chars(), other.chars()), (Some(one), Some(other)) if one.eq(other))
    }

    /// Whether a string holds another one that is not empty, A to Z being the same as a to z.
    pub fn contains(self, word: Self) -> bool {
        let (mut rest, sought) = match (self.chars(), word.chars()) {
            (Some(rest), Some(sought)) if !sought.0.is_empty() => (rest, sought),
            _ => return false,
        };
        loop {
            let mut one = rest;
            if sought.into_iter().all(|char| one.next().map(lower) == Some(lower(char))) {
                return true;
            }
            if rest.next().is_none() {
                return false;
            }
        }
    }
}

pub struct Items<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let (text, begin) = (self.text, self.at);
        if matches!(text.get(begin), None | Some(b']')) {
            return None;
        }
        let end = value(text, begin, 0)?;
        self.at = space(text, end);
        if text[self.at] == b',' {
            self.at = space(text, self.at + 1);
        }
        Some(Json(&text[begin..end]))
    }
}

/// Decodes what stands between a string's quotes, to Unicode numbers.
#[derive(Clone, Copy)]
pub struct Chars<'a>(&'a [u8]);

impl Chars<'_> {
    fn take(&mut self) -> u32 {
        let byte = self.0[0];
        self.0 = &self.0[1..];
        u32::from(byte)
    }

    /// The character of the escape after a backslash; half a surrogate pair is U+FFFD.
    fn escape(&mut self) -> u32 {
        match self.take() {
            0x62 => 0x08,
            0x66 => 0x0c,
            0x6e => 0x0a,
            0x72 => 0x0d,
            0x74 => 0x09,
            0x75 => self.unit(),
            other => other,
        }
    }

    fn unit(&mut self) -> u32 {
        let first = self.hex4();
        if !(0xd800..=0xdfff).contains(&first) {
            return first;
        }
        if first > 0xdbff || !self.0.starts_with(b"\\u") {
            return 0xfffd;
        }
        let mut ahead = Chars(&self.0[2..]);
        let second = ahead.hex4();
        if !(0xdc00..=0xdfff).contains(&second) {
            return 0xfffd;
        }
        self.0 = ahead.0;
        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
    }

    fn hex4(&mut self) -> u32 {
        (0..4).fold(0, |number, _| number << 4 | hex(self.take() as u8).unwrap_or(0))
    }
}

impl Iterator for Chars<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0.is_empty() {
            return None;
        }
        let byte = self.take();
        if byte == u32::from(b'\\') {
            return Some(self.escape());
        }
        if byte < 0x80 {
            return Some(byte);
        }
        let mut number = byte & if byte < 0xe0 { 0x1f } else if byte < 0xf0 { 0x0f } else { 0x07 };
        while matches!(self.0.first(), Some(0x80..=0xbf)) {
            number = number << 6 | (self.take() & 0x3f);
        }
        Some(number)
    }
}

fn lower(char: u32) -> u32 {
    if (0x41..=0x5a).contains(&char) { char + 32 } else { char }
}

fn hex(byte: u8) -> Option<u32> {
    (byte as char).to_digit(16)
}

// The grammar (RFC 8259): each returns the index after what begins at `at`, or None if it is broken.

fn space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn value(text: &[u8], at: usize, depth: u32) -> Option<usize> {
    if depth > DEPTH_MAX {
        return None;
    }
    match text.get(at)? {
        b'{' => inside(text, at, b'}', depth),
        b'[' => inside(text, at, b']', depth),
        b'"' => string(text, at),
        b't' => word(text, at, b"true"),
        b'f' => word(text, at, b"false"),
        b'n' => word(text, at, b"null"),
        _ => number(text, at),
    }
}

/// The members of an object or the items of an array.
fn inside(text: &[u8], at: usize, close: u8, depth: u32) -> Option<usize> {
    let mut at = space(text, at + 1);
    if *text.get(at)? == close {
        return Some(at + 1);
    }
    loop {
        if close == b'}' {
            if *text.get(at)? != b'"' {
                return None;
            }
            at = space(text, string(text, at)?);
            if *text.get(at)? != b':' {
                return None;
            }
            at = space(text, at + 1);
        }
        at = space(text, value(text, at, depth + 1)?);
        match *text.get(at)? {
            byte if byte == close => return Some(at + 1),
            b',' => at = space(text, at + 1),
            _ => return None,
        }
    }
}

fn string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += 1;
        match text.get(at)? {
            b'"' => return Some(at + 1),
            0..=0x1f => return None,
            b'\\' => {
                at += 1;
                match text.get(at)? {
                    b'u' => {
                        for _ in 0..4 {
                            at += 1;
                            hex(*text.get(at)?)?;
                        }
                    }
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    _ => return None,
                }
            }
            _ => {}
        }
    }
}

fn word(text: &[u8], at: usize, expected: &[u8]) -> Option<usize> {
    text[at..].starts_with(expected).then_some(at + expected.len())
}

fn number(text: &[u8], at: usize) -> Option<usize> {
    let at = at + usize::from(text[at] == b'-');
    let mut at = if text.get(at) == Some(&b'0') { at + 1 } else { digits(text, at)? };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(text, at)?;
    }
    Some(at)
}

fn digits(text: &[u8], at: usize) -> Option<usize> {
    let count = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(at + count)
}
