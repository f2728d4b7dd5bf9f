//! A reader for one JSON text that is known to be valid: it finds, it does not check.
//!
//! A value is a slice of the text. Strings are compared and copied as they are written, escapes included: the host
//! writes every string in one way, so equal strings are equal bytes. Nothing is allocated, and nothing panics.

#[derive(Clone, Copy, PartialEq)]
pub struct Json<'a>(pub &'a [u8]);

impl<'a> Json<'a> {
    /// The member called `key` of an object.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        let mut rest = space(self.0.strip_prefix(b"{")?);
        while rest.first() == Some(&b'"') {
            let (name, after) = split(rest);
            let (value, after) = split(space(space(after).strip_prefix(b":")?));
            if name.get(1..name.len() - 1) == Some(key.as_bytes()) {
                return Some(Json(value));
            }
            rest = space(space(after).strip_prefix(b",")?);
        }
        None
    }

    /// The items of an array; nothing if it is none.
    pub fn items(self) -> Items<'a> {
        Items(self.0.strip_prefix(b"[").map_or(&[], space))
    }

    /// The string with its quotes, if it is one.
    pub fn string(self) -> Option<&'a [u8]> {
        (self.0.first() == Some(&b'"')).then_some(self.0)
    }

    /// The integer, if it is one that fits; a fraction is cut off.
    pub fn int(self) -> Option<i64> {
        let (negative, digits) = match self.0.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, self.0),
        };
        digits.first().filter(|byte| byte.is_ascii_digit())?;
        let mut number: i64 = 0;
        for byte in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
            number = number.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
        }
        Some(if negative { -number } else { number })
    }
}

/// Iterates over an array's items.
pub struct Items<'a>(&'a [u8]);

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        if matches!(self.0.first(), None | Some(b']')) {
            return None;
        }
        let (value, after) = split(self.0);
        let after = space(after);
        self.0 = space(after.strip_prefix(b",").unwrap_or(&[]));
        Some(Json(value))
    }
}

fn space(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    text.get(count..).unwrap_or(&[])
}

/// The value that `text` begins with, and what follows it.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, &byte) in text.iter().enumerate() {
        if quoted {
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                quoted = false;
                if depth == 0 {
                    return text.split_at(at + 1);
                }
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return text.split_at(at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return text.split_at(at + 1);
                }
            }
            _ => {}
        }
    }
    (text, &[])
}
