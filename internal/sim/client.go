package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/kafka"
)

// A Client asks the broker for a process. Its methods are called by threads of that
// process.
type Client struct {
	S *Sim
	// Unstable breaks FetchStable: it does not wait for open transactions.
	Unstable bool
}

// FetchStable is kafka.Group.FetchStable.
func (c *Client) FetchStable(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
	return retried(ctx, c.S, c.S.text("fetch of offsets %v", tps), func() (map[kafka.TopicPartition]kafka.Committed, error) {
		return c.S.Broker.Group.fetch(tps, !c.Unstable)
	})
}

// FetchCommitted is kafka.Group.FetchCommitted.
func (c *Client) FetchCommitted(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
	return retried(ctx, c.S, c.S.text("fetch of offsets %v as they are", tps), func() (map[kafka.TopicPartition]kafka.Committed, error) {
		return c.S.Broker.Group.fetch(tps, false)
	})
}

// Bounds is kafka.Bounds.
func (c *Client) Bounds(ctx context.Context, end kafka.LogPoint, tps []kafka.TopicPartition) (begins, ends map[kafka.TopicPartition]int64, err error) {
	if ends, err = c.listOffsets(ctx, end, tps); err != nil {
		return nil, nil, err
	}
	begins, err = c.listOffsets(ctx, kafka.Earliest, tps)
	return begins, ends, err
}

func (c *Client) listOffsets(ctx context.Context, at kafka.LogPoint, tps []kafka.TopicPartition) (map[kafka.TopicPartition]int64, error) {
	return retried(ctx, c.S, c.S.text("%s of %v", points[at], tps), func() (map[kafka.TopicPartition]int64, error) {
		out := map[kafka.TopicPartition]int64{}
		for _, tp := range tps {
			switch p := c.S.Broker.Partition(tp); at {
			case kafka.Earliest:
				out[tp] = 0
			case kafka.Latest:
				out[tp] = p.End()
			default:
				out[tp] = p.Stable()
			}
		}
		return out, nil
	})
}

var points = map[kafka.LogPoint]string{kafka.Earliest: "starts", kafka.Latest: "ends", kafka.LastStable: "stable ends"}

// Run is changelog.Reader.Run.
func (c *Client) Run(ctx context.Context, targets []changelog.Target, apply func(changelog.Batch) error) error {
	targets = slices.SortedFunc(slices.Values(targets), func(a, b changelog.Target) int { return a.Compare(b.TopicPartition) })
	for len(targets) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.S.Wait(ctx, func() bool { return slices.ContainsFunc(targets, c.readable) }); err != nil {
			return err
		}
		i := c.S.Rand.IntN(len(targets))
		t := &targets[i]
		if !c.readable(*t) {
			continue
		}
		b, err := c.read(ctx, *t)
		if err == nil {
			err = apply(b)
		}
		if err != nil {
			return err
		}
		if t.From = b.Next; t.From >= t.Until {
			targets = slices.Delete(targets, i, i+1)
		}
	}
	return nil
}

// readable reports whether a fetch would bring anything: a broker holds it until then.
func (c *Client) readable(t changelog.Target) bool {
	return t.From >= t.Until || c.S.Broker.Partition(t.TopicPartition).Stable() > t.From
}

// read fetches some of a changelog.
func (c *Client) read(ctx context.Context, t changelog.Target) (changelog.Batch, error) {
	most := 1 + c.S.Rand.IntN(20)
	return retried(ctx, c.S, c.S.text("fetch of %v from %d", t.TopicPartition, t.From), func() (changelog.Batch, error) {
		p := c.S.Broker.Partition(t.TopicPartition)
		if t.From > p.End() {
			return changelog.Batch{}, &changelog.TruncatedError{TopicPartition: t.TopicPartition}
		}
		records, next := p.Read(t.From, int(min(int64(most), t.Until-t.From)))
		b := changelog.Batch{TopicPartition: t.TopicPartition, Next: next, End: p.End()}
		for _, r := range records {
			b.Records = append(b.Records, changelog.Record{Key: r.Key, Value: r.Value, Time: r.Time, Offset: r.Offset})
		}
		return b, nil
	})
}

// Fetched is some of an input.
type Fetched struct {
	Records    []Record
	After, End int64
}

// String is short.
func (f Fetched) String() string {
	return fmt.Sprintf("%d records, up to %d of %d", len(f.Records), f.After, f.End)
}

// Fetch reads committed records of an input.
func (c *Client) Fetch(ctx context.Context, tp kafka.TopicPartition, from int64) (Fetched, error) {
	most := 1 + c.S.Rand.IntN(6)
	return retried(ctx, c.S, c.S.text("fetch of %v from %d", tp, from), func() (Fetched, error) {
		p := c.S.Broker.Partition(tp)
		records, after := p.Read(from, most)
		return Fetched{records, after, p.Stable()}, nil
	})
}

