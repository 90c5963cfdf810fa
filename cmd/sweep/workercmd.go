package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/tenfold-ml/tenfold/internal/metrics"
	"github.com/tenfold-ml/tenfold/workflows"
)

// workerOptions are the flags of `worker`.
type workerOptions struct {
	trainer, nomad      string
	listen              string
	deployment, buildID string
	current             bool
	maxRuns             int
}

func newWorkerCommand(a *app) *cobra.Command {
	var o workerOptions
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Work on the sweeps of a Temporal server",
		Long: `Work on the sweeps of the configured Temporal server until SIGTERM or Ctrl-C. There
may be any number of workers, on any machines; all need the same store. Trainers of
specs with launcher.kind: local are children of a worker; with launcher.kind: nomad
they are jobs of the cluster at NOMAD_ADDR. Without a server configured, "sweep dev"
and "sweep run" bring a worker of their own.

A worker that is told to stop takes no more work. Its own trainers save their
checkpoints and go on with other workers; those on a cluster are left alone.

With --deployment the worker takes part in Temporal's worker versioning: it gets work
once its build ID is the deployment's current one. --make-current makes it that.
docs/operations.md has more.`,
		Example: `  sweep worker --address temporal:7233 --store file:///mnt/store
  TEMPORAL_PROFILE=production NOMAD_ADDR=http://nomad:4646 sweep worker --store s3://bucket/sweeps
  sweep worker --listen 9090 --log-format json
  sweep worker --deployment tenfold --make-current`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			return work(cmd.Context(), a, o)
		},
	}
	addTrainer(cmd, &o.trainer)
	addNomad(cmd, &o.nomad)
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "", "serve Prometheus' /metrics, and /healthz, at this PORT of the loopback interface, or HOST:PORT")
	flags.StringVar(&o.deployment, "deployment", "", "name of the worker deployment that this worker belongs to")
	flags.StringVar(&o.buildID, "build-id", "", "build ID in the deployment (default: this program's version)")
	flags.BoolVar(&o.current, "make-current", false, "make this build ID the deployment's current one")
	flags.IntVar(&o.maxRuns, "max-runs", 0, "most runs of trials at a time (default 1200)")
	flags.StringVar(&a.logFormat, "log-format", "", "write the log to stderr as text or json, and to no file")
	for _, name := range []string{"listen", "deployment", "build-id", "max-runs"} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	must(cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// check checks the flags against each other, and fills in defaults.
func (o *workerOptions) check(cmd *cobra.Command) error {
	switch {
	case cmd.Flags().Changed("max-runs") && o.maxRuns < 1:
		return userErrorf("--max-runs is at least 1; got %d", o.maxRuns)
	case o.deployment == "" && (o.buildID != "" || o.current):
		return userErrorf("--build-id and --make-current need a --deployment")
	case cmd.Flags().Changed("log-format") && cmd.Flag("log-format").Value.String() != "text" && cmd.Flag("log-format").Value.String() != "json":
		return userErrorf("--log-format is text or json, not %q", cmd.Flag("log-format").Value)
	}
	if o.buildID == "" {
		o.buildID = buildVersion()
	}
	var err error
	if o.listen != "" {
		o.listen, err = listenAddress(o.listen)
	}
	return err
}

func work(ctx context.Context, a *app, o workerOptions) error {
	if !a.remote() {
		return userErrorf(`"sweep worker" needs a Temporal server: --address, --profile or TEMPORAL_ADDRESS; without one use "sweep dev"`)
	}
	w, err := a.openWorkshop(ctx, o.trainer)
	if err != nil {
		return err
	}
	defer w.logs.close()
	p := &post{maxRuns: o.maxRuns, deployment: o.deployment, buildID: o.buildID, log: w.logs.own}
	var sdk client.MetricsHandler
	if o.listen != "" {
		p.metrics = metrics.New(metrics.Build{Version: buildVersion(), Deployment: o.deployment, BuildID: o.buildID})
		sdk = p.metrics.Temporal()
	}
	conn, err := a.connectMeasured(ctx, w.logs, sdk)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	strange, err := strangers(ctx, conn, workflows.DefaultTaskQueue, w.store.URL())
	if err != nil {
		w.logs.own.Warn("cannot ask which stores the sweeps have", "error", err)
	}
	for _, k := range strange {
		a.tell(w.logs, fmt.Sprintf("warning: sweep %s was started with the store %s, and this worker has %s", k.id, k.store(), w.store.URL()))
	}
	c, err := a.newCrew(w.home, conn, w.store, w.trainer, o.nomad, p, w.logs)
	if err != nil {
		return err
	}
	defer func() {
		if err := c.drain(); err != nil {
			w.logs.own.Warn("trainers did not stop in good order", "error", err)
		}
	}()
	if o.listen != "" {
		m, err := openMonitor(ctx, o.listen, p, conn)
		if err != nil {
			return err
		}
		defer func() {
			if err := m.close(); err != nil {
				w.logs.own.Warn("the metrics' server did not stop in good order", "error", err)
			}
		}()
		fmt.Fprintf(a.stdout, "metrics at http://%s/metrics, health at http://%[1]s/healthz\n", m.address)
	}
	if err := errors.Join(c.serve(ctx, workflows.DefaultTaskQueue), c.serveSteps(workflows.DefaultTaskQueue)); err != nil {
		return err
	}
	if o.current {
		if err := makeCurrent(ctx, conn, o.deployment, o.buildID); err != nil {
			return err
		}
	}
	if w.missing != nil {
		a.tell(w.logs, w.missing.Error()+"; until then only specs with a trainer of their own can run")
	}
	fmt.Fprintf(a.stdout, "working for %s, namespace %s, store %s; Ctrl-C ends it\n", conn.address, conn.namespace, w.store.URL())
	<-ctx.Done()
	a.tell(w.logs, "stopping: no more work is taken, and trainers on this machine save their checkpoints (again ends them at once)")
	if err := c.drain(); err != nil {
		w.logs.own.Warn("trainers did not stop in good order", "error", err)
	}
	a.tell(w.logs, "stopped; sweeps go on with other workers, or with the next one")
	return nil
}

// versionPatience is how long the server may take to know of a worker that has begun to
// ask for work.
const versionPatience = 30 * time.Second

// makeCurrent makes a build ID the current one of a deployment: from its next step on,
// every sweep goes on with workers of that build.
func makeCurrent(ctx context.Context, conn *connection, deployment, buildID string) error {
	handle := conn.client.WorkerDeploymentClient().GetHandle(deployment)
	wait, cancel := context.WithTimeout(ctx, versionPatience)
	defer cancel()
	for {
		_, err := handle.SetCurrentVersion(wait, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: buildID})
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !notYetKnown(err) || wait.Err() != nil {
			return fmt.Errorf("make build ID %s the current one of deployment %s: %w", buildID, deployment, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-wait.Done():
		}
	}
}

// notYetKnown says that the server has not heard of a version, or not of all its queues.
func notYetKnown(err error) bool {
	var precondition *serviceerror.FailedPrecondition
	var notFound *serviceerror.NotFound
	var busy *serviceerror.ResourceExhausted
	return errors.As(err, &precondition) || errors.As(err, &notFound) || errors.As(err, &busy)
}
