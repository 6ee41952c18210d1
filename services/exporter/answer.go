package exporter

import "fmt"

// verdict says what to do about an answer, or the lack of one.
type verdict uint8

const (
	accepted verdict = iota // it is stored, less what the receiver says it has rejected
	refused                 // the receiver will never take these points as they are
	tooLarge                // it may take fewer at once; if not one, it may take them later
	again                   // later, as often as it takes
)

// answer is how sending one request ended.
type answer struct {
	verdict
	rejected uint64 // points, of an accepted request
	wait     int64  // ns: what the receiver asks for, at least; 0: it does not say
	unsure   bool   // again: the receiver may have stored it all the same
	why      string // for people; empty where all is well
}

// ofStatus judges the status of an HTTP answer. Stored data is never given up for
// what somebody may put right: a wrong address, a missing right, an expired token.
func ofStatus(status int, wait int64, says string) answer {
	why := fmt.Sprintf("HTTP %d: %.200s", status, says)
	switch {
	case status >= 200 && status < 300:
		return answer{verdict: accepted}
	case status == 400 || status == 422:
		return answer{verdict: refused, why: why}
	case status == 413:
		return answer{verdict: tooLarge, why: why}
	case status == 408 || status >= 500:
		return answer{verdict: again, wait: wait, unsure: status != 503, why: why}
	default: // 401, 403, 404, 429 …
		return answer{verdict: again, wait: wait, why: why}
	}
}

// Codes of gRPC.
const (
	grpcInvalidArgument   = 3
	grpcDeadline          = 4
	grpcResourceExhausted = 8
	grpcFailed            = 9
	grpcOutOfRange        = 11
	grpcUnimplemented     = 12
	grpcUnauthenticated   = 16
	grpcPermissionDenied  = 7
)

// ofCode judges the status of a gRPC answer.
func ofCode(code int, hasWait bool, wait int64, says string) answer {
	why := fmt.Sprintf("gRPC %d: %.200s", code, says)
	switch code {
	case 0:
		return answer{verdict: accepted}
	case grpcInvalidArgument, grpcFailed:
		return answer{verdict: refused, why: why}
	case grpcResourceExhausted:
		if !hasWait { // the specification: not for want of time, so of size
			return answer{verdict: tooLarge, why: why}
		}
		return answer{verdict: again, wait: wait, why: why}
	case grpcUnimplemented, grpcUnauthenticated, grpcPermissionDenied:
		return answer{verdict: again, why: why}
	default:
		return answer{verdict: again, wait: wait, unsure: true, why: why}
	}
}
