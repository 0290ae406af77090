package registry

import "github.com/leatstream/leat/pkg/serde"

// A Strategy names the subject of a schema by where it is used and what the record is
// called. It returns "" if it cannot: a value of no name, or outside of a topic.
type Strategy func(p serde.Place, record string) string

// TopicName is <topic>-key or <topic>-value, the default: a topic has records of one
// schema and its versions.
func TopicName(p serde.Place, _ string) string {
	if p.Topic == "" {
		return ""
	}
	return p.Topic + "-" + p.Part.String()
}

// RecordName is the record's full name: a record has one schema in all topics.
func RecordName(_ serde.Place, record string) string { return record }

// TopicRecordName is <topic>-<record>: a topic has records of several schemas.
func TopicRecordName(p serde.Place, record string) string {
	if p.Topic == "" || record == "" {
		return ""
	}
	return p.Topic + "-" + record
}

// Registration says when a serde may register what it writes and the registry does not
// have.
type Registration int8

const (
	// Never leaves it to whoever deploys schemas: the default.
	Never Registration = iota
	// Internal registers for the application's own topics: repartition topics and
	// changelogs.
	Internal
	// Always registers for every topic.
	Always
)

func (r Registration) String() string { return [...]string{"never", "internal", "always"}[r] }

func (r Registration) allows(p serde.Place) bool {
	return r == Always || r == Internal && p.Internal
}

// Form says where the schema is named.
type Form int8

const (
	// Prefix puts the schema's id before the value, as every registry's clients can
	// read it: the default.
	Prefix Form = iota
	// Header puts the schema's GUID into a header, and leaves the value as it is. The
	// registry must have GUIDs, as Confluent's has since Platform 8, and who reads must
	// look for them. Internal topics and stores have Prefix all the same. What is
	// written is read in either form, whatever this says.
	Header
)

func (f Form) String() string { return [...]string{"prefix", "header"}[f] }
