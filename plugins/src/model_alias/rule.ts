// Short names for targets: a request for the model `fast` goes where the configuration says. See README.md.
import { Json, NONE, equals, first, get, getBy, isString, next } from "./json";
import { ABSTAIN, Answer, config, requestModel, targetName, targets } from "./request";
import { failed, route } from "./terraphim";

export function decide(view: Json): Answer {
  const target = getBy(get(config(view), "aliases"), requestModel(view));
  if (!isString(target)) return ABSTAIN;
  return isConfigured(targets(view), target)
    ? route(target, "alias")
    : failed("unknown_target", "an alias names a target that is not configured");
}

function isConfigured(all: Json, name: Json): bool {
  for (let target = first(all); target != NONE; target = next(all, target)) {
    if (equals(targetName(target), name)) return true;
  }
  return false;
}
