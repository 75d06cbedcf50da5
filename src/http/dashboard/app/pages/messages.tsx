/** The messages of a topic: page by page, or as they come. */

import { useMemo, useState } from "preact/hooks";
import type { TopicDescribed } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { useResource } from "../api/resource.ts";
import { formatCount, plural } from "../base/format.ts";
import { pathOf, query, setQuery } from "../base/router.ts";
import { Download } from "../messages/download.tsx";
import { MESSAGES_MAX } from "../messages/message-reader.ts";
import { ProduceOne } from "../messages/produce-one.tsx";
import { isBackwards, queryOf, type Reading, readingOf } from "../messages/reading.ts";
import { ReadingForm } from "../messages/reading-form.tsx";
import { RecordList } from "../messages/record-list.tsx";
import { FOLLOWED_MAX, type Followed, useFollow } from "../messages/use-follow.ts";
import { type Messages, useMessages } from "../messages/use-messages.ts";
import { Icon } from "../parts/icon.tsx";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useTopics } from "../topics/use-topics.ts";

export function MessagesPage() {
  const search = query.value.toString();
  const reading = useMemo(() => readingOf(new URLSearchParams(search)), [search]);
  const { data: topics } = useTopics();
  const { data: topic } = useResource<TopicDescribed>(
    reading.topic === "" ? null : routeOf(["topics", reading.topic]),
  );
  const [isFollowing, setIsFollowing] = useState(false);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<"produce" | "download" | null>(null);
  const hasTopic = reading.topic !== "";
  const pages = useMessages(hasTopic && !isFollowing ? reading : null);
  const followed = useFollow(hasTopic && isFollowing ? reading : null, open.size > 0);
  const names = useMemo(() => topics?.map(({ name }) => name) ?? [], [topics]);
  const records = isFollowing ? followed.messages : pages.messages;
  const refusal = isFollowing ? followed.refusal : pages.refusal;

  const read = (wanted: Reading) => {
    setOpen(new Set());
    setQuery(queryOf(wanted));
    // What is asked for again is read again.
    if (JSON.stringify(wanted) === JSON.stringify(reading)) pages.restart();
  };

  return (
    <Page
      title="Messages"
      lead={
        hasTopic && topic !== null ? (
          <>
            of{" "}
            <a class="data" href={pathOf("topics", reading.topic)}>
              {reading.topic}
            </a>
            , {countOf(topic)}
          </>
        ) : (
          "Choose a topic to look into."
        )
      }
      actions={
        hasTopic && (
          <>
            <button
              type="button"
              class="button"
              aria-pressed={isFollowing}
              onClick={() => {
                setOpen(new Set());
                setIsFollowing(!isFollowing);
              }}
            >
              <Icon name={isFollowing ? "pause" : "play"} />
              {isFollowing ? "Stop following" : "Follow"}
            </button>
            <button
              type="button"
              class="button"
              disabled={records.length === 0}
              onClick={() => setAsked("download")}
            >
              <Icon name="download" />
              Download
            </button>
            <button type="button" class="button" onClick={() => setAsked("produce")}>
              <Icon name="send" />
              Produce
            </button>
          </>
        )
      }
    >
      <ReadingForm reading={reading} topic={topic} topicNames={names} refusal={refusal} onRead={read} />
      {refusal?.code !== "INVALID_FILTER" && <Refused refusal={refusal} />}
      {!hasTopic && <NoTopic hasTopics={names.length > 0} />}
      {hasTopic &&
        (isFollowing ? <FollowState followed={followed} /> : <ListState pages={pages} reading={reading} />)}
      {records.length > 0 && (
        <RecordList
          records={records}
          open={open}
          onOpen={setOpen}
          onEnd={isFollowing ? nothing : pages.more}
        />
      )}
      {hasTopic && !isFollowing && (
        <NoMessages pages={pages} reading={reading} onProduce={() => setAsked("produce")} />
      )}
      {hasTopic && !isFollowing && <ListEnd pages={pages} reading={reading} />}
      {asked === "produce" && (
        <ProduceOne
          topic={reading.topic}
          onClose={() => setAsked(null)}
          onProduced={() => !isFollowing && pages.restart()}
        />
      )}
      {asked === "download" && (
        <Download
          reading={reading}
          partitions={topic?.partitions.length ?? 1}
          records={records}
          onClose={() => setAsked(null)}
        />
      )}
    </Page>
  );
}

function countOf({ partitions }: TopicDescribed): string {
  const records = partitions.reduce(
    (sum, { startOffset, highWatermark }) => sum + highWatermark - startOffset,
    0,
  );
  return `${plural(records, "message")} in ${plural(partitions.length, "partition")}`;
}

