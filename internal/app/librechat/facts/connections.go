package facts

import "strconv"

// Connections are the most that one environment holds: to each server of the
// database that it reads from or writes to, and to Redis.
//
// The driver's pool is bounded by MONGO_MAX_POOL_SIZE, and one connection more watches
// the server; a second one, which measures its round trips, it leaves out where it
// sees that it runs on Lambda
// (https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-monitoring.md).
// To Redis there are a client of Keyv's, one for the rest, and one that subscribes to
// streams.
func (r Release) Connections(env map[string]string) (mongo, redis int) {
	pool, err := strconv.Atoi(env["MONGO_MAX_POOL_SIZE"])
	if err != nil || pool < 1 {
		pool = 100 // the driver's own
	}
	redis = 2
	if r.Design == GeneratesAfterPost {
		redis = 3
	}
	return pool + 1, redis
}
