package wordcount

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/pkg/serde"
)

// Updates follow the counts that a topology puts out.
type Updates struct {
	Last Counts // of each word
	Seen int64

	guarantee Guarantee
	at        map[string]position // of Last
}

type position struct {
	partition int32
	offset    int64
}

// NewUpdates returns updates of which none was seen.
func NewUpdates(g Guarantee) *Updates {
	return &Updates{Last: make(Counts), guarantee: g, at: make(map[string]position)}
}

// Add takes in the next record of a partition. Exactly once, every update of a word is one more than the one before.
func (u *Updates) Add(r *kgo.Record) error {
	n, err := serde.Int64.Decode(r.Value)
	if err != nil {
		return fmt.Errorf("%s[%d] at %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	word, here := string(r.Key), position{r.Partition, r.Offset}
	if before := u.Last[word]; u.guarantee == ExactlyOnce && n != before+1 {
		return fmt.Errorf("%s: %q goes from %d at %v to %d at %v (partition and offset)", r.Topic, word, before, u.at[word], n, here)
	}
	u.Last[word], u.at[word] = n, here
	u.Seen++
	return nil
}
