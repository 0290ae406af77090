package task

// A Header is a key and a value beside a record. A nil value is null.
type Header struct {
	Key   string
	Value []byte
}

// A Message is a record as it comes from a topic. Its slices stay as they are
// for as long as the task may need them: until the record's transaction ends.
type Message struct {
	Key, Value []byte // nil is null
	Time       int64  // ms
	Offset     int64
	Epoch      int32 // of the partition's leader; -1 if unknown
	Headers    []Header
}

// ByKey is the partition of an Output that goes where its key belongs.
const ByKey = int32(-1)

// An Output is a record to be written. Its slices belong to the task and are
// valid until Commit or Rollback.
type Output struct {
	Topic      string
	Partition  int32 // or ByKey
	Key, Value []byte
	Time       int64 // ms
	Headers    []Header
	Changelog  *StorePartition // whose change this is; nil for a result
	Source     int             // of the record that caused it; -1 for a timer or a commit
	Offset     int64           // of that record
}

// size is about what o takes in a batch.
func (o *Output) size() int {
	n := len(o.Key) + len(o.Value) + 70
	for _, h := range o.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}
