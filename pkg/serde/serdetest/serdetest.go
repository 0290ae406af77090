// Package serdetest checks that a serde keeps the promises of serde.Serde. It
// knows nothing of what the bytes mean.
package serdetest

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
)

// Run checks s with each of samples, in subtests named after the promise. Give
// it ordinary values, the zero value and the extremes. Values are compared by
// their method Equal(T) bool if they have one, else by reflect.DeepEqual.
//
// Run it with the race detector too: one check uses s from several goroutines.
func Run[T any](t *testing.T, s serde.Serde[T], samples ...T) {
	t.Helper()
	RunFunc(t, s, equal[T], samples...)
}

// RunFunc is Run with values compared by equal, which is called from several
// goroutines.
func RunFunc[T any](t *testing.T, s serde.Serde[T], equal func(a, b T) bool, samples ...T) {
	t.Helper()
	if len(samples) == 0 {
		t.Fatal("serdetest: no samples to check with")
	}
	subject := &subject[T]{serde: s, equal: equal}
	for _, check := range subject.checks() {
		t.Run(check.promise, func(t *testing.T) {
			for i, v := range samples {
				if err := check.holds(v); err != nil {
					t.Errorf("sample %d, %v: %v", i, v, err)
				}
			}
		})
	}
}

// RunNull checks s with values that are null: Append returns nil for each of them, and
// for nothing else. It is for serdes of types that have a null of their own.
func RunNull[T any](t *testing.T, s serde.Serde[T], nulls ...T) {
	t.Helper()
	if len(nulls) == 0 {
		t.Fatal("serdetest: no nulls to check with")
	}
	subject := &subject[T]{serde: s}
	t.Run("is null", func(t *testing.T) {
		for i, v := range nulls {
			if err := subject.null(v); err != nil {
				t.Errorf("sample %d, %v: %v", i, v, err)
			}
		}
	})
}

func equal[T any](a, b T) bool {
	if e, ok := any(a).(interface{ Equal(T) bool }); ok && !isNil(a) {
		return e.Equal(b)
	}
	return reflect.DeepEqual(a, b)
}

// isNil tells values apart on which a method may not be callable.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// guard turns a panic of f into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
