package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// dataFlags say which data set and where to.
type dataFlags struct {
	store, sha256, output string
}

func newData(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Import and describe data sets",
		Long: `Import data sets into a store, and describe them.

A data set is "mnist", a directory of the four idx files under their usual names
(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,
t10k-labels-idx1-ubyte; each may be gzipped), or the URL of a .tar.gz of them with
its checksum. It can also be one file: a .csv or .csv.gz of numbers with the label
in the last column, or in the one that the header calls label, class, target or y
(a spec can name another by data.label);
or a .npz with the arrays x and y (or x_train, y_train, x_test, y_test). Of the cases
of one file a sixth is drawn as the test split. MNIST comes with a Go module, which the go command fetches; where
there is no Go, TENFOLD_MNIST_DIR names a directory that has it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDataImport(stdout), newDataDescribe(stdout))
	return cmd
}

func newDataImport(stdout io.Writer) *cobra.Command {
	var f dataFlags
	cmd := &cobra.Command{
		Use:   "import NAME",
		Short: "Put a data set into the store and print its digest",
		Long: `Put a data set into the store and print its digest. What is there already is not
fetched again. Sweeps import what they need by themselves; this is for stores
whose nodes have neither Go nor a network.`,
		Example: `  trainer data import mnist --store file:///data/store
  trainer data import ./fashion --store file:///data/store
  trainer data import https://example.org/set.tar.gz --sha256 9f86d081… --store file:///data/store`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.store == "" {
				return usageError("TENFOLD_STORE or --store is needed")
			}
			store, err := openStore(cmd.Context(), f.store)
			if err != nil {
				return err
			}
			digest, err := importSet(cmd.Context(), store, args[0], f)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(stdout, digest)
			return err
		},
	}
	f.add(cmd)
	return cmd
}

func (f *dataFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.store, "store", os.Getenv("TENFOLD_STORE"), "URL of the store")
	cmd.Flags().StringVar(&f.sha256, "sha256", "", "checksum of what a URL serves, in hex")
}

func importSet(ctx context.Context, store *storage.Store, name string, f dataFlags) (string, error) {
	return data.Import(ctx, store, sweeps.Data{Name: name, SHA256: f.sha256}, data.SourceFromEnv())
}
