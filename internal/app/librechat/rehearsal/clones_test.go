package rehearsal_test

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
)

//go:embed testdata/clone.mjs
var cloneScript []byte

// cloneProbe has LibreChat tell at /api/clone what it holds in its memory.
func cloneProbe() map[string]string {
	return map[string]string{"NODE_OPTIONS": "--import=data:text/javascript;base64," + base64.StdEncoding.EncodeToString(cloneScript)}
}

// startClones rehearses a release whose environments are real clones, or skips the test.
func startClones(t *testing.T, app rehearsal.Config, change func(*rehearse.Config)) *world {
	t.Helper()
	sandboxtest.NeedClones(t)
	w := startAtOnce(t, app, func(cfg *rehearse.Config) {
		remembering(cfg)
		cfg.Concurrency, cfg.Start = clones+4, rehearse.StartSnapStart
		if change != nil {
			change(cfg)
		}
	})
	if !w.Snapshot.Clones {
		t.Fatalf("%+v", w.Snapshot)
	}
	if w.Snapshot.Bytes < 64<<20 {
		t.Fatalf("a snapshot of %d MB without LibreChat:\n%s", w.Snapshot.Bytes>>20, w.diary("env-1"))
	}
	t.Logf("a snapshot of %d MB, taken in %v", w.Snapshot.Bytes>>20, w.Snapshot.Took.Round(10*time.Millisecond))
	return w
}

// clones is how many are asked at once.
const clones = 20

// atOnceIn calls something at once in so many environments that are restored for it.
func (w *world) atOnceIn(t *testing.T, n int, call func(ctx context.Context, i int) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w.rest(t, func() {})
	w.Lambda.KillAll()
	testkit.Wait(t, time.Minute, "the end of all environments", func() (string, bool) { // until then they count
		left := w.environments()
		return fmt.Sprint(left), len(left) == 0
	})
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = call(ctx, i) })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("in clone %d: %v", i, err)
		}
	}
	if got := len(w.environments()); got != n {
		t.Errorf("%d environments have answered %d calls", got, n)
	}
	if t.Failed() {
		t.Fatalf("refused: %s", w.refused())
	}
}

// TestBuiltClones holds what LibreChat makes at its start, and must be unique or fresh, against many environments of one snapshot.
func TestBuiltClones(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		env := cloneProbe()
		env["LOGIN_MAX"] = "60"
		w := startClones(t, rehearsal.Config{Release: r, Env: env}, nil)
		p := newPerson(t, w.ViewerURL, r.Design)
		t.Run("first request", func(t *testing.T) { firstRequests(t, w, p) })
		t.Run("sessions", func(t *testing.T) { sessionsOfClones(t, w) })
		t.Run("chats", func(t *testing.T) { chatsInClones(t, w, p) })
		t.Run("leader", func(t *testing.T) { leadersAmongClones(t, w, p) })
		t.Run("limits", func(t *testing.T) { limitsAcrossClones(t, w, p) })
	})
}

// firstRequests: no clone's first request meets a socket that was open before the snapshot.
func firstRequests(t *testing.T, w *world, p *person) {
	begun := time.Now()
	w.atOnceIn(t, clones, func(ctx context.Context, _ int) error {
		var user struct{ Email string }
		if err := p.call(ctx, http.MethodGet, "/api/user", nil, &user); err != nil {
			return err
		}
		if user.Email != personEmail {
			return fmt.Errorf("the user is %q", user.Email)
		}
		return nil
	})
	t.Logf("%d clones have answered within %v", clones, time.Since(begun).Round(10*time.Millisecond))
}

// sessionsOfClones: whoever signs in at once in several clones has a session of their own in each, and ends one of them.
func sessionsOfClones(t *testing.T, w *world) {
	tokens, cookies := make([]string, clones), make([]string, clones)
	w.atOnceIn(t, clones, func(ctx context.Context, i int) (err error) {
		tokens[i], cookies[i], err = signIn(ctx, w)
		return err
	})
	sorted := slices.Sorted(slices.Values(cookies))
	if n := len(slices.Compact(sorted)); n != clones || sorted[0] == "" {
		t.Errorf("%d clones gave %d refresh tokens", clones, n)
	}
	if t.Failed() {
		return
	}
	if _, err := exchange(t.Context(), w, "/api/auth/logout", tokens[0], cookies[0]); err != nil {
		t.Error("log out:", err)
	}
	w.atOnceIn(t, clones, func(ctx context.Context, i int) error { return refresh(ctx, w, cookies[i], i > 0) })
}

// signIn returns an access token and the cookies of a session.
func signIn(ctx context.Context, w *world) (token, cookies string, err error) {
	p := &person{base: w.ViewerURL}
	response, err := p.send(ctx, http.MethodPost, "/api/auth/login", map[string]string{"email": personEmail, "password": personPassword}, "")
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	var set []string
	for _, c := range response.Cookies() {
		set = append(set, c.Name+"="+c.Value)
	}
	var got struct{ Token string }
	err = json.NewDecoder(response.Body).Decode(&got)
	return got.Token, strings.Join(set, "; "), err
}

