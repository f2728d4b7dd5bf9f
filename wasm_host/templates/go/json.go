package main

// A small, strict JSON reader. Parse checks a whole text; after that, everything else only finds.
//
// A value is a slice of the text. Nothing is allocated. Strings are compared by the characters that they mean, escapes
// decoded; of members with one name the last counts; an integer is one that is written without fraction and exponent
// and that every language can hold (below 2^53). encoding/json would do as well, and triple the module's size.

const (
	depthMax = 128
	intMax   = 9007199254740991
)

// Value is JSON as it is written; empty if there is none.
type Value []byte

// Parse returns the value that text is; none if it is not JSON from its first to its last byte, or nested too deep.
func Parse(text []byte) Value {
	begin := skipSpace(text, 0)
	after := valueEnd(text, begin, 0)
	if after < 0 || skipSpace(text, after) != len(text) {
		return nil
	}
	return text[begin:after]
}

func (v Value) is(first byte) bool { return len(v) > 0 && v[0] == first }

// IsString says whether there is a value, and it is a string.
func (v Value) IsString() bool { return v.is('"') }

// IsTrue says whether the value is true.
func (v Value) IsTrue() bool { return v.is('t') }

// Get returns the last member of an object that is called name.
func (v Value) Get(name string) Value { return v.member(chars(name)) }

// GetBy returns the last member of an object whose name is the string name.
func (v Value) GetBy(name Value) Value {
	if !name.IsString() {
		return nil
	}
	return v.member(name.chars())
}

