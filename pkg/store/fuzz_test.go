package store_test

import (
	"errors"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// FuzzChangelog restores stores of every kind from any record of a changelog, and does
// with it what a start and a task do: tells its forms, decodes it, reads it through the
// view. Bytes that are none of leat's are an error and never a panic, and what serdes let
// pass at a start they can read.
func FuzzChangelog(f *testing.F) {
	for _, key := range []string{"k", "k\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x07\x01k", "\x01\x00\x00\x00\x00\x00\x00\x00\x07k\x00\x00\x00\x01", "\x00\x00\x00\x01fl"} {
		for _, value := range []string{"\x01v", "\x01\x00\x00\x00\x01\x00\x00\x00\x02\x01\x01v", string(wire.AppendBuffered(nil, wire.Buffered{New: []byte("\x01v")})) + "12345678"} {
			f.Add([]byte(key), []byte(value))
		}
	}
	values := serde.Versioned(1, serde.String)
	join := store.Join("j", serde.String, values, values)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if value == nil {
			value = []byte{}
		}
		rows := store.KeyValue("s", serde.String, values)
		check(t, rows, key, value, func(sc *scene) error { return drain(rows.Open(sc).All()) })
		lru := store.LRU("s", 2, serde.String, values)
		check(t, lru, key, value, func(sc *scene) error { return drain(lru.Open(sc).All()) })
		windows := store.Window("s", serde.String, values).Retention(time.Hour).Sized(60_000)
		check(t, windows, key, value, func(sc *scene) error { return drain(windows.Open(sc).All()) })
		sessions := store.Session("s", serde.String, values).Retention(time.Hour)
		check(t, sessions, key, value, func(sc *scene) error { return drain(sessions.Open(sc).All()) })
		versions := store.Versioned("s", serde.String, values, time.Hour)
		check(t, versions, key, value, func(sc *scene) error {
			return drain(versions.Open(sc).Versions(string(key), time.UnixMilli(0), time.UnixMilli(math.MaxInt64)))
		})
		buffer := store.Buffer("s", serde.String, values)
		check(t, buffer, key, value, func(sc *scene) error {
			_, err := buffer.Open(sc).Release(func(int64) bool { return true }, func(store.Buffered[string, string]) error { return nil }, func(store.Fill) {})
			return err
		})
		queue := store.Queue("s", serde.String, values)
		check(t, queue, key, value, func(sc *scene) error {
			_, err := queue.Open(sc).Release(0, math.MaxInt64-1, 1, func(_, _ string, _ wire.Context) error { return nil })
			return err
		})
		singles := join.Singles(store.OuterBoth)
		check(t, singles, key, value, func(sc *scene) error {
			due := store.Due{Until: [2]int64{math.MaxInt64, math.MaxInt64}}
			_, err := singles.Open(sc).Release(&due, 1, func(store.Single[string, string, string]) error { return nil })
			return err
		})
		asks := store.SubscriptionStore("s", func(string) (serde.Serde[string], serde.Serde[string]) { return values, serde.String })
		check(t, asks, key, value, func(sc *scene) error { return drain(asks.Open(sc).All()) })
	})
}

// check restores a store from one record, and reads it. A start that takes it must not be
// wrong.
func check(t *testing.T, d store.Descriptor, key, value []byte, read func(*scene) error) {
	t.Helper()
	sc, serdes := newScene(t, d), d.Spec().Serdes
	if forms := serdes.Forms("c"); forms != nil {
		sc.s.KeepForms(forms)
	}
	r, err := state.NewRestorer(sc.s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Apply(key, value, 1) != nil {
		return
	}
	if err := r.Write(engine.Position{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	start := sc.s.Readable()
	if err := read(sc); err != nil && start == nil && !errors.Is(err, wire.ErrFormat) { // what is around the serdes' bytes is not theirs
		t.Errorf("%T of %q=%q: %v, and a start takes it", d, key, value, err)
	}
}

func drain[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}
