// Package mongo serves the MongoDB wire protocol to a rehearsal in place of
// Amazon DocumentDB. It is a proxy in front of either an embedded database
// (package embedded: FerretDB 1.24 on SQLite files) or a real server, and it
// watches every command for what Amazon DocumentDB 5.0 refuses or treats otherwise
// (package guard).
//
// It models:
//   - the wire protocol's OP_MSG and OP_QUERY messages (package wire), one
//     connection to the database for each connection of a client;
//   - DocumentDB's refusals, with [Config.Strict] as errors of the command and
//     without it as a [guard.Finding] only, with what the client was about where
//     [Config.Caller] knows;
//   - a restart of the server on the same address, and clients' connections,
//     counted by the appName of their URI.
//
// It refuses compressed messages (the handshake never offers compression) and
// commands that neither the database nor package embedded knows.
//
// It cannot know: DocumentDB's speed, its query plans and their use of
// indexes, the order of results without a sort, and failovers. The embedded
// database has no replica set (so drivers do not try retryable writes, which
// DocumentDB refuses: the URI of a real deployment needs retryWrites=false) and no
// transactions, which it refuses as a server outside of a replica set does. What
// else it lacks is refused by its name; package embedded lists it.
//
// What DocumentDB 5.0 supports is read from
// https://docs.aws.amazon.com/documentdb/latest/developerguide/mongo-apis.html
// and .../functional-differences.html (both November 2026).
package mongo
