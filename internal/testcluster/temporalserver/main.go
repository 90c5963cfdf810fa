// Temporalserver runs the embedded Temporal server as a process of its own, for tests
// that kill it: at a port and on a database that stay the same.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tenfold-ml/tenfold/internal/devserver"
	"github.com/tenfold-ml/tenfold/workflows"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("temporalserver", flag.ContinueOnError)
	dir := flags.String("dir", ".", "folder of the database")
	port := flags.Int("port", 0, "port on the loopback interface; 0 takes a free one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := devserver.Start(ctx, devserver.Options{
		Dir: *dir, DBFile: "temporal.db", Port: *port, SearchAttributes: workflows.SearchAttributes(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "serving at", server.Address())
	<-ctx.Done()
	return server.Stop()
}
