package cache

import (
	"strconv"
	"testing"
)

func TestStoreIsBounded(t *testing.T) {
	c := New(10 << 10)
	for i := range 100 {
		c.Put(&Entry{Key: strconv.Itoa(i), Body: make([]byte, 1024)})
		c.Get("0")
	}
	if c.size > c.limit || c.order.Len() != len(c.entries) || c.Get("0") == nil || c.Get("1") != nil || c.Get("99") == nil {
		t.Errorf("%d bytes in %d entries", c.size, len(c.entries))
	}
}
