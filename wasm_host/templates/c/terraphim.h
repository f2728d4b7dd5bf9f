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

/* Texts one after the other; abstains if they are longer than an answer may be. */
static inline answer terraphim_join(const json *parts, int count) {
    unsigned length = 0;
    for (int part = 0; part < count; part++)
        for (const char *p = parts[part].at; p < parts[part].end; p++) {
            if (length == RULE_ANSWER_MAX) return 0;
            terraphim_answer[length++] = *p;
        }
    return (answer)(unsigned long)terraphim_answer << 32 | length;
}

/* Send the request to a target, a JSON string that names one. The reason matches [a-z0-9_.:-]+. */
static inline answer route(json target, const char *reason) {
    json parts[] = {json_literal("{\"route\":"), target, json_literal(",\"reason\":\""), json_literal(reason),
                    json_literal("\"}")};
    return terraphim_join(parts, 5);
}

/* Say that the rule failed. The code matches [a-z0-9_.:-]+; the message is written as it is, without quotes. */
static inline answer failed(const char *code, const char *message) {
    json parts[] = {json_literal("{\"error\":{\"code\":\""), json_literal(code), json_literal("\",\"message\":\""),
                    json_literal(message), json_literal("\"}}")};
    return terraphim_join(parts, 5);
}

#endif
