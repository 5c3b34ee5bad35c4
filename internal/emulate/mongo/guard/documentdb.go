package guard

const (
	pageAPIs         = "https://docs.aws.amazon.com/documentdb/latest/developerguide/mongo-apis.html"
	pageDifferences  = "https://docs.aws.amazon.com/documentdb/latest/developerguide/functional-differences.html"
	pageIndexes      = "https://docs.aws.amazon.com/documentdb/latest/developerguide/managing-indexes.html"
	pagePartialIndex = "https://docs.aws.amazon.com/documentdb/latest/developerguide/partial-index.html"
)

// set is a set of names.
type set map[string]bool

func setOf(names ...string) set {
	s := make(set, len(names))
	for _, n := range names {
		s[n] = true
	}
	return s
}

var (
	// commandsRefused have a "No" on the page. endSessions has one too, but
	// drivers send it when they close and do not read the answer.
	commandsRefused = setOf(
		"cloneCollectionAsCapped", "convertToCapped", "copydb", "createView", "filemd5",
		"mapReduce", "connPoolStats", "dbHash", "features",
		"getLastError", "getPrevError", "parallelCollectionScan", "resetError",
		"killAllSessionsByPattern", "refreshSessions",
	)

	// commandsKnown have a "Yes" or a "Partial", or belong to the handshake,
	// which every driver needs and the page does not list.
	commandsKnown = setOf(
		"collMod", "create", "createIndexes", "currentOp", "drop", "dropDatabase", "dropIndexes",
		"getAuditConfig", "killCursors", "killOp", "listCollections", "listDatabases", "listIndexes",
		"reIndex", "renameCollection", "setAuditConfig",
		"aggregate", "count", "distinct", "authenticate", "logout",
		"buildInfo", "collStats", "connectionStatus", "dataSize", "dbStats", "explain", "hostInfo",
		"listCommands", "serverStatus", "top",
		"delete", "find", "findAndModify", "getMore", "insert", "update",
		"createRole", "dropAllRolesFromDatabase", "dropRole", "grantRolesToRole", "revokeRolesFromRole",
		"revokePrivilegesFromRole", "rolesInfo", "updateRole",
		"abortTransaction", "commitTransaction", "endSessions", "killAllSessions", "killSessions", "startSession",
		"createUser", "dropAllUsersFromDatabase", "dropUser", "grantRolesToUser", "revokeRolesFromUser",
		"updateUser", "usersInfo",
		"hello", "isMaster", "ismaster", "ping", "saslStart", "saslContinue",
		"buildinfo", "dbstats", "findandmodify",
	)

	stagesKnown = setOf(
		"$addFields", "$changeStream", "$collStats", "$count", "$currentOp", "$geoNear", "$group",
		"$indexStats", "$limit", "$lookup", "$match", "$out", "$project", "$redact", "$replaceRoot",
		"$sample", "$search", "$skip", "$sort", "$unwind",
	)

	// expressionsKnown are the operators of aggregation expressions,
	// accumulators among them.
	expressionsKnown = setOf(
		"$addToSet", "$avg", "$first", "$last", "$max", "$min", "$push", "$sum",
		"$abs", "$add", "$ceil", "$divide", "$exp", "$floor", "$ln", "$log", "$log10", "$mod",
		"$multiply", "$sqrt", "$subtract",
		"$arrayElemAt", "$arrayToObject", "$concatArrays", "$filter", "$in", "$indexOfArray", "$isArray",
		"$objectToArray", "$range", "$reverseArray", "$reduce", "$size", "$slice", "$zip",
		"$and", "$not", "$or", "$cmp", "$eq", "$gt", "$gte", "$lt", "$lte", "$ne",
		"$cond", "$ifNull", "$switch", "$type",
		"$dateAdd", "$dateDiff", "$dateFromString", "$dateSubtract", "$dateToString", "$dayOfMonth",
		"$dayOfWeek", "$dayOfYear", "$hour", "$isoDayOfWeek", "$isoWeek", "$isoWeekYear", "$millisecond",
		"$minute", "$month", "$second", "$week", "$year",
		"$literal", "$mergeObjects", "$natural",
		"$allElementsTrue", "$anyElementTrue", "$setDifference", "$setEquals", "$setIntersection",
		"$setIsSubset", "$setUnion",
		"$concat", "$indexOfBytes", "$indexOfCP", "$ltrim", "$regexFind", "$regexFindAll", "$regexMatch",
		"$replaceAll", "$replaceOne", "$rtrim", "$split", "$strcasecmp", "$strLenBytes", "$strLenCP",
		"$substr", "$substrBytes", "$substrCP", "$toLower", "$toUpper", "$trim",
		"$meta", "$search",
		"$convert", "$toBool", "$toDate", "$toDecimal", "$toDouble", "$toInt", "$toLong", "$toObjectId",
		"$toString", "$let", "$map",
	)

	queriesKnown = setOf(
		"$all", "$elemMatch", "$size", "$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear",
		"$comment", "$eq", "$gt", "$gte", "$in", "$lt", "$lte", "$ne", "$nin", "$exists", "$type",
		"$expr", "$jsonSchema", "$mod", "$regex", "$options", "$text", "$and", "$nor", "$not", "$or",
		"$geometry", "$maxDistance", "$minDistance", "$nearSphere", "$near", "$geoIntersects", "$geoWithin",
		"$ref", "$id", "$db", // a DBRef's fields, not operators; drivers write them
	)

	updatesKnown = setOf(
		"$addToSet", "$pop", "$pullAll", "$pull", "$push", "$bit", "$currentDate", "$inc", "$max", "$min",
		"$mul", "$rename", "$set", "$setOnInsert", "$unset",
	)

	// optionsRefused are options of commands that stand for the cursor methods
	// and the collation that have a "No".
	optionsRefused = setOf(
		"collation", "max", "min", "noCursorTimeout", "returnKey", "showRecordId", "tailable",
	)

	indexOptionsRefused = setOf("collation", "hidden", "wildcardProjection", "bits", "2dIndexVersion")
	indexKindsRefused   = setOf("hashed", "2d")

	variablesRefused = setOf("$$CURRENT", "$$REMOVE")

	// partialFiltersKnown: see pagePartialIndex.
	partialFiltersKnown = setOf("$eq", "$exists", "$and", "$gt", "$gte", "$lt", "$lte")
)
