// Package chats is the demo's state: sessions, chats and streams as append-only logs,
// in memory or in a directory that processes share. It leaves out what is said in
// them.
package chats

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Entry is one line of a chat's log, and what GET /api/chats/{id} gives to the page.
type Entry struct {
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

// Chat is a conversation as the page sees it.
type Chat struct {
	ID      string  `json:"id"`
	Title   *Entry  `json:"title,omitempty"`
	Entries []Entry `json:"entries"`
	owner   string
}

// ErrNoChat is the error for a chat that was never begun, or is another user's.
var ErrNoChat = errors.New("there is no such chat in this environment's state")

// ValidID reports whether a text may be part of a log's name; it keeps visitors' text out of file names.
var ValidID = regexp.MustCompile(`^[a-z0-9]{1,64}$`).MatchString

// key makes a file name of a visitor's name.
func key(user string) string {
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:8])
}

// Store gives the logs their meaning. It is safe for concurrent use, by other
// processes too where they share a directory.
type Store struct{ logs logs }

// Open uses the directory, which it makes, or memory where dir is empty.
func Open(dir string) (Store, error) {
	l, err := openLogs(dir)
	return Store{l}, err
}

// Read returns the lines of a log after a cursor, and the cursor for the next read.
func (s Store) Read(name string, cursor int64) (lines [][]byte, next int64, err error) {
	return s.logs.read(name, cursor)
}

// NewID returns 128 random bits in hex. After a SnapStart restore crypto/rand is
// still unique, for the kernel reseeds.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Put appends a value to a log, as a line of JSON.
func (s Store) Put(name string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a line of %s: %w", name, err)
	}
	return s.logs.add(name, line)
}

// NewSession remembers who a random token belongs to.
func (s Store) NewSession(user string) (token string, err error) {
	token = NewID()
	return token, s.Put("session-"+token, user)
}

// User returns the owner of a session, or "" for a token that this state does not know.
func (s Store) User(token string) string {
	if !ValidID(token) {
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

// EndSession forgets a token. Logs only grow: an empty owner is the last word.
func (s Store) EndSession(token string) error {
	if !ValidID(token) {
		return nil
	}
	return s.Put("session-"+token, "")
}

// Ask adds a question to a chat of this user, which it makes if there is none.
func (s Store) Ask(user, id, text string) error {
	c, err := s.Chat(user, id)
	if err != nil {
		if !errors.Is(err, ErrNoChat) {
			return err
		}
		if c.owner != "" {
			return err
		}
		if err := s.Put("chat-"+id, Entry{Kind: "owner", Text: user, At: time.Now()}); err != nil {
			return err
		}
		if err := s.Put("chats-"+key(user), id); err != nil {
			return err
		}
	}
	return s.Put("chat-"+id, Entry{Kind: "question", Text: text, At: time.Now()})
}

// Chat reads a chat. Another user's chat is ErrNoChat, as is one never begun.
func (s Store) Chat(user, id string) (Chat, error) {
	c := Chat{ID: id, Entries: []Entry{}}
	lines, _, err := s.logs.read("chat-"+id, 0)
	if err != nil {
		return c, err
	}
	for _, line := range lines {
		var e Entry
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
		return Chat{owner: c.owner}, ErrNoChat
	}
	return c, nil
}

// Chats lists the user's chats, newest first, without their entries.
func (s Store) Chats(user string) ([]Chat, error) {
	lines, _, err := s.logs.read("chats-"+key(user), 0)
	if err != nil {
		return nil, err
	}
	all := make([]Chat, 0, len(lines))
	for i := len(lines) - 1; i >= 0 && len(all) < 50; i-- {
		var id string
		if json.Unmarshal(lines[i], &id) != nil {
			continue
		}
		c, err := s.Chat(user, id)
		if err != nil {
			return nil, err
		}
		c.Entries = nil
		all = append(all, c)
	}
	return all, nil
}
