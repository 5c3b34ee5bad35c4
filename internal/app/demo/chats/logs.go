package chats

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// logs is a set of append-only logs of lines. It is all the state that the app has: a chat is a log, and so is a
// stream, which makes reading one in another process the same as reading it here.
type logs interface {
	// add appends one line. Lines of concurrent writers do not mix.
	add(name string, line []byte) error
	// read returns the whole lines after cursor, and the cursor for the next read. A log never written is empty.
	read(name string, cursor int64) (lines [][]byte, next int64, err error)
}

// openLogs uses the directory, which it makes, or memory where dir is empty.
func openLogs(dir string) (logs, error) {
	if dir == "" {
		return &memoryLogs{lines: map[string][][]byte{}}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the demo's state directory: %w", err)
	}
	return dirLogs(dir), nil
}

type memoryLogs struct {
	mu    sync.Mutex
	lines map[string][][]byte
}

func (m *memoryLogs) add(name string, line []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines[name] = append(m.lines[name], bytes.Clone(line))
	return nil
}

func (m *memoryLogs) read(name string, cursor int64) ([][]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.lines[name]
	cursor = min(cursor, int64(len(all)))
	return all[cursor:len(all):len(all)], int64(len(all)), nil
}

// dirLogs keeps each log in a file of its own. One write with O_APPEND is one line, which local file systems keep whole.
type dirLogs string

func (d dirLogs) path(name string) string { return filepath.Join(string(d), name+".jsonl") }

func (d dirLogs) add(name string, line []byte) error {
	f, err := os.OpenFile(d.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log %s: %w", name, err)
	}
	_, err = f.Write(append(bytes.Clone(line), '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("append to log %s: %w", name, err)
	}
	return nil
}

func (d dirLogs) read(name string, cursor int64) ([][]byte, int64, error) {
	f, err := os.Open(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, cursor, fmt.Errorf("open log %s: %w", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, cursor, 1<<40))
	if err != nil {
		return nil, cursor, fmt.Errorf("read log %s: %w", name, err)
	}
	end := bytes.LastIndexByte(data, '\n') + 1 // a line still being written is left for the next read
	if end == 0 {
		return nil, cursor, nil
	}
	return bytes.Split(data[:end-1], []byte("\n")), cursor + int64(end), nil
}
