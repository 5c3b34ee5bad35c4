package deploy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/deploy"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/ui"
)

// asker shows a plan, and asks a person whether to apply it.
type asker struct{ *command.Program }

// show shows a plan: each change on a line, or where a question follows, so few lines
// that what it costs stays on the screen.
func (a asker) show(q deploy.Question, short bool) {
	out := a.Terminal()
	marks := map[infra.Action]string{infra.Create: "+", infra.Update: "~", infra.Replace: "±", infra.Delete: "-"}
	longest := len(q.Plan.Changes)
	if short {
		longest = longestList
	}
	for _, line := range changeLines(q.Plan.Changes, marks, longest) {
		out.Line(line)
	}
	out.Line(q.Plan.String())
	if q.Cost != nil {
		out.Line(q.Cost.String())
	}
	if len(q.Losses) > 0 {
		out.Line(out.Paint(ui.Red, "will be lost, and does not come back:"))
		for _, l := range q.Losses {
			out.Line("  " + ui.Clean(l.String()))
		}
	}
}

// longestList is how many changes of one kind are listed one by one.
const longestList = 12

// changeLines are the changes of a plan: one by one where no more than longest are of a
// kind, and otherwise counted by type. What is replaced is always named, and what holds
// data that is lost stands among the losses.
func changeLines(changes []infra.Change, marks map[infra.Action]string, longest int) (lines []string) {
	for _, action := range []infra.Action{infra.Create, infra.Update, infra.Replace, infra.Delete} {
		var addresses []string
		types := map[string]int{}
		for _, c := range changes {
			if c.Action == action {
				addresses = append(addresses, c.Address)
				types[c.Type]++
			}
		}
		if len(addresses) <= longest || action == infra.Replace {
			for _, address := range addresses {
				lines = append(lines, "  "+marks[action]+" "+ui.Clean(address))
			}
			continue
		}
		var counted []string
		for _, kind := range slices.Sorted(maps.Keys(types)) {
			word := strings.TrimPrefix(ui.Clean(kind), "aws_")
			if types[kind] > 1 {
				word = fmt.Sprintf("%d %s", types[kind], word)
			}
			counted = append(counted, word)
		}
		lines = append(lines, wrapped("  "+marks[action]+" ", counted)...)
	}
	return lines
}

// wrapped joins words by commas into lines of up to 100 columns, the first with the mark.
func wrapped(mark string, words []string) (lines []string) {
	line := mark
	for i, word := range words {
		if i < len(words)-1 {
			word += ", "
		}
		if len(line)+len(word) > 100 {
			lines = append(lines, strings.TrimRight(line, " "))
			line = "    "
		}
		line += word
	}
	return append(lines, line)
}

// confirm asks a person. Where nobody can answer, --yes is the only way.
func (a asker) confirm(ctx context.Context, q deploy.Question) (bool, error) {
	a.show(q, true)
	want, ask := "yes", "Apply this? Type yes: "
	if q.Destroy {
		dir, err := filepath.Abs(q.Dir)
		if err != nil {
			return false, err
		}
		want = filepath.Base(dir)
		ask = fmt.Sprintf("Destroy it? Type the environment's name, %s: ", want)
	}
	if _, err := io.WriteString(a.Out, ask); err != nil {
		return false, err
	}
	answer, err := readLine(ctx, a.In)
	if errors.Is(err, io.EOF) && answer == "" {
		return false, hint.With(errors.New("nobody answered: standard input is closed"), "--yes applies without asking")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return answer == want, nil
}

// maxLine bounds an answer: of a longer one the rest is left.
const maxLine = 4 << 10

// readLine reads one line, or gives up when ctx ends: a read of a terminal cannot
// be taken back, so its goroutine ends with the process.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadString('\n')
		read <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
