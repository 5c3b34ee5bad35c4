package rehearsal_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestBuiltChatInBrowser is a person's day with a real release.
func TestBuiltChatInBrowser(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(cfg *rehearse.Config) { remembering(cfg); cfg.Concurrency = everyday })
		p := browse(t, w, 20*time.Minute)
		p.register("ann@example.com")
		p.steps(day{"words one by one", wordsOneByOne}, day{"reload in the middle", reloadInTheMiddle}, day{"stop", stopAnAnswer},
			day{"second tab", secondTab}, day{"image", uploadImage}, day{"text file", uploadText}, day{"deep route", deepRoute},
			day{"log out", logOut}, day{"log in", logIn})
	})
}

// day is a part of one.
type day struct {
	name string
	run  func(*tab)
}

// steps are taken one after the other, to the first that fails.
func (p *tab) steps(steps ...day) {
	for _, step := range steps {
		if !p.t.Run(step.name, func(t *testing.T) { q := *p; q.t = t; step.run(&q) }) {
			return
		}
	}
}

// register makes an account by the form, and logs in with it.
func (p *tab) register(email string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.w.ViewerURL + "/register"))
	p.within(opening, "the form", `document.querySelector('input[name="confirm_password"]')`)
	for _, field := range [][2]string{{"name", "Ann"}, {"username", "ann"}, {"email", email}, {"password", "correct horse"}, {"confirm_password", "correct horse"}} {
		p.do(chromedp.SendKeys(chromedp.CSS(`input[name="`+field[0]+`"]`), field[1]))
	}
	p.do(chromedp.Click(chromedp.CSS(`button[type="submit"]`)))
	p.within(opening, "the login", `location.pathname === "/login" || `+box)
	if !js[bool](p, `!!`+box) {
		p.within(opening, "the login form", `document.querySelector('input[name="email"]')`)
		p.do(chromedp.SendKeys(chromedp.CSS(`input[name="email"]`), email), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), "correct horse\r"))
	}
	p.ready()
}

// wordsOneByOne sees the words of each answer in a place of its own, below its question.
func wordsOneByOne(p *tab) {
	p.ask("first [llm tokens=20 rate=20]") // environments start
	p.answered(opening, p.asked("first"))
	for _, question := range []string{"second", "another"} {
		const turns = `document.querySelectorAll(".agent-turn").length`
		before := js[int](p, turns)
		p.ask(question + " [llm tokens=120 rate=8]")
		request := p.asked(question)
		p.within(opening, "a place for the answer", fmt.Sprintf(`%s === %d`, turns, before+1))
		p.grows(request)
		p.answered(opening, request)
	}
}

// grows sees an answer come in steps.
func (p *tab) grows(r llm.Request) {
	p.t.Helper()
	begin := strings.Join(strings.Fields(r.Answer)[:3], " ")
	p.within(opening, "the first words", fmt.Sprintf(`%s.innerText.includes(%q)`, answer, begin))
	const written = answer + `.innerText.length`
	seen := []int{js[int](p, written)}
	for len(seen) < 8 {
		p.within(soon, "more words", fmt.Sprintf(`%s > %d`, written, seen[len(seen)-1]))
		seen = append(seen, js[int](p, written))
	}
	if grown := seen[7] - seen[0]; grown > len(r.Answer)*3/4 {
		p.t.Errorf("%d of %d characters came in 8 steps: %v", grown, len(r.Answer), seen)
	}
}

// reloadInTheMiddle sees the rest of an answer. A release whose POST is the stream
// has no way back to it: there the whole answer is seen once it is saved.
func reloadInTheMiddle(p *tab) {
	p.ask("third [llm tokens=80 rate=8]")
	request := p.asked("third")
	p.within(soon, "some words", fmt.Sprintf(`%s.innerText.includes(%q)`, answer, strings.Join(strings.Fields(request.Answer)[:3], " ")))
	p.do(chromedp.Reload())
	p.ready()
	if p.w.release.Design == facts.StreamsInPost {
		p.w.ended(p.t, "third")
		p.do(chromedp.Sleep(2*time.Second), chromedp.Reload())
	}
	p.answered(opening, request)
}

