package worker

// Pause makes the run process nothing, and fire no timers, until it is called with
// false. What it has done is committed; what is fetched for it waits, up to its feeds'
// limits. It may be called from any goroutine; Wake must follow.
func (r *Run) Pause(on bool) { r.paused.Store(on) }

// Wake makes the worker look what there is to do. It may be called from any goroutine.
func (w *Worker) Wake() { w.Inbox.Wake() }
