/* A small, strict JSON reader. `json_parse` checks a whole text; after that, everything else only finds.
 *
 * A value is a slice of the text. Nothing is allocated. Strings are compared by the characters that they mean, escapes
 * decoded; of members with one name the last counts; an integer is one that is written without fraction and exponent and
 * that every language can hold (below 2^53). C99 and C++. */
#ifndef JSON_H
#define JSON_H

typedef struct {
    const char *at; /* first byte of the value; 0: there is none */
    const char *end;
} json;

enum { JSON_DEPTH = 128 };
static const unsigned JSON_END = 0xffffffff;
static const long long JSON_INT_MAX = 9007199254740991;

static inline json json_slice(const char *at, const char *end) {
    json slice = {at, end};
    return slice;
}

/* The grammar (RFC 8259): each returns the byte after what begins at p, or 0 if it is broken. */

static inline const char *json_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}

static inline int json_hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline const char *json_string(const char *p, const char *end) {
    for (p++; p < end; p++) {
        if (*p == '"') return p + 1;
        if ((unsigned char)*p < 0x20) return 0;
        if (*p != '\\') continue;
        if (++p >= end) return 0;
        if (*p == 'u') {
            for (int digits = 0; digits < 4; digits++)
                if (++p >= end || json_hex(*p) < 0) return 0;
        } else {
            const char *known = "\"\\/bfnrt";
            while (*known && *known != *p) known++;
            if (!*known) return 0;
        }
    }
    return 0;
}

static inline const char *json_digits(const char *p, const char *end) {
    const char *begin = p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p > begin ? p : 0;
}

static inline const char *json_number(const char *p, const char *end) {
    if (*p == '-') p++;
    p = p < end && *p == '0' ? p + 1 : json_digits(p, end);
    if (p && p < end && *p == '.') p = json_digits(p + 1, end);
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        p = json_digits(p, end);
    }
    return p;
}

static inline const char *json_word(const char *p, const char *end, const char *word) {
    while (*word && p < end && *p == *word) p++, word++;
    return *word ? 0 : p;
}

static const char *json_value(const char *p, const char *end, int depth);

/* The members of an object or the items of an array. */
static inline const char *json_inside(const char *p, const char *end, int depth) {
    char close = *p == '{' ? '}' : ']';
    p = json_space(p + 1, end);
    if (p < end && *p == close) return p + 1;
    while (p < end) {
        if (close == '}') {
            if (*p != '"' || !(p = json_string(p, end))) return 0;
            p = json_space(p, end);
            if (p >= end || *p != ':') return 0;
            p = json_space(p + 1, end);
        }
        if (!(p = json_value(p, end, depth + 1))) return 0;
        p = json_space(p, end);
        if (p < end && *p == close) return p + 1;
        if (p >= end || *p != ',') return 0;
        p = json_space(p + 1, end);
    }
    return 0;
}

static const char *json_value(const char *p, const char *end, int depth) {
    if (p >= end || depth > JSON_DEPTH) return 0;
    switch (*p) {
    case '{':
    case '[': return json_inside(p, end, depth);
    case '"': return json_string(p, end);
    case 't': return json_word(p, end, "true");
    case 'f': return json_word(p, end, "false");
    case 'n': return json_word(p, end, "null");
    default: return json_number(p, end);
    }
}

/* The value that a text is; none if the text is not JSON from its first to its last byte, or nested too deep. */
static inline json json_parse(const char *text, unsigned long length) {
    const char *end = text + length, *begin = json_space(text, end), *after = json_value(begin, end, 0);
    return after && json_space(after, end) == end ? json_slice(begin, after) : json_slice(0, 0);
}

/* Strings. Their characters are read through a slice between the quotes, which shrinks as they are taken. */

static inline int json_is_string(json v) { return v.at && *v.at == '"'; }

static inline json json_inner(json string) {
    return json_is_string(string) ? json_slice(string.at + 1, string.end - 1) : json_slice(0, 0);
}

static inline json json_literal(const char *text) {
    const char *end = text;
    while (*end) end++;
    return json_slice(text, end);
}

