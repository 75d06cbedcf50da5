/** Duplicates within one request, where no other case has them: a server may merge them, refuse them or return them again. */

import { findCoordinatorApi } from "../../../src/protocol/kafka/apis/find-coordinator.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { offsetForLeaderEpochApi } from "../../../src/protocol/kafka/apis/offset-for-leader-epoch.ts";
import { ask, type Case, type Names, type Step } from "../case.ts";

export function repeatedCases(names: Names, fixture: string): Case[] {
  const groupId = names.group();
  const commit = ask(offsetCommitApi, 7, {
    groupId,
    topics: [
      { name: fixture, partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: "n" }] },
    ],
  });
  const committed = (name: string, fetched: Step): Case => ({ name, steps: [commit, fetched] });
  const partition = [{ name: fixture, partitionIndexes: [0, 0, 1] }];
  const everything = { groupId, topics: null };
  const epoch = { partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 };
  const often = Array.from({ length: 300 }, () => ({ name: fixture }));
  return [
    committed(
      "offsets of a partition requested again",
      ask(offsetFetchApi, 7, { groupId, topics: partition }),
    ),
    committed(
      "offsets of a group requested again",
      ask(offsetFetchApi, 8, { groups: [everything, everything, { groupId, topics: partition }] }),
    ),
    one(
      "coordinators requested again",
      ask(findCoordinatorApi, 4, { keyType: 0, coordinatorKeys: [groupId, groupId] }),
    ),
    ...[2, 4].map((version) =>
      one(
        "leader epochs requested again",
        ask(offsetForLeaderEpochApi, version, {
          replicaId: -1,
          topics: [{ topic: fixture, partitions: [epoch, epoch] }],
        }),
      ),
    ),
    ...[1, 9].map((version) =>
      one("metadata requested again and again", ask(metadataApi, version, { topics: often })),
    ),
  ];
}

function one(name: string, step: Step): Case {
  return { name, steps: [step] };
}
