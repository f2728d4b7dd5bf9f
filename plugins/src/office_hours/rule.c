/* Outside office hours, a cheaper model is good enough. See README.md for the configuration. */
#include "json.h"

#define EXPORT(name) __attribute__((export_name(name)))

typedef unsigned int u32;
typedef long long i64;

enum { REQUEST_MAX = 16 * 1024, ANSWER_MAX = 1024 };
static char request[REQUEST_MAX], answer[ANSWER_MAX];

static i64 pack(const char *text, u32 length) { return (i64)(u32)text << 32 | length; }

EXPORT("rule_v1_alloc") char *rule_alloc(u32 length) { return length <= REQUEST_MAX ? request : 0; }

/* The rule needs the time, which every rule is given, and its configuration: nothing of the request. */
EXPORT("rule_v1_describe") i64 rule_describe(void) {
    static const char metadata[] = "{\"rule\":{\"name\":\"office-hours\",\"version\":\"1.0.0\",\"input\":[]}}";
    return pack(metadata, sizeof metadata - 1);
}

static char *append(char *to, const char *text) {
    while (*text) *to++ = *text++;
    return to;
}

static i64 route(json target, const char *reason) {
    if (target.end - target.at > ANSWER_MAX - 64) return 0;
    char *to = append(answer, "{\"route\":");
    for (const char *p = target.at; p < target.end;) *to++ = *p++;
    to = append(to, ",\"reason\":\"");
    to = append(to, reason);
    to = append(to, "\"}");
    return pack(answer, (u32)(to - answer));
}

static i64 floor_div(i64 a, i64 b) { return a / b - (a % b < 0); }

EXPORT("rule_v1_route") i64 rule_route(const char *text, u32 length) {
    json view = {text, text + length}, config = json_get(view, "config"), cheap = json_get(config, "cheap");
    if (!json_is_string(cheap)) return 0;

    i64 minute = floor_div(json_int(json_get(view, "now_ms"), 0), 60000) + json_int(json_get(view, "tz_offset_min"), 0);
    i64 day = floor_div(minute, 24 * 60);
    i64 hour = (minute - day * 24 * 60) / 60;
    i64 weekday = ((day + 4) % 7 + 7) % 7; /* 0 is Sunday; 1 January 1970 was a Thursday */

    if (!json_is_true(json_get(config, "weekend")) && (weekday == 0 || weekday == 6)) return route(cheap, "weekend");
    i64 open = json_int(json_get(config, "open"), 9), close = json_int(json_get(config, "close"), 18);
    int working = open <= close ? open <= hour && hour < close : open <= hour || hour < close; /* or over midnight */
    return working ? 0 : route(cheap, "after_hours");
}
