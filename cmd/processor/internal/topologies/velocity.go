package topologies

import (
	"errors"
	"time"

	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
)

// velocity watches how fast cards are used.
type velocity struct {
	ctx    *topology.Context[string, Alert]
	recent *store.View[string, activity]
}

func openVelocity(ctx *topology.Context[string, Alert]) (topology.Handler[string, charge], error) {
	v := &velocity{ctx: ctx, recent: recentStore.Open(ctx)}
	ctx.Every(memory, topology.StreamTime, v.sweep)
	return v.process, nil
}

var errNoCard = errors.New("the payment has no card: its record has no key")

func (v *velocity) process(r topology.Record[string, charge]) error {
	if r.NullKey {
		return errNoCard
	}
	a, _, err := v.recent.Get(r.Key)
	if err != nil {
		return err
	}
	limit := r.Value.limit
	a.expire(r.Time)
	if _, broken := limit.broken(a.total()); !broken {
		a.Alerted = false
	}
	a.add(r.Time, r.Value.Cents)
	total := a.total()
	if rule, broken := limit.broken(total); broken && !a.Alerted {
		a.Alerted = true
		alert := Alert{
			Rule: rule, Payment: r.Value.ID, Payments: total.Payments, Cents: total.Cents, Limit: limit,
			Since: time.UnixMilli(total.Start).UTC(), At: r.Time,
		}
		if err := v.ctx.Emit(topology.Record[string, Alert]{Key: r.Key, Value: alert, Time: r.Time}); err != nil {
			return err
		}
	}
	return v.recent.Put(r.Key, a)
}

// sweep forgets cards that are not used any more, so that the state is as large as
// what is going on.
func (v *velocity) sweep(now time.Time) error {
	for e, err := range v.recent.All() {
		if err == nil && e.Value.idle(now) {
			err = v.recent.Delete(e.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
