package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// Forms returns who tells the forms of entries, as the changelog has them; nil if there is
// nothing that could not be read. What a serde does not tell of itself is found out by
// decoding, and that this program can decode it is a part of the form.
func (s Serdes) Forms(changelog string) state.Forms {
	if s.at == nil {
		return nil
	}
	f := &forms{cut: s.cut}
	some := false
	for _, p := range s.at(changelog) {
		t := teller{part: p}
		t.checker, _ = p.serde.(serde.Checker)
		_, t.formed = p.serde.(serde.Formed)
		if t.read != nil {
			t.program = programOf(p.serde)
		}
		some = some || t.checker != nil || t.read != nil
		f.tellers = append(f.tellers, t)
	}
	if !some {
		return nil
	}
	f.visit = f.form
	return f
}

// forms tell those of a store's entries.
type forms struct {
	tellers []teller
	cut     cutFn
	visit   func(i int, src []byte) error

	// Of the entry in hand:
	show func(i int, form []byte) error
	own  bool
}

// A teller tells the forms of what one serde wrote: what the serde tells of it, behind
// whether that is all, or which program has decoded it.
type teller struct {
	part
	checker serde.Checker // nil if the serde is none
	formed  bool          // the serde has forms of its own
	program []byte        // who decodes, if anybody does

	last  []byte // that the serde told
	doubt bool   // that it leaves, as far as it knew then
	form  []byte
}

// What a form begins with.
const (
	told    byte = iota // the serde has
	decoded             // the program that follows has
)

// Each implements state.Forms.
func (f *forms) Each(key, value []byte, own bool, show func(i int, form []byte) error) error {
	f.show, f.own = show, own
	return f.cut(key, value, f.visit)
}

func (f *forms) form(i int, src []byte) error {
	t := &f.tellers[i]
	if t.checker == nil && t.read == nil {
		return nil
	}
	err := f.told(i, src)
	if errors.Is(err, errDoubt) && !t.doubt { // Check has asked, and knows now
		err = f.told(i, src)
	}
	return err
}

// told shows the form of src, which is decoded if that does not say all.
func (f *forms) told(i int, src []byte) error {
	t := &f.tellers[i]
	if t.tell(src); t.doubt && !f.own {
		if err := t.read(src); err != nil {
			return t.about(fmt.Errorf("%w: %w", serde.ErrUnreadable, err))
		}
	}
	return f.show(i, t.form)
}

// tell makes the form of src.
func (t *teller) tell(src []byte) {
	at := len(t.form) - len(t.last)
	if at > 0 && t.checker == nil && !t.formed {
		return // it tells the same of all
	}
	t.form = serde.AppendForm(t.serde, t.form[:at], src)
	if at > 0 && bytes.Equal(t.form[at:], t.last) {
		return // as most are
	}
	t.last = append(t.last[:0], t.form[at:]...)
	if t.doubt = t.read != nil && serde.Doubts(t.serde, t.last); t.doubt {
		t.form = append(append(t.form[:0], decoded), t.program...)
	} else {
		t.form = append(t.form[:0], told)
	}
	t.form = append(t.form, t.last...)
}

// forget makes it ask the serde anew, which may have learned what a form is.
func (t *teller) forget() { t.last, t.form = t.last[:0], t.form[:0] }

var errDoubt = errors.New("no part of this program has decoded it")

// Check implements state.Forms.
func (f *forms) Check(i int, form []byte) error {
	if i >= len(f.tellers) || len(form) == 0 {
		return nil // of a store that had more serdes once
	}
	t := &f.tellers[i]
	by, form := form[0], form[1:]
	if by == decoded {
		var ours bool
		if form, ours = bytes.CutPrefix(form, t.program); !ours {
			return errDoubt
		}
	}
	if t.checker != nil {
		if err := t.checker.Check(form); err != nil {
			return t.about(err)
		}
		t.forget()
	}
	if by == told && t.read != nil && serde.Doubts(t.serde, form) {
		return errDoubt
	}
	return nil
}

// programOf names who decodes with s: two that have the same name decode alike.
func programOf(s any) []byte {
	about := fmt.Sprintf("%T", s)
	if schematic, ok := s.(interface{ Schema() serde.Schema }); ok {
		about += schematic.Schema().Text
	}
	sum := sha256.Sum256(append(program(), about...))
	return sum[:16]
}

// program is the checksum of the running program.
var program = sync.OnceValue(func() []byte {
	path, err := os.Executable()
	var exe *os.File
	if err == nil {
		exe, err = os.Open(path)
	}
	if err == nil {
		defer exe.Close()
		sum := sha256.New()
		if _, err = io.Copy(sum, exe); err == nil {
			return sum.Sum(nil)
		}
	}
	unknown := make([]byte, sha256.Size)
	rand.Read(unknown)
	return unknown
})
