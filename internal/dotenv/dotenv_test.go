package dotenv

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	text := "\uFEFF# comment\r\n\nPLAIN=value\r\n  SPACED  =  a b  \nexport EXPORTED=1\nEMPTY=\nHASH=a#b\nCOMMENT=a # b\nONLY= # nothing\n" +
		`SINGLE='a "b" \n $c # d'` + "\n" + `DOUBLE="a 'b' \n\t\"\\ \x $c \$d \\$e" # comment` + "\n" + "TICK=`it's \"x\"`\nLINES=\"one\ntwo\"\nEQUALS=a=b==\n" +
		"KEY='-----BEGIN KEY-----\nabc\n-----END KEY-----'\nTWICE=1\nTWICE=2\nJSON={\"a\":[1,2]}\nLAST=x"
	want := map[string]string{"PLAIN": "value", "SPACED": "a b", "EXPORTED": "1", "EMPTY": "", "HASH": "a#b", "COMMENT": "a", "ONLY": "",
		"SINGLE": `a "b" \n $c # d`, "DOUBLE": "a 'b' \n\t\"\\ \\x $c $d \\$e", "TICK": `it's "x"`, "LINES": "one\ntwo", "EQUALS": "a=b==",
		"KEY": "-----BEGIN KEY-----\nabc\n-----END KEY-----", "TWICE": "2", "JSON": `{"a":[1,2]}`, "LAST": "x"}
	got, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaultsNameTheLineAndNoValue(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\n\n# c\nhunter2\n":             "line 4: no =",
		"A=\"x\ny\"\nB='hunter2\n":          "line 3: B: the quote ' is never closed",
		"A='1' hunter2\n":                   "line 1: A: something follows",
		"1A=hunter2":                        "line 1: what stands before",
		"=hunter2":                          "line 1: what stands before",
		"\n\nA B=hunter2":                   "line 3: what stands before",
		"A=1\x00hunter2":                    "NUL",
		"A=`multi\nline`\nexport 1=hunter2": "line 3: what stands",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}

func TestQuoteIsReadBack(t *testing.T) {
	for value, want := range map[string]string{
		"plain":        `"plain"`,
		"pa$$word":     `"pa$$word"`,
		`\$`:           `"\\$"`,
		"a \"b\" \\ c": `"a \"b\" \\ c"`,
		"two\nlines":   `"two\nlines"`,
	} {
		if got := Quote(value); got != want {
			t.Errorf("Quote(%q) is %s, want %s", value, got, want)
		}
		if got, err := Parse("A=" + Quote(value)); err != nil || got["A"] != value {
			t.Errorf("%q comes back as %q, %v", value, got["A"], err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"A=1", "A='x\ny'\nB=\"\\n\"", "export A=`x` # c", "# c", "A", "A=\"\\", "\uFEFFA=1\r\n", "A=\"\\$x\\\\$\"", "C='x'\n#\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := Parse(text)
		if err != nil {
			if vars != nil {
				t.Error("an error and a result")
			}
			return
		}
		var b strings.Builder
		for name, v := range vars {
			if !IsName(name) || strings.ContainsRune(v, 0) {
				t.Errorf("%q=%q cannot be a variable", name, v)
			}
			b.WriteString(name + "=" + Quote(v) + "\n")
		}
		again, err := Parse(b.String())
		if err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		if diff := cmp.Diff(vars, again); diff != "" {
			t.Errorf("written again it is another (-want +got):\n%s", diff)
		}
	})
}
