package state

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/leatstream/leat/internal/engine"
)

// In which forms values were written (by which version, with which schema) is kept beside
// the store, so that a start can tell whether all of it can be read without reading it.
// Forms are noted where entries go to the engine: when they are flushed, restored or
// filled. None is taken back when its last entry goes; if one of them cannot be read, the
// store is read to see what it really holds.

// Forms tell by what the serdes of a store decide whether they can read what is there.
// They are not safe for concurrent use.
type Forms interface {
	// Each shows the forms in an entry, as the changelog has it, each with the place of
	// its serde among the store's. They are valid during the call of show only. An error
	// is that of show or says what cannot be read. own says that it can be, for this
	// program has written it.
	Each(key, value []byte, own bool, show func(serde int, form []byte) error) error
	// Check says whether a serde can read what has that form.
	Check(serde int, form []byte) error
}

// Beyond so many forms, or longer ones, a store is read at every start: somebody writes
// what has no forms.
const (
	maxForms = 1024
	maxForm  = 64
	maxParts = 4 // serdes of a store
)

var formsKey = []byte("forms")

// formsVersion is what the bytes of a set begin with.
const formsVersion = 2

// A formSet is the set of forms in a store.
type formSet struct {
	forms Forms // nil: none of the serdes can tell

	all   map[string]struct{} // the place of the serde, one byte, and the form
	whole bool                // all of them are there
	kept  bool                // the engine has a set, which may be another

	dirty bool // it is not what the engine has

	last  [maxParts][]byte // that were noted: most entries are like the one before
	some  [maxParts]bool
	key   []byte // scratch
	show  func(serde int, form []byte) error
	ours  func(key, value []byte) error // an entry that this program has written
	entry func(key, value []byte) error // one that anybody has
}

// loadForms returns what is kept of a store in a namespace. Without forms it only keeps
// what is there from being believed once somebody has written who took no note.
func loadForms(eng engine.Engine, ns engine.Namespace) (*formSet, error) {
	f := &formSet{all: map[string]struct{}{}}
	raw, ok, err := eng.Get(ns, formsKey, nil)
	if err != nil {
		return nil, err
	}
	f.kept = ok
	f.whole = ok && f.parse(raw)
	return f, nil
}

// keep says who tells the forms, and that they are to be noted.
func (f *formSet) keep(forms Forms) {
	f.forms = forms
	f.show = func(serde int, form []byte) error {
		f.note(serde, form)
		return nil
	}
	f.ours = func(key, value []byte) error { return f.forms.Each(key, value, true, f.show) }
	f.entry = func(key, value []byte) error { return f.forms.Each(key, value, false, f.show) }
}

// empty says that the store holds nothing.
func (f *formSet) empty() {
	clear(f.all)
	f.some = [maxParts]bool{}
	f.whole = true
	f.dirty = true
}

// noteEntry notes the forms in an entry that is on its way to the engine, and that
// anybody may have written.
func (f *formSet) noteEntry(l Layout, key, value []byte) { f.noteBy(f.entry, l, key, value) }

// noteOwn is noteEntry for what this program has written, or has read before.
func (f *formSet) noteOwn(l Layout, key, value []byte) { f.noteBy(f.ours, l, key, value) }

func (f *formSet) noteBy(each func(key, value []byte) error, l Layout, key, value []byte) {
	if f.forms == nil || !f.whole {
		return
	}
	if _, err := logged(l, key, value, each); err != nil {
		f.lose() // a start says what is wrong with it
	}
}

func (f *formSet) note(serde int, form []byte) {
	if f.some[serde] && string(f.last[serde]) == string(form) {
		return
	}
	f.last[serde], f.some[serde] = append(f.last[serde][:0], form...), true
	if !f.has(serde, form) {
		f.add(serde, form)
	}
}

func (f *formSet) has(serde int, form []byte) bool {
	f.key = append(append(f.key[:0], byte(serde)), form...)
	_, ok := f.all[string(f.key)]
	return ok
}

func (f *formSet) add(serde int, form []byte) {
	if len(f.all) >= maxForms || len(form) > maxForm {
		f.lose()
		return
	}
	f.all[string(append([]byte{byte(serde)}, form...))] = struct{}{}
	f.dirty = true
}

