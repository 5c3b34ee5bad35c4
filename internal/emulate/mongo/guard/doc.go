// Package guard knows what Amazon DocumentDB 5.0 makes of a MongoDB command.
//
// It models the lists of supported commands, stages, operators, options and
// indexes, and those of the functional differences that a command shows. Each
// deviation is a [Finding], with its reason and the page.
//
// It refuses what the lists have a "No" for: [Guard.Check] names it, and
// [Finding.Reply] is what DocumentDB answers. What the lists do not name is
// reported and passes.
//
// It cannot know the types of the values that are stored (a DBRef or a piece of
// JavaScript passes), nor speed, query plans and the order of results.
//
// The lists are in our own arrangement, read in November 2026 from the "5.0"
// columns of https://docs.aws.amazon.com/documentdb/latest/developerguide/mongo-apis.html,
// and .../functional-differences.html and .../partial-index.html. The first page
// says that commands and operators which are internal or make no sense in a
// managed service are left out of it and not supported.
package guard
