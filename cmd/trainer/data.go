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
	settings              sweeps.Data // what a spec has under data, but for the name
}

func newData(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Import and describe data sets",
		Long: `Import data sets into a store, and describe them.

A data set is "mnist" or "fashion-mnist"; a generated one, "parity", "sorting",
"adding" or "copy"; a directory of the four idx files under their usual names
(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,
t10k-labels-idx1-ubyte; each may be gzipped); one file, gzipped or not; or the URL of
a file or of a .tar.gz of idx files, with its checksum.

One file is a .csv of numbers with the label in the last column, or in the one that the
header calls label, class, target or y; a .npz with the arrays x and y (or x_train,
y_train, x_test, y_test); an x.npy beside an x-labels.npy; or a .txt, of which the last
part is the test split. Of the cases of other files a sixth is drawn as the test
split. --label, --values and so on are the settings of the same names that a spec
has under data.

MNIST comes with a Go module, which the go command fetches; where there is no Go,
TENFOLD_MNIST_DIR names a directory that has it. Fashion-MNIST comes with the Debian
package dataset-fashion-mnist, or TENFOLD_FASHION_MNIST_DIR names a directory.`,
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
  trainer data import ./my-images --store file:///data/store
  trainer data import parity --bits 31 --cases 2000000 --store file:///data/store
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
	flags := cmd.Flags()
	flags.StringVar(&f.sha256, "sha256", "", "checksum of what a URL serves, in hex")
	d := &f.settings
	flags.IntVar(&d.Cases, "cases", 0, "cases of a generated data set to train and validate with")
	flags.IntVar(&d.Test, "test", 0, "test cases of a generated data set, a single file or a text")
	flags.IntVar(&d.Bits, "bits", 0, "bits of parity, or of a number to sort")
	flags.IntVar(&d.Numbers, "numbers", 0, "numbers to sort")
	flags.IntVar(&d.Length, "length", 0, "steps of adding, symbols to copy or of a window of text")
	flags.Uint64Var(&d.SplitSeed, "split-seed", 0, "seed of generated cases, and of the draw of test cases")
	flags.StringVar(&d.Header, "header", "", "whether the first line of a .csv is a header: present or absent")
	flags.StringVar(&d.Label, "label", "", "column of the labels of a .csv, or file of those of a .npy")
	flags.BoolVar(&d.Values, "values", false, "labels of a .csv, .npz or .npy are values, not classes")
}

// named are the settings of a data set that is named on the command line.
func (f *dataFlags) named(name string) sweeps.Data {
	d := f.settings
	d.Name, d.SHA256 = name, f.sha256
	return d
}

func importSet(ctx context.Context, store *storage.Store, name string, f dataFlags) (string, error) {
	return data.Import(ctx, store, f.named(name), data.SourceFromEnv())
}