// lose says that not all forms are known any more.
func (f *formSet) lose() {
	if f.whole {
		f.whole = false
		f.dirty = true
	}
}

// changed reports whether put has something to say.
func (f *formSet) changed() bool {
	if f.forms == nil {
		return f.kept
	}
	return f.dirty && (f.whole || f.kept)
}

// put adds to a batch what the engine does not know; wrote must follow once it does.
func (f *formSet) put(b *engine.Batch, ns engine.Namespace) {
	switch {
	case !f.changed():
	case f.forms != nil && f.whole:
		b.Set(ns, formsKey, f.append(nil))
	default:
		b.Delete(ns, formsKey)
	}
}

// wrote says that the engine knows all that put had to say.
func (f *formSet) wrote() {
	if f.changed() {
		f.kept = f.forms != nil && f.whole
	}
	f.dirty = false
}

// readable returns why not all of a store can be read; nil if it can. each shows all of
// its entries, as the changelog has them, and is called if the forms alone leave a doubt.
func (f *formSet) readable(each func(fn func(key, value []byte) error) error) error {
	if f.forms == nil {
		return nil
	}
	verdicts := map[string]error{}
	doubt := !f.whole
	for _, form := range slices.Sorted(maps.Keys(f.all)) {
		if doubt {
			break
		}
		verdicts[form] = f.forms.Check(int(form[0]), []byte(form[1:]))
		doubt = verdicts[form] != nil
	}
	if !doubt {
		return nil
	}
	found := &formSet{all: map[string]struct{}{}, whole: true}
	show := func(serde int, form []byte) error {
		if found.has(serde, form) {
			return nil
		}
		err, asked := verdicts[string(found.key)]
		if !asked {
			err = f.forms.Check(serde, form)
		}
		if err == nil {
			found.add(serde, form)
		}
		return err
	}
	if err := each(func(key, value []byte) error { return f.forms.Each(key, value, false, show) }); err != nil {
		return err
	}
	f.all, f.whole, f.some = found.all, found.whole, [maxParts]bool{}
	f.dirty = true
	return nil
}

// append appends a set: its version, and each form with the place of its serde and behind
// its length.
func (f *formSet) append(dst []byte) []byte {
	dst = append(dst, formsVersion)
	for _, form := range slices.Sorted(maps.Keys(f.all)) {
		dst = append(binary.AppendUvarint(dst, uint64(len(form))), form...)
	}
	return dst
}

// parse reads a set; ok is false if it cannot be used.
func (f *formSet) parse(b []byte) (ok bool) {
	if len(b) == 0 || b[0] != formsVersion {
		return false
	}
	for b = b[1:]; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size == 0 || size > uint64(len(b)-n) || b[n] >= maxParts {
			clear(f.all)
			return false
		}
		b = b[n:]
		f.all[string(b[:size])] = struct{}{}
		b = b[size:]
	}
	return true
}

// logged calls fn for what the changelog has of the entry at key. data is false if it has
// nothing of it.
func logged(l Layout, key, value []byte, fn func(key, value []byte) error) (data bool, err error) {
	if v, ok := l.(Versions); ok {
		return true, v.Each(key, value, fn)
	}
	if k := l.Logged(key); k != nil {
		return true, fn(k, value)
	}
	return false, nil
}

// EachLogged calls fn for what the changelog has, or would have, of the entry at key: of
// an entry that holds versions, for each. data is false if it has nothing of it.
func (s *Store) EachLogged(key, value []byte, fn func(key, value []byte) error) (data bool, err error) {
	return logged(s.layout, key, value, fn)
}

// KeepForms says who tells the forms of what is written, before anything is. Without it,
// none are known.
func (s *Store) KeepForms(f Forms) { s.forms.keep(f) }

// Readable returns why not all that the store holds can be read; nil if it can, or if
// nobody can tell. It must have no open transaction.
func (s *Store) Readable() error {
	return s.forms.readable(func(fn func(key, value []byte) error) error {
		var failed error
		err := s.Range(nil, nil, false, func(key, value []byte, _ int64) bool {
			_, failed = s.EachLogged(key, value, fn)
			return failed == nil
		})
		return cmp.Or(failed, err)
	})
}
