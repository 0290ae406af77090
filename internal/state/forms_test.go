package state

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

// versions tell the first byte of a value.
type versions struct {
	known string // that can be read
	asked *int
}

var errVersion = errors.New("unknown")

func (v versions) Each(_, value []byte, own bool, show func(int, []byte) error) error {
	if len(value) == 0 {
		return errors.New("nothing")
	}
	return show(1, value[:1])
}

func (v versions) Check(serde int, form []byte) error {
	*v.asked++
	if serde != 1 || !strings.Contains(v.known, string(form)) {
		return fmt.Errorf("%q is %w", form, errVersion)
	}
	return nil
}

// counting counts what is read from end to end.
type counting struct {
	engine.Engine
	ranges int
}

func (c *counting) Range(ns engine.Namespace, lo, hi []byte, reverse bool) (engine.Iterator, error) {
	c.ranges++
	return c.Engine.Range(ns, lo, hi, reverse)
}

type formsRig struct {
	t   *testing.T
	eng *counting
}

// open opens the store as a program does that knows some versions; none of them if it
// does not look.
func (r formsRig) open(l Layout, known string) *Store {
	r.t.Helper()
	s, err := Open(r.eng, ns, l)
	if err != nil {
		r.t.Fatal(err)
	}
	if known != "" {
		s.KeepForms(versions{known, new(int)})
	}
	if _, ok := s.Position(); !ok {
		if err := s.Wipe(); err != nil {
			r.t.Fatal(err)
		}
	}
	return s
}

func (r formsRig) put(s *Store, key, value string) {
	s.Put([]byte(key), []byte(value), 1)
	s.Commit()
	s.SetPosition(engine.Position{Offset: 1})
	flush(r.t, s)
}

// readable says whether a program that knows some versions takes the store, and whether
// it had to read it for that.
func (r formsRig) readable(l Layout, known string) string {
	r.t.Helper()
	s := r.open(l, known)
	before := r.eng.ranges
	err := s.Readable()
	if err != nil && !errors.Is(err, errVersion) {
		r.t.Fatal(err)
	}
	if _, any := s.Behind(); any {
		flush(r.t, s)
	}
	return fmt.Sprintf("%v, read %v", err == nil, r.eng.ranges > before)
}

// One value among many that cannot be read is found, without reading any of them as long
// as there is none.
func TestForms(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(r formsRig, values func(yield func(key, value string))){
		"flushed": func(r formsRig, values func(func(key, value string))) {
			s := r.open(nil, "12")
			values(func(key, value string) { r.put(s, key, value) })
		},
		"restored": func(r formsRig, values func(func(key, value string))) {
			rest, err := NewRestorer(r.open(nil, "2")) // as a copy that stands by, of a service that will not do
			if err != nil {
				t.Fatal(err)
			}
			values(func(key, value string) { err = errors.Join(err, rest.Apply([]byte(key), []byte(value), 1)) })
			if err := errors.Join(err, rest.Write(engine.Position{Offset: 1})); err != nil {
				t.Fatal(err)
			}
		},
	} {
		r := formsRig{t, &counting{Engine: memory.New()}}
		fill(r, func(yield func(key, value string)) {
			for i := range 1000 {
				yield(fmt.Sprintf("k%03d", i), "2x")
			}
			yield("k500", "1x")
		})
		for _, c := range []struct{ known, want string }{
			{"12", "true, read false"}, {"2", "false, read true"}, {"1", "false, read true"}, {"123", "true, read false"},
		} {
			if got := r.readable(nil, c.known); got != c.want {
				t.Errorf("%s: who knows %s: %s, want %s", name, c.known, got, c.want)
			}
		}
		r.put(r.open(nil, "12"), "k500", "2y") // the last of the first version is gone
		for _, want := range []string{"true, read true", "true, read false"} {
			if got := r.readable(nil, "2"); got != want {
				t.Errorf("%s: without the first version: %s, want %s", name, got, want)
			}
		}
	}
}

