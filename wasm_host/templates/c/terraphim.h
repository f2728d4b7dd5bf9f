/* What the proxy calls (the contract terraphim-rule/1), so that a rule is one function: `decide`.
 *
 * One instance serves one request, so both buffers are static. */
#ifndef TERRAPHIM_H
#define TERRAPHIM_H

#include "json.h"
#include "request.h"

/* An answer: address << 32 | length of its JSON; 0 abstains. */
typedef unsigned long long answer;

/* Yours: what to do with a request. */
static answer decide(json view);

static char terraphim_request[RULE_REQUEST_MAX], terraphim_answer[RULE_ANSWER_MAX];

__attribute__((export_name("rule_v1_alloc"))) char *terraphim_alloc(unsigned length) {
    return length <= RULE_REQUEST_MAX ? terraphim_request : 0;
}

__attribute__((export_name("rule_v1_route"))) answer terraphim_route(const char *text, unsigned length) {
    json view = json_parse(text, length);
    return view.at ? decide(view) : 0;
}

static inline answer abstain(void) { return 0; }

/* Three texts one after the other; abstains if they are longer than an answer may be. */
static inline answer terraphim_join(json one, json two, json three) {
    json parts[] = {one, two, three};
    unsigned length = 0;
    for (int part = 0; part < 3; part++)
        for (const char *p = parts[part].at; p < parts[part].end; p++) {
            if (length == RULE_ANSWER_MAX) return 0;
            terraphim_answer[length++] = *p;
        }
    return (answer)(unsigned long)terraphim_answer << 32 | length;
}

/* Send the request to a target, a JSON string that names one; `reason` is a literal like ",\"reason\":\"long\"}". */
static inline answer terraphim_route_to(json target, const char *reason) {
    return terraphim_join(json_literal("{\"route\":"), target, json_literal(reason));
}
#define route(target, reason) terraphim_route_to(target, ",\"reason\":\"" reason "\"}")

/* Say that the rule failed; both are literals, the code matches [a-z0-9_.:-]+. */
#define error(code, message) \
    terraphim_join(json_literal("{\"error\":{\"code\":\"" code "\",\"message\":\""), json_literal(message), json_literal("\"}}"))

#endif
