package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// digits FOLDER writes a small data set of idx files.
func cmdDigits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: digits FOLDER")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(datatest.WriteTo(dir, datatest.Size{Train: 600, Test: 200, Side: 8, Classes: 10}))
}
