/** What a reader finds in partition 0 of a topic, from its start to its end. */

import { Consumer } from "../../src/client/consumer.ts";

/** The value at each offset. */
export async function valuesIn(brokers: string, topic: string): Promise<string[]> {
  const consumer = await Consumer.connect({ brokers });
  const partitions = [{ topic, partition: 0 }];
  await consumer.assign(partitions, "earliest");
  const [end] = await consumer.endOffsets(partitions);
  const values: string[] = [];
  while (values.length < end!.offset)
    for (const { value, offset } of await consumer.poll(1000)) values[offset] = `${value}`;
  await consumer.close();
  return values;
}
