package exporter

import (
	"encoding/json"
	"fmt"
)

// record is what an exporter remembers under its name, in one write: how far it
// has sent, what it may have sent beyond, and where its state is.
//
// A batch is written here before it is sent (Begun) and stands as sent (Sent) with
// the record of the next one, or at once when none follows. So a crash leaves at
// most one batch of which nobody knows whether it has arrived, and it is made and
// sent again just as it was: the same points from the same messages, cut at Begun.
type record struct {
	Version int    `json:"v"`
	Sent    uint64 `json:"sent"`            // everything up to this sequence of the outbox is sent
	Begun   uint64 `json:"begun,omitempty"` // the batch up to here may be, too; 0: none is on its way
	Resting bool   `json:"resting,omitempty"`
	Setup   string `json:"setup"` // what the sums depend on; other sums begin anew
	State   *saved `json:"state,omitempty"`

	Points   uint64 `json:"points"`   // accepted
	Rejected uint64 `json:"rejected"` // refused by the receiver for good
	Repeated uint64 `json:"repeated"` // sent again though they may have been stored
	Resets   uint64 `json:"resets"`   // times that sums began anew because what they held was lost
	Ledger   ledger `json:"records"`
	Logs     uint64 `json:"logs"` // log records accepted

	LogsRejected uint64 `json:"logs_rejected,omitempty"` // refused by the receiver for good
	LogsRepeated uint64 `json:"logs_repeated,omitempty"` // sent again though they may have been stored
}

// saved is a state in the stream of checkpoints.
type saved struct {
	At   uint64   `json:"at"` // sequence of the outbox that it includes
	Seqs []uint64 `json:"seqs"`
	Hash uint64   `json:"hash,string"`
}

const recordVersion = 1

func (r *record) encode() []byte {
	r.Version = recordVersion
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("BUG: encode the record of an exporter: %v", err))
	}
	return b
}

func decodeRecord(b []byte) (record, error) {
	var r record
	err := json.Unmarshal(b, &r)
	if err == nil && r.Version > recordVersion {
		err = fmt.Errorf("it is of version %d, and this program knows %d: start a newer program", r.Version, recordVersion)
	}
	return r, err
}

// needs is the first sequence of the outbox that the exporter still has to read
// after a restart.
func (r *record) needs() uint64 {
	if r.State != nil {
		return r.State.At + 1
	}
	return 0 // from its beginning: what is open is nowhere else
}
