package changelog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/kafka"
)

// batchOpts say what a record batch is like.
type batchOpts struct {
	first    int64
	n        int32
	gap      int32 // offsets behind the last record that were compacted away
	producer int64
	attrs    int16
	codec    kgo.CompressionCodec
	marker   int16 // the type of the control record
}

// Codecs are costly to make.
var (
	decompressor = kgo.DefaultDecompressor()
	compressors  sync.Map // by kgo.CompressionCodec
)

func compressor(codec kgo.CompressionCodec) kgo.Compressor {
	c, ok := compressors.Load(codec)
	if !ok {
		made, err := kgo.DefaultCompressor(codec)
		if err != nil {
			panic(err)
		}
		c, _ = compressors.LoadOrStore(codec, made)
	}
	return c.(kgo.Compressor)
}

// rawBatch is a record batch as a broker sends it.
func rawBatch(o batchOpts) []byte {
	var records []byte
	for i := range o.n {
		r := kmsg.Record{OffsetDelta: i, TimestampDelta64: int64(i), Key: fmt.Appendf(nil, "%d", o.first+int64(i))}
		switch i % 3 {
		case 0:
			r.Value = []byte("value")
		case 1:
			r.Value = []byte{}
			r.Headers = []kmsg.Header{{Key: "h", Value: []byte("x")}, {Key: "", Value: nil}}
		}
		if o.attrs&control != 0 {
			r.Key = binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(o.marker))
		}
		body := r.AppendTo(nil)[1:] // the length is 0 here: one byte
		records = append(binary.AppendVarint(records, int64(len(body))), body...)
	}
	if o.codec != (kgo.CompressionCodec{}) {
		buf, used := compressor(o.codec).Compress(new(bytes.Buffer), records)
		records, o.attrs = slices.Clone(buf), o.attrs|int16(used)
	}
	b := kmsg.RecordBatch{
		FirstOffset: o.first, PartitionLeaderEpoch: 3, Magic: magic, Attributes: o.attrs, LastOffsetDelta: max(o.n, 1) - 1 + o.gap,
		FirstTimestamp: 1000, MaxTimestamp: 2000, ProducerID: o.producer, NumRecords: o.n, Records: records,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-batchPrefix))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[crcFrom:], castagnoli))
	return raw
}

