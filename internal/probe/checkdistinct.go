package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// rounds is how often environments are asked for ids whose places are not named: what never changes is none.
const rounds = 2

// environmentsAtOnce is for how many environments a rehearsal of SnapStart is asked.
const environmentsAtOnce = 6

const (
	environmentHeader = "X-Sluice-Environment" // of a rehearsal
	distinctHint      = "what the app drew or made at its start is the same in every clone of the snapshot: make it anew in a listener of sluice:after-restore, or at " +
		"SLUICE_AFTER_RESTORE_PATH (docs/snapstart.md, For authors of an app)"
)

// Ways in which environments come about, as a rehearsal tells them.
const (
	startClone = "clone"
	startHeld  = "held"
)

// distinct are the checks of what no two environments may have in common.
func distinct(d description.Description) []check {
	all := make([]check, 0, len(d.Distinct))
	for _, x := range d.Distinct {
		all = append(all, check{name: "ids of " + x.Path, run: func(ctx context.Context, s *session) (report.Finding, error) { return s.checkDistinct(ctx, x) }})
	}
	return all
}

// drawn is an answer with the values that were found in it, by their places.
type drawn struct {
	number      int    // of the answer, from 1
	environment string // empty where nobody tells
	values      map[string]string
}

func (a drawn) String() string {
	if a.environment != "" {
		return a.environment
	}
	return fmt.Sprintf("answer %d", a.number)
}

func (s *session) checkDistinct(ctx context.Context, d description.Distinct) (report.Finding, error) {
	call := description.Call{Request: d.Request, Status: d.Status}
	if len(d.Fields) > 0 {
		call.Field = d.Fields[0]
	}
	start, err := s.start(ctx, call)
	if err != nil {
		return report.Finding{}, err
	}
	n := s.o.Environments
	if n == 0 {
		if start != startClone && start != startHeld {
			return report.Finding{}, report.Skipped("environments are no clones of a snapshot, as far as one can see from here, so nothing was asked for")
		}
		n = environmentsAtOnce
	}
	if d.Together > 0 {
		n = min(n, d.Together)
	}
	var answers []drawn
	times := rounds
	if d.Named() {
		times = 1
	}
	for range times {
		round, err := s.draw(ctx, d, call, n, len(answers))
		answers = append(answers, round...)
		if err != nil {
			return report.Finding{}, err
		}
	}
	environments := map[string]bool{}
	for _, a := range answers {
		environments[a.environment] = true
	}
	told := !environments[""]
	switch {
	case told && len(environments) == 1:
		return report.Finding{}, report.Skipped(fmt.Sprintf("%s answered all %d requests, so there is nothing to compare it with", answers[0], len(answers)))
	case !told && !d.Named():
		return report.Finding{}, report.Skipped("from outside of a rehearsal, two answers of one environment are not told from those of two: name the places of ids")
	}
	constant, err := compare(d, answers)
	if err != nil {
		return report.Finding{}, err
	}
	f := report.Found("%d answers", len(answers)).With("answers", float64(len(answers)))
	if told {
		f = report.Found("%d answers of %d environments", len(answers), len(environments)).With("answers", float64(len(answers))).With("environments", float64(len(environments)))
	}
	f.Detail += " have no id in common"
	if len(constant) > 0 {
		f.Detail += "; never changed, as a build's: " + strings.Join(constant, ", ")
	}
	if start == startHeld {
		f.Detail += "; these environments were started one by one, and cannot show what clones have in common"
	}
	return f, nil
}

// start learns how environments come about, by a request if the API has not told; empty is nobody's word.
func (s *session) start(ctx context.Context, call description.Call) (string, error) {
	head := s.apiHead
	if head == nil {
		r, err := s.exchange(ctx, call)
		if err != nil {
			return "", err
		}
		head = r.answer.Header
	}
	_, start, _ := strings.Cut(head.Get(environmentHeader), "; ")
	return start, nil
}

// draw makes the request n times at once.
func (s *session) draw(ctx context.Context, d description.Distinct, call description.Call, n, before int) ([]drawn, error) {
	replies, faults := make([]reply, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { replies[i], faults[i] = s.exchange(ctx, call) })
	}
	wg.Wait()
	var all []drawn
	var failed error
	for i, r := range replies {
		if faults[i] != nil {
			failed = faults[i]
			continue
		}
		values, err := valuesOf(d, r.answer)
		if err != nil {
			failed = err
		}
		environment, _, _ := strings.Cut(r.answer.Header.Get(environmentHeader), ";")
		all = append(all, drawn{number: before + i + 1, environment: environment, values: values})
		if err := s.removeDrawn(ctx, d, r.answer); err != nil {
			failed = err
		}
	}
	return all, failed
}

