package sandbox

import (
	"net/netip"
	"strings"
	"testing"
)

func TestFindInode(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:90A5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0100007F:C350 0100007F:90A5 06 00000000:00000000 03:00000d34 00000000     0        0 0 3 0
   2: 0100007F:C351 0100007F:90A5 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   3: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:90A5 01 0:0 00:0 0  0  0 4713 1 0
   4: 00000000000000000000000001000000:C353 00000000000000000000000001000000:90A5 01 0:0 00:0 0  0  0 4714 1 0
   5: nonsense
`
	if littleEndian() {
		for addr, want := range map[string]string{
			"127.0.0.1:50001": "4712", "[::ffff:127.0.0.1]:50001": "4712", "127.0.0.1:50000": "", "127.0.0.1:50002": "4713",
			"[::1]:50003": "4714", "127.0.0.2:50001": "",
		} {
			if got, err := findInode(strings.NewReader(table), netip.MustParseAddrPort(addr)); got != want || err != nil {
				t.Errorf("%s: %q, %v, want %q", addr, got, err, want)
			}
		}
	}
}

func littleEndian() bool {
	a, ok := tableAddr("0100007F:0001")
	return ok && a.Addr().String() == "127.0.0.1"
}
