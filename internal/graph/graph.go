// Package graph draws a stack: the way of a request from the browser through the
// distribution to the site's bucket and the REST API's function, and the stores
// beside it. The drawing is one SVG with its own colors and fonts, so that it is
// the same in a document, a browser and an image viewer, and the same bytes for
// the same stack. It leaves out what a stack does not hold: networks, roles, alarms.
package graph

import (
	"bytes"
	"fmt"
	"io"

	"github.com/aproorg/sluice/internal/stack"
)

// SVG writes the drawing of a stack. What is long is cut with an ellipsis, and its
// whole text is the element's title, which browsers show on hover.
func SVG(w io.Writer, s *stack.Stack) error {
	var body bytes.Buffer
	height := layout(s).draw(&body)
	_, err := fmt.Fprintf(w, header, width, height, width, height, escape(title(s)), width, height)
	if err == nil {
		_, err = body.WriteTo(w)
	}
	if err == nil {
		_, err = io.WriteString(w, "</svg>\n")
	}
	if err != nil {
		return fmt.Errorf("draw the stack: %w", err)
	}
	return nil
}

func title(s *stack.Stack) string {
	name := s.Function.FunctionName
	if name == "" {
		name = "the stack"
	}
	return "Architecture of " + name
}

// width of the drawing in pixels; its height follows from what there is.
const width = 2*margin + 4*column + 3*gap

const header = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif">
<title>%s</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#475569"/></marker></defs>
<rect width="%d" height="%d" fill="#ffffff"/>
`
