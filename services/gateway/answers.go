package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/schemas"
	"weir/services/internal/bus"
)

// question is one that every partition of a tier answers. Whichever gateway is
// asked for the tier answers for all: what it does not own it asks the owner of
// the partition for.
type question[T any] struct {
	*Service
	what string // names it in subjects of partitions
	own  func(p *post, ctx context.Context, wall int64) ([]T, error)
}

func (s *Service) checkQuestion() question[schemas.GatewayCheck] {
	return question[schemas.GatewayCheck]{s, "gateway.check", (*post).checks}
}

func (s *Service) ledgerQuestion() question[schemas.AgentLedger] {
	return question[schemas.AgentLedger]{s, "gateway.ledger", (*post).ledgers}
}

func (s *Service) findingQuestion() question[schemas.FindingReport] {
	return question[schemas.FindingReport]{s, "gateway.findings", (*post).found}
}

// stops end subscriptions.
type stops []func()

func (s stops) all() {
	for _, stop := range s {
		stop()
	}
}

// answerTier answers for the tier until stop is called.
func (s *Service) answerTier(ctx context.Context) (stop func(), err error) {
	var open stops
	for subject, answer := range map[string]func(context.Context, []byte) (any, error){
		schemas.AskGatewayOf(s.cfg.Tier): s.checkQuestion().answer,
		schemas.AskLedgerOf(s.cfg.Tier):  s.ledgerQuestion().answer,
		schemas.AskFindings(s.cfg.Tier):  s.findingQuestion().answer,
	} {
		f, err := s.bus.Answer(ctx, subject, s.log, answer)
		if err != nil {
			return open.all, err
		}
		open = append(open, f)
	}
	return open.all, nil
}

// answerPartition answers for a partition of a post, where others may ask.
func (s *Service) answerPartition(ctx context.Context, p *post, name string, open *stops) error {
	if s.cfg.Leases == nil {
		return nil
	}
	checks, ledgers, found := s.checkQuestion(), s.ledgerQuestion(), s.findingQuestion()
	for subject, answer := range map[string]func(context.Context, []byte) (any, error){
		schemas.Ask(checks.what, name):  func(ctx context.Context, _ []byte) (any, error) { return p.checks(ctx, s.wall()) },
		schemas.Ask(ledgers.what, name): func(ctx context.Context, _ []byte) (any, error) { return p.ledgers(ctx, s.wall()) },
		schemas.Ask(found.what, name):   func(ctx context.Context, _ []byte) (any, error) { return p.found(ctx, s.wall()) },
	} {
		f, err := s.bus.Answer(ctx, subject, s.log, answer)
		if err != nil {
			return err
		}
		*open = append(*open, f)
	}
	return nil
}

// answer answers for all partitions of the tier.
func (q question[T]) answer(ctx context.Context, _ []byte) (any, error) {
	out := []T{}
	served := map[string]bool{}
	for _, p := range q.serving() {
		mine, err := q.own(p, ctx, q.wall())
		if err != nil && q.cfg.Leases == nil {
			return nil, err
		}
		for _, name := range p.producers() {
			served[name] = true
		}
		out = append(out, mine...)
	}
	if q.cfg.Leases == nil {
		return out, nil
	}
	others, err := q.askOthers(ctx, served)
	return append(out, others...), err
}

// askWithin bounds the question to another gateway.
const askWithin = time.Second

// askOthers asks the owners of the partitions that this gateway does not serve.
// One that is just changing hands has none, and is left out.
func (q question[T]) askOthers(ctx context.Context, served map[string]bool) (out []T, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var g errgroup.Group
	answers := make([][]T, q.cfg.partitions())
	for i := range answers {
		if name := schemas.Producer(q.cfg.Inbox.Region, i); !served[name] {
			g.Go(func() (err error) { answers[i], err = q.askOne(ctx, name); return err })
		}
	}
	err = g.Wait()
	for _, a := range answers {
		out = append(out, a...)
	}
	return out, err
}

func (q question[T]) askOne(ctx context.Context, name string) (out []T, err error) {
	data, err := q.bus.Ask(ctx, schemas.Ask(q.what, name), nil)
	if errors.Is(err, bus.ErrNone) || errors.Is(err, context.DeadlineExceeded) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s of partition %s: %w", q.what, name, err)
	}
	return out, nil
}
