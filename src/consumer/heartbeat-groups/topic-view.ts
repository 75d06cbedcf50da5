/** What groups see of the topics: which there are, with how many partitions, and whether any of that has changed. */

import type { Topic } from "../../broker/topic.ts";
import type { Topics } from "../../broker/topics.ts";

export interface ViewedTopic {
  readonly id: string;
  readonly partitions: number;
}

export interface TopicView {
  /** Another number after each change of what is below. */
  readonly version: number;
  get(name: string): ViewedTopic | undefined;
  names(): Iterable<string>;
}

export function viewOf(topics: Topics): TopicView {
  return {
    get version() {
      return topics.version;
    },
    get: (name) => viewed(topics.get(name)),
    names: () => topics.names(),
  };
}

function viewed(topic: Topic | undefined): ViewedTopic | undefined {
  return topic === undefined ? undefined : { id: topic.id, partitions: topic.partitions.length };
}
