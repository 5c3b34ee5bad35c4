package answers

// topics is what the demo can talk about: the path that its own answers take. In facts, **bold** and `code` are rendered
// by the page.
var topics = []topic{
	{
		words: "stream token chunk sse buffer event incremental word",
		open: []string{
			"You are watching it happen: every word of this answer is an event of its own, written, flushed and read before the next one exists.",
			"Streaming is a chain, and one link that waits for more bytes breaks it. This answer came through all of the links a word at a time.",
		},
		facts: []string{
			"**API Gateway** streams a REST proxy integration when its response transfer mode is `STREAM`. In the older mode, it collects the whole answer first, and at most 10 MB of it.",
			"The function sends a small JSON head, then **eight NUL bytes**, then the body as it comes. Without those eight bytes the gateway answers 502.",
			"**CloudFront** passes chunks on as they arrive and does not compress `text/event-stream`.",
			"The strip of ticks under this answer is measured in your browser. One tick is one read from the network: an even row is a stream, a single block is a buffer.",
			"The first 6 MB of a streamed Lambda response go at full speed, the rest at 2 MB per second.",
		},
		close: []string{
			"Run `sluice verify` against this address to have the cadence measured, with a verdict.",
			"Set the pace below to 250 ms to see the rhythm with your own eyes.",
		},
	},
	{
		words: "freez frozen thaw environment sandbox after title work drain background survive",
		open: []string{
			"An execution environment lives only while it has a request. Between two of them, its processes are stopped in the middle of whatever they did.",
			"Lambda stops the clock when the runtime asks for the next invocation. What the app still wanted to do has to wait for the next visitor, if one ever comes.",
		},
		facts: []string{
			"This chat's **title** is written after the answer has ended. It survives because the bootstrap waits until the app is quiet before it asks for more work.",
			"Delaying that question keeps the environment running, and each held millisecond is billed. So a request that leaves nothing behind is held for under 5 ms.",
			"The rehearsal really stops the process group between requests, with `SIGSTOP`, so that a lost title is lost here too, and not for the first time in production.",
			"After a thaw, timers jump and idle sockets may be dead. The bootstrap never writes a request to a connection that has slept.",
			"`/tmp` survives from one request to the next in the same environment. Everything outside of it is read-only.",
		},
		close: []string{
			"Look at the line under this answer: it says when the title was saved, and whether the environment was frozen meanwhile.",
			"Each answer names the environment that gave it. Ask in two tabs at once, and you will meet two of them.",
		},
	},
	{
		words: "cold start slow init boot latenc wait ready fast first",
		open: []string{
			"A cold start is paid by whoever comes first, and a page that makes twenty calls at once makes twenty first visitors.",
			"Every environment begins with an init phase of at most ten seconds. An app that needs longer is started again, inside somebody's request.",
		},
		facts: []string{
			"The bootstrap starts the app at once and asks `/health` until it answers, instead of sleeping for a fixed time.",
			"Shortly before ten seconds it takes the first request anyway and goes on waiting inside that, so that the init phase is never repeated.",
			"**One environment serves one request at a time.** Concurrency is the number of environments, and each keeps its own connections to the database.",
			"When a start fails, the reason and the app's last lines go into the error, for a log group is a bad place to look for them at night.",
		},
		close: []string{
			"The timeline page draws a lane for each environment. Reload this page a few times and watch the lanes appear.",
			"Press *crash* in the lab, then ask again: what you wait for then is a restart of the app, not of the environment.",
		},
	},
	{
		words: "limit size upload file download mb big large body timeout minutes",
		open: []string{
			"Each hop has a limit of its own, and the smallest one wins.",
			"Most surprises on this path are limits that someone else's request met before yours.",
		},
		facts: []string{
			"A request may carry **10 MB** through API Gateway but only **6 MB** into Lambda, and a binary one travels as base64: about 4.4 MB of file are left.",
			"A streamed response may last 15 minutes and weigh 200 MB.",
			"CloudFront gives up on an origin that is silent for 30 seconds, **counted between packets**. A reasoning model is easily silent for longer.",
			"All of a function's environment variables together have 4 KB. Secrets do not belong there in any case.",
			"A process may open 1,024 files and sockets in an environment.",
		},
		close: []string{
			"Try the upload in the lab with a file of 5 MB: the refusal you see is the one that production gives.",
			"The rehearsal enforces all of these, so that you meet them here first.",
		},
	},
	{
		words: "heartbeat ping silen think reason long idle keep alive deadline cut",
		open: []string{
			"Silence is the enemy of a stream: every hop has a patience, and none of them tells the app.",
			"A stream that says nothing looks exactly like a stream that has died.",
		},
		facts: []string{
			"After 15 seconds without a byte, the bootstrap puts an `event: ping` between two events, never inside one.",
			"It is an event and not a comment line, for there are clients that hand a comment to their JSON parser and fall over.",
			"Shortly before Lambda's deadline the stream is ended in the client's own terms, with an error event, so that the client can resume instead of hanging.",
			"Nobody tells the function that a visitor has gone. It runs on, and its whole duration is billed.",
		},
		close: []string{
			"Choose *think for 60 s* below, and count the heartbeats while nothing else comes.",
			"The count beside the clock of a thinking answer is the number of heartbeats that reached your browser.",
		},
	},
	{
		words: "what who sluice why hello hi help how rehears local laptop aws terraform deploy plan about",
		open: []string{
			"Sluice runs a web app that streams on AWS Lambda behind one CloudFront domain, and rehearses that whole path on a laptop first.",
			"A sluice lets water through and holds it back when told to. This one does so with requests, answers and the processes that make them.",
		},
		facts: []string{
			"The **bootstrap** is a small Go program in the function's image. It is Lambda's runtime client and the app's parent, and the app is never changed.",
			"The **rehearsal** reads a Terraform plan and runs what it says: behaviors, functions, stages, timeouts and memory. What was rehearsed is what is deployed.",
			"The front end comes from a bucket and the API from a function, under one domain, so that there is no CORS to get wrong.",
			"The image is built without Docker, and its digest is known before anything is applied.",
			"The rehearsal is **stricter than production**: a read-only root, one request per environment, frozen in between.",
		},
		close: []string{
			"Ask me about streaming, freezing, cold starts, limits or heartbeats.",
			"Open the lab to break something. That is what it is there for.",
		},
	},
}
