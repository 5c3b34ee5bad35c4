package environment

import (
	"slices"
	"testing"
)

// TestNamedPorts: as the documents of the clients write them.
func TestNamedPorts(t *testing.T) {
	for _, c := range []struct {
		variables []string
		want      []string
	}{
		{[]string{"REDIS_URI=redis://:p@127.0.0.1:6399/0"}, []string{"6399"}},
		{[]string{"DATABASE_URL=postgres://u:p@localhost/shop?sslmode=disable"}, []string{"5432"}},
		{[]string{"DATABASE_URL=postgresql://localhost:5433/shop"}, []string{"5433"}},
		{[]string{"MONGO_URI=mongodb://u:p@127.0.0.1:27018,127.0.0.1:27019/x?replicaSet=rs"}, []string{"27018", "27019"}},
		{[]string{"MONGO_URI=mongodb://127.0.0.1/LibreChat"}, []string{"27017"}},
		{[]string{"API=http://[::1]:4000/v1", "SITE=http://localhost/"}, []string{"4000", "80"}},
		{[]string{"PGHOST=localhost", "PGPORT=5444"}, []string{"5444"}},
		{[]string{"PGHOST=127.0.0.1", "REDIS_HOST=::1", "DB_HOST=localhost"}, []string{"5432", "6379"}},
		{[]string{"DB_HOST=db.example.com", "DB_PORT=5432", "HOST=localhost", "PORT=3000"}, nil},
		{[]string{"BROKERS=localhost:9092,localhost:9093"}, []string{"9092", "9093"}},
		{[]string{"X=localhost:0", "Y=localhost:99999", "Z=notlocalhostatall"}, nil},
	} {
		slices.Sort(c.want)
		if got := namedPorts(c.variables); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.variables, got, c.want)
		}
	}
}
