package main

import "unsafe"

// What the proxy calls (the contract terraphim-rule/1), so that a rule is one function: decide in rule.go.
//
// One instance serves one request, so both buffers are static.

// Answer is address << 32 | length of the answer's JSON; 0 abstains.
type Answer uint64

// Abstain leaves the decision to others.
const Abstain Answer = 0

var (
	requestBuffer [requestMax]byte
	answerBuffer  [answerMax]byte
)

//go:wasmexport rule_v1_alloc
func ruleAlloc(length uint32) uint32 {
	if length > requestMax {
		return 0
	}
	return address(&requestBuffer[0])
}

//go:wasmexport rule_v1_route
func ruleRoute(_, length uint32) uint64 {
	view := Parse(requestBuffer[:min(length, requestMax)])
	if view == nil {
		return uint64(Abstain)
	}
	return uint64(decide(view))
}

func main() {} // a reactor has none, but the language wants it

// Route sends the request to a target, a JSON string that names one. The reason matches [a-z0-9_.:-]+.
func Route(target Value, reason string) Answer {
	return join(`{"route":`, string(target), `,"reason":"`, reason, `"}`)
}

// Failed says that the rule failed. The code matches [a-z0-9_.:-]+; the message is written as it is, without quotes.
func Failed(code, message string) Answer {
	return join(`{"error":{"code":"`, code, `","message":"`, message, `"}}`)
}

// join abstains if the answer is longer than it may be.
func join(parts ...string) Answer {
	length := 0
	for _, part := range parts {
		if len(part) > answerMax-length {
			return Abstain
		}
		length += copy(answerBuffer[length:], part)
	}
	return Answer(address(&answerBuffer[0]))<<32 | Answer(length)
}

func address(first *byte) uint32 { return uint32(uintptr(unsafe.Pointer(first))) }
