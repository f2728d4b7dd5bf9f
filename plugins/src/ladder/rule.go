// The first target of a list that is good enough for the request: order it by price. See README.md.
package main

import "math"

func decide(view Value) Answer {
	config := Config(view)
	slowest := config.Get("max_p50_ms").Int(math.MaxInt64)
	for name := range config.Get("ladder").Items {
		for target := range Targets(view).Items {
			if TargetName(target).Equals(name) && fits(view, target) && TargetP50Ms(target, 0) <= slowest {
				return Route(name, "ladder")
			}
		}
	}
	return Abstain
}

// fits says whether a target can serve the request, as far as is known.
func fits(view, target Value) bool {
	needed := RequestTokenCount(view, 0) + RequestMaxTokens(view, 0)
	if needed > TargetContextWindow(target, math.MaxInt64) || isFalse(target.Get("healthy")) {
		return false
	}
	if RequestImages(view, 0) > 0 && isFalse(target.Get("images")) {
		return false
	}
	for range RequestTools(view).Items {
		return !isFalse(target.Get("tools"))
	}
	return true
}

// isFalse is not the opposite of IsTrue: what is not known is neither.
func isFalse(value Value) bool { return string(value) == "false" }
