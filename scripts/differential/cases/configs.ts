/** Settings of topics and brokers: described, set, taken away, refused. */

import { alterConfigsApi } from "../../../src/protocol/kafka/apis/alter-configs.ts";
import {
  type DescribeConfigsResponse,
  describeConfigsApi,
} from "../../../src/protocol/kafka/apis/describe-configs.ts";
import { incrementalAlterConfigsApi } from "../../../src/protocol/kafka/apis/incremental-alter-configs.ts";
import { listConfigResourcesApi } from "../../../src/protocol/kafka/apis/list-config-resources.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ask, type Case, type Names, type Step } from "../case.ts";
import { batch, produceRequest } from "../requests.ts";

type Operation = [name: string, configOperation: number, value: string | null];

const TOPIC = 2;
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;
const HOUR_MS = 3_600_000;
/** Settings with the same value everywhere. */
const LIKE_KAFKA = ["cleanup.policy", "retention.ms", "retention.bytes", "compression.type", "preallocate"];

export function configCases(names: Names, fixture: string): Case[] {
  return [...describeCases(names, fixture), ...alterCases(names), ...ruleCases(names)];
}

function describeCases(names: Names, fixture: string): Case[] {
  const named = (resources: object[]) => ask(describeConfigsApi, 4, { resources, includeSynonyms: true });
  const resource = (resourceType: number, resourceName: string, configurationKeys: string[] | null) => ({
    resourceType,
    resourceName,
    configurationKeys,
  });
  return [
    one("describe: some settings", named([resource(TOPIC, fixture, LIKE_KAFKA)])),
    one("describe: every setting", named([resource(TOPIC, fixture, null)])),
    one("describe: no names", named([resource(TOPIC, fixture, [])])),
    one("describe: a name that is none", named([resource(TOPIC, fixture, ["no.such"])])),
    one("describe: a topic that is none", named([resource(TOPIC, names.topic(), null)])),
    one("describe: a topic without a name", named([resource(TOPIC, "", null)])),
    one("describe: a topic whose name is not allowed", named([resource(TOPIC, "a b", null)])),
    one("describe: the broker", named([resource(4, "1", ["broker.id", "log.retention.bytes"])])),
    one("describe: another broker", named([resource(4, "77", null)])),
    one("describe: a broker that is no number", named([resource(4, "x", null)])),
    one("describe: a type that is none", named([resource(99, "x", null)])),
    one("describe: type 0", named([resource(0, "x", null)])),
    one("describe: another broker's loggers", named([resource(8, "77", null)])),
    one(
      "describe: two, one of them wrong",
      named([resource(TOPIC, fixture, LIKE_KAFKA), resource(3, "", null)]),
    ),
    ...[[2], [99], [2, 2], [16], [32]].map((resourceTypes) =>
      one(`list: types ${resourceTypes}`, ask(listConfigResourcesApi, 1, { resourceTypes })),
    ),
  ];
}

