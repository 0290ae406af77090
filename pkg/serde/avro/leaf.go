package avro

import (
	"encoding/binary"
	"math/big"
	"reflect"
	"time"
	"unsafe"
	"uuid"
)

// A readFn reads a value into what p points at, which is zero and of the type that the
// function was made for.
type readFn func(c *cursor, p unsafe.Pointer) error

// A writeFn appends the encoding of what p points at.
type writeFn func(e *encoder, p unsafe.Pointer) error

// An encoder collects an encoding.
type encoder struct {
	buf   []byte
	depth int
	keys  []string // of the maps that are being written, to be sorted
}

func (e *encoder) enter() error {
	if e.depth++; e.depth > MaxDepth {
		return errDeep
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

// A leaf is how a type without parts and a Go type go together. Reading a number may
// begin with one of another type; put is what is done with it then.
type leaf struct {
	write writeFn
	read  readFn
	put   func(p unsafe.Pointer, v int64) error // of numbers only
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	clockType    = reflect.TypeFor[time.Duration]()
	ratType      = reflect.TypeFor[*big.Rat]()
	uuidGoType   = reflect.TypeFor[uuid.UUID]()
	durationType = reflect.TypeFor[Duration]()
)

// leafOf returns nil if n and t do not go together.
func leafOf(n *node, t reflect.Type) *leaf {
	switch n.kind {
	case kindNull:
		if t.Kind() == reflect.Struct && t.NumField() == 0 {
			return &leaf{
				write: func(*encoder, unsafe.Pointer) error { return nil },
				read:  func(*cursor, unsafe.Pointer) error { return nil },
			}
		}
	case kindBoolean:
		if t.Kind() == reflect.Bool {
			return boolLeaf
		}
	case kindInt, kindLong:
		return numberLeaf(n, t)
	case kindFloat:
		if t.Kind() == reflect.Float32 {
			return floatLeaf
		}
	case kindDouble:
		if t.Kind() == reflect.Float64 {
			return doubleLeaf
		}
	case kindBytes, kindString, kindFixed:
		return bytesLeaf(n, t)
	}
	return nil
}

var boolLeaf = &leaf{
	write: func(e *encoder, p unsafe.Pointer) error {
		e.buf = appendBool(e.buf, *(*bool)(p))
		return nil
	},
	read: func(c *cursor, p unsafe.Pointer) (err error) {
		*(*bool)(p), err = c.bool()
		return err
	},
}

var floatLeaf = &leaf{
	write: func(e *encoder, p unsafe.Pointer) error {
		e.buf = binary.LittleEndian.AppendUint32(e.buf, *(*uint32)(p))
		return nil
	},
	read: func(c *cursor, p unsafe.Pointer) (err error) {
		*(*uint32)(p), err = c.uint32()
		return err
	},
}

var doubleLeaf = &leaf{
	write: func(e *encoder, p unsafe.Pointer) error {
		e.buf = binary.LittleEndian.AppendUint64(e.buf, *(*uint64)(p))
		return nil
	},
	read: func(c *cursor, p unsafe.Pointer) (err error) {
		*(*uint64)(p), err = c.uint64()
		return err
	},
}

// numberLeaf is for int and long.
func numberLeaf(n *node, t reflect.Type) *leaf {
	switch l := n.logical; {
	case (l == date || l >= timestampMillis && l <= localNanos) && t == timeType:
		return numbers(n.kind,
			func(p unsafe.Pointer, v int64) error { *(*time.Time)(p) = timeOf(l, v); return nil },
			func(p unsafe.Pointer) (int64, error) { return numberOf(l, *(*time.Time)(p)) })
	case (l == timeMillis || l == timeMicros) && t == clockType:
		return numbers(n.kind,
			func(p unsafe.Pointer, v int64) (err error) { *(*time.Duration)(p), err = clockOf(l, v); return err },
			func(p unsafe.Pointer) (int64, error) { return clockNumber(l, *(*time.Duration)(p)) })
	}
	switch t.Kind() {
	case reflect.Int:
		return integers[int](n.kind)
	case reflect.Int8:
		return integers[int8](n.kind)
	case reflect.Int16:
		return integers[int16](n.kind)
	case reflect.Int32:
		return integers[int32](n.kind)
	case reflect.Int64:
		return integers[int64](n.kind)
	case reflect.Uint:
		return integers[uint](n.kind)
	case reflect.Uint8:
		return integers[uint8](n.kind)
	case reflect.Uint16:
		return integers[uint16](n.kind)
	case reflect.Uint32:
		return integers[uint32](n.kind)
	case reflect.Uint64:
		return integers[uint64](n.kind)
	}
	return nil
}

type goInteger interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64
}

// integers is for an int or long and any integer of Go. A number that one has and the
// other has not is an error.
func integers[T goInteger](k kind) *leaf {
	t := reflect.TypeFor[T]()
	l := numbers(k,
		func(p unsafe.Pointer, v int64) error {
			if *(*T)(p) = T(v); int64(T(v)) != v || T(v) < 0 != (v < 0) {
				return errNumber(v, t.String())
			}
			return nil
		},
		func(p unsafe.Pointer) (int64, error) {
			v := *(*T)(p)
			if w := int64(v); T(w) != v || w < 0 != (v < 0) || k == kindInt && w != int64(int32(w)) {
				return 0, errNumber(v, k.String())
			}
			return int64(v), nil
		})
	if k == kindLong && t.Kind() == reflect.Int64 {
		l.read = func(c *cursor, p unsafe.Pointer) (err error) {
			*(*int64)(p), err = c.long()
			return err
		}
		l.write = func(e *encoder, p unsafe.Pointer) error {
			e.buf = binary.AppendVarint(e.buf, *(*int64)(p))
			return nil
		}
	}
	if k == kindInt && t.Kind() == reflect.Int32 {
		l.read = func(c *cursor, p unsafe.Pointer) (err error) {
			*(*int32)(p), err = c.int()
			return err
		}
	}
	return l
}

func numbers(k kind, put func(unsafe.Pointer, int64) error, get func(unsafe.Pointer) (int64, error)) *leaf {
	l := &leaf{put: put}
	l.write = func(e *encoder, p unsafe.Pointer) error {
		v, err := get(p)
		if err == nil {
			e.buf = binary.AppendVarint(e.buf, v)
		}
		return err
	}
	l.read = readNumber(k, put)
	return l
}

func readNumber(k kind, put func(unsafe.Pointer, int64) error) readFn {
	if k == kindInt {
		return func(c *cursor, p unsafe.Pointer) error {
			v, err := c.int()
			if err != nil {
				return err
			}
			return put(p, int64(v))
		}
	}
	return func(c *cursor, p unsafe.Pointer) error {
		v, err := c.long()
		if err != nil {
			return err
		}
		return put(p, v)
	}
}

// promoted reads a value of the writer's type w into a Go type that goes with r.
func promoted(l *leaf, w, r kind) readFn {
	switch {
	case r == kindLong:
		return readNumber(w, l.put)
	case r == kindFloat:
		return readNumber(w, func(p unsafe.Pointer, v int64) error { *(*float32)(p) = float32(v); return nil })
	case r == kindDouble && w == kindFloat:
		return func(c *cursor, p unsafe.Pointer) error {
			var f float32
			err := floatLeaf.read(c, unsafe.Pointer(&f))
			*(*float64)(p) = float64(f)
			return err
		}
	case r == kindDouble:
		return readNumber(w, func(p unsafe.Pointer, v int64) error { *(*float64)(p) = float64(v); return nil })
	}
	return l.read // bytes and string have the same encoding
}

// bytesLeaf is for bytes, string and fixed.
func bytesLeaf(n *node, t reflect.Type) *leaf {
	switch {
	case n.logical == decimal && t == ratType:
		return ratLeaf(n)
	case n.logical == uuidType && n.kind == kindString && t == uuidGoType:
		return uuidLeaf
	case n.logical == duration && t == durationType:
		return durationLeaf
	case n.kind == kindFixed && t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8 && t.Len() == n.size:
		return fixedLeaf(n.size)
	case n.kind == kindBytes && t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return sliceLeaf
	case n.kind == kindString && t.Kind() == reflect.String:
		return stringLeaf
	}
	return nil
}

var stringLeaf = &leaf{
	write: func(e *encoder, p unsafe.Pointer) error {
		s := *(*string)(p)
		e.buf = append(binary.AppendVarint(e.buf, int64(len(s))), s...)
		return nil
	},
	read: func(c *cursor, p unsafe.Pointer) error {
		b, err := c.bytes()
		if len(b) > 0 {
			*(*string)(p) = c.text(b)
		}
		return err
	},
}

// sliceLeaf makes no bytes an empty slice, not nil.
var sliceLeaf = &leaf{
	write: func(e *encoder, p unsafe.Pointer) error {
		b := *(*[]byte)(p)
		e.buf = append(binary.AppendVarint(e.buf, int64(len(b))), b...)
		return nil
	},
	read: func(c *cursor, p unsafe.Pointer) error {
		b, err := c.bytes()
		if err == nil {
			*(*[]byte)(p) = append([]byte{}, b...)
		}
		return err
	},
}

func fixedLeaf(size int) *leaf {
	return &leaf{
		write: func(e *encoder, p unsafe.Pointer) error {
			e.buf = append(e.buf, unsafe.Slice((*byte)(p), size)...)
			return nil
		},
		read: func(c *cursor, p unsafe.Pointer) error {
			b, err := c.next(size)
			copy(unsafe.Slice((*byte)(p), size), b)
			return err
		},
	}
}

var uuidLeaf = &leaf{
	write: func(e *encoder, p unsafe.Pointer) (err error) {
		e.buf, err = (*uuid.UUID)(p).AppendText(binary.AppendVarint(e.buf, uuidLen))
		return err
	},
	read: func(c *cursor, p unsafe.Pointer) error {
		b, err := c.bytes()
		if err == nil {
			*(*uuid.UUID)(p), err = parseUUID(b)
		}
		return err
	},
}

var durationLeaf = &leaf{
	write: func(e *encoder, p unsafe.Pointer) error {
		e.buf = appendDuration(e.buf, *(*Duration)(p))
		return nil
	},
	read: func(c *cursor, p unsafe.Pointer) error {
		b, err := c.next(12)
		if err == nil {
			*(*Duration)(p) = durationOf(b)
		}
		return err
	},
}

func ratLeaf(n *node) *leaf {
	scale := powerOf(n)
	return &leaf{
		write: func(e *encoder, p unsafe.Pointer) error {
			b, err := ratBytes(*(**big.Rat)(p), n, scale)
			if err == nil && n.kind == kindBytes {
				e.buf = binary.AppendVarint(e.buf, int64(len(b)))
			}
			e.buf = append(e.buf, b...)
			return err
		},
		read: func(c *cursor, p unsafe.Pointer) error {
			var b []byte
			var err error
			if n.kind == kindFixed {
				b, err = c.next(n.size)
			} else {
				b, err = c.bytes()
			}
			if err == nil {
				*(**big.Rat)(p), err = ratOf(b, scale)
			}
			return err
		},
	}
}
