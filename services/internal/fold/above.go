package fold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weir/schemas"
)

// Above is what the tier above knows of a producer.
type Above struct {
	Known []schemas.LinkEpoch // epochs of which it has applied entries and that have not ended
	Ended bool                // the epoch asked about has
}

// Asker is a way to the tier above. *bus.Sender is one.
type Asker interface {
	Ask(ctx context.Context, subject string, data []byte) ([]byte, error)
}

// oneAnswer bounds the wait for one answer: several may be waited for.
const oneAnswer = time.Second

var errAbove = errors.New("the answer does not fit the question")

// AskAbove asks the owner of an agent's partition, in the region above, what it knows
// of the agent.
func AskAbove(ctx context.Context, up Asker, region, agent string, e schemas.Epoch) (a Above, err error) {
	ctx, cancel := context.WithTimeout(ctx, oneAnswer)
	defer cancel()
	data, err := json.Marshal(schemas.LinkReport{Producer: agent, Epoch: e.String()})
	if err != nil {
		return a, err
	}
	data, err = up.Ask(ctx, schemas.Link(region, schemas.Partition(agent), agent), data)
	if err != nil {
		return a, err
	}
	var g schemas.LinkGrant
	if err := json.Unmarshal(data, &g); err != nil {
		return a, fmt.Errorf("ask region %s of %s: %w", region, agent, err)
	}
	if g.Epoch != e.String() {
		return a, fmt.Errorf("ask region %s of %s: %w: epoch %q, asked for %q", region, agent, errAbove, g.Epoch, e)
	}
	return Above{Known: g.Known, Ended: g.Ended}, nil
}