// A script is a made-up log and the answer to a fetch of it.
func script(rng *rand.Rand) (sent kmsg.FetchResponseTopicPartition, from int64) {
	codecs := []kgo.CompressionCodec{kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	sent = kmsg.NewFetchResponseTopicPartition()
	at := rng.Int64N(100)
	from = at + rng.Int64N(20)
	open := map[int64]int64{} // producer -> first offset of its transaction
	for range rng.IntN(20) {
		o := batchOpts{first: at, n: rng.Int32N(6), gap: rng.Int32N(2), producer: rng.Int64N(3)}
		if rng.IntN(50) == 0 { // the race detector makes codecs slow
			o.codec = codecs[rng.IntN(len(codecs))]
		}
		switch first, in := open[o.producer]; {
		case in && rng.IntN(2) == 0:
			o.attrs, o.n, o.gap, o.codec, o.marker = transaction|control, 1, 0, kgo.CompressionCodec{}, int16(rng.IntN(2))
			delete(open, o.producer)
			if o.marker == abortControl && at >= from { // else it has ended before what is asked for
				a := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
				a.ProducerID, a.FirstOffset = o.producer, first
				sent.AbortedTransactions = append(sent.AbortedTransactions, a)
			}
		case rng.IntN(3) > 0:
			if o.attrs = transaction; !in {
				open[o.producer] = at
			}
		case rng.IntN(2) == 0 && !in:
			o.attrs = appendTime
		case in: // a transactional producer writes nothing else
			continue
		}
		raw := rawBatch(o)
		if at += int64(max(o.n, 1) + o.gap); at > from {
			sent.RecordBatches = append(sent.RecordBatches, raw...)
		}
		if rng.IntN(4) == 0 {
			at += rng.Int64N(10) // whole batches were compacted away
		}
	}
	stable := at
	for _, first := range open {
		stable = min(stable, first)
	}
	sent.LastStableOffset, sent.HighWatermark = stable, at
	sent.RecordBatches = sent.RecordBatches[:below(sent.RecordBatches, stable)]
	if rng.IntN(3) == 0 && len(sent.RecordBatches) > 0 { // the broker's limit
		sent.RecordBatches = sent.RecordBatches[:rng.IntN(len(sent.RecordBatches))]
	}
	return sent, from
}

// below is the length of the batches that begin below an offset: a broker sends
// no others.
func below(raw []byte, stable int64) (n int) {
	for n < len(raw) && int64(binary.BigEndian.Uint64(raw[n:])) < stable {
		n += int(binary.BigEndian.Uint32(raw[n+8:])) + batchPrefix
	}
	return n
}

func read(sent *kmsg.FetchResponseTopicPartition, from, until int64) (records []string, next int64, err error) {
	p := newPart(Target{kafka.TopicPartition{Topic: "t"}, [16]byte{}, from, until})
	a, ok := p.take(sent)
	if !ok {
		return nil, p.next, p.err
	}
	d := decoder{Decompressor: decompressor}
	err = d.each(a, func(b Batch) error {
		for _, r := range b.Records {
			records = append(records, fmt.Sprintf("%d %q %v %q %v %d %v", r.Offset, r.Key, r.Key == nil, r.Value, r.Value == nil, r.Time, r.Headers))
		}
		next = b.Next
		return nil
	})
	if err == nil && next != p.next {
		err = fmt.Errorf("applied up to %d, fetched up to %d", next, p.next)
	}
	return records, next, err
}

// kgo's decoder is slower and takes more memory, but it has seen more of the world.
func TestTwin(t *testing.T) {
	t.Parallel()
	first := rand.Uint64()
	for seed := first; seed < first+3000; seed++ {
		rng := rand.New(rand.NewPCG(seed, 0))
		sent, from := script(rng)
		until := int64(Forever)
		if rng.IntN(2) == 0 {
			until = from + rng.Int64N(60)
		}
		got, gotNext, err := read(&sent, from, until)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		f, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: from, IsolationLevel: kgo.ReadCommitted()}, &sent, decompressor, nil)
		if f.Err != nil {
			t.Fatalf("seed %d: %v", seed, f.Err)
		}
		var want []string
		for _, r := range f.Records {
			if r.Offset < until {
				want = append(want, fmt.Sprintf("%d %q %v %q %v %d %v", r.Offset, r.Key, r.Key == nil, r.Value, r.Value == nil, r.Timestamp.UnixMilli(), r.Headers))
			}
		}
		if gotNext == 0 { // nothing to apply
			gotNext = from
		}
		if wantNext := min(next, until); !slices.Equal(got, want) || gotNext != wantNext {
			t.Fatalf("seed %d: from %d until %d: got %q, next %d; kgo has %q, next %d", seed, from, until, got, gotNext, want, wantNext)
		}
	}
}

// Whatever a broker sends, it ends: in an error, or with the position moved.
func FuzzDecode(f *testing.F) {
	for seed := range uint64(20) {
		sent, from := script(rand.New(rand.NewPCG(seed, 0)))
		f.Add(sent.RecordBatches, from, sent.LastStableOffset, int64(Forever), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, from, stable, until int64, sum bool) {
		if from < 0 || until <= from {
			t.Skip()
		}
		if size := len(raw); sum && size >= batchHeader { // gets behind the checksum
			binary.BigEndian.PutUint32(raw[8:], uint32(size-batchPrefix))
			binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[crcFrom:], castagnoli))
		}
		sent := kmsg.NewFetchResponseTopicPartition()
		sent.RecordBatches, sent.LastStableOffset, sent.HighWatermark = raw, stable, stable
		if _, next, err := read(&sent, from, until); err == nil && next > until {
			t.Errorf("from %d until %d: at %d", from, until, next)
		}
	})
}
