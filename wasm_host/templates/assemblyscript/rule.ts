// Long requests, and those with one of the configured words in the user's last text, go to the configured target.
import { Json, NONE, contains, first, get, int, isString, next } from "./json";
import { ABSTAIN, Answer, config, requestLastUser, requestTokenCount } from "./request";
import { route } from "./terraphim";

export function decide(view: Json): Answer {
  const settings = config(view);
  const target = get(settings, "target");
  if (!isString(target)) return ABSTAIN;

  if (requestTokenCount(view, 0) > int(get(settings, "threshold"), i64.MAX_VALUE)) return route(target, "long");
  const text = requestLastUser(view);
  const words = get(settings, "words");
  for (let word = first(words); word != NONE; word = next(words, word)) {
    if (contains(text, word)) return route(target, "word");
  }
  return ABSTAIN;
}
