package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"weir/schemas"
)

// ErrorHeader is the header of a reply that says why a whole message was refused.
const ErrorHeader = "Weir-Error"

// reply is the answer to a NATS request.
type reply struct {
	Records   int        `json:"records"`   // in the message
	Journaled int        `json:"journaled"` // of them, now in the journal
	Rejected  []rejected `json:"rejected,omitempty"`
}

// rejected says how many records were refused for a reason, and the index of
// the first reading that it concerns.
type rejected struct {
	Reason schemas.Reason `json:"reason"`
	N      int            `json:"n"`
	At     int            `json:"at"`
}

// refusedReply is the answer to a request of which nothing was looked at.
type refusedReply struct {
	Error  schemas.Reason `json:"error"`
	Detail string         `json:"detail"`
}

// answerOf makes the answer to a message of which taken records go into a frame.
func answerOf(in *arrival, m *message, taken int) answer {
	a := answer{to: in.to, id: in.packet.ID}
	if taken == 0 {
		a.why = m.why()
	}
	if in.text {
		a.why, a.text = m.fault, replyText(m, taken)
	}
	return a
}

// why is the reason that speaks for a message of which nothing was taken.
func (m *message) why() schemas.Reason {
	if m.fault == "" && len(m.refused) > 0 {
		return m.refused[0].reason
	}
	return m.fault
}

func replyText(m *message, taken int) []byte {
	if m.fault != "" {
		return encode(refusedReply{m.fault, m.detail})
	}
	return encode(reply{m.records(), taken, byReason(m.refused)})
}

// byReason sums refusals up by reason, in the order in which the reasons came.
func byReason(refused []refusal) []rejected {
	var sum []rejected
next:
	for _, r := range refused {
		for i := range sum {
			if sum[i].Reason == r.reason {
				sum[i].N += r.n
				sum[i].At = min(sum[i].At, r.at)
				continue next
			}
		}
		sum = append(sum, rejected{r.reason, r.n, r.at})
	}
	return sum
}

// encode is v as JSON, with <, > and & as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("BUG: encode %+v: %v", v, err))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
