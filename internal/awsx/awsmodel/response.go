package awsmodel

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
)

// Response reads what an operation answered, for a status below 300, and gives what of
// it does not fit the model. What the operation says of itself beside its output, such
// as the id of the request, is left out.
func (s *Service) Response(o *Operation, r *http.Request, status int, header http.Header, body []byte) (map[string]any, []Fault) {
	d := &decoder{service: s}
	output := map[string]any{}
	shape := s.shape(o.Output)
	switch protocol := s.protocol(r); {
	case o.Output == nil:
	case protocol == "smithy-rpc-v2-cbor":
		output = d.structureFromCBOR(o.Output, body)
	case protocol == "json":
		output = d.structureFromJSON(o.Output, body)
	case protocol == "query", protocol == "ec2":
		output = d.wrapped(o, body)
	default:
		d.headers(shape, output, header, false)
		for member, ref := range shape.Members {
			if ref.Location == "statusCode" {
				output[member] = int64(status)
			}
		}
		d.body(o.Output, output, body)
	}
	if o.Output != nil {
		d.check("", shape, output)
	}
	return output, d.faults
}

// wrapped is the output in a response of query and ec2: in an element of its own, or
// beside the id of the request.
func (d *decoder) wrapped(o *Operation, body []byte) map[string]any {
	if len(body) == 0 {
		return map[string]any{}
	}
	root, err := parseXML(body)
	if err != nil {
		d.fault("", "the body is no XML: %v", err)
		return nil
	}
	if want := o.Name + "Response"; root.name.Local != want {
		d.fault("", "the root element is %s, not %s", root.name.Local, want)
	}
	root.below = slices.DeleteFunc(root.below, func(e *element) bool {
		return e.name.Local == "ResponseMetadata" || e.name.Local == "requestId" || e.name.Local == "RequestId"
	})
	if wrapper := o.Output.ResultWrapper; wrapper != "" {
		if len(root.below) != 1 || root.below[0].name.Local != wrapper {
			d.fault("", "the output is not in %s", wrapper)
			return nil
		}
		root = root.below[0]
	}
	value, _ := d.membersOfXML("", d.service.shape(o.Output), root).(map[string]any)
	return value
}

// Error is the code of an error in a response, and whether the model of the operation
// has it. Where that has no errors at all, as those of EC2 and most of S3, any will do.
func (s *Service) Error(o *Operation, header http.Header, body []byte) (code string, modelled bool) {
	code = header.Get("X-Amzn-Errortype")
	if code == "" {
		var answer struct {
			Code  string `xml:"Code"`
			Error struct {
				Code string `xml:"Code"`
			} `xml:"Error"`
			Errors struct {
				Error struct {
					Code string `xml:"Code"`
				} `xml:"Error"`
			} `xml:"Errors"`
		}
		if xml.Unmarshal(body, &answer) == nil {
			code = fmt.Sprint(answer.Code, answer.Error.Code, answer.Errors.Error.Code)
		}
	}
	return code, len(o.Errors) == 0 || slices.ContainsFunc(o.Errors, func(ref Ref) bool { return ref.Shape == code })
}