// What others have written, who take no note, is read; and so is what has too many forms
// to note, or none.
func TestFormsNotKnown(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(r formsRig, s *Store){
		"another program": func(r formsRig, _ *Store) { r.put(r.open(nil, ""), "b", "1") },
		"no form":         func(r formsRig, s *Store) { r.put(s, "b", "1"); r.put(s, "c", ""); r.put(s, "c", "2") },
		"many forms": func(r formsRig, s *Store) {
			s.forms.forms = wholes{versions{"12", new(int)}}
			for i := range maxForms + 1 {
				r.put(s, "b", fmt.Sprint("2", i))
			}
			r.put(s, "b", "1")
		},
		"a long form": func(r formsRig, s *Store) {
			s.forms.forms = wholes{versions{"12", new(int)}}
			r.put(s, "b", strings.Repeat("2", maxForm+1))
			r.put(s, "b", "1")
		},
		"damage": func(r formsRig, s *Store) {
			r.put(s, "b", "1")
			var b engine.Batch
			b.Set(marker(ns), formsKey, []byte{formsVersion, 9, 1})
			if err := r.eng.Write(&b); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		r := formsRig{t, &counting{Engine: memory.New()}}
		s := r.open(nil, "12")
		r.put(s, "a", "2")
		spoil(r, s)
		if got := r.readable(nil, "2"); got != "false, read true" {
			t.Errorf("%s: %s", name, got)
		}
		if got := r.readable(nil, "12") + "; " + r.readable(nil, "12"); got != "true, read true; true, read false" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// wholes are versions of which each value is a form.
type wholes struct{ versions }

func (w wholes) Each(_, value []byte, own bool, show func(int, []byte) error) error {
	return show(1, value)
}

// Every value in a row of versions counts, and what is not data does not.
func TestFormsOfLayouts(t *testing.T) {
	t.Parallel()
	r := formsRig{t, &counting{Engine: memory.New()}}
	s := r.open(NewVersions(1000), "12")
	for i, v := range []string{"2a", "1b", "2c"} {
		if _, _, err := s.PutVersion([]byte("k"), []byte(v), int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	s.Commit()
	s.SetPosition(engine.Position{Offset: 1})
	flush(t, s)
	if got := r.readable(NewVersions(1000), "2") + "; " + r.readable(NewVersions(1000), "12"); got != "false, read true; true, read false" {
		t.Error(got)
	}
	queue := r.open(Queue{}, "1") // its second entries are empty
	rest, err := NewRestorer(queue)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rest.Apply([]byte("k"), []byte("1-timeisit"), 1), rest.Write(engine.Position{Offset: 1})); err != nil {
		t.Fatal(err)
	}
	if got := r.readable(Queue{}, "1"); got != "true, read false" {
		t.Error(got)
	}
}

// A form is asked about once: whoever is asked may have to ask others, and wait.
func TestFormsAskOnce(t *testing.T) {
	t.Parallel()
	r := formsRig{t, &counting{Engine: memory.New()}}
	s := r.open(nil, "1")
	for i := range 100 {
		r.put(s, fmt.Sprint("k", i), "1")
	}
	asked := new(int)
	s.KeepForms(versions{"", asked})
	if err := s.Readable(); !errors.Is(err, errVersion) || *asked != 1 {
		t.Errorf("asked %d times: %v", *asked, err)
	}
}

// A shared store is filled by several partitions, each of which may bring a new form.
func TestFormsShared(t *testing.T) {
	t.Parallel()
	eng := &counting{Engine: memory.New()}
	share := func(known string) *Shared {
		s, err := NewShared(eng, "g", versions{known, new(int)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := share("12")
	if err := s.Wipe(2); err != nil {
		t.Fatal(err)
	}
	for i, v := range []string{"1", "2", "2"} {
		f := s.Fill()
		f.Set(fmt.Append(nil, "k", i), []byte(v), 1)
		f.Set(fmt.Append(nil, "gone", i), nil, 1)
		if err := f.Write(int32(i%2), engine.Position{Offset: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		known string
		err   error
		reads int
	}{{"12", nil, 0}, {"2", errVersion, 1}, {"1", errVersion, 1}} {
		eng.ranges = 0
		if err := share(c.known).Readable(); !errors.Is(err, c.err) || eng.ranges != c.reads {
			t.Errorf("who knows %s: %v after %d ranges", c.known, err, eng.ranges)
		}
	}
}

// To note the form of a value costs neither memory nor much time.
func TestNotingDoesNotAllocate(t *testing.T) {
	r := formsRig{t, &counting{Engine: memory.New()}}
	s := r.open(nil, "12")
	key, one, two := []byte("k"), []byte("1x"), []byte("2x")
	both := func() {
		s.forms.noteEntry(s.layout, key, one)
		s.forms.noteEntry(s.layout, key, two)
	}
	both()
	if n := testing.AllocsPerRun(100, both); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzForms(f *testing.F) {
	set := &formSet{all: map[string]struct{}{"\x01v": {}, "\x00": {}}}
	f.Add(set.append(nil))
	f.Add([]byte{formsVersion, 0xff, 0xff, 0xff, 0xff, 0x0f, 1})
	f.Add([]byte{formsVersion, 1, maxParts})
	f.Fuzz(func(t *testing.T, b []byte) {
		set := &formSet{all: map[string]struct{}{}}
		if !set.parse(b) {
			return
		}
		again := &formSet{all: map[string]struct{}{}}
		if !again.parse(set.append(nil)) || !bytes.Equal(again.append(nil), set.append(nil)) {
			t.Errorf("%q comes back as %q", b, again.append(nil))
		}
	})
}

// BenchmarkRestoreForms is a restore into memory, with and without forms to note.
func BenchmarkRestoreForms(b *testing.B) {
	for name, forms := range map[string]Forms{"none": nil, "noted": versions{"12", new(int)}} {
		b.Run(name, func(b *testing.B) {
			s := open(b, memory.New())
			s.KeepForms(forms)
			if err := s.Wipe(); err != nil {
				b.Fatal(err)
			}
			r, err := NewRestorer(s)
			if err != nil {
				b.Fatal(err)
			}
			keys := make([][]byte, 1000)
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "k%07d", i)
			}
			value := bytes.Repeat([]byte("2"), 100)
			b.ReportAllocs()
			for b.Loop() {
				for _, k := range keys {
					if err := r.Apply(k, value, 1); err != nil {
						b.Fatal(err)
					}
				}
				if err := r.Write(engine.Position{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/1000/float64(time.Nanosecond), "ns/record")
		})
	}
}

// doubted shows what is in doubt again, as decoded.
type doubted struct{}

func (doubted) Each(_, _ []byte, _ bool, show func(int, []byte) error) error {
	if show(1, []byte("told")) == nil {
		return nil
	}
	return show(1, []byte("decoded"))
}

func (doubted) Check(_ int, form []byte) error {
	if string(form) == "told" {
		return errVersion
	}
	return nil
}

// A form that turned out to be in doubt while a store was read is not kept.
func TestFormsInDoubt(t *testing.T) {
	t.Parallel()
	r := formsRig{t, &counting{Engine: memory.New()}}
	r.put(r.open(nil, ""), "k", "v") // nobody takes note
	for _, want := range []int{1, 0} {
		s := r.open(nil, "")
		s.KeepForms(doubted{})
		r.eng.ranges = 0
		if err := s.Readable(); err != nil || r.eng.ranges != want {
			t.Errorf("%d ranges, want %d: %v", r.eng.ranges, want, err)
		}
		flush(t, s)
	}
}
