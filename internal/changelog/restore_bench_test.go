package changelog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/store/pebble"
)

// BenchmarkRestore decodes four changelogs side by side, of records of 8 bytes of key and 8 of value, and takes them
// into stores: what a restore does but for the network. One operation is one record.
func BenchmarkRestore(b *testing.B) {
	const partitions, records = 4, 500_000
	for _, order := range []string{"ordered", "shuffled"} {
		answers := make([]answer, partitions)
		for p := range answers {
			answers[p] = changelogOf(int32(p), records, order == "shuffled")
		}
		engines := map[string]func(*testing.B) engine.Engine{
			"memory": func(*testing.B) engine.Engine { return memory.New() },
			"pebble": func(b *testing.B) engine.Engine {
				e, err := pebble.Open(b.TempDir(), pebble.Options{Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					b.Fatal(err)
				}
				return e
			},
		}
		for name, open := range engines {
			b.Run(order+"/"+name, func(b *testing.B) {
				for n := 0; n < b.N; n += partitions * records {
					eng := open(b)
					var wg sync.WaitGroup
					for _, a := range answers {
						wg.Go(func() { restoreAnswer(b, eng, a) })
					}
					wg.Wait()
					if err := eng.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

func restoreAnswer(b *testing.B, eng engine.Engine, a answer) {
	s, err := state.Open(eng, engine.Namespace{Store: "counts", Partition: a.Partition}, nil)
	if err != nil {
		b.Error(err)
		return
	}
	r, err := state.NewRestorer(s)
	if err != nil {
		b.Error(err)
		return
	}
	r.Loose = true
	d := decoder{Decompressor: kgo.DefaultDecompressor()}
	const gathers = 1 << 20 // bytes, as a restore does
	waits := 0
	err = d.each(a, func(batch Batch) error {
		for _, rec := range batch.Records {
			if err := r.Apply(rec.Key, rec.Value, rec.Time); err != nil {
				return err
			}
			waits += len(rec.Key) + len(rec.Value)
		}
		if waits < gathers && batch.Next < a.until {
			return nil
		}
		waits = 0
		return r.Write(engine.Position{Offset: batch.Next, Time: time.Now().UnixMilli()})
	})
	if err != nil {
		b.Error(err)
	}
}

// changelogOf makes a partition's record batches, of 500 records each.
func changelogOf(partition int32, records int, shuffled bool) answer {
	order := make([]int, records)
	for i := range order {
		order[i] = i
	}
	if shuffled {
		rand.New(rand.NewPCG(1, uint64(partition))).Shuffle(records, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	var raw []byte
	for first := 0; first < records; first += 500 {
		raw = appendBatch(raw, int64(first), order[first:min(first+500, records)])
	}
	return answer{TopicPartition: kafka.TopicPartition{Topic: "t", Partition: partition}, raw: raw, until: int64(records), next: int64(records), end: int64(records)}
}

func appendBatch(raw []byte, first int64, keys []int) []byte {
	at := len(raw)
	raw = binary.BigEndian.AppendUint64(raw, uint64(first))
	raw = binary.BigEndian.AppendUint32(raw, 0)
	raw = binary.BigEndian.AppendUint32(raw, 0)
	raw = append(raw, magic)
	raw = binary.BigEndian.AppendUint32(raw, 0)
	raw = binary.BigEndian.AppendUint16(raw, 0)
	raw = binary.BigEndian.AppendUint32(raw, uint32(len(keys)-1))
	raw = binary.BigEndian.AppendUint64(raw, 1_700_000_000_000)
	raw = binary.BigEndian.AppendUint64(raw, 1_700_000_000_000)
	raw = binary.BigEndian.AppendUint64(raw, 1)
	raw = binary.BigEndian.AppendUint16(raw, 0)
	raw = binary.BigEndian.AppendUint32(raw, uint32(first))
	raw = binary.BigEndian.AppendUint32(raw, uint32(len(keys)))
	var body []byte
	for i, k := range keys {
		body = append(body[:0], 0)
		body = binary.AppendVarint(body, int64(i%10))
		body = binary.AppendVarint(body, int64(i))
		body = binary.AppendVarint(body, 8)
		body = fmt.Appendf(body, "k%07d", k)
		body = binary.AppendVarint(body, 8)
		body = binary.BigEndian.AppendUint64(body, uint64(first)+uint64(i))
		body = binary.AppendVarint(body, 0)
		raw = binary.AppendVarint(raw, int64(len(body)))
		raw = append(raw, body...)
	}
	binary.BigEndian.PutUint32(raw[at+8:], uint32(len(raw)-at-batchPrefix))
	binary.BigEndian.PutUint32(raw[at+17:], crc32.Checksum(raw[at+crcFrom:], castagnoli))
	return raw
}
