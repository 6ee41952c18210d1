package console

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Language is what the console must know of the language of policy documents.
type Language struct {
	// BuiltIn is the document on which the first layer is put.
	BuiltIn []byte
	// Merge puts a layer on top of a document.
	Merge func(document, layer []byte) ([]byte, error)
	// Check says what is wrong with a whole document, naming the field, or returns
	// it with every default written out.
	Check func(document []byte) ([]byte, error)
}

// Keys and history of the bucket of documents.
const (
	defaultKey     = "default"
	agentKeyPrefix = "agent."
	policyHistory  = 20
)

// invalidError says that a document was not stored because it is not valid.
type invalidError struct{ error }

// checkKey says what is wrong with the key of a document.
func checkKey(key string) error {
	agent, isAgent := strings.CutPrefix(key, agentKeyPrefix)
	if key == defaultKey || isAgent && schemas.ValidName(agent) {
		return nil
	}
	return questionError{fmt.Errorf("policy key %.100q: use %s or %sNAME", key, defaultKey, agentKeyPrefix)}
}

// stored is the document of a key. ErrNone: there is none.
func stored(ctx context.Context, b *bus.Bus, key string) (bus.Entry, error) {
	if err := checkKey(key); err != nil {
		return bus.Entry{}, err
	}
	bucket, err := b.Bucket(ctx, schemas.BucketPolicy, policyHistory)
	if err != nil {
		return bus.Entry{}, err
	}
	return bucket.Get(ctx, key)
}

// effective is the document that results for a key from it and all layers below,
// with every default written out.
func (s *Service) effective(ctx context.Context, key string) ([]byte, error) {
	document := s.cfg.Policy.BuiltIn
	for _, layer := range layersOf(key) {
		e, err := stored(ctx, s.bus, layer)
		if errors.Is(err, bus.ErrNone) {
			continue
		}
		if err == nil {
			document, err = s.cfg.Policy.Merge(document, e.Value)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.cfg.Policy.Check(document)
}

// layersOf lists the keys whose documents make the effective one, lowest first.
func layersOf(key string) []string {
	if key == defaultKey {
		return []string{defaultKey}
	}
	return []string{defaultKey, key}
}

// store puts a document in force, if it is valid on top of the layers below it.
func (s *Service) store(ctx context.Context, key string, document []byte) (revision uint64, err error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	below := s.cfg.Policy.BuiltIn
	if key != defaultKey {
		if below, err = s.effective(ctx, defaultKey); err != nil {
			return 0, err
		}
	}
	whole, err := s.cfg.Policy.Merge(below, document)
	if err == nil {
		_, err = s.cfg.Policy.Check(whole)
	}
	if err != nil {
		return 0, invalidError{err}
	}
	bucket, err := s.bus.Bucket(ctx, schemas.BucketPolicy, policyHistory)
	if err != nil {
		return 0, err
	}
	return bucket.Put(ctx, key, document)
}
