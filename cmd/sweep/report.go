package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/storage"
)

// reportJSON is the output of `report -o json`: paths where the store is a folder,
// else URLs. The manifest is empty where the sweep has no ensemble.
type reportJSON struct {
	Sweep    string `json:"sweep"`
	Report   string `json:"report"`
	Manifest string `json:"manifest,omitzero"`
}

func newReportCommand(a *app) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:   "report [SWEEP]",
		Short: "Print where a sweep's report is",
		Long:  `Print where the report.html of a sweep is. It is one file that needs no network.`,
		Example: `  sweep report
  xdg-open "$(sweep report mnist-mlp)"`,
		Args:              sweepArg(false),
		ValidArgsFunction: a.sweepIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			store, err := a.openStore(ctx)
			if err != nil {
				return err
			}
			arg := strings.Join(args, "")
			show := func(store *storage.Store, id string) error {
				out := reportJSON{Sweep: id, Report: place(store, storage.ReportHTMLKey(id))}
				if output != formatJSON {
					return (&lineView{out: a.stdout}).print(out.Report)
				}
				if ok, err := stored(ctx, store, storage.ManifestKey(id)); err != nil {
					return err
				} else if ok {
					out.Manifest = place(store, storage.ManifestKey(id))
				}
				return writeJSON(a.stdout, out)
			}
			if id, ok, err := storedSweep(ctx, store, arg, storage.ReportHTMLKey); err != nil {
				return err
			} else if ok {
				return show(store, id)
			}
			return a.connected(ctx, "report", func(conn *connection) error {
				id, store, err := a.findStored(ctx, conn, arg)
				if err != nil {
					return err
				}
				if ok, err := stored(ctx, store, storage.ReportHTMLKey(id)); err != nil {
					return err
				} else if !ok {
					return userErrorf("sweep %s has no report yet; it is written when the sweep ends", id)
				}
				return show(store, id)
			})
		},
	}
	addFormat(cmd, &output)
	return cmd
}
