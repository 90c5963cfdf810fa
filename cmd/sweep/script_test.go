package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tenfold-ml/tenfold/internal/devserver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sweep":       func() { os.Exit(Main(os.Args[1:])) },
		"faketrainer": func() { os.Exit(faketrainer()) },
	})
}

// TestScripts runs testdata/script: real commands, each script in a folder of its
// own, with what comes out of them.
func TestScripts(t *testing.T) {
	t.Parallel()
	recipes, err := filepath.Abs("../../recipes")
	if err != nil {
		t.Fatal(err)
	}
	trainer := sync.OnceValues(func() (string, error) { return buildTrainer(t) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Defer(func() { _ = listener.Close() })
			_, port, err := net.SplitHostPort(listener.Addr().String())
			if err != nil {
				return err
			}
			e.Setenv("TAKEN_PORT", port)
			e.Setenv("RECIPES", recipes)
			e.Setenv("TERM", "xterm")
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "root":
				return os.Getuid() == 0, nil
			case "tmpfs": // a user may mount one in a namespace of its own
				return exec.Command("unshare", "-Urm", "sh", "-c", "mount -t tmpfs none /mnt").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"digits":   cmdDigits,
			"trainer":  func(ts *testscript.TestScript, _ bool, args []string) { cmdTrainer(ts, trainer, args) },
			"waitfor":  cmdWaitFor,
			"jsonkeys": cmdJSONKeys,
			"killdir":  cmdKillDir,
			"temporal": cmdTemporal,
			"fetch":    cmdFetch,
		},
	})
}

// trainerVersion is what the real trainer was told to be.
const trainerVersion = "v0.0.0-script"

// buildTrainer builds the real trainer, for the scripts that want it.
func buildTrainer(t *testing.T) (string, error) {
	path := filepath.Join(t.TempDir(), "trainer")
	out, err := exec.Command("go", "build", "-ldflags", "-X main.version="+trainerVersion, "-o", path, "../trainer").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the trainer: %w\n%s", err, out)
	}
	return path, nil
}

// trainer puts the path of the real trainer into $TRAINER.
func cmdTrainer(ts *testscript.TestScript, build func() (string, error), _ []string) {
	path, err := build()
	ts.Check(err)
	ts.Setenv("TRAINER", path)
}

// waitfor FILE REGEXP waits until a line of a file matches.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP")
	}
	want := regexp.MustCompile("(?m)" + args[1])
	path := ts.MkAbs(args[0])
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err == nil && want.Match(b) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited in vain for %q in %s:\n%s", args[1], args[0], b)
		}
	}
}

// killdir [-TERM] FOLDER sends SIGKILL, or SIGTERM, to the process that runs the
// server of a folder.
func cmdKillDir(ts *testscript.TestScript, neg bool, args []string) {
	sig := syscall.SIGKILL
	if len(args) == 2 && args[0] == "-TERM" {
		sig, args = syscall.SIGTERM, args[1:]
	}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killdir [-TERM] FOLDER")
	}
	var server struct{ PID int }
	b, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), "server.json"))
	ts.Check(err)
	ts.Check(json.Unmarshal(b, &server))
	ts.Check(syscall.Kill(server.PID, sig))
}

// jsonkeys FILE [PATH] KEYS checks the keys of the object at a dotted path (0 for
// the first element of a list), separated by commas, a ? after those that may be
// missing. FILE may be stdout; of a stream the last line counts.
func cmdJSONKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: jsonkeys FILE [PATH] KEYS")
	}
	text := strings.TrimSpace(ts.ReadFile(args[0]))
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		lines := strings.Split(text, "\n")
		ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &v))
	}
	if len(args) == 3 {
		for _, step := range strings.Split(args[1], ".") {
			if list, ok := v.([]any); ok && step == "0" && len(list) > 0 {
				v = list[0]
			} else if object, ok := v.(map[string]any); ok && object[step] != nil {
				v = object[step]
			} else {
				ts.Fatalf("there is no %s in:\n%s", args[1], text)
			}
		}
	}
	object, ok := v.(map[string]any)
	if !ok {
		ts.Fatalf("not an object, but %v", v)
	}
	may := map[string]bool{}
	for _, key := range strings.Split(args[len(args)-1], ",") {
		name, optional := strings.CutSuffix(key, "?")
		may[name] = true
		if _, ok := object[name]; !ok && !optional {
			ts.Fatalf("%q is missing; there are %v", name, slices.Sorted(maps.Keys(object)))
		}
	}
	for key := range object {
		if !may[key] {
			ts.Fatalf("%q is not documented", key)
		}
	}
}

// temporal starts a server of somebody else's, on which nobody works yet, and puts its
// address into $TEMPORAL_ADDRESS.
func cmdTemporal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: temporal")
	}
	server, err := devserver.Start(context.Background(), devserver.Options{
		Dir: ts.MkAbs("temporal"), DBFile: "temporal.db", Versioning: true,
	})
	ts.Check(err)
	ts.Defer(func() { _ = server.Stop() })
	ts.Setenv("TEMPORAL_ADDRESS", server.Address())
}

// fetch FILE PATH REGEXP gets a path of the address that a worker has told of in a
// file, until a line of what comes matches.
func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fetch FILE PATH REGEXP")
	}
	where := regexp.MustCompile(`http://[0-9.:]+`).FindString(ts.ReadFile(args[0]))
	want := regexp.MustCompile("(?m)" + args[2])
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(where + args[1])
		ts.Check(err)
		body, err := io.ReadAll(response.Body)
		ts.Check(errors.Join(err, response.Body.Close()))
		if want.Match(body) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited in vain for %q; status %d:\n%s", args[2], response.StatusCode, body)
		}
	}
}
