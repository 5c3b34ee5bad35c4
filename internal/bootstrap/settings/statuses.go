package settings

import (
	"fmt"
	"strconv"
	"strings"
)

// Statuses is a set of HTTP statuses.
type Statuses []statusRange

type statusRange struct{ first, last int }

// ParseStatuses reads numbers and ranges, divided by commas: 200-399,404.
func ParseStatuses(text string) (Statuses, error) {
	var all Statuses
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		r := statusRange{status(first), status(last)}
		if r.first == 0 || r.last == 0 || r.first > r.last {
			return nil, fmt.Errorf("%q is not a status from 100 to 599 or a range of them, such as 404 or 200-399", part)
		}
		all = append(all, r)
	}
	return all, nil
}

// status is 0 for what is not one.
func status(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 100 || n > 599 {
		return 0
	}
	return n
}

// Contain reports whether the set holds status.
func (s Statuses) Contain(status int) bool {
	for _, r := range s {
		if r.first <= status && status <= r.last {
			return true
		}
	}
	return false
}
