package changelog

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// smallShare is what is asked for of a partition that has nothing new as far as
// is known, or comes after those that the request is full with.
const smallShare = 64 << 10

// A leader reads the partitions that one broker leads, in two loops: while the
// answer to a fetch is applied the next one is on its way.
type leader struct {
	*run
	node int32
	in   chan []*part // to the fetch loop; has room for all parts, so Run never waits
	out  chan round   // from it to the apply loop; has no room, which bounds the memory
}

// A round is what one fetch brought.
type round struct {
	answers []answer
	leave   []*part // goes back to Run when the answers are applied
}

// fetchLoop ends, and closes out, when ctx ends.
func (l *leader) fetchLoop(ctx context.Context) {
	defer close(l.out)
	var parts []*part
	for {
		if parts = l.receive(ctx, parts); ctx.Err() != nil {
			return
		}
		var r round
		if r, parts = l.fetch(ctx, parts); len(r.answers) == 0 && len(r.leave) == 0 {
			continue
		}
		select {
		case l.out <- r:
		case <-ctx.Done():
			return
		}
	}
}

// receive adds what has come in, and waits if there is nothing at all.
func (l *leader) receive(ctx context.Context, parts []*part) []*part {
	for {
		if len(parts) == 0 {
			select {
			case parts = <-l.in:
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case more := <-l.in:
			parts = append(parts, more...)
		default:
			return parts
		}
	}
}

// applyLoop ends when out is closed or apply has failed.
func (l *leader) applyLoop(ctx context.Context) {
	d := decoder{Decompressor: l.decomp}
	apply := func(b Batch) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return l.apply(b)
	}
	for r := range l.out {
		for _, a := range r.answers {
			if err := d.each(a, apply); err != nil {
				l.fail(err)
				return
			}
		}
		if len(r.leave) > 0 {
			l.back <- r.leave
		}
	}
}

// fetch asks the broker once. The parts that are to be asked for again are in
// the order in which to ask: a broker fills its answer from the front, and
// sends a batch that is larger than asked for only for the first partition
// that has any. So those that got something go to the back.
func (l *leader) fetch(ctx context.Context, parts []*part) (r round, stay []*part) {
	resp, err := l.request(ctx, parts)
	if err != nil {
		for _, p := range parts {
			p.fail(err)
		}
		return round{leave: parts}, nil
	}
	sent := make(map[partKey]*kmsg.FetchResponseTopicPartition, len(parts))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			sent[partKey{t.TopicID, t.Partitions[j].Partition}] = &t.Partitions[j]
		}
	}
	var fed []*part
	for _, p := range parts {
		ok := false
		if s := sent[p.key()]; s != nil { // a throttled answer holds none
			var a answer
			if a, ok = p.take(s); ok {
				r.answers = append(r.answers, a)
			}
		}
		switch {
		case p.leaves(l.cfg.StallEvery):
			r.leave = append(r.leave, p)
		case ok:
			fed = append(fed, p)
		default:
			stay = append(stay, p)
		}
	}
	return r, append(stay, fed...)
}

// request sends one Fetch, without a session and without the client's own
// retries: after an error the leader is asked for anew.
func (l *leader) request(ctx context.Context, parts []*part) (*kmsg.FetchResponse, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(l.cfg.MaxWait.Milliseconds())
	req.MinBytes = 1
	req.IsolationLevel = 1 // read_committed
	// MaxBytes stays without limit. The partitions' limits keep to RequestBytes,
	// and a broker that stops in the middle of a partition for want of space
	// has one more thing to get wrong: kfake then forgets what was aborted.
	room := l.cfg.RequestBytes / l.nodes.Load()
	small := max(1, min(smallShare, l.cfg.PartitionBytes, room/int32(len(parts))))
	left := room - small*int32(len(parts))
	for _, p := range parts {
		ask := kmsg.NewFetchRequestTopicPartition()
		ask.Partition, ask.CurrentLeaderEpoch, ask.FetchOffset = p.Partition, p.epoch, p.next
		ask.PartitionMaxBytes = small
		if more := min(l.cfg.PartitionBytes-small, left); more > 0 && p.behind() {
			ask.PartitionMaxBytes += more
			left -= more
		}
		if n := len(req.Topics); n == 0 || req.Topics[n-1].TopicID != p.TopicID {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = p.Topic, p.TopicID
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, ask)
	}
	resp, err := l.cl.Broker(int(l.node)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	fetched := resp.(*kmsg.FetchResponse)
	return fetched, kerr.ErrorForCode(fetched.ErrorCode)
}

// A partKey names a partition as answers do: since version 13 of the request
// they hold no names. Kafka 4.0 speaks nothing older with a client that does not.
type partKey struct {
	topic     [16]byte
	partition int32
}

func (p *part) key() partKey { return partKey{p.TopicID, p.Partition} }
