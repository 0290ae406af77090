package task

// A Stamp gives the head of an input its timestamp. It is given the partition's time so
// far, -1 if there is none; what it calls invalid is dropped.
type Stamp = func(m *Message, partition int64) (at int64, valid bool, err error)

// FeedTimed is Feed for a source whose records' timestamps are looked at before one is
// chosen. reader is called for each input that reads the source, as every topic that
// matches a pattern does: all heads are stamped before one of them is fed, so that what
// is kept of a head from its stamp to its feed is the input's own.
func (t *Task) FeedTimed(source int, reader func() (feed func(*Message) error, stamp Stamp)) {
	for _, in := range t.inputs {
		if in.origin == source {
			in.feed, in.extract = reader()
			in.node = t.at
		}
	}
}

// stamp gives the head of an input its timestamp. One that has none takes its turn as
// if it were of its partition's time, and fails or is dropped then.
func (t *Task) stamp(in *input) {
	m := &in.queue[in.head]
	if in.timed == m.Offset+1 {
		return
	}
	in.timed = m.Offset + 1
	at, valid, err := t.extract(in, m)
	if in.invalid, in.failed = !valid, err; !valid {
		at = max(0, in.time)
	}
	m.Time = at
}

func (t *Task) extract(in *input, m *Message) (at int64, valid bool, err error) {
	t.current, t.input, t.now, t.at = m, in, m.Time, in.node
	defer t.guard(&err)
	return in.extract(m, in.time)
}
