package chaos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/expect"
)

// What a process keeps on its disk it goes on from when it is started again, so that it must be what the changelog says.
// A store is kept with an offset of its changelog. It may be ahead of that, after a kill, but not behind: what comes
// after the offset is replayed, and nothing else.

// A local is a store whose state is looked for on the disks.
type local struct {
	name      string
	segmented bool // keys have their segment in front, 8 bytes, and old segments are dropped
}

var locals = []local{{"counts", false}, {"rows", false}, {"sums", true}, {"pairs-this-join-store", true}, {"pairs-other-join-store", true}}

// keptFor is how long entries of segments are there at least, ms: what is older may be gone.
const keptFor = 1000

// A version is what an entry was from an offset on.
type version struct {
	offset int64
	value  []byte // its time, 8 bytes, and its value; nil: it was deleted
}

// histories are the versions of each key of a changelog's partition.
type histories struct {
	of   map[string][]version
	last int64 // offset
	time int64 // the greatest in a key
}

// checkLocal compares what is on the disks of all replicas, none of which runs, with the changelogs.
func (tr *trial) checkLocal() {
	tr.Helper()
	for _, l := range locals {
		logs, d, whole, compared := tr.histories(l), expect.Difference{}, map[int32]bool{}, 0
		for _, r := range tr.replicas {
			db, err := pebbledb.Open(filepath.Join(r.dir, "engine"), &pebbledb.Options{ReadOnly: true, Logger: silent{}})
			tr.must(err)
			for p, h := range logs {
				n, to, err := l.compare(db, p, h, &d)
				tr.must(err)
				compared += n
				whole[p] = whole[p] || to > h.last
			}
			tr.must(db.Close())
		}
		tr.Logf("%d entries of %s are on disks", compared, l.name)
		tr.found("on disk "+l.name, d)
		if len(whole) == 0 || compared == 0 {
			tr.Errorf("no state of %s is on any disk", l.name)
		}
		for p, is := range whole {
			if !is {
				tr.Errorf("no process that was stopped has all of %s[%d] on its disk", l.name, p)
			}
		}
	}
}

// histories reads a changelog.
func (tr *trial) histories(l local) map[int32]*histories {
	tr.Helper()
	logs := map[int32]*histories{}
	tr.must(tr.topics.All(tr.ctx, tr.app+"-"+l.name+"-changelog", func(r *kgo.Record) error {
		h := logs[r.Partition]
		if h == nil {
			h = &histories{of: map[string][]version{}}
			logs[r.Partition] = h
		}
		v := version{offset: r.Offset}
		if r.Value != nil {
			v.value = append(binary.BigEndian.AppendUint64(nil, uint64(r.Timestamp.UnixMilli())), r.Value...)
		}
		h.of[string(r.Key)] = append(h.of[string(r.Key)], v)
		h.last = max(h.last, r.Offset)
		if l.segmented {
			h.time = max(h.time, timeIn(r.Key))
		}
		return nil
	}))
	return logs
}

// timeIn is the time in a changelog's key of a segmented store, behind which comes a number.
func timeIn(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[len(key)-12:])) }

// compare compares a partition of the store, of which the database has n entries that stand for the changelog up to an
// offset; none, if it has not that offset.
func (l local) compare(db *pebbledb.DB, partition int32, h *histories, d *expect.Difference) (n int, to int64, err error) {
	prefix := binary.BigEndian.AppendUint32(append([]byte(l.name), 0), uint32(partition))
	position, done, err := db.Get(append([]byte{1}, prefix...))
	if err == pebbledb.ErrNotFound {
		return 0, 0, nil // it was never here, or what there is counts for nothing
	} else if err != nil {
		return 0, 0, err
	}
	to = int64(binary.BigEndian.Uint64(position[16:])) // behind the topic's id
	if err := done.Close(); err != nil {
		return 0, 0, err
	}
	it, err := db.NewIter(&pebbledb.IterOptions{LowerBound: prefix, UpperBound: append(prefix[:len(prefix):len(prefix)], bytes.Repeat([]byte{0xff}, 64)...)})
	if err != nil {
		return 0, 0, err
	}
	there := map[string]bool{}
	for it.First(); it.Valid(); it.Next() {
		key := it.Key()[len(prefix):]
		if l.segmented {
			key = key[8:]
		}
		there[string(key)] = true
		if !could(h.of[string(key)], to, it.Value()) {
			d.Wrong++
			note(d, "%s[%d] at %d: %q is %x, which it has not been since", l.name, partition, to, key, it.Value())
		}
	}
	if err := it.Close(); err != nil {
		return 0, 0, err
	}
	for key, versions := range h.of {
		if there[key] || could(versions, to, nil) || l.segmented && timeIn([]byte(key)) < h.time-keptFor {
			continue
		}
		d.Lost++
		note(d, "%s[%d] at %d: %q is missing", l.name, partition, to, key)
	}
	return len(there), to, nil
}

// could reports whether an entry may be so in a store that is at least as new as an offset. None is nil, and no other is empty.
func could(versions []version, to int64, value []byte) bool {
	var at []byte // what it is there
	for _, v := range versions {
		if v.offset < to {
			at = v.value
		} else if bytes.Equal(v.value, value) {
			return true
		}
	}
	return bytes.Equal(at, value)
}

func note(d *expect.Difference, format string, args ...any) {
	if len(d.Examples) < 10 {
		d.Examples = append(d.Examples, fmt.Sprintf(format, args...))
	}
}

// silent is what a database that is only read says.
type silent struct{}

func (silent) Infof(string, ...any)      {}
func (silent) Errorf(string, ...any)     {}
func (silent) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
