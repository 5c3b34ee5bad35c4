package deploy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/deploy"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/ui"
)

// asker shows a plan, and asks a person whether to apply it.
type asker struct{ *command.Program }

// show shows a plan before it is applied.
func (a asker) show(q deploy.Question) {
	out := a.Terminal()
	marks := map[infra.Action]string{infra.Create: "+", infra.Update: "~", infra.Replace: "±", infra.Delete: "-"}
	for _, c := range q.Plan.Changes {
		out.Line("  " + marks[c.Action] + " " + ui.Clean(c.Address))
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

// confirm asks a person. Where nobody can answer, --yes is the only way.
func (a asker) confirm(ctx context.Context, q deploy.Question) (bool, error) {
	a.show(q)
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
