package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

const (
	// tailSize is how much of the end of standard error is kept in memory while
	// a job runs, exitTail how much of it goes into the job's Exit.
	tailSize, exitTail = 64 << 10, 8 << 10
	// headSize is how much of its beginning goes to the file.
	headSize = 8 << 20
)

// stderrLog keeps the beginning of a job's standard error in a file and its end
// in memory, so that a trainer that floods fills neither disk nor memory. When
// the job has ended, the file holds both.
type stderrLog struct {
	path string

	mu       sync.Mutex
	file     *os.File // nil before the first byte, and once finished
	inFile   int64
	fileErr  error
	total    int64
	tail     []byte // the last tailSize bytes; a ring of which next is the start when full
	next     int
	finished bool
}

func newStderrLog(path string) *stderrLog { return &stderrLog{path: path} }

// collect reads r to its end.
func (l *stderrLog) collect(r io.Reader) {
	buf := make([]byte, 8<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			l.add(buf[:n])
		}
		if err != nil {
			return // the end, or nobody will write any more
		}
	}
}

func (l *stderrLog) add(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total += int64(len(b))
	l.writeFile(b[:min(int64(len(b)), headSize-l.inFile)])
	if room := tailSize - len(l.tail); room > 0 {
		n := min(room, len(b))
		l.tail = append(l.tail, b[:n]...)
		b = b[n:]
	}
	for len(b) > 0 {
		n := copy(l.tail[l.next:], b)
		l.next = (l.next + n) % tailSize
		b = b[n:]
	}
}

// writeFile appends to the file. A full disk costs the log and not the job.
func (l *stderrLog) writeFile(b []byte) {
	if len(b) == 0 || l.fileErr != nil {
		return
	}
	if l.file == nil {
		if l.file, l.fileErr = os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); l.fileErr != nil {
			return
		}
	}
	n, err := l.file.Write(b)
	l.inFile += int64(n)
	l.fileErr = err
}

// lastBytes returns up to n bytes of the end.
func (l *stderrLog) lastBytes(n int) []byte {
	all := append(append(make([]byte, 0, len(l.tail)), l.tail[l.next:]...), l.tail[:l.next]...)
	return all[max(0, len(all)-n):]
}

// finish completes the file, frees the memory and returns the last lines.
func (l *stderrLog) finish() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := string(l.lastBytes(exitTail))
	if rest := l.rest(); l.file != nil && l.fileErr == nil && len(rest) > 0 {
		_, l.fileErr = l.file.Write(rest)
	}
	if l.file != nil {
		if err := l.file.Close(); err != nil && l.fileErr == nil {
			l.fileErr = err
		}
	}
	if l.fileErr == nil {
		l.tail, l.next = nil, 0
	}
	l.file, l.finished = nil, true
	return last
}

// rest is what belongs behind the file's bytes: nothing if it has all.
func (l *stderrLog) rest() []byte {
	missing := l.total - l.inFile
	if missing <= 0 {
		return nil
	}
	last := l.lastBytes(int(min(missing, tailSize)))
	if gap := missing - int64(len(last)); gap > 0 {
		return append(fmt.Appendf(nil, "\n[%d bytes left out]\n", gap), last...)
	}
	return last
}

// copyTo copies what is kept.
func (l *stderrLog) copyTo(w io.Writer) error {
	l.mu.Lock()
	var rest []byte
	if !l.finished || l.fileErr != nil {
		rest = l.rest()
	}
	inFile := l.inFile
	if l.finished && l.fileErr == nil {
		inFile = -1
	}
	l.mu.Unlock()

	f, err := os.Open(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was written, or it is forgotten
	case err != nil:
		return fmt.Errorf("read the standard error: %w", err)
	default:
		defer func() { _ = f.Close() }()
		var r io.Reader = f
		if inFile >= 0 {
			r = io.LimitReader(f, inFile)
		}
		if _, err := io.Copy(w, r); err != nil {
			return fmt.Errorf("copy the standard error: %w", err)
		}
	}
	if _, err := w.Write(rest); err != nil {
		return fmt.Errorf("copy the standard error: %w", err)
	}
	return nil
}

// remove deletes the file. It stays until the launcher closes if that fails.
func (l *stderrLog) remove() { _ = os.Remove(l.path) }
