package serde_test

import (
	"fmt"

	"github.com/leatstream/leat/pkg/serde"
)

func ExampleSerde() {
	buf := []byte("key=")
	buf, err := serde.Int64.Append(buf, 258)
	fmt.Printf("%q %v\n", buf, err)

	n, err := serde.Int64.Decode(buf[4:])
	fmt.Println(n, err)

	_, err = serde.Int64.Decode([]byte("abc"))
	fmt.Println(err)
	// Output:
	// "key=\x00\x00\x00\x00\x00\x00\x01\x02" <nil>
	// 258 <nil>
	// decode int64: want 8 bytes, got 3 bytes
}

func ExampleJSON() {
	type Payment struct {
		Account string `json:"account"`
		Cents   int64  `json:"cents"`
	}
	payments := serde.JSON[Payment]()

	b, err := payments.Append(nil, Payment{"A-1", 1250})
	fmt.Printf("%s %v\n", b, err)

	p, err := payments.Decode([]byte(`{"account": "A-2", "cents": 99, "currency": "EUR"}`))
	fmt.Println(p, err)
	// Output:
	// {"account":"A-1","cents":1250} <nil>
	// {A-2 99} <nil>
}

// A serde of one's own is two methods. Package serdetest checks it.
type celsius float64

type celsiusSerde struct{}

func (celsiusSerde) Append(dst []byte, v celsius) ([]byte, error) {
	return fmt.Appendf(dst, "%g", float64(v)), nil
}

func (celsiusSerde) Decode(src []byte) (v celsius, err error) {
	_, err = fmt.Sscanf(string(src), "%g", &v)
	return v, err
}

func ExampleSerde_custom() {
	var s serde.Serde[celsius] = celsiusSerde{}
	b, _ := s.Append(nil, 36.6)
	v, _ := s.Decode(b)
	fmt.Printf("%s %v\n", b, v)
	// Output: 36.6 36.6
}
