package console

import (
	"context"
	"errors"
	"fmt"

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
	// CheckKey says what is wrong with the key of a document.
	CheckKey func(key string) error
	// Layers are the keys whose documents make the effective one of a key, lowest
	// first, the key itself last.
	Layers func(key string) []string
	// Copy says that the tier above decides: nothing is stored here.
	Copy bool
}

// Key and history of the bucket of documents.
const (
	defaultKey    = "default"
	policyHistory = 20
)

// invalidError says that a document was not stored because it is not valid.
type invalidError struct{ error }

// stored is the document of a key. ErrNone: there is none.
func (s *Service) stored(ctx context.Context, key string) (bus.Entry, error) {
	if err := s.cfg.Policy.CheckKey(key); err != nil {
		return bus.Entry{}, questionError{err}
	}
	bucket, err := s.bus.Bucket(ctx, schemas.BucketPolicy, policyHistory)
	if err != nil {
		return bus.Entry{}, err
	}
	return bucket.Get(ctx, key)
}

// effective is the document that results for a key from it and all layers below,
// with every default written out.
func (s *Service) effective(ctx context.Context, key string) ([]byte, error) {
	document := s.cfg.Policy.BuiltIn
	for _, layer := range s.cfg.Policy.Layers(key) {
		e, err := s.stored(ctx, layer)
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

// store puts a document in force, if it is valid on top of the layers below it.
func (s *Service) store(ctx context.Context, key string, document []byte) (revision uint64, err error) {
	if err := s.cfg.Policy.CheckKey(key); err != nil {
		return 0, questionError{err}
	}
	if s.cfg.Policy.Copy {
		return 0, questionError{fmt.Errorf("policy key %s: this process keeps a copy of what the tier above says: set it at the center", key)}
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
