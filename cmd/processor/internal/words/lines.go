package words

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Lines reads text line by line, with as much memory as one piece needs. A line
// that is longer than a piece may be is cut between two words, so that the words
// of the pieces are those of the line.
type Lines struct {
	r     *bufio.Reader
	max   int    // bytes of a piece
	rest  []byte // of the line in hand: the last piece, then what has been read beyond it
	piece int    // length of the last piece
	more  bool   // the line in hand has not been read to its end
	line  int
}

// A LongWordError says that a word is too long for one piece.
type LongWordError struct {
	Line  int
	Limit int
	Start string // of the word
}

func (e *LongWordError) Error() string {
	return fmt.Sprintf("line %d has a word of more than %d bytes, which is what a record can hold: break it up; it starts with %q", e.Line, e.Limit, e.Start)
}

// NewLines reads r in pieces of at most limit bytes, which must be enough for one
// character.
func NewLines(r io.Reader, limit int) *Lines {
	return &Lines{r: bufio.NewReader(r), max: limit}
}

// Line is the number of the line that the last piece is of, from 1.
func (l *Lines) Line() int { return l.line }

// Next returns the next line, or the next piece of a long one, without the end of
// line. It is valid until Next is called again. The error after the last line is
// io.EOF.
func (l *Lines) Next() ([]byte, error) {
	n := copy(l.rest, l.rest[l.piece:])
	l.rest, l.piece = l.rest[:n], 0
	if n == 0 && !l.more {
		l.more = true
		l.line++
	}
	if err := l.read(); err != nil {
		return nil, err
	}
	if l.piece = len(l.rest); l.piece > l.max {
		if l.piece = boundary(l.rest, l.max); l.piece == 0 {
			return nil, &LongWordError{Line: l.line, Limit: l.max, Start: string(l.rest[:min(20, l.max)])}
		}
	}
	return l.rest[:l.piece], nil
}

// read reads the line in hand up to its end, or as far as a cut needs: one
// character beyond the greatest piece.
func (l *Lines) read() error {
	for l.more && len(l.rest) < l.max+utf8.UTFMax {
		b, err := l.r.ReadSlice('\n')
		l.rest = append(l.rest, b...)
		switch {
		case err == nil:
			l.more = false
			l.rest = trimEnd(l.rest)
		case errors.Is(err, io.EOF):
			l.more = false
			if len(l.rest) == 0 {
				return io.EOF
			}
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
	return nil
}

func trimEnd(line []byte) []byte {
	line = line[:len(line)-1] // the \n
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// boundary returns the last place in b, up to limit, that is not inside of a word
// or of a character; 0 if there is none. b goes on beyond limit.
func boundary(b []byte, limit int) (cut int) {
	inWord := false
	for i := 0; i <= limit; {
		r, n := utf8.DecodeRune(b[i:])
		word := !separates(r)
		if !inWord || !word {
			cut = i
		}
		inWord = word
		i += n
	}
	return cut
}
