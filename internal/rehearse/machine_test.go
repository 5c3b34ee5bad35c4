package rehearse_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/rehearse"
)

// TestCheckMachine runs itself below real limits of a shell.
func TestCheckMachine(t *testing.T) {
	const child = "SLUICE_TEST_LIMITS"
	if os.Getenv(child) != "" {
		notes, err := rehearse.CheckMachine(10)
		var short *rehearse.ShortError
		fmt.Printf("notes=%q err=%v short=%v\n", notes, err, errors.As(err, &short))
		return
	}
	for _, c := range []struct{ limit, want string }{
		{"ulimit -Sn 64", "notes=[]"}, // a soft limit is raised
		{"ulimit -Sn 256; ulimit -Hn 256", "256 open files are allowed here"},
		{"ulimit -Sn 100; ulimit -Hn 100", "err=100 open files are allowed here, and the rehearsal needs 152 short=true"},
	} {
		cmd := exec.Command("sh", "-c", c.limit+`; exec "$0" -test.run='^TestCheckMachine$' -test.v`, os.Args[0])
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, want %q in\n%s", c.limit, err, c.want, out)
		}
	}
}
