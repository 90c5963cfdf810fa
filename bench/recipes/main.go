// Command recipes prints what a recipe reached, setting by setting, from the store
// of a sweep that has run; trials that have no result yet are left out.
//
//	bin/sweep run recipes/dropout.yaml
//	go run ./bench/recipes recipes/dropout.yaml
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/tenfold-ml/tenfold/internal/recipes"
	"github.com/tenfold-ml/tenfold/storage"
)

func main() {
	dir := flag.String("dir", ".tenfold", "`folder` that the sweeps ran in")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "recipes: name the recipes' files")
		os.Exit(64)
	}
	if err := run(context.Background(), *dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "recipes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, files []string) error {
	path, err := filepath.Abs(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	store, err := storage.Open(ctx, (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String())
	if err != nil {
		return err
	}
	for _, file := range files {
		spec, err := recipes.Load(file)
		if err != nil {
			return err
		}
		done, trials, err := recipes.Finished(ctx, store, spec)
		if err != nil {
			return err
		}
		fmt.Printf("## %s: %d of %d trials\n\n", spec.Name, len(done), trials)
		if err := recipes.WriteTable(ctx, os.Stdout, store, done); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}
