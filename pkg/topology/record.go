package topology

import (
	"time"

	"github.com/leatstream/leat/internal/task"
)

// A Record is one typed message. Where Kafka has a null, the field holds the zero
// value and the flag is set. A record is passed by value; its headers are shared
// and must not be changed in place.
type Record[K, V any] struct {
	Key       K
	Value     V
	NullKey   bool
	NullValue bool
	Time      time.Time // to the millisecond, as in Kafka
	Headers   []Header
}

// A Header is a key and a value beside a record. A nil value is null.
type Header = task.Header

func stamp(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
