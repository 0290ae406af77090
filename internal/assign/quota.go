package assign

// quotas says how many tasks of each kind each seat shall have, given how many it
// has now and how many there are. Every seat gets the floor of the average, and
// some get one more: the extra. The total is balanced if nobody gets two extras,
// or, where there are more extras than seats, if nobody goes without any. Within
// that, as many seats as can be keep what they have.
func quotas(have [][kinds]int, total [kinds]int) [][kinds]int {
	n := len(have)
	var floor, extras [kinds]int
	for k := range kinds {
		floor[k], extras[k] = total[k]/n, total[k]%n
	}
	keeps := func(i int, k kind) bool { return have[i][k] > floor[k] } // one more, if it gets an extra
	var extra [][kinds]bool
	if extras[stateful]+extras[stateless] <= n {
		extra = choose(n, extras, keeps)
	} else { // the mirror image: nobody goes twice without
		without := [kinds]int{n - extras[stateful], n - extras[stateless]}
		extra = choose(n, without, func(i int, k kind) bool { return !keeps(i, k) })
		for i := range extra {
			extra[i] = [kinds]bool{!extra[i][stateful], !extra[i][stateless]}
		}
	}
	out := make([][kinds]int, n)
	for i := range out {
		for k := range kinds {
			out[i][k] = floor[k]
			if extra[i][k] {
				out[i][k]++
			}
		}
	}
	return out
}

// choose picks size[k] of n seats for each kind, no seat twice, so that as many as
// possible are picked for a kind they suit. There must be seats enough.
//
// Who suits one kind alone goes first, then who suits both, then anybody: when the
// last step comes to a kind, nobody who suits it is left, and whoever suits the
// other kind is left only because that one has enough.
func choose(n int, size [kinds]int, suits func(int, kind) bool) [][kinds]bool {
	picked := make([][kinds]bool, n)
	pick := func(k kind, may func(i int) bool) {
		for i := range picked {
			if size[k] > 0 && picked[i] == [kinds]bool{} && may(i) {
				picked[i][k] = true
				size[k]--
			}
		}
	}
	for k := range kinds {
		pick(k, func(i int) bool { return suits(i, k) && !suits(i, 1-k) })
	}
	for k := range kinds {
		pick(k, func(i int) bool { return suits(i, k) })
	}
	for k := range kinds {
		pick(k, func(int) bool { return true })
	}
	return picked
}
