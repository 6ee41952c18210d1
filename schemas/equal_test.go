package schemas

import (
	"fmt"
	"reflect"
	"testing"
)

// equal reports whether two values are the same to the bit. Empty and nil slices are the same.
func equal(a, b any) bool { return repr(a) == repr(b) }

// repr writes a value with every float as its bits.
func repr(v any) string { return fmt.Sprint(render(reflect.ValueOf(v))) }

func render(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Float64:
		return fmt.Sprintf("%x", v.Float())
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return render(v.Elem())
	case reflect.Slice, reflect.Array:
		out := []any{}
		for i := range v.Len() {
			out = append(out, render(v.Index(i)))
		}
		return out
	case reflect.Struct:
		out := []any{}
		for i := range v.NumField() {
			out = append(out, v.Type().Field(i).Name, render(v.Field(i)))
		}
		return out
	}
	return v.Interface()
}

func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if !equal(got, want) {
		t.Fatalf("%s:\n got %s\nwant %s", what, repr(got), repr(want))
	}
}
