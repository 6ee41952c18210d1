package simulator

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"weir/schemas"
	"weir/simulator/plan"
)

// Pump plays the pump of package plan over NATS, a reading a second, until ctx ends. No truth is kept of it. While the
// server is away what it would say is lost. The error is one of the URL.
func Pump(ctx context.Context, url, tenant string) error {
	conn, err := nats.Connect(url, nats.Name(plan.PumpName), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		return fmt.Errorf("connect %s to %s: %w", plan.PumpName, url, err)
	}
	defer conn.Close()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	subject := schemas.Telemetry(tenant, plan.PumpName, schemas.Metrics)
	for n := int64(0); ; n++ {
		_ = conn.Publish(subject, plan.PumpReading(n)) // it fails without a connection, for nobody to miss
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
