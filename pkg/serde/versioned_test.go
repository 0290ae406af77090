package serde_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/pkg/serde"
)

// A customer has had three forms: a name; a name and a city; a name in two parts.
type (
	customer1 struct{ Name string }
	customer2 struct{ Name, City string }
	customer  struct{ First, Last, City string }
)

var customers = serde.Versioned(3, serde.JSON[customer](),
	serde.MigrateBare(serde.JSON[customer1](), func(c customer1) (customer, error) {
		return fromSecond(customer2{Name: c.Name})
	}),
	serde.Migrate(2, serde.JSON[customer2](), fromSecond),
)

func fromSecond(c customer2) (customer, error) {
	first, last, ok := strings.Cut(c.Name, " ")
	if !ok {
		return customer{}, fmt.Errorf("the name has one part")
	}
	return customer{first, last, c.City}, nil
}

func ExampleVersioned() {
	for _, stored := range []string{
		`{"Name":"Ada Lovelace"}`,
		"\x02" + `{"Name":"Ada Lovelace","City":"London"}`,
		"\x03" + `{"First":"Ada","Last":"Lovelace","City":"London"}`,
	} {
		c, err := customers.Decode([]byte(stored))
		fmt.Printf("%+v %v\n", c, err)
	}
	// Output:
	// {First:Ada Last:Lovelace City:} <nil>
	// {First:Ada Last:Lovelace City:London} <nil>
	// {First:Ada Last:Lovelace City:London} <nil>
}

// A mistake in the serde of an older version is found at start, with the version.
func TestVersionedStart(t *testing.T) {
	t.Parallel()
	s := serde.Versioned(2, serde.JSON[customer](), serde.Migrate[customer, customer2](1, mistaken{serde.JSON[customer2]()}, fromSecond))
	err := serde.Start(t.Context(), serde.Reads|serde.Writes, s)
	if err == nil || err.Error() != "version 1: a mistake" {
		t.Error(err)
	}
}

type mistaken struct{ serde.Serde[customer2] }

func (mistaken) Start(_ context.Context, use serde.Use) error {
	if use != serde.Migrates {
		return fmt.Errorf("use %d", use)
	}
	return errors.New("a mistake")
}

func TestVersionedErrors(t *testing.T) {
	t.Parallel()
	bare, strict := customers, serde.Versioned(3, serde.JSON[customer](), serde.Migrate(2, serde.JSON[customer2](), fromSecond))
	for _, c := range []struct {
		name, src string
		s         serde.Serde[customer]
		decode    string
		check     bool // does not let it pass
	}{
		{"newer", "\x09{}", strict, "it is version 9, and known are [2 3]", true},
		{"newer, and there are values without", "\x09nothing", bare, "a value without version: decode", false},
		{"nothing", "", strict, "want a version before the value", true},
		{"long", strings.Repeat("\xff", 11), strict, "want a version before the value", true},
		{"current", "\x03[]", strict, "decode serde_test.customer", false},
		{"migration", "\x02" + `{"Name":"Plato","City":"Athens"}`, strict, "version 2: the name has one part", false},
	} {
		if err := decode(c.s, c.src); err == nil || !strings.Contains(err.Error(), c.decode) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := c.s.(serde.Checker).Check([]byte(c.src)); errors.Is(err, serde.ErrUnreadable) != c.check {
			t.Errorf("%s: Check: %v", c.name, err)
		}
		form := serde.AppendForm(c.s, nil, []byte(c.src))
		if err := c.s.(serde.Checker).Check(form); errors.Is(err, serde.ErrUnreadable) != c.check || len(form) > 10 {
			t.Errorf("%s: Check of the form, %q: %v", c.name, form, err)
		}
	}
	for src, want := range map[string]bool{"\x03[]": false, "\x02[]": false, "\x09": false} {
		if got := serde.Doubts(strict, []byte(src)); got != want {
			t.Errorf("%q leaves a doubt: %v", src, got)
		}
	}
	twice := serde.Versioned(2, serde.JSON[customer](), serde.Migrate(2, serde.JSON[customer2](), fromSecond))
	if err := twice.(serde.Starter).Start(t.Context(), serde.Reads); err == nil {
		t.Error("a version that is given twice is accepted")
	}
}

func FuzzVersioned(f *testing.F) {
	for _, seed := range []string{"", "\x02{}", "\x03{}", "{}", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		tells(t, customers, src)
		tells(t, serde.Versioned(2, serde.Versioned(3, serde.Int64)), src)
		v, err := customers.Decode(src)
		if err != nil {
			return
		}
		enc, err := customers.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, customers, enc, enc)
	})
}
