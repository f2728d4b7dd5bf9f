// Every team has its target: by the client's key, else by its program. See README.md.
#include "terraphim.h"

namespace {

constexpr char metadata[] =
    R"({"rule":{"name":"team-router","version":"1.0.0","input":["client.key","client.agent","targets.name"]}})";

bool is_configured(json targets, json name) {
    for (json target = json_first(targets); target.at; target = json_next(targets, target))
        if (json_equal(rule_target_name(target), name)) return true;
    return false;
}

// The target that a table of the configuration gives to a name.
json target_of(json table, json name) {
    return json_is_string(name) ? json_member(table, json_inner(name)) : json_slice(nullptr, nullptr);
}

}  // namespace

__attribute__((export_name("rule_v1_describe"))) answer describe() {
    return static_cast<answer>(reinterpret_cast<unsigned long>(metadata)) << 32 | (sizeof metadata - 1);
}

static answer decide(json view) {
    const json config = rule_config(view);
    const json by_key = target_of(json_get(config, "keys"), rule_client_key(view));
    const json by_agent = target_of(json_get(config, "agents"), rule_client_agent(view));
    const json target = json_is_string(by_key) ? by_key : by_agent;
    if (!json_is_string(target)) return abstain();
    if (!is_configured(rule_targets(view), target))
        return failed("unknown_target", "the table names a target that is not configured");
    return json_is_string(by_key) ? route(target, "team") : route(target, "agent");
}
