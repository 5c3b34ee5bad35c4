//go:build !unix

package uploads

import "errors"

func room() (int64, error) {
	return 0, errors.New("set SLUICE_UPLOAD_LIMIT: the free space is not known on this system")
}
