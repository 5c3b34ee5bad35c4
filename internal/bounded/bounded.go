// Package bounded reads whole what somebody else wrote, such as a file that a user names, and gives up at a limit instead of
// filling the memory.
//
// It leaves out what the content means, and streams that are never held whole.
package bounded

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// TooLarge says that something did not end within its limit.
type TooLarge struct{ Limit int64 }

func (e *TooLarge) Error() string { return "it is larger than " + size(e.Limit) }

// ReadFile is os.ReadFile up to limit bytes. The file may be one that never ends, such as a device.
func ReadFile(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > limit {
		return nil, fmt.Errorf("%s: %w", name, &TooLarge{limit})
	}
	data, err := ReadAll(file, limit)
	var large *TooLarge
	if errors.As(err, &large) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err != nil {
		return nil, err // which names the file
	}
	return data, nil
}

// ReadAll is io.ReadAll up to limit bytes. Of anything longer it returns nothing but the error, a *TooLarge.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &TooLarge{limit}
	}
	return data, nil
}

// size names limits as they are written here: in whole megabytes or kilobytes.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d kB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
