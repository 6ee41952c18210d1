package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"weir/schemas"
)

// Notice is what a webhook gets.
type Notice struct {
	Version  int                  `json:"version"` // of this format: 1
	ID       string               `json:"id"`      // the same when it is sent again
	Receiver string               `json:"receiver"`
	Group    map[string]string    `json:"group"`    // what the findings have in common, by group_by
	Status   string               `json:"status"`   // open, or closed where none of the findings goes on
	Severity string               `json:"severity"` // the greatest of the findings
	Findings []schemas.FindingRow `json:"findings"` // as weir findings -o json shows them
	More     int                  `json:"more"`     // findings of the group that the next message brings
}

// notice is the body of a message.
func (m *message) notice(receiver string) []byte {
	n := Notice{Version: 1, ID: m.id, Receiver: receiver, Group: m.group, Status: schemas.FindingClosed.String(), More: m.more}
	worst := schemas.Notice
	for i := range m.items {
		it := &m.items[i]
		worst = max(worst, it.severity)
		if it.row.Open() {
			n.Status = schemas.FindingOpen.String()
		}
		n.Findings = append(n.Findings, it.row)
	}
	n.Severity = worst.String()
	b, err := json.Marshal(n)
	if err != nil {
		panic("BUG: encode a notice: " + err.Error())
	}
	return b
}

// Headers of a notice.
const (
	idHeader        = "Weir-Notice"
	timestampHeader = "Weir-Timestamp"
	signatureHeader = "Weir-Signature"
)

// Sign is the value of the header Weir-Signature: sha256= and the HMAC-SHA256, in hex,
// of the value of Weir-Timestamp (Unix seconds), a dot, and the body.
func Sign(secret []byte, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(strconv.FormatInt(timestamp, 10)))
	mac.Write([]byte("."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
