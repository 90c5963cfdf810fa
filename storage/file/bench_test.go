//go:build unix

package file_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkCommit commits small objects, as results are, from one caller and
// from many, into one folder or into a new folder each, as for new trials.
func BenchmarkCommit(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 2000)
	for _, layout := range []string{"one folder", "new folders"} {
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d callers", layout, callers), func(b *testing.B) {
				store := open(b, b.TempDir())
				var n atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for range callers {
					wg.Go(func() {
						for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
							key := fmt.Sprintf("results/%d.json", i)
							if layout == "new folders" {
								key = fmt.Sprintf("trials/%d/results/20.json", i)
							}
							if err := store.PutIfAbsent(b.Context(), key, bytes.NewReader(data)); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}