// refresh asks for another access token, which a session that has ended does not give.
func refresh(ctx context.Context, w *world, cookies string, lives bool) error {
	body, err := exchange(ctx, w, "/api/auth/refresh", "", cookies)
	if has := err == nil && strings.Contains(body, `"token"`); has != lives {
		return fmt.Errorf("a token is given (%v) for a session that lives (%v): %.100s %w", has, lives, body, err)
	}
	return nil
}

// exchange posts with cookies, and returns the body of an answer of status 200.
func exchange(ctx context.Context, w *world, path, token, cookies string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.ViewerURL+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Cookie", cookies)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, response.Status, body)
	}
	return string(body), err
}

// chatsInClones: the ids that clones make for what is chatted in them at once are different, and nothing is lost.
func chatsInClones(t *testing.T, w *world, p *person) {
	asked := make([]question, clones/2)
	w.atOnceIn(t, len(asked), func(ctx context.Context, i int) (err error) {
		asked[i], err = p.generate(ctx, fmt.Sprintf("chat-clone-%d [llm tokens=100 every=30ms first=1ms]", i))
		return err
	})
	w.rest(t, func() {})
	var diaries []string
	for _, e := range w.environments() {
		diaries = append(diaries, w.diary(e))
	}
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(diaries, "\n"))
		}
	}()
	owner := map[string]int{}
	note := func(id string, i int) {
		if other, is := owner[id]; is || id == "" {
			t.Errorf("clones %d and %d have made the id %q", other, i, id)
		}
		owner[id] = i
	}
	for i, q := range asked {
		note(q.conversation, i)
		var messages []struct {
			MessageID string
			ID        string `json:"_id"`
		}
		if err := p.call(t.Context(), http.MethodGet, "/api/messages/"+q.conversation, nil, &messages); err != nil || len(messages) != 2 {
			t.Errorf("conversation %d has %d messages: %v (%s)", i, len(messages), err, w.works()[q.request].environment)
			for range 15 {
				go func() { _ = p.call(t.Context(), http.MethodGet, "/api/user", nil, &struct{}{}) }()
			}
			time.Sleep(5 * time.Second) // the time of a thawed environment to save
			err := p.call(t.Context(), http.MethodGet, "/api/messages/"+q.conversation, nil, &messages)
			t.Logf("after a thaw it has %d: %v", len(messages), err)
		}
		for _, m := range messages {
			note(m.MessageID, i)
			if m.ID != "" { // which later releases keep for themselves
				note(m.ID, i)
			}
		}
		if text, err := p.answer(t.Context(), q.conversation); err != nil || len(strings.Fields(text)) < 50 {
			t.Errorf("conversation %d: %.100q, %v", i, text, err)
		}
	}
}

// generate has an answer be generated, and reads it where the POST is the stream.
func (p *person) generate(ctx context.Context, text string) (question, error) {
	if p.design == facts.StreamsInPost {
		q := p.ask(ctx, text)
		return q, q.err
	}
	response, err := p.post(ctx, text)
	if err != nil {
		return question{}, err
	}
	defer response.Body.Close()
	var started struct{ StreamID string }
	err = json.NewDecoder(response.Body).Decode(&started)
	return question{text: text, conversation: started.StreamID, request: response.Header.Get("X-Amz-Cf-Id")}, err
}

// candidate is what a clone knows of the election.
type candidate struct {
	Environment, UUID string
	Leader, Timer     bool
}

// leadersAmongClones: each clone stands for election by an id of its own, and one is elected.
func leadersAmongClones(t *testing.T, w *world, p *person) {
	if w.release.Design != facts.GeneratesAfterPost {
		t.Skip("environments of this release stand for election by one id, at their start alone, which is over before the snapshot")
	}
	all := make([]candidate, clones/2)
	w.atOnceIn(t, len(all), func(ctx context.Context, i int) error {
		return p.call(ctx, http.MethodGet, "/api/clone/leader", nil, &all[i])
	})
	leaders, ids := 0, map[string]bool{}
	for _, s := range all {
		ids[s.UUID] = true
		if s.Leader != s.Timer {
			t.Errorf("%+v renews its lease though it does not lead, or the other way round", s)
		}
		if s.Leader {
			leaders++
		}
	}
	if leaders != 1 || len(ids) != len(all) {
		t.Errorf("%d of %d clones lead, by %d ids: %+v", leaders, len(all), len(ids), all)
	}
}

// limitsAcrossClones: the tries at a password are counted once for all clones.
func limitsAcrossClones(t *testing.T, w *world, p *person) {
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 4 {
		w.atOnceIn(t, clones, func(ctx context.Context, _ int) error {
			_, err := p.send(ctx, http.MethodPost, "/api/auth/login", map[string]string{"email": personEmail, "password": "a wrong one"}, "")
			var refused *refusal
			if !errors.As(err, &refused) {
				return fmt.Errorf("a wrong password: %w", err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[refused.status]++
			return nil
		})
	}
	if statuses[http.StatusTooManyRequests] == 0 {
		t.Errorf("%d tries in all: %v, want 429 for some", 4*clones, statuses)
	}
	t.Logf("answers: %v", statuses)
}
