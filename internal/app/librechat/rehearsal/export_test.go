package rehearsal

import "time"

// Through is when the first boot was over.
func (l *LibreChat) Through() time.Time {
	<-l.boot.over
	return l.boot.through
}
