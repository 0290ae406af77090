package serde

// SchemaType is a language of schemas.
type SchemaType int8

const (
	AvroSchema SchemaType = iota
	ProtobufSchema
	JSONSchema
)

// String is the name that registries have for t.
func (t SchemaType) String() string { return [...]string{"AVRO", "PROTOBUF", "JSON"}[t] }

// A Schema is a schema in the form that registries keep.
type Schema struct {
	Type SchemaType
	// Name is the full name of the record, message or title that it describes.
	Name string
	// Text is the schema.
	Text string
	// References are the schemas that Text names and does not hold.
	References []Reference
	// Index is, for Protobuf, where in Text the message is: its place among the
	// messages of the file, then its place in that message, and so on.
	Index []int
}

// A Reference is a schema that another one names.
type Reference struct {
	Name   string // by which the text refers to it: an import, a type, a $ref
	Schema Schema
}

// A Schematic is a serde whose bytes are described by a schema, which they do not
// hold. Registries frame such bytes with what identifies the schema.
type Schematic[T any] interface {
	Serde[T]
	// Schema describes what Append writes.
	Schema() Schema
	// Reader returns the decoder of what was written with w. It returns an error that
	// names every difference if such bytes cannot be read. The decoder keeps the
	// promises of Serde.Decode and is used concurrently.
	Reader(w Schema) (func(src []byte) (T, error), error)
}

// A ReadsAller is a Schematic that can tell whether what Reader returns for w can read
// everything that is written with w, or only some of it. If it cannot tell, each value of a
// store that was written with another schema is decoded by each build of the program,
// before a task runs.
type ReadsAller interface {
	ReadsAll(w Schema) bool
}
