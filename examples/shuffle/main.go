// Command shuffle is the task of ShuffleBench (Henning, Vogel, Leichtfried, Ertl, Rabiser:
// ShuffleBench, a benchmark for large-scale data shuffling operations with distributed
// stream processing frameworks): many consumers, each with a rule, are interested in some
// of the records. A record goes to all that it matches, whichever process holds their
// state; a consumer folds what it gets, and tells of it now and then.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log"
	"os/signal"
	"syscall"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/store/pebble"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

const (
	consumers = 10_000
	frequent  = 10 // of so many consumers each has one chance to match
	tellEvery = 10 // records of a consumer
)

var (
	records = topology.NewTopic("shuffle-records", serde.Bytes, serde.Bytes)
	results = topology.NewTopic("shuffle-results", serde.Int32, tally{})
	matched = topology.NewRepartition("matched", serde.Int32, serde.Bytes)
	tallies = store.KeyValue("tallies", serde.Int32, tally{})
)

// A Tally is a consumer's state.
type Tally struct {
	Records  int64
	Checksum uint32
}

// matches calls emit for the consumers that are interested in a record: as many as its
// hash says, and which.
func matches(_, record []byte, emit func(int32, []byte)) {
	h := crc32.ChecksumIEEE(record)
	for n := h % frequent; n > 0; n-- {
		h = h*1664525 + 1013904223
		emit(int32(h%consumers), record)
	}
}

func build() *topology.Builder {
	b := topology.New()
	b.From(records).
		FlatMap(matches).
		Repartition(matched).
		Aggregate(tallies, func(t Tally, _ int32, record []byte) Tally {
			return Tally{t.Records + 1, crc32.Update(t.Checksum, crc32.IEEETable, record)}
		}).
		Stream().
		Filter(func(_ int32, t Tally) bool { return t.Records%tellEvery == 0 }).
		To(results)
	return b
}

// tally is the serde of a Tally: two numbers, twelve bytes.
type tally struct{}

func (tally) Append(dst []byte, t Tally) ([]byte, error) {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(dst, uint64(t.Records)), t.Checksum), nil
}

var errSize = errors.New("a tally has twelve bytes")

func (tally) Decode(src []byte) (Tally, error) {
	if len(src) != 12 {
		return Tally{}, errSize
	}
	return Tally{int64(binary.BigEndian.Uint64(src)), binary.BigEndian.Uint32(src[8:])}, nil
}

func run(ctx context.Context) error {
	t, err := build().Build()
	if err != nil {
		return err
	}
	app, err := streams.New(t, streams.Config{
		Application: "shuffle",
		Brokers:     []string{"localhost:9092"},
		State:       streams.State{Dir: "data", Engine: openState},
	})
	if err != nil {
		return err
	}
	return app.Run(ctx)
}

func openState(dir string) (store.Engine, error) { return pebble.Open(dir, pebble.Options{}) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}
