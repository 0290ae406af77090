package fetch

import (
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A lot is what one answer of a broker brought. Its records are slices of the answer: all
// of it stays in memory until the last of them is done, whoever waits for that.
type lot struct {
	number int64 // later ones are greater
	bytes  int64 // the fetcher's until all of it has been handed over
	pieces atomic.Int32
}

// A piece is what of a lot a feed has been given and is not done with.
type piece struct {
	bytes int64
	of    *lot
}

// pieces are a feed's, oldest first.
type pieces struct {
	sync.Mutex
	list []piece
}

func (ps *pieces) add(p piece) {
	p.of.pieces.Add(1)
	ps.Lock()
	defer ps.Unlock()
	ps.list = append(ps.list, p)
}

// done takes n bytes away, and returns how many bytes of memory are free by that.
func (ps *pieces) done(n int64) (freed int64) {
	ps.Lock()
	defer ps.Unlock()
	i := 0
	for ; i < len(ps.list) && n > 0; i++ {
		p := &ps.list[i]
		if p.bytes > n {
			p.bytes -= n
			break
		}
		n -= p.bytes
		freed += p.of.release()
	}
	ps.list = append(ps.list[:0], ps.list[i:]...)
	return freed
}

// oldest is the number of the oldest lot; ok is false if there is none.
func (ps *pieces) oldest() (number int64, ok bool) {
	ps.Lock()
	defer ps.Unlock()
	if len(ps.list) == 0 {
		return 0, false
	}
	return ps.list[0].of.number, true
}

// release is the end of one of its pieces.
func (l *lot) release() (freed int64) {
	if l.pieces.Add(-1) == 0 {
		return l.bytes
	}
	return 0
}

// begin begins a lot, of which the fetcher has a piece until end.
func (f *Fetcher) begin() *lot {
	f.lots++
	l := &lot{number: f.lots}
	l.pieces.Store(1)
	return l
}

// end says that nothing more of a lot will be handed over.
func (f *Fetcher) end(l *lot) {
	if l != nil {
		f.held.Add(-l.release())
	}
}

// lotOf is the lot of some records that a fetch brought: the fetch's, but those of a
// compressed batch do not lie in the answer.
func (f *Fetcher) lotOf(fetched *lot, records []*kgo.Record) (l *lot, own bool) {
	if records[0].Attrs.CompressionType() != 0 {
		return f.begin(), true
	}
	return fetched, false
}