function alterCases(names: Names): Case[] {
  const values: Operation[][] = [
    [["retention.ms", SET, "1000"]],
    [["retention.ms", SET, " 1000 "]],
    [["retention.ms", SET, "-2"]],
    [["retention.ms", SET, "1.5"]],
    [["retention.ms", SET, ""]],
    [["retention.ms", SET, null]],
    [["retention.ms", DELETE, null]],
    [["retention.ms", APPEND, "1"]],
    [["no.such", SET, "1"]],
    [["no.such", DELETE, null]],
    [["cleanup.policy", SET, "compact"]],
    [["cleanup.policy", SET, "compact,delete"]],
    [["cleanup.policy", SET, "other"]],
    [["cleanup.policy", APPEND, "compact"]],
    [["cleanup.policy", APPEND, "delete"]],
    [["cleanup.policy", SUBTRACT, "delete"]],
    [["cleanup.policy", 9, "delete"]],
    [["compression.type", SET, "brotli"]],
    [["min.insync.replicas", SET, "0"]],
    [["segment.bytes", SET, "1"]],
    [["unclean.leader.election.enable", SET, "TRUE"]],
    [["unclean.leader.election.enable", SET, "yes"]],
    [["message.timestamp.type", SET, "Never"]],
    [["flush.ms", SET, "1000"]],
    [["min.cleanable.dirty.ratio", SET, "1.1"]],
    [
      ["retention.ms", SET, "1000"],
      ["retention.ms", SET, "2000"],
    ],
    [
      ["retention.ms", SET, "1000"],
      ["retention.bytes", SET, "many"],
    ],
    [],
  ];
  const cases = values.map((operations): Case => {
    const topic = names.topic();
    const words = operations.map((operation) => operation.join(" ")).join(", ");
    return {
      name: `alter: ${words}`,
      topics: [{ name: topic, partitions: 1 }],
      steps: [incrementally(topic, operations)],
    };
  });
  const topic = names.topic();
  const resource = (configs: object[]) => ({ resourceType: TOPIC, resourceName: topic, configs });
  const wholly = (resources: object[], validateOnly = false) =>
    ask(alterConfigsApi, 2, { resources, validateOnly });
  const retention = { name: "retention.ms", value: "1000" };
  return [
    ...cases,
    {
      name: "alter: as a whole",
      topics: [{ name: topic, partitions: 1 }],
      steps: [
        incrementally(topic, [["retention.bytes", SET, "5000"]]),
        wholly([resource([retention])], true),
        wholly([resource([retention])]),
        described(topic, (value) => value === "1000"),
        wholly([resource([retention]), resource([retention])]),
        wholly([resource([{ name: "retention.ms", value: null }])]),
        wholly([{ ...resource([]), resourceName: names.topic() }]),
        wholly([{ ...resource([]), resourceType: 99 }]),
        wholly([resource([])]),
        described(topic, (value) => value !== "1000"),
      ],
    },
    one("alter: a topic that is none", incrementally(names.topic(), [["retention.ms", SET, "1"]])),
    one("alter: another broker", incrementally("77", [["log.retention.ms", SET, "1"]], 4)),
    one("alter: a broker's fixed setting", incrementally("1", [["broker.id", SET, "2"]], 4)),
    one("alter: a broker's unknown setting", incrementally("1", [["no.such", SET, "2"]], 4)),
  ];
}

/** What acts on records. Times are relative to now, as the clock of a server is. */
function ruleCases(names: Names): Case[] {
  const nowMs = Date.now();
  const rules: [configs: Record<string, string>, records: Buffer][] = [
    [{ "message.timestamp.after.max.ms": "60000" }, batch(["a", "b"], {}, nowMs + HOUR_MS)],
    [{ "message.timestamp.before.max.ms": "60000" }, batch(["a", "b"], {}, nowMs - HOUR_MS)],
    [{ "message.timestamp.before.max.ms": "60000" }, batch(["a", "b"], { codec: "gzip" }, nowMs - HOUR_MS)],
    [{ "min.insync.replicas": "2" }, batch(["a"])],
    [{ "cleanup.policy": "compact" }, batch(["a", "b"])],
    [{ "max.message.bytes": "100" }, batch(["a".repeat(100)])],
    ...["gzip", "snappy", "lz4", "zstd", "uncompressed"].map((codec): [Record<string, string>, Buffer] => [
      { "compression.type": codec },
      batch(["a", "b"], { codec: codec === "gzip" ? "zstd" : "gzip" }),
    ]),
  ];
  return rules.map(([configs, records]): Case => {
    const topic = names.topic();
    return {
      name: `rules: ${Object.entries(configs).join(", ")}`,
      topics: [{ name: topic, partitions: 1, configs }],
      steps: [ask(produceApi, 9, produceRequest(topic, records))],
    };
  });
}

function incrementally(resourceName: string, operations: readonly Operation[], resourceType = TOPIC): Step {
  const configs = operations.map(([name, configOperation, value]) => ({ name, configOperation, value }));
  return ask(incrementalAlterConfigsApi, 1, {
    resources: [{ resourceType, resourceName, configs }],
    validateOnly: false,
  });
}

/** What the topic has, once a change of its retention.ms is there: Kafka makes it after its response. */
function described(topic: string, isThere: (retentionMs: string) => boolean): Step {
  const resources = [{ resourceType: TOPIC, resourceName: topic, configurationKeys: LIKE_KAFKA }];
  return ask(
    describeConfigsApi,
    4,
    { resources },
    { repeatWhile: (response) => !isThere(retentionIn(response)) },
  );
}

function retentionIn(response: unknown): string {
  const { results } = response as DescribeConfigsResponse;
  return results[0]?.configs.find(({ name }) => name === "retention.ms")?.value ?? "";
}

function one(name: string, step: Step): Case {
  return { name, steps: [step] };
}
