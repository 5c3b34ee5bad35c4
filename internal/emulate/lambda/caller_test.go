package lambda_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/aproorg/sluice/internal/emulate/lambda"
)

// TestOwner: a server learns which environment has called it, and what that
// environment is doing.
func TestOwner(t *testing.T) {
	w := start(t, nil)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	own, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if conn, err := server.Accept(); err != nil {
		t.Fatal(err)
	} else {
		defer conn.Close()
	}
	answered := make(chan error, 1)
	go func() {
		event := fmt.Sprintf(`{"do":"connect","text":%q,"ms":300,"after":600,"httpMethod":"POST","path":"/api/chat"}`, server.Addr())
		_, err := w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), Payload: []byte(event)})
		answered <- err
	}()
	conn, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	environment, err := w.em.Owner(conn.RemoteAddr().(*net.TCPAddr).AddrPort())
	if errors.Is(err, lambda.ErrUnknownOwner) {
		t.Skipf("%v; run on Linux", err)
	}
	if err != nil || environment != "env-1" {
		t.Fatalf("the connection is held by %q, %v, want env-1", environment, err)
	}
	for _, when := range []string{"under way", "answered"} {
		if when == "answered" {
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
		}
		work, ok := w.em.Work(environment)
		if !ok || work.Method != "POST" || work.Path != "/api/chat" || work.Request == "" || work.Invocation == "" {
			t.Errorf("%s: the environment is at %+v", when, work)
		}
	}
	w.frozen()
	if work, _ := w.em.Work(environment); work.Request != "" || work.Path != "" {
		t.Errorf("frozen: the environment is at %+v", work)
	}
	if owner, err := w.em.Owner(own.LocalAddr().(*net.TCPAddr).AddrPort()); owner != "" || err != nil {
		t.Errorf("a connection of the test is held by %q, %v", owner, err)
	}
	if owner, err := w.em.Owner(netip.MustParseAddrPort("127.0.0.1:1")); owner != "" || err != nil {
		t.Errorf("a connection that is not there is held by %q, %v", owner, err)
	}
	if _, ok := w.em.Work("env-99"); ok {
		t.Error("an environment that never was works")
	}
}
