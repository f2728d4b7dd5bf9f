// Long requests, and those with one of the configured words in the user's last text, go to the configured target.
package main

import "math"

func decide(view Value) Answer {
	config := Config(view)
	target := config.Get("target")
	if !target.IsString() {
		return Abstain
	}
	if RequestTokenCount(view, 0) > config.Get("threshold").Int(math.MaxInt64) {
		return Route(target, "long")
	}
	text := RequestLastUser(view)
	for word := range config.Get("words").Items {
		if text.Contains(word) {
			return Route(target, "word")
		}
	}
	return Abstain
}
