package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// entry is one line of a chat's log, and what GET /api/chats/{id} gives to the page.
type entry struct {
	Kind        string    `json:"kind"` // owner, question, answer or title
	Text        string    `json:"text"`
	At          time.Time `json:"at"`
	Environment string    `json:"environment,omitempty"`
	Stopped     bool      `json:"stopped,omitempty"`
	// TookMs and FrozenMs belong to a title: the time from the end of the answer to the save, and how much of it the
	// process was not running. A frozen environment shows here.
	TookMs   int64 `json:"tookMs,omitempty"`
	FrozenMs int64 `json:"frozenMs,omitempty"`
}

// chat is a conversation as the page sees it.
type chat struct {
	ID      string  `json:"id"`
	Title   *entry  `json:"title,omitempty"`
	Entries []entry `json:"entries"`
	owner   string
}

var errNoChat = errors.New("there is no such chat in this environment's state")

// validID keeps visitors' text out of file names.
var validID = regexp.MustCompile(`^[a-z0-9]{1,64}$`).MatchString

// key makes a file name of a visitor's name.
func key(user string) string {
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:8])
}

// store gives the logs their meaning.
type store struct{ logs logs }

func (s store) put(name string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a line of %s: %w", name, err)
	}
	return s.logs.add(name, line)
}

// newSession remembers who a random token belongs to.
func (s store) newSession(user string) (token string, err error) {
	token = newID()
	return token, s.put("session-"+token, user)
}

// user returns the owner of a session, or "" for a token that this state does not know.
func (s store) user(token string) string {
	if !validID(token) {
		return ""
	}
	lines, _, err := s.logs.read("session-"+token, 0)
	if err != nil || len(lines) == 0 {
		return ""
	}
	var user string
	if json.Unmarshal(lines[len(lines)-1], &user) != nil {
		return ""
	}
	return user
}

// endSession forgets a token. Logs only grow: an empty owner is the last word.
func (s store) endSession(token string) error {
	if !validID(token) {
		return nil
	}
	return s.put("session-"+token, "")
}

// ask adds a question to a chat of this user, which it makes if there is none.
func (s store) ask(user, id, text string) error {
	c, err := s.chat(user, id)
	if err != nil {
		if !errors.Is(err, errNoChat) {
			return err
		}
		if c.owner != "" {
			return err
		}
		if err := s.put("chat-"+id, entry{Kind: "owner", Text: user, At: time.Now()}); err != nil {
			return err
		}
		if err := s.put("chats-"+key(user), id); err != nil {
			return err
		}
	}
	return s.put("chat-"+id, entry{Kind: "question", Text: text, At: time.Now()})
}

// chat reads a chat. Another user's chat is errNoChat, as is one never begun.
func (s store) chat(user, id string) (chat, error) {
	c := chat{ID: id, Entries: []entry{}}
	lines, _, err := s.logs.read("chat-"+id, 0)
	if err != nil {
		return c, err
	}
	for _, line := range lines {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return c, fmt.Errorf("decode chat %s: %w", id, err)
		}
		switch e.Kind {
		case "owner":
			c.owner = e.Text
		case "title":
			c.Title = &e
		default:
			c.Entries = append(c.Entries, e)
		}
	}
	if c.owner == "" || c.owner != user {
		return chat{owner: c.owner}, errNoChat
	}
	return c, nil
}

// chats lists the user's chats, newest first, without their entries.
func (s store) chats(user string) ([]chat, error) {
	lines, _, err := s.logs.read("chats-"+key(user), 0)
	if err != nil {
		return nil, err
	}
	all := make([]chat, 0, len(lines))
	for i := len(lines) - 1; i >= 0 && len(all) < 50; i-- {
		var id string
		if json.Unmarshal(lines[i], &id) != nil {
			continue
		}
		c, err := s.chat(user, id)
		if err != nil {
			return nil, err
		}
		c.Entries = nil
		all = append(all, c)
	}
	return all, nil
}
