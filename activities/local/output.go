package local

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/tenfold-ml/tenfold/activities/internal/jobs"
)

// maxLine is the longest line of standard output in bytes; a longer one is
// delivered in pieces.
const maxLine = 64 << 10

// scanLines delivers what r yields line by line until it ends.
func scanLines(r io.Reader, out *jobs.Output) {
	br := bufio.NewReaderSize(r, maxLine)
	continued := false
	for {
		line, err := br.ReadSlice('\n')
		text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		// The newline alone of a line that filled the buffer is not an empty line.
		if len(text) > 0 || (err == nil && !continued) {
			out.Line(string(text))
		}
		continued = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !continued {
			return // the end, or nobody will write any more
		}
	}
}

// alive notes every read, so that a progress bar without newlines is a sign of life.
type alive struct {
	r   io.Reader
	out *jobs.Output
}

func (a alive) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if n > 0 {
		a.out.Alive()
	}
	return n, err
}