func (v Value) member(name chars) (found Value) {
	if !v.is('{') {
		return nil
	}
	at := skipSpace(v, 1)
	for v[at] == '"' {
		key := v[at:stringEnd(v, at)]
		begin := skipSpace(v, skipSpace(v, at+len(key))+1)
		end := valueEnd(v, begin, 0)
		if same(key.chars(), name) {
			found = v[begin:end]
		}
		if at = skipSpace(v, end); v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
	return found
}

// Items calls each with every item of an array until it returns false (the form of a range-over-func iterator).
func (v Value) Items(each func(Value) bool) {
	if !v.is('[') {
		return
	}
	for at := skipSpace(v, 1); v[at] != ']'; {
		end := valueEnd(v, at, 0)
		if !each(v[at:end]) {
			return
		}
		if at = skipSpace(v, end); v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
}

// Int returns the integer, or otherwise if the value is none.
func (v Value) Int(otherwise int64) int64 {
	digits := v
	if v.is('-') {
		digits = v[1:]
	}
	var number int64
	for _, digit := range digits {
		number = number*10 + int64(digit-'0')
		if digit < '0' || digit > '9' || number > intMax {
			return otherwise
		}
	}
	switch {
	case len(v) == 0:
		return otherwise
	case v[0] == '-':
		return -number
	}
	return number
}

// Equals says whether both are strings of the same characters.
func (v Value) Equals(other Value) bool {
	return v.IsString() && other.IsString() && same(v.chars(), other.chars())
}

// Contains says whether a string holds another one that is not empty, A to Z being the same as a to z.
func (v Value) Contains(word Value) bool {
	if !v.IsString() || !word.IsString() || len(word) == 2 {
		return false
	}
	for rest := v.chars(); ; {
		one, other := rest, word.chars()
		char := other.next()
		for char != end && lower(char) == lower(one.next()) {
			char = other.next()
		}
		if char == end {
			return true
		}
		if rest.next() == end {
			return false
		}
	}
}

// chars is what stands between a string's quotes and was not taken yet.
type chars []byte

const end = -1

func (v Value) chars() chars { return chars(v[1 : len(v)-1]) }

func (c *chars) take() byte {
	first := (*c)[0]
	*c = (*c)[1:]
	return first
}

// next takes a character.
func (c *chars) next() rune {
	if len(*c) == 0 {
		return end
	}
	first := c.take()
	switch {
	case first == '\\':
		return c.escape()
	case first < 0x80:
		return rune(first)
	}
	number := rune(first & 0x07)
	if first < 0xe0 {
		number = rune(first & 0x1f)
	} else if first < 0xf0 {
		number = rune(first & 0x0f)
	}
	for len(*c) > 0 && (*c)[0]&0xc0 == 0x80 {
		number = number<<6 | rune(c.take()&0x3f)
	}
	return number
}

// escape returns the character of the escape after a backslash; half a surrogate pair is U+FFFD.
func (c *chars) escape() rune {
	switch char := c.take(); char {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
	default:
		return rune(char)
	}
	first := c.hex4()
	if first < 0xd800 || first > 0xdfff {
		return first
	}
	if first > 0xdbff || len(*c) < 6 || (*c)[0] != '\\' || (*c)[1] != 'u' {
		return 0xfffd
	}
	ahead := (*c)[2:]
	second := ahead.hex4()
	if second < 0xdc00 || second > 0xdfff {
		return 0xfffd
	}
	*c = ahead
	return 0x10000 + (first-0xd800)<<10 + (second - 0xdc00)
}

func (c *chars) hex4() (number rune) {
	for range 4 {
		number = number<<4 | hex(c.take())
	}
	return number
}

func same(one, other chars) bool {
	for {
		char := one.next()
		if char != other.next() {
			return false
		}
		if char == end {
			return true
		}
	}
}

func lower(char rune) rune {
	if char >= 'A' && char <= 'Z' {
		return char + 32
	}
	return char
}

func hex(digit byte) rune {
	switch {
	case digit >= '0' && digit <= '9':
		return rune(digit - '0')
	case digit|0x20 >= 'a' && digit|0x20 <= 'f':
		return rune(digit|0x20-'a') + 10
	}
	return -1
}

// The grammar (RFC 8259): each function returns the index after what begins at `at`, or -1 if it is broken.

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

func valueEnd(text []byte, at, depth int) int {
	if at < 0 || at >= len(text) || depth > depthMax {
		return -1
	}
	switch text[at] {
	case '{':
		return insideEnd(text, at, depth, '}')
	case '[':
		return insideEnd(text, at, depth, ']')
	case '"':
		return stringEnd(text, at)
	case 't':
		return wordEnd(text, at, "true")
	case 'f':
		return wordEnd(text, at, "false")
	case 'n':
		return wordEnd(text, at, "null")
	}
	return numberEnd(text, at)
}

// insideEnd passes over the members of an object or the items of an array.
func insideEnd(text []byte, at, depth int, closing byte) int {
	at = skipSpace(text, at+1)
	if at < len(text) && text[at] == closing {
		return at + 1
	}
	for at < len(text) {
		if closing == '}' {
			if text[at] != '"' {
				return -1
			}
			if at = stringEnd(text, at); at < 0 {
				return -1
			}
			if at = skipSpace(text, at); at >= len(text) || text[at] != ':' {
				return -1
			}
			at = skipSpace(text, at+1)
		}
		if at = valueEnd(text, at, depth+1); at < 0 {
			return -1
		}
		if at = skipSpace(text, at); at < len(text) && text[at] == closing {
			return at + 1
		}
		if at >= len(text) || text[at] != ',' {
			return -1
		}
		at = skipSpace(text, at+1)
	}
	return -1
}

func stringEnd(text []byte, at int) int {
	for at++; at < len(text); at++ {
		switch char := text[at]; {
		case char == '"':
			return at + 1
		case char < 0x20:
			return -1
		case char == '\\':
			at++
			if at >= len(text) {
				return -1
			}
			switch text[at] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if at++; at >= len(text) || hex(text[at]) < 0 {
						return -1
					}
				}
			default:
				return -1
			}
		}
	}
	return -1
}

func wordEnd(text []byte, at int, word string) int {
	if len(text)-at < len(word) || string(text[at:at+len(word)]) != word {
		return -1
	}
	return at + len(word)
}

func numberEnd(text []byte, at int) int {
	if text[at] == '-' {
		at++
	}
	if at < len(text) && text[at] == '0' {
		at++
	} else if at = digitsEnd(text, at); at < 0 {
		return -1
	}
	if at < len(text) && text[at] == '.' {
		if at = digitsEnd(text, at+1); at < 0 {
			return -1
		}
	}
	if at < len(text) && (text[at] == 'e' || text[at] == 'E') {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		at = digitsEnd(text, at)
	}
	return at
}

func digitsEnd(text []byte, begin int) int {
	at := begin
	for at < len(text) && text[at] >= '0' && text[at] <= '9' {
		at++
	}
	if at == begin {
		return -1
	}
	return at
}
