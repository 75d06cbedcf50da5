/**
 * The limit of the runtime's HTTP itself, as a server of its own: takes a body whole and answers a short JSON; nothing is parsed or
 * stored. Run as a child: prints its port as the first line and ends when its standard input does.
 */

if (import.meta.main) {
  const answer = JSON.stringify({
    topic: "bench-http",
    partition: 0,
    offset: 0,
    timestamp: 1_796_000_000_000,
  });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      await request.bytes();
      return new Response(answer, { headers: { "content-type": "application/json" } });
    },
  });
  console.log(server.port);
  for await (const _ of Bun.stdin.stream()) void _;
  await server.stop(true);
}
