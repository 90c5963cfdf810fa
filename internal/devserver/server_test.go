package devserver_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/internal/devserver"
)

func start(t *testing.T, o devserver.Options) *devserver.Server {
	t.Helper()
	s, err := devserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, s *devserver.Server) client.Client {
	t.Helper()
	c, err := s.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// hello runs a workflow with a timer and an activity to its end.
func hello(t *testing.T, c client.Client, id string) {
	t.Helper()
	w := worker.New(c, "q", worker.Options{})
	w.RegisterWorkflow(greet)
	w.RegisterActivity(name)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: "q"}, greet)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := run.Get(ctx, &got); err != nil {
		t.Fatal(err)
	}
	if got != "hello, net" {
		t.Fatalf("workflow returned %q", got)
	}
}

func greet(ctx workflow.Context) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
		return "", err
	}
	var n string
	err := workflow.ExecuteActivity(ctx, name).Get(ctx, &n)
	return "hello, " + n, err
}

func name(context.Context) (string, error) { return "net", nil }

func TestRunsAWorkflow(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]devserver.Options{
		"memory": {},
		"file":   {Dir: filepath.Join(t.TempDir(), "not there yet, and 100% odd?#"), DBFile: "temporal.db"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			s := start(t, o)
			t.Logf("up in %v", time.Since(begin).Round(time.Millisecond))
			hello(t, dial(t, s), "w")
			if host, _, _ := net.SplitHostPort(s.Address()); host != "127.0.0.1" {
				t.Errorf("listens at %s", s.Address())
			}
			wal := filepath.Join(o.Dir, o.DBFile+"-wal")
			if o.DBFile != "" {
				if _, err := os.Stat(filepath.Join(o.Dir, o.DBFile)); err != nil {
					t.Errorf("the file is not where it was asked for: %v", err)
				}
				if info, err := os.Stat(wal); err != nil || info.Size() == 0 {
					t.Errorf("no write-ahead log: %v", err)
				}
			}
			begin = time.Now()
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			t.Logf("down in %v", time.Since(begin).Round(time.Millisecond))
			if o.DBFile != "" {
				if info, err := os.Stat(wal); err == nil && info.Size() != 0 {
					t.Errorf("%d bytes are left in the write-ahead log", info.Size())
				}
			}
			// Stopped means that the port can be had again.
			l, err := net.Listen("tcp", s.Address())
			if err != nil {
				t.Fatalf("after Stop: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRestartKeepsWorkflows(t *testing.T) {
	t.Parallel()
	o := devserver.Options{Dir: t.TempDir(), DBFile: "temporal.db"}
	s := start(t, o)
	hello(t, dial(t, s), "first")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = start(t, o)
	c := dial(t, s)
	var got string
	if err := c.GetWorkflow(t.Context(), "first", "").Get(t.Context(), &got); err != nil || got != "hello, net" {
		t.Errorf("after a restart the workflow returns %q, %v", got, err)
	}
	hello(t, c, "second")
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test's
	_, port, _ := net.SplitHostPort(l.Addr().String())
	number, _ := strconv.Atoi(port)
	o := devserver.Options{Dir: t.TempDir(), DBFile: "temporal.db", Port: number}
	_, err = devserver.Start(t.Context(), o)
	if !errors.Is(err, devserver.ErrPortTaken) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
	wantOneLine(t, err)
	// It let go of the file.
	o.Port = 0
	start(t, o)
}

func TestFileInUse(t *testing.T) {
	t.Parallel()
	o := devserver.Options{Dir: t.TempDir(), DBFile: "temporal.db"}
	start(t, o)
	_, err := devserver.Start(t.Context(), o)
	if !errors.Is(err, devserver.ErrInUse) || !strings.Contains(err.Error(), filepath.Join(o.Dir, o.DBFile)) {
		t.Errorf("got %v", err)
	}
	wantOneLine(t, err)
}

func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	good := devserver.Options{Dir: t.TempDir(), DBFile: "temporal.db"}
	if err := start(t, good).Stop(); err != nil {
		t.Fatal(err)
	}
	database, err := os.ReadFile(filepath.Join(good.Dir, good.DBFile))
	if err != nil {
		t.Fatal(err)
	}
	scribbled := append([]byte(nil), database...)
	for i := 100; i < len(scribbled); i++ {
		scribbled[i] ^= 0x5a
	}
	otherFormat := append([]byte(nil), database...)
	otherFormat[63] = 77 // user_version, big-endian at 60
	for name, content := range map[string][]byte{
		"text":         []byte(strings.Repeat("this is a shopping list\n", 1000)),
		"short":        []byte("SQLite"),
		"truncated":    database[:len(database)/2],
		"header alone": database[:100],
		"scribbled":    scribbled,
		"other format": otherFormat,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := devserver.Options{Dir: t.TempDir(), DBFile: "temporal.db"}
			file := filepath.Join(o.Dir, o.DBFile)
			if err := os.WriteFile(file, content, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := devserver.Start(t.Context(), o)
			if !errors.Is(err, devserver.ErrCorrupt) || !strings.Contains(err.Error(), file) {
				t.Fatalf("got %v", err)
			}
			wantOneLine(t, err)
			t.Log(err)
		})
	}
}

func TestEmptyFileIsFresh(t *testing.T) {
	t.Parallel()
	o := devserver.Options{Dir: t.TempDir(), DBFile: "temporal.db"}
	if err := os.WriteFile(filepath.Join(o.Dir, o.DBFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, o)
}

func TestFolderCannotBeMade(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := devserver.Start(t.Context(), devserver.Options{Dir: dir, DBFile: "temporal.db"})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	wantOneLine(t, err)
}

// TestManyAtOnce starts servers side by side: their ports must not meet.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const n = 6
	errs := make(chan error, n)
	for range n {
		go func() {
			s, err := devserver.Start(t.Context(), devserver.Options{})
			if err == nil {
				err = s.Stop()
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := devserver.Start(ctx, devserver.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	s := start(t, devserver.Options{Namespace: "mine", Retention: 48 * time.Hour})
	answer, err := dial(t, s).WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); got != 48*time.Hour {
		t.Errorf("retention is %v", got)
	}
}

// TestSearchAttributes registers one with a file that was made without.
func TestSearchAttributes(t *testing.T) {
	t.Parallel()
	o := devserver.Options{Dir: t.TempDir(), DBFile: "temporal.db"}
	if err := start(t, o).Stop(); err != nil {
		t.Fatal(err)
	}
	o.SearchAttributes = map[string]enumspb.IndexedValueType{"Mood": enumspb.INDEXED_VALUE_TYPE_KEYWORD}
	for range 2 { // the second time it is there
		s := start(t, o)
		c := dial(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			TaskQueue:             "q",
			TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword("Mood").ValueSet("fine")),
		}, greet)
		if err != nil {
			t.Fatal(err)
		}
		found := func() bool {
			list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: `Mood = "fine"`})
			return err == nil && slices.ContainsFunc(list.GetExecutions(), func(e *workflowpb.WorkflowExecutionInfo) bool {
				return e.GetExecution().GetWorkflowId() == run.GetID()
			})
		}
		for !found() {
			if ctx.Err() != nil {
				t.Fatal("the workflow cannot be found by its attribute")
			}
			time.Sleep(5 * time.Millisecond) // polls: visibility lags a little
		}
		cancel()
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func wantOneLine(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
	} else if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
}
