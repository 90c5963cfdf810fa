//go:build linux

package testcluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// marker is the variable in the environment of every process of a cluster; it holds the
// cluster's folder. What those processes start inherits it.
const marker = "TENFOLD_CLUSTER"

// Running returns the processes that belong to the cluster in a folder: those that
// carry its marker or that of a task below it, and all their descendants.
func Running(dir string) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	marks := [][]byte{
		[]byte(marker + "=" + dir + "\x00"),
		[]byte("NOMAD_ALLOC_DIR=" + dir + "/"),
		[]byte("TENFOLD_SCRATCH=" + dir + "/"),
	}
	ours := map[int]bool{}
	parents := map[int]int{}
	for _, stat := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // gone meanwhile
		}
		// pid (command) state ppid …; the command may hold anything.
		f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(f) < 2 || f[0][0] == 'Z' || f[0][0] == 'X' {
			continue
		}
		if parents[pid], err = strconv.Atoi(string(f[1])); err != nil {
			continue
		}
		environment, err := os.ReadFile(filepath.Join(filepath.Dir(stat), "environ"))
		if err != nil {
			continue // gone, or another user's
		}
		environment = append(append([]byte{0}, environment...), 0)
		ours[pid] = slices.ContainsFunc(marks, func(m []byte) bool {
			return bytes.Contains(environment, append([]byte{0}, m...))
		})
	}
	var found []int
	for pid := range parents {
		for p, ok := pid, true; ok && !ours[pid]; {
			if p, ok = parents[p]; ok && ours[p] {
				ours[pid] = true
			}
		}
		if ours[pid] {
			found = append(found, pid)
		}
	}
	inCgroups, err := members(dir)
	found = append(found, inCgroups...)
	slices.Sort(found)
	return slices.Compact(found), err
}

// endAll kills what [Running] finds until it finds nothing.
func endAll(dir string) error {
	for end := time.Now().Add(10 * time.Second); ; {
		left, err := Running(dir)
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v do not end", left)
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond) // the ends of other processes' children cannot be waited for
	}
}

// Mounts returns what is mounted below a folder, the deepest first.
func Mounts(dir string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	defer f.Close()
	octal := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 {
			if point := octal.Replace(fields[4]); strings.HasPrefix(point, dir+"/") {
				found = append(found, point)
			}
		}
	}
	slices.Reverse(found) // a mount is listed after the one it is on
	return found, lines.Err()
}

func unmountAll(dir string) error {
	points, err := Mounts(dir)
	if err != nil {
		return err
	}
	for _, point := range points {
		if e := unix.Unmount(point, unix.MNT_DETACH); e != nil && !errors.Is(e, unix.EINVAL) {
			err = errors.Join(err, fmt.Errorf("unmounting %s: %w", point, e))
		}
	}
	return err
}

// cgroups returns the cgroups of tasks of a cluster's clients, the innermost first. All
// agents of a machine use the same parent, and name a task's by its allocation. Version
// 1 has one tree for each controller, version 2 one for all.
func cgroups(dir string) ([]string, error) {
	allocs, err := filepath.Glob(filepath.Join(dir, "*", "alloc", "*"))
	if err != nil || len(allocs) == 0 {
		return nil, err
	}
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/nomad*", "/sys/fs/cgroup/*/nomad*"} {
		roots, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, root := range roots {
			err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.IsDir() {
					return nil // gone meanwhile, or a setting
				}
				if slices.ContainsFunc(allocs, func(alloc string) bool { return strings.Contains(path, filepath.Base(alloc)) }) {
					found = append(found, path)
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	slices.Reverse(found)
	return found, nil
}

// members returns the processes in the cluster's cgroups.
func members(dir string) ([]int, error) {
	groups, err := cgroups(dir)
	var found []int
	for _, group := range groups {
		b, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		if err != nil {
			continue // gone meanwhile
		}
		for _, field := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				found = append(found, pid)
			}
		}
	}
	return found, err
}

func removeCgroups(dir string) error {
	groups, err := cgroups(dir)
	for _, group := range groups {
		if e := os.Remove(group); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
