package awsmodel

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Call is a request as its service understands it. A structure or a map is a
// map[string]any by the names of the model, a list is a []any, a number an int64 or a
// float64, a timestamp a time.Time, a blob a []byte.
type Call struct {
	Operation *Operation
	Input     map[string]any
}

// Request reads a request with its body. The faults are what the model refuses; an
// error says that it asks for no operation of the service.
func (s *Service) Request(r *http.Request, body []byte) (*Call, []Fault, error) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(z)
		}
	}
	d := &decoder{service: s}
	call := &Call{Input: map[string]any{}}
	switch protocol := s.protocol(r); protocol {
	case "smithy-rpc-v2-cbor":
		if call.Operation = s.Operations[path.Base(r.URL.Path)]; call.Operation != nil {
			call.Input = d.structureFromCBOR(call.Operation.Input, body)
		}
	case "json":
		call.Operation = s.Operations[afterDot(r.Header.Get("X-Amz-Target"))]
		if call.Operation != nil {
			call.Input = d.structureFromJSON(call.Operation.Input, body)
		}
	case "query", "ec2":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, nil, err
		}
		if call.Operation = s.Operations[form.Get("Action")]; call.Operation != nil {
			if v := form.Get("Version"); v != s.Metadata.APIVersion {
				d.fault("Version", "%q is not the API's, %s", v, s.Metadata.APIVersion)
			}
			form.Del("Action")
			form.Del("Version")
			d.ec2 = protocol == "ec2"
			call.Input = d.structureFromForm(call.Operation.Input, form)
		}
	case "rest-json", "rest-xml":
		var labels map[string]string
		if call.Operation, labels = s.route(r); call.Operation != nil {
			call.Input = d.rest(call.Operation, labels, r, body)
		}
	default:
		return nil, nil, fmt.Errorf("the protocol %q is not known here", protocol)
	}
	if call.Operation == nil {
		return nil, nil, fmt.Errorf("%s %s asks for no operation of the model", r.Method, r.URL)
	}
	if call.Operation.Input != nil {
		d.check("", s.shape(call.Operation.Input), call.Input)
	}
	return call, d.faults, nil
}

func (s *Service) protocol(r *http.Request) string {
	switch {
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		return "smithy-rpc-v2-cbor"
	case s.speaks("json") && r.Header.Get("X-Amz-Target") != "":
		return "json"
	case s.Metadata.Protocol == "smithy-rpc-v2-cbor" && s.speaks("query"):
		return "query"
	}
	return s.Metadata.Protocol
}

func afterDot(target string) string { return target[strings.LastIndex(target, ".")+1:] }

// rest reads what is spread over path, query, headers and body.
func (d *decoder) rest(o *Operation, labels map[string]string, r *http.Request, body []byte) map[string]any {
	input := map[string]any{}
	shape := d.service.shape(o.Input)
	_, query := pathAndQuery(r.URL.RequestURI())
	_, constant := pathAndQuery(o.HTTP.RequestURI)
	for name, value := range labels {
		for member, ref := range shape.Members {
			if ref.Location == "uri" && ref.named(member) == name {
				input[member] = d.scalar(member, ref, value, "iso8601")
			}
		}
	}
	unused := maps.Clone(query)
	for name := range constant {
		delete(unused, name)
	}
	for member, ref := range shape.Members {
		name := ref.named(member)
		if ref.Location != "querystring" || d.service.shape(ref).Type == "map" || unused[name] == nil {
			continue
		}
		input[member] = d.texts(member, ref, unused[name])
		delete(unused, name)
	}
	d.restOfQuery(shape, input, unused)
	d.headers(shape, input, r.Header, true)
	d.body(o.Input, input, body)
	return input
}

// restOfQuery takes a map for all parameters that have no name, or refuses them.
func (d *decoder) restOfQuery(shape *Shape, input map[string]any, unused url.Values) {
	for member, ref := range shape.Members {
		if ref.Location != "querystring" || d.service.shape(ref).Type != "map" || len(unused) == 0 {
			continue
		}
		all := map[string]any{}
		for name, values := range unused {
			all[name] = d.texts(member, d.service.shape(ref).Value, values)
		}
		input[member] = all
		return
	}
	for name := range unused {
		if name != "x-id" && !strings.HasPrefix(name, "X-Amz-") { // the SDKs' name of the operation, and presigned URLs
			d.fault("?"+name, "no parameter of the query has this name")
		}
	}
}

