package rules

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	f "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
)

// functionsOf are the functions of OTTL that rules may use, for items of type K.
func functionsOf[K any](more ...ottl.Factory[K]) map[string]ottl.Factory[K] {
	return ottl.CreateFactoryMap(append(more,
		// Editors. Those are left out that make several values longer at once.
		bounded(f.NewSetFactory[K]()),
		bounded(fixed(f.NewReplacePatternFactory[K]())),
		f.NewDeleteKeyFactory[K](), f.NewKeepKeysFactory[K](), f.NewLimitFactory[K](), f.NewTruncateAllFactory[K](),
		fixed(f.NewDeleteMatchingKeysFactory[K]()), fixed(f.NewKeepMatchingKeysFactory[K]()),

		// Converters. Left out: what asks for the time or makes something up (Now, UUID),
		// and what reads whole formats (XML, grok, user agents).
		fixed(f.NewIsMatchFactory[K]()), fixed(f.NewExtractPatternsFactory[K]()),
		f.NewHasPrefixFactory[K](), f.NewHasSuffixFactory[K](), f.NewContainsValueFactory[K](), f.NewIndexFactory[K](), f.NewLenFactory[K](),
		f.NewIsBoolFactory[K](), f.NewIsDoubleFactory[K](), f.NewIsIntFactory[K](), f.NewIsListFactory[K](), f.NewIsMapFactory[K](), f.NewIsStringFactory[K](),
		f.NewIsInCIDRFactory[K](),
		f.NewDoubleFactory[K](), f.NewIntFactory[K](), f.NewStringFactory[K](), f.NewHexFactory[K](),
		f.NewConcatFactory[K](), f.NewConvertCaseFactory[K](), f.NewSplitFactory[K](), f.NewSubstringFactory[K](), f.NewTrimFactory[K](),
		f.NewTrimPrefixFactory[K](), f.NewTrimSuffixFactory[K](), f.NewToLowerCaseFactory[K](), f.NewToUpperCaseFactory[K](),
		f.NewFnvFactory[K](), f.NewSHA256Factory[K](),
		f.NewDurationFactory[K](), f.NewHoursFactory[K](), f.NewMinutesFactory[K](), f.NewSecondsFactory[K](), f.NewMillisecondsFactory[K](),
		f.NewMicrosecondsFactory[K](), f.NewNanosecondsFactory[K](), f.NewUnixFactory[K](),
		f.NewSpanIDFactory[K](), f.NewTraceIDFactory[K](),
	)...)
}

// errLoose refuses a pattern that data would choose.
var errLoose = errors.New("the pattern must be text in quotes")

// fixed makes a function refuse patterns that are not known when it is compiled.
func fixed[K any](of ottl.Factory[K]) ottl.Factory[K] {
	return ottl.NewFactory(of.Name(), of.CreateDefaultArguments(), func(c ottl.FunctionContext, args ottl.Arguments) (ottl.ExprFunc[K], error) {
		for _, name := range [...]string{"Pattern", "RegexPattern"} {
			pattern, is := field(args, name).(ottl.StringGetter[K])
			if !is {
				continue
			}
			if _, known := ottl.GetLiteralValue[K, string](pattern); !known {
				return nil, errLoose
			}
		}
		return of.CreateFunction(c, args)
	})
}

// field is a field of a function's arguments; nil: there is none.
func field(args ottl.Arguments, name string) any {
	if v := reflect.ValueOf(args).Elem().FieldByName(name); v.IsValid() {
		return v.Interface()
	}
	return nil
}

// bounded makes a function refuse to set a value that is too long.
func bounded[K any](of ottl.Factory[K]) ottl.Factory[K] {
	return ottl.NewFactory(of.Name(), of.CreateDefaultArguments(), func(c ottl.FunctionContext, args ottl.Arguments) (ottl.ExprFunc[K], error) {
		target, is := field(args, "Target").(ottl.GetSetter[K])
		if !is {
			return nil, fmt.Errorf("%s sets nothing that can be bounded", of.Name())
		}
		reflect.ValueOf(args).Elem().FieldByName("Target").Set(reflect.ValueOf(short[K]{target}))
		return of.CreateFunction(c, args)
	})
}
