package proxyevent

import "bytes"

// cutBody takes the string that is the event's body out of its JSON, so that megabytes of it are looked at once and not
// decoded as text. It returns the JSON with an empty body, and the body's token without its quotes.
//
// It is a shortcut: where the event is not of the expected form it gives up, and the caller decodes all of it.
func cutBody(payload []byte) (rest, token []byte, ok bool) {
	start, end := -1, -1
	i := skipSpace(payload, 0)
	if i >= len(payload) || payload[i] != '{' {
		return nil, nil, false
	}
	for i++; ; i++ {
		i = skipSpace(payload, i)
		keyEnd := skipString(payload, i)
		if keyEnd < 0 {
			return nil, nil, false
		}
		key := payload[i+1 : keyEnd-1]
		i = skipSpace(payload, keyEnd)
		if i >= len(payload) || payload[i] != ':' {
			return nil, nil, false
		}
		i = skipSpace(payload, i+1)
		valueEnd := skipValue(payload, i)
		if valueEnd < 0 || bytes.IndexByte(key, '\\') >= 0 {
			return nil, nil, false
		}
		if bytes.EqualFold(key, []byte("body")) {
			if start >= 0 || payload[i] != '"' {
				return nil, nil, false
			}
			start, end = i, valueEnd
		}
		i = skipSpace(payload, valueEnd)
		if i >= len(payload) || payload[i] != ',' {
			break
		}
	}
	if start < 0 {
		return nil, nil, false
	}
	rest = make([]byte, 0, len(payload)-(end-start)+2)
	rest = append(append(append(rest, payload[:start]...), '"', '"'), payload[end:]...)
	return rest, payload[start+1 : end-1], true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at i, or -1.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		if !escaped(b, i-1) {
			return i
		}
	}
	return -1
}

// escaped says whether an odd number of backslashes stands before i.
func escaped(b []byte, i int) bool {
	odd := false
	for i--; i >= 0 && b[i] == '\\'; i-- {
		odd = !odd
	}
	return odd
}

// skipValue returns the index after the value that begins at i, or -1. It trusts the later decoding to refuse bad JSON.
func skipValue(b []byte, i int) int {
	if i < len(b) && b[i] == '"' {
		return skipString(b, i)
	}
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}
