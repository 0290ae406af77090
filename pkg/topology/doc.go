// Package topology says what to compute. It knows nothing of brokers.
//
// A Builder reads topics; every verb is a method of the handle it reads and
// returns a new handle, typed from end to end:
//
//	b := topology.New()
//	b.From(lines).
//		FlatMapValues(strings.Fields).
//		KeyBy(words, func(_, w string) string { return w }).
//		Count(counts).
//		Stream().
//		To(output)
//	t, err := b.Build()
//
// Topics, repartition topics and stores are values that are declared once, with
// their serdes. Names that last (of topics, stores and processors) are always the
// author's; adding a stateless verb renames nothing.
package topology
