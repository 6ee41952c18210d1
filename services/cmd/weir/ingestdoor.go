package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/schemas"
	"weir/services/ingest"
	"weir/services/internal/bus"
	"weir/services/internal/meter"
)

// ingestDoor is ingest with what it needs of the bus: a journal whose bytes are
// metered, what devices publish, and questions to answer.
type ingestDoor struct {
	*ingest.Service
	bus     *bus.Bus
	journal *journal
	log     *slog.Logger
}

// Run runs ingest, meters the journal and answers until ingest has ended.
func (d ingestDoor) Run(ctx context.Context) error {
	if err := bus.Await(ctx, d.log, func() error { return d.journal.open(ctx) }); err != nil {
		return err
	}
	for subject, answer := range map[string]func(context.Context, []byte) (any, error){
		schemas.AskIngest: func(context.Context, []byte) (any, error) { return d.Status(), nil },
		schemas.Ask("ingest", "devices"): func(_ context.Context, agent []byte) (any, error) {
			return d.refusedDevices(string(agent)), nil
		},
	} {
		stop, err := d.bus.Answer(ctx, subject, d.log, answer)
		if err != nil {
			return fmt.Errorf("answer questions: %w", err)
		}
		defer stop()
	}
	metering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var joined sync.WaitGroup
	joined.Go(func() { d.journal.follow(metering, d.log) })
	defer joined.Wait()
	defer cancel()
	return d.Service.Run(ctx)
}

// refusedDevices are the devices of an agent of which something was refused:
// what was not is the aggregator's to tell.
func (d ingestDoor) refusedDevices(agent string) []ingest.DeviceStatus {
	return slices.DeleteFunc(d.Devices(agent), func(s ingest.DeviceStatus) bool { return len(s.Rejected) == 0 })
}

// journal is the bus as ingest appends to it.
type journal struct {
	*bus.Bus
	meter *meter.Meter // set by open, before ingest runs
}

// open reads what the journal holds.
func (j *journal) open(ctx context.Context) error {
	u, err := j.Usage(ctx, schemas.StreamJournal, schemas.JournalAll)
	if err == nil {
		j.meter = meter.New(u)
	}
	return err
}

// Append appends and notes the bytes.
func (j *journal) Append(ctx context.Context, subject string, data []byte, after uint64) (uint64, error) {
	seq, err := j.Bus.Append(ctx, subject, data, after)
	if err == nil {
		j.meter.Stored(subject, seq, len(data))
	}
	return seq, err
}

// used is how many bytes an agent's frames take.
func (j *journal) used(agent string) int64 { return j.meter.Bytes(schemas.Journal(agent)) }

// Time between two looks at how far the journal is purged. What has gone counts until
// then, which matters where room is short.
const (
	followEvery  = time.Second
	followSeldom = 5 * time.Second // while it is less than a quarter full
)

// followAgain is how long to wait when the journal was seen like that.
func followAgain(u bus.Usage) time.Duration {
	if 4*u.Bytes < u.MaxBytes {
		return followSeldom
	}
	return followEvery
}

// follow looks at how far the journal is purged until ctx ends.
func (j *journal) follow(ctx context.Context, log *slog.Logger) {
	wait := time.NewTimer(followEvery)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		u, err := j.Usage(ctx, schemas.StreamJournal, "")
		if err == nil {
			j.meter.Purged(u.FirstSeq)
		} else if ctx.Err() == nil {
			log.Warn("size of the journal is not known", "err", err)
		}
		wait.Reset(followAgain(u))
	}
}

// telemetry is the bus as devices publish to it.
type telemetry struct{ bus *bus.Bus }

// Subscribe hands over what devices publish.
func (t telemetry) Subscribe(subject string, pendingBytes int, handle func(ingest.Message)) (stop func(), err error) {
	return t.bus.Subscribe(subject, pendingBytes, func(r bus.Request) {
		m := ingest.Message{Subject: r.Subject, Data: r.Data, Expires: expires(r)}
		if r.WantsReply() {
			m.Reply = r.Reply
		}
		handle(m)
	})
}

// expiresHeader says how long a command is of use, as a duration like 30s.
const expiresHeader = "Weir-Expires"

// expires is what a message says of that; 0: nothing, or nothing that can be read.
func expires(r bus.Request) time.Duration {
	d, err := time.ParseDuration(r.Header(expiresHeader))
	if err != nil || d < 0 {
		return 0
	}
	return d
}
