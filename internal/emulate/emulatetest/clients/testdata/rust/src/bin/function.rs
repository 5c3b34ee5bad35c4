//! The function of lambda_runtime.
use lambda_runtime::{
    run, service_fn,
    streaming::{channel, Body},
    Error, FunctionResponse, LambdaEvent, StreamResponse,
};
use serde_json::Value;
use std::time::Duration;

type Answer = FunctionResponse<Value, Body>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Answer, Error> {
    let event = event.payload;
    match event["do"].as_str() {
        Some("error") => Err("no".into()),
        Some("stream") => Ok(stream(event)),
        _ => Ok(FunctionResponse::BufferedResponse(event)),
    }
}

fn stream(event: Value) -> Answer {
    let (mut out, body) = channel();
    tokio::spawn(async move {
        for i in 0..event["n"].as_u64().unwrap_or(0) {
            let piece = format!("{} {}", i, event["text"].as_str().unwrap_or(""));
            if out.send_data(piece.into()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(event["ms"].as_u64().unwrap_or(0))).await;
        }
    });
    FunctionResponse::StreamingResponse(StreamResponse {
        metadata_prelude: Default::default(),
        stream: body,
    })
}
