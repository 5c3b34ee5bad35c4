package coldstart

import "testing"

func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"a: 1\n", "a: [1,\n", "a: &x 1\nb: *x\n", "<<: {a: 1}\n<<: {b: 2}\n", "---\n...\n---\n", "? a\n", "\t- x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkYAML(data) })
}
