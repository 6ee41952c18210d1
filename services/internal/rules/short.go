package rules

import (
	"context"
	"fmt"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxValue is how large a value may be that a rule sets, in bytes: a rule must not
// be able to double one again and again.
const maxValue = 64 << 10

// short is a place that takes no value larger than maxValue.
type short[K any] struct{ ottl.GetSetter[K] }

// Set implements ottl.Setter.
func (s short[K]) Set(ctx context.Context, item K, value any) error {
	if room(maxValue, value) < 0 {
		return fmt.Errorf("the value to be set has more than %d bytes", maxValue)
	}
	return s.GetSetter.Set(ctx, item, value)
}

// room is what of some bytes a value leaves, about; below 0 it stops looking.
func room(left int, value any) int {
	switch v := value.(type) {
	case string:
		return left - len(v)
	case []byte:
		return left - len(v)
	case []any:
		return roomOf(left, v)
	case []string:
		return roomOf(left, v)
	case map[string]any:
		for key, e := range v {
			if left = room(left-len(key)-16, e); left < 0 {
				break
			}
		}
	case pcommon.Map:
		for key, e := range v.All() {
			if left = room(left-len(key)-16, e); left < 0 {
				break
			}
		}
	case pcommon.Slice:
		for _, e := range v.All() {
			if left = room(left-16, e); left < 0 {
				break
			}
		}
	case pcommon.Value:
		return roomBeside(left, v)
	}
	return left
}

func roomOf[T any](left int, all []T) int {
	for i := range all {
		if left = room(left-16, all[i]); left < 0 {
			break
		}
	}
	return left
}

// roomBeside is room of a value as pdata has it.
func roomBeside(left int, v pcommon.Value) int {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return left - len(v.Str())
	case pcommon.ValueTypeBytes:
		return left - v.Bytes().Len()
	case pcommon.ValueTypeMap:
		return room(left, v.Map())
	case pcommon.ValueTypeSlice:
		return room(left, v.Slice())
	}
	return left
}
