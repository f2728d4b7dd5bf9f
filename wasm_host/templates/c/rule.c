/* Long requests, and those with one of the configured words in the user's last text, go to the configured target. */
#include "terraphim.h"

static answer decide(json view) {
    json config = rule_config(view), target = json_get(config, "target"), words = json_get(config, "words");
    if (!json_is_string(target)) return abstain();
    if (rule_request_token_count(view, 0) > json_int(json_get(config, "threshold"), JSON_INT_MAX))
        return route(target, "long");
    for (json word = json_first(words); word.at; word = json_next(words, word))
        if (json_contains(rule_request_last_user(view), word)) return route(target, "word");
    return abstain();
}
