// The web server behind the adapter: four pieces, 150 ms apart.
import http from "node:http";

http
  .createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    let i = 0;
    const timer = setInterval(() => {
      response.write(`${i} ${request.url} `);
      if (++i === 4) {
        clearInterval(timer);
        response.end();
      }
    }, 150);
  })
  .listen(process.env.PORT, "127.0.0.1");
