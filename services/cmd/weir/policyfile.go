package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/policy"
)

// checkDefault says what is wrong with a document for the key default.
func checkDefault(document []byte) error {
	whole, err := language.Merge(language.BuiltIn, document)
	if err == nil {
		_, err = language.Check(whole)
	}
	return err
}

// putDefault makes document the default in KV, if it differs from what is there. What
// it does may be done again.
func putDefault(ctx context.Context, b *bus.Bus, document []byte) error {
	bucket, err := b.Bucket(ctx, schemas.BucketPolicy, policy.History)
	if err != nil {
		return err
	}
	there, err := bucket.Get(ctx, policy.DefaultKey)
	if err != nil && !errors.Is(err, bus.ErrNone) {
		return err
	}
	if err == nil && bytes.Equal(there.Value, document) {
		return nil
	}
	if _, err = bucket.Put(ctx, policy.DefaultKey, document); err != nil {
		return fmt.Errorf("store --policy: %w", err)
	}
	return nil
}
