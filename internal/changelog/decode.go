package changelog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/kafka"
)

// kgo can decode answers, too, but only each as a whole, into records of 160
// bytes: a full answer of small records would become ten times as large. Here
// the record batches, which the brokers keep below a MiB or so, are decoded one
// by one when they are applied.

// chunkBytes is about how much is handed to apply at once. Small records take some times
// as much when they are decoded, which is to stay in the CPU's caches until it is applied.
const chunkBytes = 64 << 10

// An answer is what a broker sent of a partition.
type answer struct {
	kafka.TopicPartition
	raw         []byte // whole record batches
	aborted     []kmsg.FetchResponseTopicPartitionAbortedTransaction
	from, until int64 // what is wanted of it
	next, end   int64 // the position behind it, and the high watermark
}

// Parts of the format of a record batch, version 2, the only one since Kafka 4.0.
const (
	batchHeader  = 61 // bytes before the records
	batchPrefix  = 12 // bytes that the length does not count
	crcFrom      = 21 // the first byte that the checksum covers
	deltaAt      = 23 // of the last offset delta
	magic        = 2
	codecMask    = 0x07
	appendTime   = 0x08
	transaction  = 0x10
	control      = 0x20
	abortControl = 0
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// whole returns the length of the batches at the front of raw that are complete
// and of use, and the position behind them. A broker cuts its answer where it is
// full, and a reader of what is committed is sent nothing from the last stable
// offset on.
func whole(raw []byte, next, stable, until int64) (n int, behind int64) {
	for len(raw)-n >= batchHeader {
		b := raw[n:]
		first := int64(binary.BigEndian.Uint64(b))
		size := int64(binary.BigEndian.Uint32(b[8:])) + batchPrefix
		if size > int64(len(b)) || first >= stable {
			break
		}
		if first >= until { // what was there has been compacted away
			return n, until
		}
		last := first + int64(int32(binary.BigEndian.Uint32(b[deltaAt:])))
		n, next = n+int(max(size, batchHeader)), max(next, last+1) // one that is too short is for each to complain of
	}
	return n, min(next, until)
}

// A decoder makes batches of answers. It belongs to one goroutine.
type decoder struct {
	kgo.Decompressor
	batch   kmsg.RecordBatch
	records []Record // used again and again
}

// each gives apply the committed records of a, in pieces.
func (d *decoder) each(a answer, apply func(Batch) error) error {
	aborts, size, next := newAborts(a.aborted), 0, a.from
	raw := a.raw
	for {
		if len(raw) == 0 {
			next = a.next
		}
		if len(raw) == 0 || size >= chunkBytes {
			err := apply(Batch{a.TopicPartition, d.records, next, a.end})
			clear(d.records) // lets go of the memory
			d.records, size = d.records[:0], 0
			if err != nil || len(raw) == 0 {
				return err
			}
		}
		n, err := d.read(raw)
		if err != nil {
			return &PartitionError{a.TopicPartition, next, err}
		}
		raw = raw[n:]
		next = max(next, min(d.batch.FirstOffset+int64(d.batch.LastOffsetDelta)+1, a.until))
		if aborts.skip(&d.batch) {
			continue
		}
		grown, err := d.decode(a.from, a.until)
		if err != nil {
			return &PartitionError{a.TopicPartition, d.batch.FirstOffset, err}
		}
		size += grown
	}
}

// read takes the batch at the front of raw and returns its length.
func (d *decoder) read(raw []byte) (int, error) {
	if len(raw) < batchHeader {
		return 0, errors.New("record batch is too short")
	}
	n := int(int32(binary.BigEndian.Uint32(raw[8:]))) + batchPrefix
	if n < batchHeader || n > len(raw) {
		return 0, fmt.Errorf("record batch has a length of %d", n)
	}
	if err := d.batch.ReadFrom(raw[:n]); err != nil {
		return 0, err
	}
	if d.batch.Magic != magic {
		return 0, fmt.Errorf("record batch has format %d", d.batch.Magic)
	}
	if sum := crc32.Checksum(raw[crcFrom:n], castagnoli); sum != uint32(d.batch.CRC) {
		return 0, fmt.Errorf("record batch has the checksum %08x, not %08x", sum, uint32(d.batch.CRC))
	}
	return n, nil
}

// decode adds the wanted records of the batch and returns the size of all.
func (d *decoder) decode(from, until int64) (int, error) {
	b := &d.batch
	raw, err := d.Decompress(b.Records, kgo.CompressionCodecType(b.Attributes&codecMask))
	if err != nil {
		return 0, err
	}
	rest, ok := raw, true
	for range b.NumRecords {
		d.records = append(d.records, Record{})
		rec := &d.records[len(d.records)-1]
		if rest, ok = cutRecord(rest, rec); !ok {
			return 0, errors.New("record batch is malformed")
		}
		if rec.Offset += b.FirstOffset; rec.Offset < from || rec.Offset >= until {
			d.records = d.records[:len(d.records)-1]
			continue
		}
		if rec.Time += b.FirstTimestamp; b.Attributes&appendTime != 0 {
			rec.Time = b.MaxTimestamp
		}
	}
	if len(rest) > 0 {
		return 0, fmt.Errorf("record batch has %d bytes too many", len(rest))
	}
	return len(raw), nil
}

// cutRecord reads the record at the front of b, whose offset and time are relative to its
// batch, and returns what is behind it. The functions below do alike.
func cutRecord(b []byte, rec *Record) (rest []byte, ok bool) {
	length, b, ok := cutVarint(b)
	if !ok || length < 1 || length > int64(len(b)) {
		return nil, false
	}
	rest, b = b[length:], b[1:length] // the first byte is unused
	var ok1, ok2, ok3, ok4, ok5 bool
	rec.Time, b, ok1 = cutVarint(b)
	rec.Offset, b, ok2 = cutVarint(b)
	rec.Key, b, ok3 = cutBytes(b)
	rec.Value, b, ok4 = cutBytes(b)
	rec.Headers, ok5 = headers(b)
	return rest, ok1 && ok2 && ok3 && ok4 && ok5
}

func cutVarint(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 { // as most are
		return int64(b[0]>>1) ^ -int64(b[0]&1), b[1:], true
	}
	return cutLongVarint(b)
}

func cutLongVarint(b []byte) (v int64, rest []byte, ok bool) {
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// cutBytes returns nil for null, and only then.
func cutBytes(b []byte) (value, rest []byte, ok bool) {
	n, b, ok := cutVarint(b)
	if !ok || n > int64(len(b)) {
		return nil, nil, false
	}
	if n < 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}

func headers(b []byte) ([]kgo.RecordHeader, bool) {
	n, b, ok := cutVarint(b)
	if !ok || n < 0 || n > int64(len(b)) {
		return nil, false
	}
	if n == 0 {
		return nil, true
	}
	headers := make([]kgo.RecordHeader, n)
	for i := range headers {
		var key, value []byte
		var ok1, ok2 bool
		key, b, ok1 = cutBytes(b)
		value, b, ok2 = cutBytes(b)
		if !ok1 || !ok2 {
			return nil, false
		}
		headers[i] = kgo.RecordHeader{Key: string(key), Value: value}
	}
	return headers, true
}

// aborts knows which batches of an answer belong to aborted transactions.
type aborts struct {
	ahead []kmsg.FetchResponseTopicPartitionAbortedTransaction // by first offset
	open  map[int64]bool                                       // producers within an aborted one
}

func newAborts(txns []kmsg.FetchResponseTopicPartitionAbortedTransaction) *aborts {
	ahead := slices.Clone(txns)
	slices.SortFunc(ahead, func(x, y kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return cmp.Compare(x.FirstOffset, y.FirstOffset)
	})
	return &aborts{ahead, map[int64]bool{}}
}

// skip says whether b, which must come after those asked about before, holds
// nothing that was committed.
func (a *aborts) skip(b *kmsg.RecordBatch) bool {
	if b.Attributes&transaction != 0 {
		for last := b.FirstOffset + int64(b.LastOffsetDelta); len(a.ahead) > 0 && a.ahead[0].FirstOffset <= last; a.ahead = a.ahead[1:] {
			a.open[a.ahead[0].ProducerID] = true
		}
	}
	if b.Attributes&control != 0 {
		if isAbort(b) {
			delete(a.open, b.ProducerID)
		}
		return true
	}
	return b.Attributes&transaction != 0 && a.open[b.ProducerID]
}

// isAbort reads the key of a marker: a version and a type, two bytes each.
func isAbort(b *kmsg.RecordBatch) bool {
	var rec Record
	_, ok := cutRecord(b.Records, &rec)
	return ok && len(rec.Key) >= 4 && binary.BigEndian.Uint16(rec.Key[2:]) == abortControl
}
