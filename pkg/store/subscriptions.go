package store

import (
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
)

// Subscriptions describe the store in which the right side of a foreign-key join keeps
// who asks for which of its rows. It is for leat's own operators, who put its bytes
// together; those of its changelog are Kafka Streams'.
type Subscriptions struct {
	KV[[]byte, []byte]
	serdes Serdes
}

// SubscriptionStore describes the store called name. at returns the serdes of what its
// keys hold, the foreign key and the left row's, for where they are used; they are
// checked at start by whoever uses them there. A nil at says that there are none.
func SubscriptionStore[FK, K any](name string, at func(changelog string) (serde.Serde[FK], serde.Serde[K])) Subscriptions {
	d := Subscriptions{KV: KeyValue(name, serde.Bytes, serde.Bytes)}
	if at == nil {
		return d
	}
	d.serdes = Serdes{started: true, at: func(changelog string) []part {
		foreign, left := at(changelog)
		return []part{partOf("foreign key", foreign), partOf("left key", left)}
	}}
	d.serdes.cut = func(key, _ []byte, show func(int, []byte) error) error {
		foreign, left, err := wire.SubscriptionKey(key)
		if err != nil {
			return err
		}
		if err := show(0, foreign); err != nil {
			return err
		}
		return show(1, left)
	}
	return d
}

// Spec is what the runtime needs to know of the store.
func (d Subscriptions) Spec() Spec {
	s := d.KV.Spec()
	s.Serdes = d.serdes
	return s
}
