/* Outside office hours, a cheaper model is good enough. See README.md for the configuration. */
#include "terraphim.h"

/* The rule needs the time, which every rule is given, and its configuration: nothing of the request. */
__attribute__((export_name("rule_v1_describe"))) answer describe(void) {
    static const char metadata[] = "{\"rule\":{\"name\":\"office-hours\",\"version\":\"1.1.0\",\"input\":[]}}";
    return (answer)(unsigned long)metadata << 32 | (sizeof metadata - 1);
}

static long long floor_div(long long a, long long b) { return a / b - (a % b < 0); }

static answer decide(json view) {
    json config = rule_config(view), cheap = json_get(config, "cheap");
    if (!json_is_string(cheap)) return abstain();

    long long minute = floor_div(rule_now_ms(view, 0), 60000) + rule_tz_offset_min(view, 0);
    long long day = floor_div(minute, 24 * 60);
    long long hour = (minute - day * 24 * 60) / 60;
    long long weekday = ((day + 4) % 7 + 7) % 7; /* 0 is Sunday; 1 January 1970 was a Thursday */

    if (!json_is_true(json_get(config, "weekend")) && (weekday == 0 || weekday == 6)) return route(cheap, "weekend");
    long long open = json_int(json_get(config, "open"), 9), close = json_int(json_get(config, "close"), 18);
    int working = open <= close ? open <= hour && hour < close : open <= hour || hour < close; /* or over midnight */
    return working ? abstain() : route(cheap, "after_hours");
}