static inline unsigned json_hex4(const char *p) {
    return (unsigned)(json_hex(p[0]) << 12 | json_hex(p[1]) << 8 | json_hex(p[2]) << 4 | json_hex(p[3]));
}

/* The character of the escape after a backslash; half a surrogate pair is U+FFFD. */
static inline unsigned json_escape(json *inner) {
    char c = *inner->at++;
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': break;
    default: return (unsigned char)c;
    }
    unsigned first = json_hex4(inner->at);
    inner->at += 4;
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || inner->end - inner->at < 6 || inner->at[0] != '\\' || inner->at[1] != 'u') return 0xfffd;
    unsigned second = json_hex4(inner->at + 2);
    if (second < 0xdc00 || second > 0xdfff) return 0xfffd;
    inner->at += 6;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

/* Takes the next character, as its Unicode number; JSON_END after the last one. */
static inline unsigned json_char(json *inner) {
    if (inner->at >= inner->end) return JSON_END;
    unsigned char c = (unsigned char)*inner->at++;
    if (c == '\\') return json_escape(inner);
    if (c < 0x80) return c;
    unsigned number = c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0x0f : c & 0x07;
    while (inner->at < inner->end && (*inner->at & 0xc0) == 0x80) number = number << 6 | (*inner->at++ & 0x3f);
    return number;
}

static inline unsigned json_lower(unsigned c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

/* Whether two inner slices mean the same characters. */
static inline int json_same(json one, json other) {
    for (;;) {
        unsigned c = json_char(&one);
        if (c != json_char(&other)) return 0;
        if (c == JSON_END) return 1;
    }
}

static inline int json_equal(json one, json other) {
    return json_is_string(one) && json_is_string(other) && json_same(json_inner(one), json_inner(other));
}

/* Whether a string holds another one that is not empty, A to Z being the same as a to z. */
static inline int json_contains(json text, json word) {
    json rest = json_inner(text), sought = json_inner(word);
    if (!rest.at || sought.at == sought.end) return 0;
    do {
        json one = rest, other = sought;
        unsigned c;
        do c = json_lower(json_char(&other));
        while (c != JSON_END && c == json_lower(json_char(&one)));
        if (c == JSON_END) return 1;
    } while (json_char(&rest) != JSON_END);
    return 0;
}

/* Finding. */

/* The last member of an object whose name has the characters of an inner slice; none if there is none. */
static inline json json_member(json v, json name) {
    json found = {0, 0};
    if (!v.at || *v.at != '{') return found;
    const char *p = json_space(v.at + 1, v.end);
    while (*p == '"') {
        json key = json_slice(p, json_string(p, v.end));
        p = json_space(json_space(key.end, v.end) + 1, v.end);
        json value = json_slice(p, json_value(p, v.end, 0));
        if (json_same(json_inner(key), name)) found = value;
        p = json_space(value.end, v.end);
        if (*p == ',') p = json_space(p + 1, v.end);
    }
    return found;
}

static inline json json_get(json v, const char *name) { return json_member(v, json_literal(name)); }

/* The first item of an array, and the one after an item; none at the end.
 * for (json item = json_first(array); item.at; item = json_next(array, item)) */
static inline json json_item(json array, const char *p) {
    p = json_space(p, array.end);
    return *p == ']' ? json_slice(0, 0) : json_slice(p, json_value(p, array.end, 0));
}

static inline json json_first(json array) {
    return array.at && *array.at == '[' ? json_item(array, array.at + 1) : json_slice(0, 0);
}

static inline json json_next(json array, json item) {
    const char *p = json_space(item.end, array.end);
    return *p == ',' ? json_item(array, p + 1) : json_slice(0, 0);
}

static inline int json_is_true(json v) { return v.at && *v.at == 't'; }

/* The integer that v is, or `otherwise`. */
static inline long long json_int(json v, long long otherwise) {
    const char *p = v.at;
    if (!p) return otherwise;
    int negative = *p == '-';
    long long number = 0;
    if (negative) p++;
    for (; p < v.end; p++) {
        if (*p < '0' || *p > '9') return otherwise;
        number = number * 10 + (*p - '0');
        if (number > JSON_INT_MAX) return otherwise;
    }
    return negative ? -number : number;
}

#endif
