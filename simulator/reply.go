package simulator

import (
	"encoding/json"
	"slices"

	"weir/schemas"
)

// everything stands for all records of a message.
const everything = -1

// reply is the product's answer to a request.
type reply struct {
	Error    string `json:"error"`
	Journal  *int64 `json:"journaled"`
	Rejected []struct {
		N int64 `json:"n"`
	} `json:"rejected"`
}

// verdict reads an answer: how many records of the request were refused for
// good, or whether to ask again, since the product is away or cannot take it now.
func verdict(status, reason string, body []byte) (refused int64, again bool) {
	var r reply
	if status != "" || json.Unmarshal(body, &r) != nil && reason == "" {
		return 0, true
	}
	if reason == "" {
		reason = r.Error
	}
	switch {
	case slices.Contains(schemas.RejectReasons, schemas.Reason(reason)):
		return everything, false
	case reason != "" || r.Journal == nil:
		return 0, true
	}
	for _, part := range r.Rejected {
		refused += part.N
	}
	return refused, false
}
