// Package answers is the demo's stand-in for a language model: it answers a question
// from fixed material, and names a chat. It leaves out the pace at which an answer is
// written.
package answers

import (
	"math/rand/v2"
	"strings"
	"unicode"
)

// topic is the material for one kind of answer: some sentences to open with, facts to choose from, and one to close.
type topic struct {
	words string // space-separated word beginnings that call it
	open  []string
	facts []string
	close []string
}

// Compose answers a question from fixed material, in pieces of about one word. The same question and seed give the
// same answer.
func Compose(text string, seed uint64) []string {
	rng := rand.New(rand.NewPCG(seed, 0x51))
	t := chooseTopic(text, rng)
	order := rng.Perm(len(t.facts))[:min(3, len(t.facts))]
	var b strings.Builder
	b.WriteString(t.open[rng.IntN(len(t.open))] + "\n\n")
	for _, i := range order {
		b.WriteString("- " + t.facts[i] + "\n")
	}
	b.WriteString("\n" + t.close[rng.IntN(len(t.close))])
	return pieces(b.String())
}

// chooseTopic takes the topic with the most words in the question, or any where none has one.
func chooseTopic(text string, rng *rand.Rand) topic {
	best, most := rng.IntN(len(topics)), 0
	for i, t := range topics {
		n := 0
		for _, asked := range strings.Fields(strings.ToLower(text)) {
			for _, word := range strings.Fields(t.words) {
				if strings.HasPrefix(strings.Trim(asked, `.,;:!?"'()`), word) {
					n++
				}
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return topics[best]
}

// pieces cuts a text behind each space and line break; joined, they are the text again.
func pieces(text string) []string {
	return strings.FieldsFunc(strings.NewReplacer(" ", " \x00", "\n", "\n\x00").Replace(text), func(r rune) bool { return r == 0 })
}

// Title shortens a question to at most six words and 48 runes.
func Title(text string) string {
	words := strings.Fields(text)
	words = words[:min(6, len(words))]
	runes := []rune(strings.TrimRightFunc(strings.Join(words, " "), unicode.IsPunct))
	if len(runes) > 48 {
		runes = append(runes[:47], '…')
	}
	if len(runes) == 0 {
		return "Untitled"
	}
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}
