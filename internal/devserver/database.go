package devserver

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"

	_ "modernc.org/sqlite" // the driver that Temporal's plugin uses
)

// format is the database's user_version: it counts up when a new version of
// Temporal's server needs another schema. A file without it was not finished.
const format = 1

// fileHeader starts every SQLite 3 database.
const fileHeader = "SQLite format 3\x00"

// checkLimit is the size in bytes up to which a file is checked whole at every
// start, which takes about 0.1 s for 50 MB.
const checkLimit = 64 << 20

// sqlConfig tells Temporal where its tables are.
func sqlConfig(file string) *config.SQL {
	cfg := &config.SQL{PluginName: sqliteplugin.PluginName, ConnectAttributes: map[string]string{}}
	if file == "" {
		// The name only has to be unique among the databases of this process.
		cfg.DatabaseName = fmt.Sprintf("tenfold-%d", memoryDatabases.Add(1))
		cfg.ConnectAttributes["mode"] = "memory"
		cfg.ConnectAttributes["cache"] = "shared"
		return cfg
	}
	cfg.DatabaseName = (&url.URL{Path: file}).EscapedPath()
	cfg.ConnectAttributes = map[string]string{
		"mode":         "rwc",
		"journal_mode": "wal",
		"synchronous":  "normal",
		// The default of 1,000 pages makes a checkpoint, which syncs, four
		// times as often.
		"wal_autocheckpoint": "4000",
		"cache_size":         "-32000", // kB
		"temp_store":         "memory",
		"busy_timeout":       "5000", // ms; for tools that look at the file
	}
	return cfg
}

// prepareFile makes sure that the file is a whole database with Temporal's
// tables. It is safe to be killed in.
func prepareFile(ctx context.Context, file string) error {
	fresh, size, err := inspect(file)
	if err != nil {
		return err
	}
	db, err := open(file)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // what matters has been committed
	if !fresh {
		done, err := verify(ctx, db, size)
		if err != nil {
			return fmt.Errorf("database %s %w: %w", file, ErrCorrupt, err)
		}
		if done {
			return nil
		}
	}
	if err := createSchema(ctx, db); err != nil {
		return fmt.Errorf("setting up database %s: %w", file, err)
	}
	return nil
}

// open opens the file for this package's own use.
func open(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?_pragma=journal_mode%3Dwal&_pragma=busy_timeout%3D5000")
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", file, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// foldWAL moves what is in the write-ahead log into the file, as closing the
// last connection would, had Temporal's plugin closed its own.
func foldWAL(file string) error {
	db, err := open(file)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // everything is in the log or the file
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("folding the log of database %s: %w", file, err)
	}
	return nil
}

// full says whether an error comes from a disk without room. Temporal's own errors
// keep the text of their cause and not the cause.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), "database or disk is full")
}

// inspect looks at the file without SQLite, whose messages about files that are
// none of its own help nobody. A file that is not there or empty is fresh.
func inspect(file string) (fresh bool, size int64, err error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return true, 0, nil
	}
	if err != nil {
		return false, 0, fmt.Errorf("opening the database: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, 0, fmt.Errorf("looking at database %s: %w", file, err)
	}
	if info.Size() == 0 {
		return true, 0, nil
	}
	header := make([]byte, len(fileHeader))
	if _, err := io.ReadFull(f, header); err != nil || !bytes.Equal(header, []byte(fileHeader)) {
		return false, 0, fmt.Errorf("database %s %w: it is not an SQLite database", file, ErrCorrupt)
	}
	return false, info.Size(), nil
}

// verify checks an existing database. done says that its schema is complete.
func verify(ctx context.Context, db *sql.DB, size int64) (done bool, err error) {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return false, err
	}
	if size <= checkLimit {
		var verdict string
		if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return false, err
		}
		if verdict != "ok" {
			return false, fmt.Errorf("damaged: %s", oneLine(verdict))
		}
	}
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return false, err
	}
	switch {
	case version == format:
		return true, nil
	case version == 0 && tables == 0:
		return false, nil // killed before the schema was committed
	default:
		return false, fmt.Errorf("format %d, this version knows %d", version, format)
	}
}

// createSchema makes Temporal's tables in one transaction.
func createSchema(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // fails when committed
	if err := sqlite.SetupSchemaOnDB(schemaTx{ctx: ctx, tx: tx}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", format)); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaTx lets Temporal's schema be made within a transaction. Of AdminDB it
// needs Exec alone.
type schemaTx struct {
	sqlplugin.AdminDB
	ctx context.Context
	tx  *sql.Tx
}

// Exec implements sqlplugin.AdminDB.
func (s schemaTx) Exec(stmt string, args ...any) error {
	_, err := s.tx.ExecContext(s.ctx, stmt, args...)
	return err
}

// createNamespace creates the namespace unless it is there.
func createNamespace(cfg *config.SQL, name string, retention time.Duration, attributes map[string]enumspb.IndexedValueType) error {
	namespace, err := sqlite.NewNamespaceConfig(clusterName, name, false, attributes)
	if err != nil {
		return fmt.Errorf("describing namespace %s: %w", name, err)
	}
	namespace.Detail.Config.Retention = durationpb.New(retention)
	if err := sqlite.CreateNamespaces(cfg, namespace); err != nil {
		return fmt.Errorf("creating namespace %s: %w", name, err)
	}
	return nil
}
