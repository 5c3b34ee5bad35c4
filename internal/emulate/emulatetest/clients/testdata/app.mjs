// The function of aws-lambda-ric: handler answers with documents, stream as it writes.
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const handler = async (event) => {
  if (event.do === "error") throw new Error("no");
  return event;
};

export const stream = awslambda.streamifyResponse(async (event, out) => {
  if (event.do === "error") throw new Error("no");
  for (let i = 0; i < event.n; i++) {
    out.write(`${i} ${event.text}`);
    await pause(event.ms ?? 0);
  }
  if (event.do === "stream-error") throw new Error("in the middle");
  out.end();
});
