import { expect, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { KiB } from "../../../src/base/units.ts";
import { END, MESSAGE, MessageReader, PAUSED } from "../../../src/protocol/record/message-json.ts";
import { recordJson } from "../../../src/protocol/record/record-json.ts";

interface Read {
  key: string | null;
  value: string | null;
  headers: [string, string | null][];
  partition: number;
  timestampMs: number;
}

function readAll(text: string | Buffer): Read[] {
  const bytes = Buffer.concat([Buffer.from("xx"), Buffer.from(text), Buffer.from("yy")]);
  const reader = new MessageReader();
  reader.reset(bytes, 2, bytes.length - 2);
  const messages: Read[] = [];
  for (;;) {
    const step = reader.step();
    if (step === END) return messages;
    if (step === PAUSED) continue;
    const { keyBuffer, keyStart, keyEnd, valueBuffer, valueStart, valueEnd } = reader;
    messages.push({
      key: keyBuffer?.toString("latin1", keyStart, keyEnd) ?? null,
      value: valueBuffer?.toString("latin1", valueStart, valueEnd) ?? null,
      headers: reader.headers.map(({ key, value }) => [key, value?.toString("latin1") ?? null]),
      partition: reader.partition,
      timestampMs: reader.timestampMs,
    });
  }
}

function refusalOf(text: string): [string, string | undefined] {
  try {
    readAll(text);
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return [thrown.code, thrown.facts.detail];
    throw thrown;
  }
  return ["none", undefined];
}

const plain = { key: null, headers: [], partition: -1, timestampMs: -1 };

test("a message as the Go Obelisk took it", () => {
  expect(readAll('{"key": "user-1", "value": "hello"}')).toEqual([
    { ...plain, key: "user-1", value: "hello" },
  ]);
});

test("text is stored as its bytes, null as nothing, and any other value as its JSON text, no number rounded", () => {
  const values = (text: string) => readAll(`{"value":${text}}`)[0]!.value;
  expect(values('""')).toBe("");
  expect(values('"é"')).toBe("\u00c3\u00a9");
  expect(values('"a\\n\\u00e9\\"\\ud83d\\uddff"')).toBe(Buffer.from('a\né"🗿').toString("latin1"));
  expect(values("null")).toBeNull();
  expect(values(' {"n": 12345678901234567890, "s": "x\\n"} ')).toBe(
    '{"n": 12345678901234567890, "s": "x\\n"}',
  );
  expect([values("1.50"), values("true"), values("[ 1 ]")]).toEqual(["1.50", "true", "[ 1 ]"]);
});

test("bytes come as base64, keys and headers too, in any order of members", () => {
  expect(readAll('{"valueIsBase64": true, "keyIsBase64": true, "value": "/wA=", "key": "/g=="}')).toEqual([
    { ...plain, key: "\u00fe", value: "\u00ff\u0000" },
  ]);
  expect(readAll('{"value": "/wA=", "valueIsBase64": false}')[0]!.value).toBe("/wA=");
  expect(readAll('{"value": null, "valueIsBase64": true}')[0]!.value).toBeNull();
});

test("headers are a list, which may repeat a name, or an object", () => {
  const headers = (text: string) => readAll(`{"value": "", "headers": ${text}}`)[0]!.headers;
  expect(headers('[{"key": "a", "value": "1"}, {"key": "a", "value": null}, {"key": "b"}]')).toEqual([
    ["a", "1"],
    ["a", null],
    ["b", null],
  ]);
  expect(headers('{"a": "1", "b": null}')).toEqual([
    ["a", "1"],
    ["b", null],
  ]);
  expect(headers('[{"key": "a", "value": "/wA=", "valueIsBase64": true}]')).toEqual([["a", "\u00ff\u0000"]]);
});

test("a list is walked message by message", () => {
  expect(readAll(' [{"value":"a"} , {"value":"b","partition":3,"timestamp":1700000000000}]\n')).toEqual([
    { ...plain, value: "a" },
    { ...plain, value: "b", partition: 3, timestampMs: 1_700_000_000_000 },
  ]);
  expect(readAll("[]")).toEqual([]);
});

test("what was read is taken as it was printed", () => {
  const record = {
    topic: "t",
    partition: 2,
    offset: 7,
    timestampMs: 5,
    key: Buffer.from([0xff]),
    value: Buffer.from('a "quoted" é'),
    headers: [{ key: "h", value: Buffer.from([0, 0xfe]) }],
  };
  expect(readAll(JSON.stringify(recordJson(record)))).toEqual([
    {
      key: "\u00ff",
      value: record.value.toString("latin1"),
      headers: [["h", "\u0000\u00fe"]],
      partition: 2,
      timestampMs: 5,
    },
  ]);
});

test("bad JSON is told with its position, a wrong shape with what is wrong", () => {
  expect(refusalOf('{"value": "a",}')).toEqual([
    "INVALID_JSON",
    "no valid JSON: a string is expected, line 1, column 15",
  ]);
  expect(refusalOf("")[0]).toBe("INVALID_JSON");
  expect(refusalOf('{"value": 1} x')[0]).toBe("INVALID_JSON");
  expect(refusalOf('[{"value": 1} {"value": 1}]')[0]).toBe("INVALID_JSON");
  const shapes: [string, string][] = [
    ['{"key": "a"}', 'the message cannot be stored: it has no "value" (null for a tombstone)'],
    ['"text"', 'the message cannot be stored: it must be an object such as {"value": "text"}'],
    [
      '[{"value": 1}, 2]',
      'message 2 of the list cannot be stored: it must be an object such as {"value": "text"}',
    ],
    ['{"value": 1, "vlaue": 2}', 'the message cannot be stored: there is no member "vlaue"'],
    ['{"value": 1, "partition": -1}', "its partition must be an integer of at least 0"],
    ['{"value": 1, "partition": "0"}', "its partition must be an integer of at least 0"],
    ['{"value": 1, "timestamp": 1.5}', "its timestamp must be an integer of at least -1"],
    ['{"value": "/w=", "valueIsBase64": true}', "its value is not base64 (with padding)"],
    ['{"value": {}, "valueIsBase64": true}', "its value is not base64 (with padding)"],
    ['{"value": "", "valueIsBase64": 1}', "its valueIsBase64 must be true or false"],
    ['{"value": "", "keyIsBase64": true}', "it has keyIsBase64 and nothing that is so"],
    ['{"value": "\\ud800"}', "its value has half of a surrogate pair, which no text has"],
    ['{"value": "", "headers": 1}', "its headers must be a list or an object"],
    ['{"value": "", "headers": [1]}', 'a header must be an object such as {"key": "name", "value": "text"}'],
    ['{"value": "", "headers": {"a": 1}}', "a header's value must be a string or null"],
  ];
  for (const [text, why] of shapes) {
    const [code, detail] = refusalOf(text);
    expect([text, code, detail?.endsWith(why)]).toEqual([text, "INVALID_RECORD", true]);
  }
});

test("a long document is read in pieces, and its messages are the same", () => {
  const long = JSON.stringify(Array.from({ length: 100_000 }, (_, index) => index));
  const text = `[{"value": ${long}, "key": "k"}, {"value": "z"}]`;
  const bytes = Buffer.from(text);
  const reader = new MessageReader();
  reader.reset(bytes, 0, bytes.length);
  const steps: number[] = [];
  const found: string[] = [];
  for (let step = reader.step(); step !== END; step = reader.step()) {
    steps.push(step);
    if (step === MESSAGE)
      found.push(reader.valueBuffer!.toString("utf8", reader.valueStart, reader.valueEnd));
  }
  expect([found[0] === long, found[1], found.length]).toEqual([true, "z", 2]);
  expect(steps.filter((step) => step === PAUSED).length).toBe(Math.floor(long.length / (128 * KiB)));
});
