/* A reader for one JSON text that is known to be valid: it finds, it does not check.
 *
 * A value is a slice of the text. Strings are compared and copied as they are written, escapes included: the host writes
 * every string in one way, so equal strings are equal bytes. Nothing is allocated, and nothing recurses. */
#ifndef JSON_H
#define JSON_H

typedef struct {
    const char *at; /* first byte of the value; 0: there is none */
    const char *end;
} json;

static const char *json_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}

/* The byte after the string that begins at p (at its quote). */
static const char *json_string_end(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\') p++;
    return p < end ? p + 1 : end;
}

/* The byte after the value that begins at p. */
static const char *json_value_end(const char *p, const char *end) {
    int depth = 0;
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = json_string_end(p, end);
        } else if (c == '{' || c == '[') {
            depth++, p++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return p;
            depth--, p++;
        } else if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            return p;
        } else {
            p++;
            continue; /* inside a number or a word */
        }
        if (depth == 0) return p;
    }
    return end;
}

/* The member called key of an object; none if v is no object or has no such member. */
static json json_get(json v, const char *key) {
    json none = {0, 0};
    if (!v.at || v.at >= v.end || *v.at != '{') return none;
    const char *p = json_space(v.at + 1, v.end);
    while (p < v.end && *p == '"') {
        const char *name = p + 1, *k = key;
        p = json_string_end(p, v.end);
        while (*k && name < p - 1 && *name == *k) name++, k++;
        int found = !*k && name == p - 1;
        p = json_space(p, v.end);
        if (p < v.end && *p == ':') p = json_space(p + 1, v.end);
        json value = {p, json_value_end(p, v.end)};
        if (found) return value;
        p = json_space(value.end, v.end);
        if (p >= v.end || *p != ',') return none;
        p = json_space(p + 1, v.end);
    }
    return none;
}

static int json_is_string(json v) { return v.at && v.end - v.at >= 2 && *v.at == '"'; }

static int json_is_true(json v) { return v.at && v.end - v.at == 4 && *v.at == 't'; }

/* The integer that v is, or `otherwise`. A fraction is cut off; an integer has 18 digits at most. */
static long long json_int(json v, long long otherwise) {
    const char *p = v.at;
    if (!p || p >= v.end) return otherwise;
    int negative = *p == '-';
    if (negative) p++;
    if (p >= v.end || *p < '0' || *p > '9') return otherwise;
    long long n = 0;
    for (int digits = 0; p < v.end && *p >= '0' && *p <= '9'; p++) {
        if (++digits > 18) return otherwise;
        n = n * 10 + (*p - '0');
    }
    return negative ? -n : n;
}

#endif
