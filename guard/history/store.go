package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A Store is a file of JSON lines, each with its CRC-32C. Records are only appended, in one write under an exclusive lock.
// A power loss can tear the last line: readers skip what does not match its checksum, and the next writer starts a new line.
// The lock is on a file of its own, because Prune replaces the data file by rename.
type Store struct {
	dir string
}

// maxLine bounds one record; a longer line is skipped.
const maxLine = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Dir is the folder of the default store: $XDG_STATE_HOME/tfguard, else ~/.local/state/tfguard, else /var/lib/tfguard.
func Dir() string {
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "tfguard")
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "tfguard")
	}
	return "/var/lib/tfguard"
}

// Open returns the store in dir ("" for Dir()). Nothing is created before the first Append.
func Open(dir string) *Store {
	if dir == "" {
		dir = Dir()
	}
	return &Store{dir: dir}
}

// Path is the data file.
func (s *Store) Path() string { return filepath.Join(s.dir, "history.jsonl") }

// lock takes the store's lock; how is unix.LOCK_SH or unix.LOCK_EX.
func (s *Store) lock(how int) (*os.File, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "history.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	// A holder only reads or appends a few lines, so this wait is short; a stopped holder must not hang a launch.
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

func encode(r *Record) ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxLine-64 {
		return nil, fmt.Errorf("record of %d bytes is too long", len(raw))
	}
	b, err := json.Marshal(line{CRC: fmt.Sprintf("%08x", crc32.Checksum(raw, castagnoli)), Record: raw})
	return append(b, '\n'), err
}

// decode returns the record of one line, or an error when it is torn, damaged or foreign.
func decode(b []byte) (*Record, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("%08x", crc32.Checksum(l.Record, castagnoli)); got != l.CRC {
		return nil, fmt.Errorf("checksum %s, written %s", got, l.CRC)
	}
	r := new(Record)
	if err := json.Unmarshal(l.Record, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Append adds a record. With durable, it is on disk (fsync) when Append returns.
func (s *Store) Append(r *Record, durable bool) error {
	l, err := s.lock(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer l.Close()
	return s.append(r, durable)
}

func (s *Store) append(r *Record, durable bool) error {
	b, err := encode(r)
	if err != nil {
		return err
	}
	_, statErr := os.Lstat(s.Path())
	f, err := os.OpenFile(s.Path(), os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], end-1); err != nil {
			return err
		}
		if last[0] != '\n' { // torn by a power loss or a full disk
			b = append([]byte{'\n'}, b...)
		}
	}
	if _, err := f.Write(b); err != nil {
		// A full disk leaves part of a line; take it away again so that the space counts for the next one.
		_ = f.Truncate(end)
		return err
	}
	if !durable {
		return nil
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if errors.Is(statErr, os.ErrNotExist) {
		return syncDir(s.dir)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Read returns all records, oldest first, and how many lines were damaged and skipped.
// A store that does not exist yet is empty.
func (s *Store) Read() (records []Record, damaged int, err error) {
	if _, err := os.Stat(s.Path()); errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	l, err := s.lock(unix.LOCK_SH)
	if err != nil {
		return nil, 0, err
	}
	defer l.Close()
	return s.read()
}

func (s *Store) read() ([]Record, int, error) {
	f, err := os.OpenFile(s.Path(), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	return parse(f)
}

func parse(r io.Reader) (records []Record, damaged int, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var long []byte
	for {
		b, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, b...); len(long) > maxLine {
				long = long[:maxLine] // too long to be ours: fails its checksum below
			}
			continue
		}
		if len(long) > 0 {
			b, long = append(long, b...), nil
		}
		if b = bytes.TrimSpace(b); len(b) > 0 {
			if rec, derr := decode(b); derr == nil {
				records = append(records, *rec)
			} else {
				damaged++
			}
		}
		if errors.Is(err, io.EOF) {
			return records, damaged, nil
		}
		if err != nil {
			return records, damaged, err
		}
	}
}

// Prune drops records older than keep, and damaged lines. It returns how many records went.
// The new file replaces the old one by rename, so a power loss leaves one of the two whole.
func (s *Store) Prune(keep time.Duration, now time.Time) (int, error) {
	if _, err := os.Stat(s.Path()); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	l, err := s.lock(unix.LOCK_EX)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	records, _, err := s.read()
	if err != nil {
		return 0, err
	}
	tmp, err := os.CreateTemp(s.dir, "history-*.tmp")
	if err != nil {
		return 0, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	dropped := 0
	w := bufio.NewWriter(tmp)
	for i := range records {
		if now.Sub(records[i].At) > keep {
			dropped++
			continue
		}
		b, err := encode(&records[i])
		if err != nil {
			return 0, err
		}
		if _, err := w.Write(b); err != nil {
			return 0, err
		}
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	if err := tmp.Sync(); err != nil {
		return 0, err
	}
	if err := os.Rename(tmp.Name(), s.Path()); err != nil {
		return 0, err
	}
	return dropped, syncDir(s.dir)
}

// FailuresSince counts the failed runs of job ("" for every job) that ended within d before now, in the default store.
func FailuresSince(job string, d time.Duration) (int, error) {
	records, _, err := Open("").Read()
	if err != nil {
		return 0, err
	}
	return len(failures(records, job, time.Now().Add(-d))), nil
}

// failures are the times at which runs of job failed after since. A record from the future (the clock was set back) counts.
func failures(records []Record, job string, since time.Time) []time.Time {
	var out []time.Time
	for i := range records {
		r := &records[i]
		if r.Outcome != nil && (job == "" || r.Job == job) && r.At.After(since) && r.Outcome.Failed() {
			out = append(out, r.At)
		}
	}
	return out
}
