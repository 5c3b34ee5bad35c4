// Command serve puts a proxy with one fault in front of a URL, to see sluice verify fail for the right reason. It leaves
// the faults themselves to package badhop, and ends with the signal that ends any program.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/aproorg/sluice/internal/probe/badhop"
)

func main() {
	to := flag.String("to", "http://127.0.0.1:8080", "what is forwarded to")
	listen := flag.String("listen", "127.0.0.1:8090", "where to listen")
	fault := flag.String("fault", "buffer", "buffer, truncate or mask")
	flag.Parse()
	handler, err := badhop.New(*to, *fault)
	if err == nil {
		fmt.Printf("http://%s has the fault %s\n", *listen, *fault)
		err = http.ListenAndServe(*listen, handler)
	}
	fmt.Fprintln(os.Stderr, "badhop:", err)
	os.Exit(1)
}
