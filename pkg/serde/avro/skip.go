package avro

// A skipFn reads an encoding and checks all of it, but makes no value.
type skipFn func(c *cursor) error

// A skipper makes the skipFn of each type once; a recursive type holds itself.
type skipper map[*node]*skipFn

func (s skipper) of(n *node) skipFn {
	switch n.kind {
	case kindNull:
		return func(*cursor) error { return nil }
	case kindBoolean:
		return func(c *cursor) error { _, err := c.bool(); return err }
	case kindInt:
		return func(c *cursor) error { _, err := c.int(); return err }
	case kindLong:
		return func(c *cursor) error { _, err := c.long(); return err }
	case kindFloat:
		return func(c *cursor) error { _, err := c.next(4); return err }
	case kindDouble:
		return func(c *cursor) error { _, err := c.next(8); return err }
	case kindBytes, kindString:
		return func(c *cursor) error { _, err := c.bytes(); return err }
	case kindFixed:
		return func(c *cursor) error { _, err := c.next(n.size); return err }
	case kindEnum:
		return func(c *cursor) error { _, err := c.choice(len(n.symbols)); return err }
	case kindUnion:
		return s.union(n)
	case kindArray, kindMap:
		return s.items(n)
	}
	return s.record(n)
}

func (s skipper) union(n *node) skipFn {
	branches := make([]skipFn, len(n.branches))
	for i, b := range n.branches {
		branches[i] = s.of(b)
	}
	return func(c *cursor) error {
		i, err := c.choice(len(branches))
		if err != nil {
			return err
		}
		return branches[i](c)
	}
}

func (s skipper) items(n *node) skipFn {
	item, least, isMap := s.of(n.item), weight(n), n.kind == kindMap
	return func(c *cursor) error {
		if err := c.enter(); err != nil {
			return err
		}
		for {
			count, err := c.block(least)
			if err != nil {
				return err
			}
			if count == 0 {
				c.leave()
				return nil
			}
			for i := range count {
				if isMap {
					if _, err := c.bytes(); err != nil {
						return within(err, "key")
					}
				}
				if err := item(c); err != nil {
					return withinItem(err, i)
				}
			}
		}
	}
}

// weight is the number of bytes that an item of an array or map takes at least.
func weight(n *node) int {
	if n.kind == kindMap {
		return 1 + n.item.least()
	}
	return n.item.least()
}

func (s skipper) record(n *node) skipFn {
	if made := s[n]; made != nil {
		return func(c *cursor) error { return (*made)(c) }
	}
	made := new(skipFn)
	s[n] = made
	fields := make([]skipFn, len(n.fields))
	for i, f := range n.fields {
		fields[i] = s.of(f.node)
	}
	*made = func(c *cursor) error {
		if err := c.enter(); err != nil {
			return err
		}
		for i, f := range fields {
			if err := f(c); err != nil {
				return within(err, n.fields[i].name)
			}
		}
		c.leave()
		return nil
	}
	return *made
}