// texts is a parameter that may be there several times.
func (d *decoder) texts(at string, ref *Ref, values []string) any {
	shape := d.service.shape(ref)
	if shape.Type != "list" {
		return d.scalar(at, ref, values[0], "iso8601")
	}
	list := []any{}
	for i, value := range values {
		list = append(list, d.scalar(fmt.Sprintf("%s[%d]", at, i), shape.Member, value, "iso8601"))
	}
	return list
}

// headersOfAll are what clients add by themselves.
var headersOfAll = []string{"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amz-Trailer", "X-Amz-Decoded-Content-Length",
	"X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Target", "X-Amzn-Trace-Id"}

func (d *decoder) headers(shape *Shape, into map[string]any, header http.Header, strict bool) {
	known := slices.Clone(headersOfAll)
	for member, ref := range shape.Members {
		name := http.CanonicalHeaderKey(ref.named(member))
		switch ref.Location {
		case "header":
			known = append(known, name)
			if values := header[name]; len(values) > 0 {
				into[member] = d.header(member, ref, strings.Join(values, ", "))
			}
		case "headers":
			name := http.CanonicalHeaderKey(ref.LocationName)
			for given := range header {
				if strings.HasPrefix(given, name) {
					known = append(known, given)
					if into[member] == nil {
						into[member] = map[string]any{}
					}
					into[member].(map[string]any)[strings.ToLower(strings.TrimPrefix(given, name))] = header.Get(given)
				}
			}
		}
	}
	for name := range header {
		if strict && strings.HasPrefix(name, "X-Amz") && !slices.Contains(known, name) && !strings.HasPrefix(name, "X-Amz-Checksum-") {
			d.fault(name, "no header of the operation has this name")
		}
	}
}

func (d *decoder) header(at string, ref *Ref, value string) any {
	shape := d.service.shape(ref)
	if shape.Type != "list" {
		return d.scalar(at, ref, value, "rfc822")
	}
	list := []any{}
	if value == "" {
		return list
	}
	of := d.service.shape(shape.Member)
	for i, part := range headerList(value, of.Type == "timestamp" && formatOf(shape.Member, of, "rfc822") == "rfc822") {
		list = append(list, d.scalar(fmt.Sprintf("%s[%d]", at, i), shape.Member, part, "rfc822"))
	}
	return list
}

// headerList splits at commas, but for those in quotes and the one of a date.
func headerList(value string, dates bool) (parts []string) {
	part, quoted, escaped, commas := strings.Builder{}, false, false, 0
	for _, c := range value {
		switch {
		case escaped:
			escaped = false
			part.WriteRune(c)
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			if commas++; dates && commas%2 == 1 {
				part.WriteRune(c)
				continue
			}
			parts = append(parts, strings.TrimSpace(part.String()))
			part.Reset()
		default:
			part.WriteRune(c)
		}
	}
	return append(parts, strings.TrimSpace(part.String()))
}

// body reads the members that are in the body, or the one that is the body.
func (d *decoder) body(ref *Ref, into map[string]any, body []byte) {
	shape := d.service.shape(ref)
	if shape.Payload == "" {
		inBody := slices.ContainsFunc(slices.Collect(maps.Values(shape.Members)), func(m *Ref) bool { return m.Location == "" })
		if len(body) > 0 && (inBody || len(shape.Members) == 0) {
			maps.Copy(into, d.structureFrom(ref, body))
		}
		return
	}
	member := shape.Members[shape.Payload]
	payload := d.service.shape(member)
	switch {
	case len(body) == 0 || payload.EventStream:
	case payload.Type == "blob":
		into[shape.Payload] = body
	case payload.Type == "string":
		into[shape.Payload] = string(body)
	case payload.Document || payload.Type != "structure":
		into[shape.Payload] = d.valueFrom(shape.Payload, member, body)
	default:
		given := d.structureFrom(member, body)
		if given != nil {
			into[shape.Payload] = given
		}
	}
}

func (d *decoder) structureFrom(ref *Ref, body []byte) map[string]any {
	if d.service.Metadata.Protocol == "rest-xml" {
		return d.structureFromXML(ref, body)
	}
	return d.structureFromJSON(ref, body)
}