// Fence is kafka.Fence.
func (c *Client) Fence(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := c.InitProducer(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// InitProducer is InitProducerID.
func (c *Client) InitProducer(ctx context.Context, id string) (Producer, error) {
	return retried(ctx, c.S, "initialisation of "+id, func() (Producer, error) { return c.S.Broker.initProducer(id) })
}

// EndTxn ends a transaction. If the answer is lost it may ask again.
func (c *Client) EndTxn(ctx context.Context, id string, p Producer, commit bool) (Producer, error) {
	for {
		verb := "abort"
		if commit {
			verb = "commit"
		}
		c.S.ending = true
		next, err := call(ctx, c.S, c.S.text("%s of %s/%d", verb, id, p.Epoch), now(func() (Producer, error) {
			return c.S.Broker.end(id, p, commit)
		}))
		if err == nil || !passes(err) || err == errLost && c.S.Rand.IntN(2) == 0 || ctx.Err() != nil {
			return next, err
		}
		if err := c.S.Sleep(ctx, 50*time.Millisecond); err != nil {
			return p, err
		}
	}
}

// Commit is kafka.Group.Commit.
func (c *Client) Commit(ctx context.Context, who kafka.Identity, of map[kafka.TopicPartition]kafka.Committed) error {
	of = maps.Clone(of)
	return c.commit(ctx, c.S.text("commit of offsets %s as %s", places(of), said(who)), func() error { return c.S.Broker.Group.commitPlain(who, of) })
}

// CommitTxn is kafka.Group.CommitTxn.
func (c *Client) CommitTxn(ctx context.Context, id string, p Producer, who kafka.Identity, of map[kafka.TopicPartition]kafka.Committed) error {
	of = maps.Clone(of)
	name := c.S.text("commit of offsets %s in %s/%d as %s", places(of), id, p.Epoch, said(who))
	return c.commit(ctx, name, func() error { return c.S.Broker.CommitOffsets(id, p, who, of) })
}

func (c *Client) commit(ctx context.Context, name string, fn func() error) error {
	for {
		_, err := call(ctx, c.S, name, now(func() (struct{}, error) { return struct{}{}, fn() }))
		if kafka.OnCommit(err) != kafka.Retry {
			return err
		}
		if cause := c.S.Sleep(ctx, 50*time.Millisecond); cause != nil {
			return fmt.Errorf("%w: %w", cause, err)
		}
	}
}

// places and said print themselves if somebody listens.
type places map[kafka.TopicPartition]kafka.Committed

func (of places) String() (text string) {
	for _, tp := range slices.SortedFunc(maps.Keys(of), kafka.TopicPartition.Compare) {
		text += fmt.Sprintf("%v@%d ", tp, of[tp].Offset)
	}
	return strings.TrimSpace(text)
}

type said kafka.Identity

func (who said) String() string {
	return fmt.Sprintf("%s of generation %d", who.MemberID, who.Generation)
}

// Heartbeat is kafka.Group.Heartbeat, asked once.
func (c *Client) Heartbeat(ctx context.Context, who kafka.Identity) error {
	_, err := call(ctx, c.S, c.S.text("heartbeat of %s", said(who)), now(func() (struct{}, error) {
		return struct{}{}, c.S.Broker.Group.heartbeat(who.MemberID, who.InstanceID, who.Generation)
	}))
	return err
}

// Join is JoinGroup. It waits for the group.
func (c *Client) Join(ctx context.Context, j Join) (Joined, error) {
	return call(ctx, c.S, "join of "+j.Member, func(r reply[Joined]) { c.S.Broker.Group.join(j, r) })
}

// Sync is SyncGroup.
func (c *Client) Sync(ctx context.Context, q Sync) ([]byte, error) {
	return call(ctx, c.S, "sync of "+q.Member, func(r reply[[]byte]) { c.S.Broker.Group.sync(q, r) })
}

// Leave is LeaveGroup.
func (c *Client) Leave(ctx context.Context, who kafka.Identity) error {
	_, err := call(ctx, c.S, "leave of "+who.MemberID, now(func() (struct{}, error) {
		return struct{}{}, c.S.Broker.Group.leave(who.MemberID, who.InstanceID)
	}))
	return err
}

// Produce sends a batch, in the background; done is told once what has become of it.
func (c *Client) Produce(h *Host, p *Partition, batch Batch, done func(base int64, err error)) {
	var err error
	base := int64(-1)
	name := c.S.text("%d records to %s[%d] by %s/%d #%d", len(batch.Records), p.Topic, p.Number, batch.TransactionalID, batch.Epoch, batch.Sequence)
	m := &message{host: h, name: name, fragile: true}
	m.deliver = func(m *message) {
		base, err = c.S.Broker.Produce(p, batch)
		m.answered = true
		if err != nil {
			c.S.Log("        %s: %s is answered with %v", h.Name, m.name, err)
		}
	}
	m.answer = func(lost error) {
		if lost != nil {
			done(-1, lost)
			return
		}
		done(base, err)
	}
	c.S.send(m)
}