// stopAnAnswer leaves the page ready for the next question.
func stopAnAnswer(p *tab) {
	p.ask("fourth [llm tokens=600 rate=10]")
	request := p.asked("fourth")
	p.within(soon, "some words", fmt.Sprintf(`%s.innerText.includes(%q)`, answer, strings.Join(strings.Fields(request.Answer)[:3], " ")))
	p.do(chromedp.Click(chromedp.CSS(`button[aria-label="Stop generating"]`)))
	p.within(soon, "the end of the answer", `!`+stop)
	if p.w.release.Design == facts.GeneratesAfterPost {
		if got := p.w.ended(p.t, "fourth"); got.Outcome != llm.Cut {
			p.t.Errorf("the model was heard to its end: %s after %d words", got.Outcome, got.Sent)
		}
	}
	p.ask("fifth [llm tokens=10 rate=20]")
	p.answered(opening, p.asked("fifth"))
}

func secondTab(p *tab) {
	p.ask("slow [llm tokens=120 rate=8]")
	slow := p.asked("slow")
	q := p.another()
	q.do(chromedp.Navigate(p.w.ViewerURL + "/c/new"))
	q.ready()
	q.ask("beside [llm tokens=15 rate=20]")
	q.answered(opening, p.asked("beside"))
	p.answered(opening, slow)
}

func uploadImage(p *tab) {
	path := filepath.Join(p.t.TempDir(), "dot.png")
	if err := os.WriteFile(path, dot(p.t), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS(`form input[type="file"]`), []string{path}, chromedp.NodeReady))
	p.w.stored(p.t, ".webp", ".png")
	p.ask("look [llm tokens=10 rate=20]")
	p.answered(opening, p.asked("look"))
	p.within(soon, "the image in the question", `[...document.querySelectorAll(".user-turn img, .user-turn [style*=background-image]")].some((i) => !i.complete || i.naturalWidth > 0 || i.style.backgroundImage)`)
}

func uploadText(p *tab) {
	path := filepath.Join(p.t.TempDir(), "note.txt")
	if err := os.WriteFile(path, []byte("The word is heron.\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.do(chromedp.Click(chromedp.CSS("#attach-file-menu-button")))
	p.within(soon, "the menu", `[...document.querySelectorAll('[role="menuitem"]')].length`)
	p.do(chromedp.Evaluate[chromedp.Void](`(() => { const item = [...document.querySelectorAll('[role="menuitem"]')].find((i) => /text/i.test(i.innerText)); item.click() })()`),
		chromedp.SetUploadFiles(chromedp.CSS(`form input[type="file"]`), []string{path}, chromedp.NodeReady))
	p.within(soon, "the file", `document.body.innerText.includes("note.txt")`)
	p.ask("read [llm tokens=10 rate=20]")
	request := p.asked("read")
	p.answered(opening, request)
}

func deepRoute(p *tab) {
	path := js[string](p, "location.pathname")
	if !strings.HasPrefix(path, "/c/") || path == "/c/new" {
		p.t.Fatalf("the conversation's path is %q", path)
	}
	p.do(chromedp.Navigate(p.w.ViewerURL + path))
	p.answered(opening, p.asked("read"))
}

func logOut(p *tab) {
	p.do(chromedp.Click(chromedp.CSS(`[data-testid="nav-user"]`)))
	const item = `[...document.querySelectorAll('[role="option"], [role="menuitem"]')].find((i) => /log out/i.test(i.innerText))`
	p.within(soon, "the menu", item)
	p.do(chromedp.Evaluate[chromedp.Void](item + `.click()`))
	p.within(opening, "the login form", `document.querySelector('input[name="email"]')`)
	p.do(chromedp.Navigate(p.w.ViewerURL + "/c/new"))
	p.within(opening, "the login form again", `document.querySelector('input[name="email"]')`)
}

// logIn finds the conversation again, with a file's name in it.
func logIn(p *tab) {
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name="email"]`), "ann@example.com"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), "correct horse\r"))
	p.ready()
	p.within(opening, "the conversation's title", `document.querySelector('[data-testid="convo-item"]')`)
	p.do(chromedp.Click(chromedp.CSS(`[data-testid="convo-item"]`)))
	p.within(opening, "the conversation", answer)
}

// dot is a small image.
func dot(t *testing.T) []byte {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(i)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// stored waits for an object with one of the endings in the bucket of files.
func (w *world) stored(t *testing.T, endings ...string) {
	t.Helper()
	testkit.Wait(t, opening, fmt.Sprintf("one of %v in the bucket", endings), func() (string, bool) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.chat.FilesURL()+"?list-type=2", nil)
		if err != nil {
			t.Fatal(err)
		}
		sigv4.Sign(request, w.chat.Stores.User, "s3", rehearse.DefaultRegion, nil)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		return string(data), slices.ContainsFunc(endings, func(ending string) bool { return strings.Contains(string(data), ending+"</Key>") })
	})
}
