// Package pulse shows from outside whether the goroutines that run code of the application
// get on. It knows where in a topology that code is; it runs nothing itself.
package pulse

import (
	"sync/atomic"

	"github.com/leatstream/leat/internal/task"
)

// A Where says where code is. Any goroutine may call it while that code runs.
type Where func() task.Error // without a cause

// A Pulse is that of one goroutine. It costs the goroutine a load for each record: only
// when somebody asks does it answer. The zero value is ready to be used.
type Pulse struct {
	// Busy reports whether the goroutine works now, in code or not; nil: it works while it
	// is in code.
	Busy func() bool

	goroutine atomic.Int64
	where     atomic.Pointer[Where] // the code that runs; nil: none does
	asked     atomic.Bool
	beats     atomic.Int64
}

// Begin is called by the goroutine before it calls any other method.
func (p *Pulse) Begin() { p.goroutine.Store(goroutineID()) }

// Answer says that the goroutine gets on, if somebody has asked.
func (p *Pulse) Answer() {
	if p.asked.Load() {
		p.asked.Store(false)
		p.beats.Add(1)
	}
}

// Enter says that code runs until Leave is called.
func (p *Pulse) Enter(w *Where) {
	p.where.Store(w)
	p.beats.Add(1)
}

// Leave says that the code has returned.
func (p *Pulse) Leave() {
	p.where.Store(nil)
	p.beats.Add(1)
}

// Code says where the goroutine is in code, if it is in any. It may be called from any
// goroutine.
func (p *Pulse) Code() (place string, ok bool) {
	w := p.where.Load()
	if w == nil {
		return "", false
	}
	e := (*w)()
	return e.Place(), true
}
