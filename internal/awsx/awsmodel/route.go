package awsmodel

import (
	"net/http"
	"net/url"
	"strings"
)

// route finds the operation of a REST request, and what stands for the labels in its
// path. Where several take the path, the one with most that is constant is asked for,
// and of equal ones the one with most of its required parameters given: S3 tells
// PutObject, CopyObject and UploadPart apart by these alone. One that is deprecated is the
// last to be meant.
func (s *Service) route(r *http.Request) (found *Operation, labels map[string]string) {
	best := -1
	for _, o := range s.Operations {
		given, score := s.matches(o, r)
		if score > best || score == best && found != nil && o.Name < found.Name {
			found, labels, best = o, given, score
		}
	}
	return found, labels
}

// matches gives the labels, and how much of the request the operation names; -1 is not at all.
func (s *Service) matches(o *Operation, r *http.Request) (labels map[string]string, score int) {
	if o.HTTP.Method != r.Method {
		return nil, -1
	}
	pattern, constant := pathAndQuery(o.HTTP.RequestURI)
	asked, query := pathAndQuery(r.URL.RequestURI())
	labels, literal := matchPath(pattern, asked)
	if labels == nil {
		return nil, -1
	}
	score = (literal + 1) * 1000
	for name, values := range constant {
		if !query.Has(name) || values[0] != "" && values[0] != query.Get(name) {
			return nil, -1
		}
		score += 100
	}
	shape := s.shape(o.Input)
	for _, member := range shape.Required {
		ref := shape.Members[member]
		name := ref.named(member)
		given := ref.Location == "querystring" && query.Has(name) || ref.Location == "header" && r.Header.Get(name) != ""
		switch {
		case given:
			score += 10
		case ref.Location == "querystring" || ref.Location == "header":
			score -= 20
		}
	}
	if o.Deprecated {
		score--
	}
	return labels, score
}

func pathAndQuery(uri string) (string, url.Values) {
	path, raw, _ := strings.Cut(uri, "?")
	query, _ := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	return path, query
}

// matchPath gives the labels of a path, and how many of its segments are literal; nil
// where the path is another one.
func matchPath(pattern, path string) (labels map[string]string, literal int) {
	wanted, given := segments(pattern), segments(path)
	labels = map[string]string{}
	for i, want := range wanted {
		greedy := strings.HasSuffix(want, "+}")
		switch {
		case i >= len(given):
			return nil, 0
		case greedy:
			after := len(wanted) - i - 1 // segments behind the label
			end := len(given) - after
			if end <= i {
				return nil, 0
			}
			labels[strings.Trim(want, "{+}")] = unescaped(strings.Join(given[i:end], "/"))
			given = append(given[:i+1:i+1], given[end:]...)
		case strings.HasPrefix(want, "{"):
			labels[strings.Trim(want, "{}")] = unescaped(given[i])
		case want != given[i]:
			return nil, 0
		default:
			literal++
		}
	}
	if len(given) != len(wanted) {
		return nil, 0
	}
	return labels, literal
}

func segments(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func unescaped(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}
