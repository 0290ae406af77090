package serdetest_test

import (
	"testing"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/serde/serdetest"
)

type customer struct{ Name, City string }

// In a file of tests this function would be called TestCustomer.
func testCustomer(t *testing.T) {
	serdetest.Run(t, serde.JSON[customer](), customer{}, customer{Name: "Ada", City: "London"})
}

func ExampleRun() {
	var _ func(*testing.T) = testCustomer
}