function NoTopic({ hasTopics }: { hasTopics: boolean }) {
  return (
    <Empty
      icon="messages"
      title={hasTopics ? "Which topic?" : "There are no topics yet"}
      action={
        <a class="button" href={hasTopics ? pathOf("topics") : `${pathOf("topics")}?create=1`}>
          {hasTopics ? "Show all topics" : "Create a topic"}
        </a>
      }
    >
      {hasTopics ? "Type its name above; the browser knows all of them." : "Messages are in topics."}
    </Empty>
  );
}

function FollowState({ followed }: { followed: Followed }) {
  const { count, waiting, isConnected, messages } = followed;
  const kept = count > FOLLOWED_MAX ? `, the last ${formatCount(FOLLOWED_MAX)} are shown` : "";
  const state = isConnected ? "Following" : "Connecting";
  return (
    <p class="list-state">
      <span class={isConnected ? "pulse is-on" : "pulse"} />
      {/* Of the messages a screen reader need not hear each time. */}
      <span role="status">{state}</span>: {plural(count, "message")} came{kept}
      {waiting > 0 && `. ${plural(waiting, "new one")} wait until the open message is closed`}
      {messages.length === 0 && isConnected && ". They appear here as they are stored"}.
    </p>
  );
}

function ListState({ pages, reading }: { pages: Messages; reading: Reading }) {
  const { messages, isReading, isEnd, passedOver, refusal, unreadable } = pages;
  if (refusal !== null) return null;
  const beside = passedOver > 0 ? `, ${formatCount(passedOver)} older ones of the same keys passed over` : "";
  const isSearch = reading.filter !== "" || reading.key !== "" || reading.isLatest;
  const first = `${isBackwards(reading) ? "The newest" : "The first"} ${plural(messages.length, "message")}`;
  return (
    <div class="list-state">
      <p role="status">
        {messages.length === 0 && (isReading ? "Reading" : "")}
        {messages.length > 0 && (isEnd ? `${plural(messages.length, "message")} in all` : first)}
        {isSearch && messages.length > 0 && " that match"}
        {beside}
        {isReading && messages.length > 0 && ", looking for more"}
      </p>
      {isReading && isSearch && (
        <button type="button" class="button small" onClick={pages.stop}>
          Stop
        </button>
      )}
      {unreadable.length > 0 && (
        <p class="warned" title={unreadable.join("\n")}>
          {plural(unreadable.length, "batch", "batches")} cannot be read. {unreadable[0]}
        </p>
      )}
    </div>
  );
}

/** What stands below the last message: that it is the last, or the way to more. */
function ListEnd({ pages, reading }: { pages: Messages; reading: Reading }) {
  const { messages, isEnd, isFull, isReading, refusal } = pages;
  if (refusal !== null || (messages.length === 0 && (isReading || isEnd))) return null;
  return (
    <div class="list-end">
      {isReading && <p class="muted">Reading more</p>}
      {isEnd && (
        <p class="muted">
          {isBackwards(reading) ? "That is where the topic begins." : "That is where the topic ends."}
        </p>
      )}
      {isFull && (
        <>
          <p class="muted">No more than {formatCount(MESSAGES_MAX)} are listed at once.</p>
          <button type="button" class="button" onClick={pages.moveOn}>
            Go on from here
          </button>
        </>
      )}
      {!isReading && !isEnd && !isFull && (
        <button type="button" class="button" onClick={pages.more}>
          Read more
        </button>
      )}
    </div>
  );
}

interface NoMessagesProps {
  readonly pages: Messages;
  readonly reading: Reading;
  readonly onProduce: () => void;
}

function NoMessages({ pages, reading, onProduce }: NoMessagesProps) {
  const { messages, isReading, refusal } = pages;
  if (messages.length > 0 || refusal !== null) return null;
  if (isReading) return <Waiting rows={8} />;
  if (reading.filter !== "" || reading.key !== "")
    return (
      <Empty icon="search" title="No message is like that">
        All of the topic was looked through from where you began. Names are told apart by case, and a number
        is not the text of it: “How filters are written” has examples.
      </Empty>
    );
  return (
    <Empty
      icon="messages"
      title={reading.from !== "newest" ? "No messages from here on" : "No messages yet"}
      action={
        <button type="button" class="button" onClick={onProduce}>
          <Icon name="send" />
          Produce one
        </button>
      }
    >
      {reading.isLatest ? "None of them has a key." : "Follow the topic to see them as they come."}
    </Empty>
  );
}

function nothing(): void {}
