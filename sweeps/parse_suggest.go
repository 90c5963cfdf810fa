package sweeps

import (
	"fmt"
	"strings"
)

// nearest is the candidate most like word, or "" when none is like enough to
// have been meant.
func nearest(word string, candidates []string) string {
	const longest = 100
	if len(word) > longest {
		return ""
	}
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, candidate := range candidates {
		if d := editDistance(strings.ToLower(word), candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if bestDistance >= max(len(word), 1) { // nothing of the word is left
		return ""
	}
	return best
}

// suggestPath is "; did you mean …?" for a dotted path: the nearest whole path,
// or the one whose last key is nearest to the path's last key.
func suggestPath(path string, candidates []string) string {
	near := nearest(path, candidates)
	if near == "" {
		last := func(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
		keys := make([]string, len(candidates))
		for i, candidate := range candidates {
			keys[i] = last(candidate)
		}
		key := nearest(last(path), keys)
		for i := range keys {
			if key != "" && keys[i] == key {
				near = candidates[i]
				break
			}
		}
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment), byte by byte.
func editDistance(a, b string) int {
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
