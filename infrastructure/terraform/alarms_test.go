package terraform

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"sync"

	"github.com/aws/smithy-go/encoding/cbor"
)

// alarms is CloudWatch's alarms and dashboards for the provider, whose client speaks
// CBOR (https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html), which moto
// 5.2 does not route. It keeps what it is given and gives it back: no alarm ever rings.
type alarms struct {
	mu         sync.Mutex
	alarms     map[string]cbor.Map // what was put, by name
	dashboards map[string]cbor.Value
}

const cloudWatch = "/service/GraniteServiceVersion20100801/operation/"

func (a *alarms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	value, err := cbor.Decode(body)
	asked, ok := value.(cbor.Map)
	if err != nil || !ok {
		http.Error(w, fmt.Sprintf("no map in CBOR: %v", err), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer, fault := a.answer(path.Base(r.URL.Path), asked)
	if answer == nil && fault == "" {
		http.Error(w, "this stand-in has no "+r.URL.Path, http.StatusNotImplemented)
		return
	}
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.Header().Set("Content-Type", "application/cbor")
	if fault != "" {
		w.WriteHeader(http.StatusNotFound)
		answer = cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#" + fault), "message": cbor.String("not here")}
	}
	w.Write(cbor.Encode(answer))
}

func (a *alarms) answer(operation string, asked cbor.Map) (answer cbor.Map, fault string) {
	switch operation {
	case "PutMetricAlarm":
		if a.alarms == nil {
			a.alarms = map[string]cbor.Map{}
		}
		name := text(asked["AlarmName"])
		if before, ok := a.alarms[name]; ok { // its tags stay (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)
			asked["Tags"] = before["Tags"]
		}
		a.alarms[name] = asked
		return cbor.Map{}, ""
	case "DescribeAlarms":
		found := cbor.List{}
		for _, name := range items(asked["AlarmNames"]) {
			if alarm, ok := a.alarms[text(name)]; ok {
				found = append(found, described(alarm))
			}
		}
		return cbor.Map{"MetricAlarms": found, "CompositeAlarms": cbor.List{}}, ""
	case "DeleteAlarms":
		for _, name := range items(asked["AlarmNames"]) {
			delete(a.alarms, text(name))
		}
		return cbor.Map{}, ""
	case "ListTagsForResource", "TagResource", "UntagResource":
		for name, alarm := range a.alarms {
			if alarmARN(name) != text(asked["ResourceARN"]) {
				continue
			}
			if operation == "ListTagsForResource" {
				return cbor.Map{"Tags": items(alarm["Tags"])}, ""
			}
			gone := items(asked["TagKeys"])
			for _, tag := range items(asked["Tags"]) {
				gone = append(gone, tag.(cbor.Map)["Key"])
			}
			left := slices.DeleteFunc(slices.Clone(items(alarm["Tags"])), func(tag cbor.Value) bool { return slices.Contains(gone, tag.(cbor.Map)["Key"]) })
			alarm["Tags"] = append(left, items(asked["Tags"])...)
			return cbor.Map{}, ""
		}
		return nil, "ResourceNotFoundException"
	case "PutDashboard":
		if a.dashboards == nil {
			a.dashboards = map[string]cbor.Value{}
		}
		a.dashboards[text(asked["DashboardName"])] = asked["DashboardBody"]
		return cbor.Map{"DashboardValidationMessages": cbor.List{}}, ""
	case "GetDashboard":
		name := text(asked["DashboardName"])
		if a.dashboards[name] == nil {
			return nil, "ResourceNotFound"
		}
		return cbor.Map{"DashboardName": cbor.String(name), "DashboardBody": a.dashboards[name],
			"DashboardArn": cbor.String("arn:aws:cloudwatch::123456789012:dashboard/" + name)}, ""
	case "DeleteDashboards":
		for _, name := range items(asked["DashboardNames"]) {
			delete(a.dashboards, text(name))
		}
		return cbor.Map{}, ""
	}
	return nil, ""
}

// described is the alarm as DescribeAlarms gives it: what was put but its tags, and what CloudWatch adds.
func described(put cbor.Map) cbor.Map {
	alarm := cbor.Map{"AlarmArn": cbor.String(alarmARN(text(put["AlarmName"]))), "StateValue": cbor.String("INSUFFICIENT_DATA"), "ActionsEnabled": cbor.Bool(true)}
	for name, value := range put {
		if name != "Tags" {
			alarm[name] = value
		}
	}
	return alarm
}

func alarmARN(name string) string { return "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:" + name }

func text(v cbor.Value) string {
	s, _ := v.(cbor.String)
	return string(s)
}

func items(v cbor.Value) cbor.List {
	l, _ := v.(cbor.List)
	return l
}
