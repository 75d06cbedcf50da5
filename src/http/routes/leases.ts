/**
 * Consumers without a Kafka client: members of a group, for as long as their lease lasts.
 *
 *   POST   /groups/{group}/poll                joins, and answers the next messages (lease/poll.ts)
 *   POST   /groups/{group}/commit              they are done with (lease/commit.ts)
 *   DELETE /groups/{group}/members/{member}    leaves at once, rather than with the end of the lease
 */

import { type AnyElysia, Elysia } from "elysia";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { jsonBody } from "../json-body.ts";
import { COMMIT_BODY, commitOffsets } from "../lease/commit.ts";
import { leaseEnded } from "../lease/leased-members.ts";
import { POLL_BODY, pollMessages } from "../lease/poll.ts";
import { COMMITTED } from "../openapi/schemas/groups.ts";
import { MESSAGE_EXAMPLE, POLLED } from "../openapi/schemas/messages.ts";

const MEMBER = "3f0c4c4e-8a35-4a55-9a7a-0f6f3c1f8f10";

export function leasesRoutes(parts: HttpParts): AnyElysia {
  const { leases } = parts;
  const json = jsonBody(parts);
  return new Elysia()
    .post(
      "/groups/:group/poll",
      ({ request, params, body }) => pollMessages(parts, leases, request, params.group, body),
      {
        ...json,
        body: POLL_BODY,
        ...documented({
          access: ["read", "group"],
          tag: "groups",
          summary: "Consume: the next messages of a group",
          description:
            "The first poll joins the group. What is not committed comes again: to the same member with its next poll, to others when its " +
            "lease ends. Members share the partitions of the topics, also with Kafka clients.",
          body: { topics: ["orders"], max: 10, waitMs: 10_000 },
          responses: {
            200: {
              description: "Messages, and the offsets to commit when they are done.",
              schema: POLLED,
              example: {
                member: MEMBER,
                leaseMs: 30_000,
                messages: [MESSAGE_EXAMPLE],
                offsets: [{ topic: "orders", partition: 0, offset: 121 }],
              },
            },
          },
        }),
      },
    )
    .post("/groups/:group/commit", ({ params, body }) => commitOffsets(parts, leases, params.group, body), {
      ...json,
      body: COMMIT_BODY,
      ...documented({
        access: ["read", "group"],
        tag: "groups",
        summary: "Consume: messages are done with",
        description: "What is committed never goes back; to do that on purpose, reset the group.",
        body: { member: MEMBER, offsets: [{ topic: "orders", partition: 0, offset: 121 }] },
        responses: {
          200: {
            description: "What is committed now, durably.",
            schema: COMMITTED,
            example: { member: MEMBER, offsets: [{ topic: "orders", partition: 0, offset: 121 }] },
          },
        },
      }),
    })
    .delete(
      "/groups/:group/members/:member",
      async ({ params: { group, member } }) => {
        if (!(await leases.leave(group, member))) throw leaseEnded(group, member);
        return new Response(null, { status: 204 });
      },
      documented({
        access: ["read", "group"],
        tag: "groups",
        summary: "Consume: leave the group",
        description: "At once; others get what it had not committed. Only members over HTTP can be ended so.",
        responses: { 204: { description: "It has left." } },
      }),
    );
}
