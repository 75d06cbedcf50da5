/**
 * Groups of consumers, of every kind.
 *
 *   GET    /groups                 by name, with state, members and lag
 *   GET    /groups/{group}         who is in it, and for each partition what is committed and how far that is behind
 *   DELETE /groups/{group}         one without members, with all that it has committed; with ?topic= what it has committed for that
 *   POST   /groups/{group}/reset   moves what it has committed, or tells what that would change
 */

import { type AnyElysia, Elysia, t } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import { documented } from "../access.ts";
import { describeGroup, noGroup } from "../groups/group-json.ts";
import { GROUPS_PAGE_MAX, listGroups } from "../groups/group-list.ts";
import { RESET_BODY, resetOffsets } from "../groups/offset-reset.ts";
import type { HttpParts } from "../http-parts.ts";
import { jsonBody } from "../json-body.ts";
import { longJson } from "../long-json.ts";
import { GROUP, GROUPS_PAGE, RESET } from "../openapi/schemas/groups.ts";

const GROUP_EXAMPLE = {
  group: "billing",
  type: "consumer",
  state: "Stable",
  protocolType: "consumer",
  assignor: "uniform",
  coordinator: 1,
  lag: 20,
  isLagComplete: true,
  members: [
    {
      memberId: "5e0f6a3c-7a55-4d53-a4b0-5b1c6d7e8f90",
      instanceId: null,
      clientId: "billing-1",
      host: "127.0.0.1",
      partitions: [{ topic: "orders", partition: 0 }],
    },
  ],
  partitions: [
    {
      topic: "orders",
      partition: 0,
      committedOffset: 100,
      logEndOffset: 120,
      lag: 20,
      unknown: null,
      metadata: "",
      memberId: "5e0f6a3c-7a55-4d53-a4b0-5b1c6d7e8f90",
    },
  ],
};

export function groupsRoutes(parts: HttpParts): AnyElysia {
  const { clock } = parts;
  const json = jsonBody(parts);
  return new Elysia()
    .get("/groups", async ({ query }) => longJson(await listGroups(parts, query, clock), clock), {
      query: t.Object({
        prefix: t.Optional(t.String({ description: "Only groups whose names begin so." })),
        after: t.Optional(
          t.String({ description: "Only groups that come later by name: `next` of a page." }),
        ),
        limit: t.Optional(
          t.Integer({ minimum: 1, maximum: GROUPS_PAGE_MAX, description: "Groups of a page." }),
        ),
      }),
      ...documented({
        access: ["describe", "group"],
        tag: "groups",
        summary: "List groups",
        description:
          "A lag that is not known is null, which is not 0. Without isLagComplete it is at least so much.",
        responses: {
          200: {
            description: "A page of groups; `next` when there are more.",
            schema: GROUPS_PAGE,
            example: {
              groups: [
                {
                  group: "billing",
                  type: "consumer",
                  state: "Stable",
                  protocolType: "consumer",
                  members: 1,
                  lag: 20,
                  isLagComplete: true,
                },
              ],
            },
          },
        },
      }),
    })
    .get(
      "/groups/:group",
      async ({ params, query }) => longJson(await describeGroup(parts, params.group, query.topic), clock),
      {
        query: t.Object({ topic: t.Optional(t.String({ description: "Only partitions of this topic." })) }),
        ...documented({
          access: ["describe", "group"],
          tag: "groups",
          summary: "Describe a group",
          responses: {
            200: {
              description: "Its members, and what it has committed.",
              schema: GROUP,
              example: GROUP_EXAMPLE,
            },
          },
        }),
      },
    )
    .delete(
      "/groups/:group",
      async ({ params: { group }, query: { topic } }) => {
        if (topic === undefined) await removeGroup(parts, group);
        else await removeOffsets(parts, group, topic);
        return new Response(null, { status: 204 });
      },
      {
        query: t.Object({
          topic: t.Optional(
            t.String({ description: "Only what it has committed for this topic; the group stays." }),
          ),
        }),
        ...documented({
          access: ["delete", "group"],
          tag: "groups",
          summary: "Delete a group without members, and what it has committed",
          responses: { 204: { description: "It is gone, durably." } },
        }),
      },
    )
    .post(
      "/groups/:group/reset",
      async ({ request, params, body }) => {
        const isWanted = () => !request.signal.aborted;
        return await longJson(await resetOffsets(parts, params.group, body, isWanted), clock);
      },
      {
        ...json,
        body: RESET_BODY,
        ...documented({
          access: ["read", "group"],
          tag: "groups",
          summary: "Move what a group has committed, or tell what that would change",
          description: "A group with members is refused: they would overwrite the change.",
          body: { to: "earliest", topics: ["orders"], dryRun: true },
          responses: {
            200: {
              description: "What each partition had and has, or would have.",
              schema: RESET,
              example: {
                group: "billing",
                changed: false,
                partitions: [{ topic: "orders", partition: 0, from: 100, to: 0 }],
              },
            },
          },
        }),
      },
    );
}

/** @throws ObeliskError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, of the store */
async function removeGroup({ groups }: HttpParts, group: string): Promise<void> {
  const fault = await groups.remove(group);
  if (fault === "GROUP_ID_NOT_FOUND") throw noGroup(group);
  if (fault === null) return;
  throw new ObeliskError(fault, {
    detail: `the group ${JSON.stringify(group)} has members`,
    remedy: "stop its consumers, then try again",
  });
}

/** @throws ObeliskError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, GROUP_SUBSCRIBED_TO_TOPIC, of the store */
async function removeOffsets({ groups, offsets }: HttpParts, group: string, topic: string): Promise<void> {
  const view = groups.find(group);
  if (view === undefined) throw noGroup(group);
  const fault = view.offsetDeleteFault() ?? (view.isSubscribedTo(topic) ? "GROUP_SUBSCRIBED_TO_TOPIC" : null);
  if (fault !== null) throw new ObeliskError(fault, { topic, remedy: "stop its consumers, then try again" });
  await offsets.removeWhere(group, (name) => name === topic);
}
