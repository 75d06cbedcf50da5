/** The HTTP API over a broker on the memory engine, asked by real HTTP. */

import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Broker, BrokerOptions, BrokerParts } from "../../src/broker/broker.ts";
import type { GroupParts } from "../../src/http/groups/group-parts.ts";
import { HttpApi, type HttpApiOptions } from "../../src/http/http-api.ts";
import { openBroker } from "./broker.ts";
import { groupParts } from "./group-parts.ts";
import { metricsParts } from "./metrics-parts.ts";
import { placesOf } from "./places.ts";
import { requestParts } from "./request-parts.ts";

export interface TestHttp extends AsyncDisposable {
  readonly api: HttpApi;
  readonly broker: Broker;
  readonly parts: Pick<HttpApiOptions, "requestBudget" | "responseBudget"> & GroupParts;
  readonly origin: string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The status and the JSON of a response. */
  ask(path: string, init?: RequestInit): Promise<[number, unknown]>;
}

export async function startHttp(
  options: Partial<HttpApiOptions> = {},
  brokerOptions: Partial<BrokerOptions> = {},
  brokerParts: Partial<BrokerParts> = {},
  givenGroups?: GroupParts,
): Promise<TestHttp> {
  const broker = options.broker ?? (await openBroker(brokerOptions, brokerParts));
  const clock = options.clock ?? systemClock;
  const requests = requestParts(clock);
  const ownGroups = givenGroups === undefined ? await groupParts(broker, clock) : null;
  const groups = givenGroups ?? ownGroups!;
  const api = HttpApi.start({
    host: "127.0.0.1",
    port: 0,
    places: placesOf(100),
    log: silentLog,
    broker,
    listeners: () => [],
    threshold: 0.95,
    startedMonotonicMs: clock.monotonicMs(),
    clock,
    isReady: () => true,
    ...metricsParts(clock),
    ...requests,
    ...groups,
    ...options,
  });
  const origin = `http://127.0.0.1:${api.port}`;
  const send = (path: string, init?: RequestInit) => fetch(origin + path, init);
  return {
    api,
    broker,
    parts: { ...requests, ...groups, ...options },
    origin,
    fetch: send,
    ask: async (path, init) => {
      const response = await send(path, init);
      return [response.status, await response.json()];
    },
    [Symbol.asyncDispose]: async () => {
      await api.stop();
      ownGroups?.close();
      if (options.broker === undefined) await broker.close();
    },
  };
}