// removeDrawn removes what the request has made. Its captures are the answer's own.
func (s *session) removeDrawn(ctx context.Context, d description.Distinct, a answer) error {
	if d.Remove == nil {
		return nil
	}
	if err := s.capture(d.Request, a); err != nil {
		return err
	}
	return s.ok(ctx, *d.Remove, "to remove what was made")
}

// compare reports two answers that have a value in common. What never changed is returned, where no place is named.
func compare(d description.Distinct, answers []drawn) (constant []string, err error) {
	places := map[string]bool{}
	for _, a := range answers {
		for place := range a.values {
			places[place] = true
		}
	}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		by := map[string][]drawn{}
		for _, a := range answers {
			if v, ok := a.values[place]; ok {
				by[v] = append(by[v], a)
			}
		}
		if !d.Named() && len(by) == 1 {
			constant = append(constant, place)
			continue
		}
		for _, value := range slices.Sorted(maps.Keys(by)) {
			who := by[value]
			if !d.Named() && !slices.ContainsFunc(who, func(a drawn) bool { return a.environment != who[0].environment }) {
				continue // an environment's own
			}
			if len(who) > 1 {
				return nil, report.Failed(distinctHint, "%s: %s is %s in the answers of %s", d.Path, place, abridged(value), names(who))
			}
		}
	}
	return constant, nil
}

func names(who []drawn) string {
	var all []string
	for _, a := range who {
		if name := a.String(); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) == 1 {
		return fmt.Sprintf("%s, %d times", all[0], len(who))
	}
	return strings.Join(all, ", ")
}

// abridged shows no more of a value than tells it from others: it may be a session's.
func abridged(value string) string {
	const shown = 8
	if len(value) <= shown {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q", value[:shown]+"…")
}

// valuesOf finds the values at the places, or all that look like ids.
func valuesOf(d description.Distinct, a answer) (map[string]string, error) {
	values := map[string]string{}
	cookies := map[string]string{}
	for _, c := range a.Cookies() {
		cookies["cookie "+c.Name] = c.Value
	}
	if !d.Named() {
		leaves(values, "", decode(a.body))
		maps.Copy(values, cookies)
		maps.DeleteFunc(values, func(_, v string) bool { return !looksLikeID(v) })
		return values, nil
	}
	missing := func(place string) error {
		return report.Failed("is the description right for this release of the app?", "%s: the answer (%d) has no %s", d.Path, a.StatusCode, place)
	}
	for _, field := range d.Fields {
		v, ok := description.Field(a.body, field)
		if !ok {
			return nil, missing("field " + field)
		}
		values[field] = v
	}
	for _, name := range d.Headers {
		v := a.Header.Get(name)
		if v == "" {
			return nil, missing("header " + name)
		}
		values["header "+http.CanonicalHeaderKey(name)] = v
	}
	for _, name := range d.Cookies {
		v := cookies["cookie "+name]
		if v == "" {
			return nil, missing("cookie " + name)
		}
		values["cookie "+name] = v
	}
	return values, nil
}

func decode(body []byte) any {
	var v any
	_ = json.NewDecoder(bytes.NewReader(body)).Decode(&v) // what is no JSON has no fields
	return v
}

// leaves are the texts in JSON, by their dotted paths.
func leaves(into map[string]string, at string, v any) {
	switch v := v.(type) {
	case string:
		into[strings.TrimPrefix(at, ".")] = v
	case map[string]any:
		for name, x := range v {
			leaves(into, at+"."+name, x)
		}
	case []any:
		for i, x := range v {
			leaves(into, fmt.Sprintf("%s[%d]", at, i), x)
		}
	}
}

var idShape = regexp.MustCompile(`^[A-Za-z0-9_~.+/=-]{12,}$`)

// looksLikeID is true of UUIDs, hex, base64 and the like: letters and digits, and too long for a word or a number.
func looksLikeID(v string) bool {
	return idShape.MatchString(v) && strings.ContainsAny(v, "0123456789") && strings.ContainsAny(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz")
}
